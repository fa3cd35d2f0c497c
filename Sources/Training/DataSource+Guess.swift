import Annotations
import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging
import Torch

extension DataSource {
  /// The data in a folder whose layout is guessed from the names that are there, and the classes of pairs
  /// of folders from their labels' values.
  ///
  /// - Parameter note: Is told what was guessed, and how to say otherwise.
  /// - Throws: `DatasetError` where nothing is known; what reading labels throws.
  package init(
    guessing folder: String, annotations options: ReadingOptions = .init(),
    orientation: ImageOrientation = .applied, note: (String) -> Void
  ) throws {
    if let format = FolderGuess.annotations(folder) {
      note(
        "\(folder) is taken for \(format.rawValue), \(format.title); --layout or --labels say otherwise"
      )
      try self.init(folder, format: format, options: options, orientation: orientation)
      return
    }
    let guess = try FolderGuess(folder)
    note("\(folder) is \(guess.reason); --layout or --labels say otherwise")
    if let layout = guess.layout {
      try self.init(folder, layout: layout, orientation: orientation)
      return
    }
    let map = try Self.classes(of: guess.parts[0], note: note)
    self.init(
      parts: guess.parts.map(\.name),
      listing: { name in
        guard let part = guess.parts.first(where: { $0.name == name }) else {
          throw DatasetError.invalidSetting(
            name: "--part", value: "'\(name)'",
            expected: "one of \(guess.parts.map(\.name).joined(separator: ", "))")
        }
        return try Self.listing(part, map).read(orientation: orientation)
      })
  }

  private static func listing(_ part: FolderGuess.Part, _ map: LabelMap) throws -> FileDataset {
    try .listing(
      name: part.name, images: FileSelection(part.images),
      labels: FileSelection(part.labels, suffix: part.labelSuffix), map: map)
  }

  /// The classes that the values of a part's labels suggest.
  private static func classes(
    of part: FolderGuess.Part, note: (String) -> Void
  ) throws -> LabelMap {
    let set = try listing(part, LabelMap.identity(255).from(.commandLine))
    let survey = try LabelSurvey(set, cache: Inspection.cacheFile, refuses: false)
    var table = LabelTable(.commandLine)
    try TwoFolders.assign(survey.histogram, to: &table, labels: part.labels)
    let map = try table.resolved("the values of the labels in \(part.labels)").map
    let meanings = map.rows.map { row in
      "\(row.value) is \(row.index.map { map.classes[$0].name } ?? "ignored")"
    }
    note(
      "the labels of \(part.name) hold \(survey.histogram.sharesText()), taken as"
        + " \(meanings.joined(separator: ", ")); --labels and --classes say otherwise")
    return map
  }

  /// Refuses keys of a configuration that nothing reads, at its root and in the sections `read`.
  static func refuseUnknownKeys(
    _ root: Section, _ read: [Section], _ file: String, overrides: [String]
  ) throws {
    if root.has("model"), root.has("train") {
      // What the network's builder reads is known when it has built one.
      _ = try shapesOnly { try TrainingConfiguration(contentsOf: file, overrides: overrides) }
      return
    }
    let known = ["output", "data", "model", "train", "evaluate"]
    for key in root.keys where !known.contains(key) {
      throw root.unknown(key, known: known, help: Section.helpCommand)
    }
    for section in read { try section.finish(help: Section.helpCommand) }
  }
}
