import Datasets
import Foundation

/// A value as JSON with sorted keys, indented.
public func jsonText(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

extension LabelMap {
  /// The map that a short text means: `cityscapes`, `camvid`, `binary` for masks of 0 and 255 or 1, or
  /// `binary:NAME` for the foreground's name, a number of classes, or their names separated by commas;
  /// for the last two 255 is ignored.
  ///
  /// - Throws: ``ScoringError/setting(name:value:expected:)``, `DatasetError.invalidLabelMap`.
  public init(named text: String) throws {
    switch text {
    case "cityscapes": self = Cityscapes.classes19
    case "camvid": self = .camVid
    case "binary": self = .binary()
    default:
      let names = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      if text.hasPrefix("binary:"), text.count > 7 {
        self = .binary(String(text.dropFirst(7)))
      } else if let count = Int(text), (1...255).contains(count) {
        self = try .identity(count)
      } else if names.count > 1 {
        self = try .identity(names.count, names: names)
      } else {
        throw ScoringError.setting(
          name: "the classes", value: "'\(text)'",
          expected:
            "cityscapes, camvid, binary, a number from 1 to 255, or names separated by commas")
      }
    }
  }
}
