import Foundation

/// What is wrong with an image file.
///
/// Two errors are equal if they say the same; the colours in the hint of
/// ``notLabels(file:found:colors:)`` do not count.
public enum ImageError: Error, Sendable, Equatable, CustomStringConvertible, LocalizedError {
  case unreadable(file: String, reason: String)
  case unwritable(file: String, reason: String)
  case notAnImage(file: String, found: String)
  case damaged(file: String, format: String, reason: String)
  case unsupported(file: String, found: String)
  case tooLarge(file: String, width: Int, height: Int, needed: Int, budget: Int)
  /// `colors` are some that were found, for a hint how to list them.
  case notLabels(file: String, found: String, colors: [Color] = [])
  case notAValue(file: String, x: Int, y: Int, found: String)
  case unknownColor(file: String, x: Int, y: Int, color: Color)
  case unknownFormat(file: String, suffix: String)

  /// The message for a person.
  public var description: String {
    guard case .notLabels(_, _, let colors) = self, !colors.isEmpty else { return summary }
    let entries = colors.enumerated().map { index, color in
      "class\(index): [\(color.red), \(color.green), \(color.blue)]"
    }
    return
      "\(summary); if its colours are classes, list them in the configuration: data.colors: {\(entries.joined(separator: ", ")), …}"
  }

  /// The message without a hint.
  private var summary: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .unwritable(let file, let reason): "\(file): cannot be written: \(reason)"
    case .notAnImage(let file, let found):
      "\(file): is \(found), expected a PNG, JPEG, TIFF, WebP, PPM, PGM, GIF or BMP image"
    case .damaged(let file, let format, let reason):
      "\(file): this \(format) image is damaged or cut short: \(reason)"
    case .unsupported(let file, let found): "\(file): is \(found)"
    case .notAValue(let file, let x, let y, let found):
      "\(file): the value at (\(x), \(y)) is \(found), expected a whole number from 0 to 65535"
    case .tooLarge(let file, let width, let height, let needed, let budget):
      "\(file): \(width)x\(height) pixels need \(Self.bytes(needed)), the memory budget is \(Self.bytes(budget))"
    case .notLabels(let file, let found, _):
      "\(file): is \(found), expected labels: an indexed or grey image, or RGB with a colour table"
    case .unknownColor(let file, let x, let y, let color):
      "\(file): the pixel at (\(x), \(y)) has the colour (\(color.red), \(color.green), \(color.blue)), which the colour table does not list"
    case .unknownFormat(let file, let suffix):
      "\(file): images are written as .png or .jpg, not as '\(suffix)'"
    }
  }

  /// Whether two errors say the same.
  public static func == (first: ImageError, second: ImageError) -> Bool {
    first.summary == second.summary
  }

  /// The message for a person.
  public var errorDescription: String? { description }

  private static func bytes(_ count: Int) -> String {
    count >= 1 << 30
      ? String(format: "%.1f GiB", Double(count) / Double(1 << 30))
      : String(format: "%.1f MiB", Double(count) / Double(1 << 20))
  }
}

/// What the bytes of a decoded image may take at most, unless told otherwise: 1 GiB.
public let defaultImageBudget = 1 << 30
