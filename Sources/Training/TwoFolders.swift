import Datasets
import Evaluation
import Files
import Foundation
import Imaging

/// The configuration that trains on images in one folder and labels of the same names in another: classes
/// and values from a look at the labels, a small U-Net, and a recipe that a processor manages.
package struct TwoFolders {
  /// The configuration.
  package let yaml: String
  /// What was found and what was chosen for it, a sentence each.
  package let notes: [String]

  /// The share of the images that is scored and not trained on.
  static let holdOut = 0.2
  /// The most different values that labels have; pictures have more.
  private static let mostValues = 64

  /// Looks at the folders.
  ///
  /// - Parameters:
  ///   - images: The folder of images.
  ///   - labels: The folder of labels.
  ///   - labelSuffix: What the labels' names end in besides; empty for what most of them do.
  ///   - classes: The names of the classes, separated by commas, or `value=name` for each value; nil for
  ///     those that the labels' values suggest.
  ///   - colors: A file of names and colours for coloured labels; see `ColorFile`.
  /// - Throws: `DatasetError`, `ImageError` and `ScoringError` for files and classes that cannot be used.
  package init(
    images: String, labels: String, labelSuffix: String = "", classes: String? = nil,
    colors: String? = nil
  ) throws {
    var table = try classes.map(Self.table) ?? LabelTable(.commandLine)
    if let colors { table.file = (colors, try ColorFile(contentsOf: colors)) }
    let (map, palette) =
      try colors == nil
      ? (LabelMap.identity(255).from(.commandLine), nil) : table.resolved("the classes given")
    let labelSuffix = FolderGuess.labelSuffix(labelSuffix, images: images, labels: labels)
    let set = try FileDataset.listing(
      images: FileSelection(images), labels: FileSelection(labels, suffix: labelSuffix), map: map,
      labelColors: palette
    ).paired()
    let survey = try LabelSurvey(set, cache: Inspection.cacheFile, refuses: false)
    if colors == nil { try Self.assign(survey.histogram, to: &table, labels: labels) }
    let (chosen, _) = try table.resolved("the classes given")

    let held = DataConfiguration.heldOut(Self.holdOut, of: set.items.map(\.name)).count
    let training = set.count - held
    let looked =
      survey.looked == survey.count
      ? "" : ", in the \(survey.looked) of \(survey.count) that were looked at"
    let meanings = chosen.rows.map { row in
      let meaning = row.index.map { chosen.classes[$0].name } ?? "ignored"
      return "\(row.value) is \(meaning)"
    }
    let named =
      labelSuffix.isEmpty
      ? "" : ", which are called NAME\(labelSuffix) (--label-suffix says otherwise)"
    notes = [
      "\(set.count) images with labels\(named), \(training) to train on and"
        + (held > 0
          ? " \(held) to score, at equal distances in the order of names"
          : " to score, as there are no others"),
      "the labels hold \(survey.histogram.sharesText())\(looked): \(meanings.joined(separator: ", "))",
    ]

    func quoted(_ text: String) -> String {
      "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
    let suffix = labelSuffix.isEmpty ? "" : ", labelSuffix: \(quoted(labelSuffix))"
    let folders = "{images: \(quoted(images)), labels: \(quoted(labels))\(suffix)}"
    let values = chosen.rows.map { row in
      let label = row.index.map { chosen.classes[$0].name } ?? LabelMap.ignoredWord
      return "\(row.value): \(LabelMap.yaml(label))"
    }
    let side = try Self.cropSide(set)
    yaml = """
      output: \(quoted("runs/\(images.fileName)"))
      data:
        layout: folders
        train: \(folders)
        \(held > 0 ? "holdOut: \(Self.holdOut)" : "val: \(folders)")
        classes: [\(chosen.classes.map { LabelMap.yaml($0.name) }.joined(separator: ", "))]
        values: {\(values.joined(separator: ", "))}
        ignored: []\(colors.map { "\n  colors: \(quoted($0))" } ?? "")
      model:
        backbone: {name: unet, widths: [16, 32, 64, 128]}
        head: {name: linear}
      train:
        iterations: 1000
        batchSize: \(min(4, training))
        optimizer: {name: adamW, learningRate: 0.002, weightDecay: 0.01}
        schedule: {name: oneCycle, rise: 0.1}
        loss: {name: crossEntropyDice}
        augmentation:
          - randomCrop: \(side)x\(side)
          - pad: \(side)x\(side)
          - horizontalFlip: 0.5
        evaluateEvery: 200
        checkpointEvery: 200
        cacheMegabytes: 256

      """
  }

  /// The names that a person gave, with values or without.
  private static func table(_ text: String) throws -> LabelTable {
    let entries = text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    return entries.contains { $0.contains("=") }
      ? try LabelMap.table(entries, text) : LabelTable(.commandLine, classes: entries)
  }

  /// Gives values their classes where nobody has.
  ///
  /// Values that count the classes are those; else as many values as names are paired in ascending order,
  /// 255 among them if that makes the numbers equal.
  static func assign(
    _ histogram: ValueHistogram, to table: inout LabelTable, labels: String
  ) throws {
    let found = histogram.values
    guard table.values.isEmpty else { return }
    func fail(_ expected: String) -> DatasetError {
      .invalidSetting(
        name: "the values of the labels in \(labels)", value: histogram.sharesText(),
        expected: expected)
    }
    guard found.count <= mostValues else {
      throw fail(
        "at most \(mostValues) different ones, as labels have; black-and-white masks whose edges are"
          + " smoothed need a threshold first")
    }
    let counted = found.filter { $0 != 255 }
    guard let names = table.classes else {
      if found.count < 3 {
        guard found.count == 2 else { throw fail("two values or more, one for each class") }
        table.classes = ["background", "foreground"]
        table.values = [found[0]: "background", found[1]: "foreground"]
      } else {
        table.classes = counted.map { "class \($0)" }
        for value in counted { table.values[value] = "class \(value)" }
      }
      return
    }
    if !counted.isEmpty, counted.allSatisfy({ $0 < names.count }),
      counted.count > 1 || names.count > 2
    {
      return
    }
    guard let values = [found, counted].first(where: { $0.count == names.count }) else {
      throw fail(
        "one for each of \(names.joined(separator: ", ")), or `--classes` with entries such as"
          + " \(found.first ?? 0)=\(names.first ?? "background")")
    }
    for (value, name) in zip(values, names) { table.values[value] = name }
  }

  /// The side of crops: that of small images, as a multiple of what the network halves them by.
  private static func cropSide(_ set: FileDataset) throws -> Int {
    let limit = min(set.count, 64)
    let sides = try (0..<limit).map { place in
      let size = try ImageInfo(contentsOf: set.item(place * set.count / limit).imagePath).size
      return max(size.width, size.height)
    }
    return min(256, max(16, ((sides.max() ?? 256) + 15) / 16 * 16))
  }
}

extension TrainingConfiguration {
  /// The configuration that trains a small U-Net on images in one folder and labels of the same names in
  /// another, as `atrous train --images … --labels …` does; a fifth of the images is held out for scores.
  ///
  /// - Parameters:
  ///   - images: The folder of images.
  ///   - labels: The folder of labels.
  ///   - labelSuffix: What the labels' names end in besides; empty for what most of them do.
  ///   - classes: The names of the classes in the order of their values, separated by commas, or `value=name`
  ///     for each value; nil for those that the labels' values suggest.
  ///   - overrides: Keys and their values, such as `train.iterations=200`.
  /// - Throws: `DatasetError`, `ImageError` and `ScoringError` for files and classes that cannot be used,
  ///   `ConfigurationError` for overrides.
  public init(
    images: String, labels: String, labelSuffix: String = "", classes: String? = nil,
    overrides: [String] = []
  ) throws {
    let found = try TwoFolders(
      images: images, labels: labels, labelSuffix: labelSuffix, classes: classes)
    try self.init(
      yaml: found.yaml, named: "the configuration for the folders", overrides: overrides)
  }
}
