import Foundation

/// What is wrong with a file of annotations: where, what was found and what was expected.
public struct AnnotationError: Error, Sendable, Equatable, CustomStringConvertible, LocalizedError {
  /// The file.
  public let file: String
  /// Where in the file: a path of keys, a line, the name of an image; nil for the file as a whole.
  public let entry: String?
  /// What was found.
  public let found: String
  /// What was expected.
  public let expected: String

  /// The error of a place in a file.
  public init(_ file: String, _ entry: String? = nil, found: String, expected: String) {
    (self.file, self.entry, self.found, self.expected) = (file, entry, found, expected)
  }

  /// The message for a person.
  public var description: String {
    "\(file)\(entry.map { ": \($0)" } ?? ""): \(found); expected \(expected)"
  }

  /// The message for a person.
  public var errorDescription: String? { description }
}

/// A text from a file as messages show it: short, in quotes.
func quoted(_ text: some StringProtocol) -> String {
  text.count > 60 ? "'\(text.prefix(57))…'" : "'\(text)'"
}

/// A path as seen from a folder above it.
func relative(_ path: String, to root: String) -> String {
  path.hasPrefix("\(root)/") ? String(path.dropFirst(root.count + 1)) : path
}
