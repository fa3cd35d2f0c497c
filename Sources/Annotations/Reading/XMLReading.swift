import Files
import Foundation

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// Reads XML element by element; nothing outside of the file is ever looked at.
final class XMLReading: NSObject, XMLParserDelegate {
  /// An element that begins.
  struct Element {
    let name: String
    let attributes: [String: String]
    let line: Int
  }

  private let file: String
  private let begin: (Element) throws -> Void
  private let end: (String, String) throws -> Void
  private var text = ""
  private var failure: (any Error)?
  private var depth = 0

  private init(
    _ file: String, _ begin: @escaping (Element) throws -> Void,
    _ end: @escaping (String, String) throws -> Void
  ) {
    (self.file, self.begin, self.end) = (file, begin, end)
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - begin: Is told of every element.
  ///   - end: Is told of the end of every element, with the text since the last tag.
  /// - Throws: ``AnnotationError`` with the line for text that is no XML; what the two throw.
  static func read(
    _ path: String, begin: @escaping (Element) throws -> Void,
    end: @escaping (_ name: String, _ text: String) throws -> Void
  ) throws {
    guard let data = FileSystem.contents(path), data.count < JSONTree.largest else {
      throw AnnotationError(path, found: "cannot be read", expected: "an XML file")
    }
    // Foundation's parser knows no recursion of entities, and none of CVAT's files declares any.
    guard data.range(of: Data("<!ENTITY".utf8)) == nil else {
      throw AnnotationError(path, found: "declares entities", expected: "a file without them")
    }
    let reading = XMLReading(path, begin, end)
    let parser = XMLParser(data: data)
    parser.shouldResolveExternalEntities = false
    parser.delegate = reading
    let isWhole = parser.parse()
    if let failure = reading.failure { throw failure }
    guard isWhole else {
      throw AnnotationError(
        path, "line \(max(parser.lineNumber, 1))", found: "is no XML that can be read",
        expected: "elements that are closed in order")
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes: [String: String]
  ) {
    depth += 1
    text = ""
    guard failure == nil else { return }
    do {
      guard depth <= JSONCursor.deepest else {
        throw AnnotationError(
          file, "line \(parser.lineNumber)", found: "has elements \(depth) deep",
          expected: "at most \(JSONCursor.deepest)")
      }
      try begin(Element(name: name, attributes: attributes, line: parser.lineNumber))
    } catch {
      failure = error
      parser.abortParsing()
    }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    depth -= 1
    guard failure == nil else { return }
    do { try end(name, text.trimmingCharacters(in: .whitespacesAndNewlines)) } catch {
      failure = error
      parser.abortParsing()
    }
    text = ""
  }

  func parser(_ parser: XMLParser, foundCharacters string: String) {
    if text.utf8.count < 1 << 16 { text += string }
  }
}
