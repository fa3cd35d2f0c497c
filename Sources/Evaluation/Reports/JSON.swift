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
  /// `binary:NAME` for the foreground's name, a number of classes, their names separated by commas, or
  /// `value=name` for each value, where `ignored` counts nowhere; 255 is ignored where it is given no name.
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
        self = try LabelMap.identity(count).from(.commandLine)
      } else if names.contains(where: { $0.contains("=") }) {
        self = try Self.table(names, text).resolved("the classes given").map
      } else if names.count > 1 {
        self = try LabelMap.identity(names.count, names: names).from(.commandLine)
      } else {
        throw Self.unclear(text)
      }
    }
  }

  /// What `value=name` entries say.
  ///
  /// - Throws: ``ScoringError/setting(name:value:expected:)``.
  package static func table(_ entries: [String], _ text: String) throws -> LabelTable {
    var values: [Int: String] = [:]
    var classes: [String] = []
    for entry in entries {
      let parts = entry.split(separator: "=", maxSplits: 1)
        .map { $0.trimmingCharacters(in: .whitespaces) }
      guard parts.count == 2, let value = Int(parts[0]), (0...65_535).contains(value),
        values[value] == nil
      else { throw unclear(text) }
      values[value] = parts[1]
      if parts[1] != ignoredWord, !classes.contains(parts[1]) { classes.append(parts[1]) }
    }
    return LabelTable(.commandLine, classes: classes, values: values)
  }

  private static func unclear(_ text: String) -> ScoringError {
    .setting(
      name: "the classes", value: "'\(text)'",
      expected: "cityscapes, camvid, binary, a number from 1 to 255, names separated by commas, or"
        + " entries such as 0=background,255=vessel")
  }
}
