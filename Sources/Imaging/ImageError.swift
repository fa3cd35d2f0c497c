import Foundation

/// What is wrong with an image file.
public enum ImageError: Error, Sendable, Equatable, CustomStringConvertible, LocalizedError {
  case unreadable(file: String, reason: String)
  case unwritable(file: String, reason: String)
  case notAnImage(file: String, found: String)
  case damaged(file: String, format: String, reason: String)
  case tooLarge(file: String, width: Int, height: Int, needed: Int, budget: Int)
  case notLabels(file: String, found: String)
  case unknownColor(file: String, x: Int, y: Int, color: Color)
  case unknownFormat(file: String, suffix: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .unwritable(let file, let reason): "\(file): cannot be written: \(reason)"
    case .notAnImage(let file, let found):
      "\(file): is \(found), expected a PNG, JPEG, TIFF, WebP, PPM, PGM, GIF or BMP image"
    case .damaged(let file, let format, let reason):
      "\(file): this \(format) image is damaged or cut short: \(reason)"
    case .tooLarge(let file, let width, let height, let needed, let budget):
      "\(file): \(width)x\(height) pixels need \(Self.bytes(needed)), the memory budget is \(Self.bytes(budget))"
    case .notLabels(let file, let found):
      "\(file): is \(found), expected labels: an indexed or grey image, or RGB with a colour table"
    case .unknownColor(let file, let x, let y, let color):
      "\(file): the pixel at (\(x), \(y)) has the colour (\(color.red), \(color.green), \(color.blue)), which the colour table does not list"
    case .unknownFormat(let file, let suffix):
      "\(file): images are written as .png or .jpg, not as '\(suffix)'"
    }
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
