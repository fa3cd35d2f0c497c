import Foundation
import NIOHTTP1

/// The parts of a body of `multipart/form-data` (RFC 7578).
struct MultipartForm {
  /// A field of the form.
  struct Part {
    /// Its name.
    let name: String
    /// Whether a file stands in it.
    let isFile: Bool
    /// Its bytes.
    let content: ArraySlice<UInt8>
  }

  /// The fields in their order.
  let parts: [Part]

  /// The most fields that a form may have.
  static let mostParts = 32

  /// Reads a body.
  ///
  /// - Parameter type: The header `Content-Type`, which says what stands between parts.
  /// - Throws: ``Problem`` for a body that is no whole form.
  init(_ body: [UInt8], type: String) throws {
    let boundary = try Self.boundary(type)
    let data = Data(body)
    // Every delimiter but the first has the end of a line before it.
    let delimiter = Data("\r\n--\(boundary)".utf8), first = Data("--\(boundary)".utf8)
    guard data.starts(with: first) || data.range(of: delimiter) != nil else {
      throw Self.damaged("the boundary that Content-Type names does not come")
    }
    var position =
      data.starts(with: first) ? first.count : data.range(of: delimiter)?.upperBound ?? 0
    var parts: [Part] = []
    while !data[position...].starts(with: Data("--".utf8)) {
      guard parts.count < Self.mostParts else {
        throw Problem(
          .badRequest,
          "the form has more than \(Self.mostParts) fields, expected an image and a few")
      }
      guard let line = data.range(of: Data("\r\n".utf8), in: position..<data.count),
        data[position..<line.lowerBound].allSatisfy({ $0 == 32 || $0 == 9 }),
        let end = data.range(of: delimiter, in: line.lowerBound..<data.count)
      else { throw Self.damaged("it ends within a field") }
      parts.append(try Self.part(body, data, line.lowerBound..<end.lowerBound))
      position = end.upperBound
    }
    self.parts = parts
  }

  /// A field, from the end of its delimiter's line on.
  private static func part(_ body: [UInt8], _ data: Data, _ range: Range<Int>) throws -> Part {
    guard let blank = data.range(of: Data("\r\n\r\n".utf8), in: range),
      blank.lowerBound - range.lowerBound < 8192
    else { throw damaged("a field has no headers") }
    let headers = String(decoding: data[range.lowerBound..<blank.lowerBound], as: UTF8.self)
    for line in headers.split(separator: "\r\n") {
      let parts = line.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[0].lowercased() == "content-disposition" else { continue }
      let fields = Self.fields(String(parts[1]))
      guard let name = fields["name"] else { break }
      return Part(
        name: name, isFile: fields["filename"] != nil || fields["filename*"] != nil,
        content: body[blank.upperBound..<range.upperBound])
    }
    throw damaged("a field has no name")
  }

  private static func boundary(_ type: String) throws -> String {
    guard let boundary = fields(type)["boundary"], (1...70).contains(boundary.utf8.count) else {
      throw damaged("Content-Type names no boundary of 1 to 70 characters")
    }
    return boundary
  }

  /// The fields `name=value` after the first semicolon of a header, whose values may be quoted.
  private static func fields(_ header: String) -> [String: String] {
    var (fields, rest) = ([String: String](), header.drop { $0 != ";" }.dropFirst())
    while !rest.isEmpty {
      let name = rest.prefix { $0 != "=" && $0 != ";" }
      rest = rest.dropFirst(name.count)
      guard rest.first == "=" else {
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst()
      var value = ""
      if rest.first == "\"" {
        rest = rest.dropFirst()
        while let character = rest.first, character != "\"" {
          rest = rest.dropFirst()
          value.append(character == "\\" ? rest.popFirst() ?? "\\" : character)
        }
        rest = rest.drop { $0 != ";" }.dropFirst()
      } else {
        value = rest.prefix { $0 != ";" }.trimmed
        rest = rest.drop { $0 != ";" }.dropFirst()
      }
      fields[name.trimmed.lowercased()] = value
    }
    return fields
  }

  private static func damaged(_ reason: String) -> Problem {
    Problem(.badRequest, "the body is no whole multipart/form-data: \(reason)")
  }
}
