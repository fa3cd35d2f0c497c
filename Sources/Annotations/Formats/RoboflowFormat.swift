import Files
import Foundation
import Imaging

/// Roboflow's masks: `NAME_mask.png` by each image, and a `_classes.csv` in each folder.
enum RoboflowFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    var numbers = ClassNumbers(options)
    var images: [AnnotationSet.Image] = []
    var background: Int?
    let tables = ImageFinder.files(below: source) { $0 == "_classes.csv" }
    guard !tables.isEmpty else {
      throw AnnotationError(
        source, found: "has no _classes.csv", expected: "one in each folder of images")
    }
    for table in tables {
      var values: [UInt16: Int] = [:]
      for (value, name, line) in try rows(table) {
        let number = try numbers.add(name, id: value, file: table, entry: "line \(line)")
        values[UInt16(value)] = number
        if value == 0 { background = number }
      }
      if values[255] == nil { values[255] = Shape.ignored }
      let folder = table.folder
      for name in ImageFinder.pictures(in: folder) where !name.withoutEnding.hasSuffix("_mask") {
        let mask = "\(folder)/\(name.withoutEnding)_mask.png"
        images.append(
          .init(
            name: name.withoutEnding, path: "\(folder)/\(name)",
            part: part(of: relative(table, to: source).withoutLastPart), file: table,
            content: FileSystem.exists(mask)
              ? .pictures(LabelPictures(files: [(mask, .values(values, colors: [:]))])) : .nothing))
      }
    }
    return AnnotationSet(
      .roboflow, classes: numbers.classes, images: images, rule: .coco, background: background)
  }

  /// The lines `value, name`, after that of the titles.
  private static func rows(_ table: String) throws -> [(Int, String, Int)] {
    guard let text = FileSystem.text(table) else {
      throw AnnotationError(table, found: "cannot be read", expected: "`value, name` a line")
    }
    var rows: [(Int, String, Int)] = []
    for (number, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = String(raw.drop { $0 == "\u{FEFF}" }).trimmingSpaces
      guard !line.isEmpty, number > 0 || Int(line.prefix { $0 != "," }) != nil else { continue }
      let fields = line.split(separator: ",", maxSplits: 1).map {
        String($0).trimmingSpaces.trimmingCharacters(in: ["\""])
      }
      guard fields.count == 2, let value = Int(fields[0]), (0...255).contains(value),
        !fields[1].isEmpty
      else {
        throw AnnotationError(
          table, "line \(number + 1)", found: "is \(quoted(line))",
          expected: "a value from 0 to 255, a comma and a name")
      }
      guard !rows.contains(where: { $0.0 == value || $0.1 == fields[1] }) else {
        throw AnnotationError(
          table, "line \(number + 1)", found: "has the value or the name of another",
          expected: "each once")
      }
      rows.append((value, fields[1], number + 1))
    }
    guard !rows.isEmpty else {
      throw AnnotationError(table, found: "names no class", expected: "`value, name` a line")
    }
    return rows
  }
}
