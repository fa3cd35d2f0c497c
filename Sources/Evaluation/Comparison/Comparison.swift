import Datasets
import Files
import Foundation
import Imaging

/// Several results on the same images under one protocol, side by side.
public struct Comparison: Sendable {
  /// One of the results.
  struct Entry: Sendable {
    let name: String
    let folder: String
    let result: EvaluationResult
    let images: [ImageCounts]
  }

  let entries: [Entry]
  /// For each result but the first the differences from the first.
  public let differences: [[PairedDifference]]
  /// What the protocols do not have in common.
  public let notes: [String]
  let map: LabelMap
  let labelColors: [Color: UInt16]?

  /// Reads the folders that ``ResultFolder`` wrote.
  ///
  /// - Parameters:
  ///   - folders: At least two.
  ///   - names: What they are called; their folders' names if nothing is said.
  ///   - paths: What messages call them, where a person named a network and not its folder of results.
  ///   - repeats: How often images are drawn anew for the intervals.
  ///   - seed: What those draws follow from.
  /// - Throws: ``ScoringError`` if one cannot be read or they cannot be compared.
  public init(
    _ folders: [String], names: [String]? = nil, paths: [String]? = nil, repeats: Int = 2000,
    seed: UInt64 = 0
  ) throws {
    guard folders.count > 1 else {
      throw ScoringError.setting(
        name: "the number of results", value: "\(folders.count)", expected: "two or more")
    }
    var entries: [Entry] = []
    for (index, folder) in folders.enumerated() {
      let name =
        names.flatMap { $0.indices.contains(index) ? $0[index] : nil }
        ?? Self.shortNames(folders)[index]
      entries.append(
        Entry(
          name: name, folder: folder, result: try Self.read(folder, "evaluation.json"),
          images: try Self.read(folder, "images.json")))
    }
    let table: ClassTable = try Self.read(folders[0], "classes.json")
    (map, labelColors) = (try table.map(), table.colors)
    let first = entries[0]
    var notes: [String] = []
    let classes = first.result.scores.classes.count
    let paths = paths ?? folders
    for (other, path) in zip(entries, paths) {
      func refuse(_ what: String) -> ScoringError {
        .incomparable(first: paths[0], second: path, what: what)
      }
      guard first.result.scores.classes.map(\.name) == other.result.scores.classes.map(\.name)
      else { throw refuse("their classes differ") }
      guard !first.images.isEmpty, first.images.map(\.name) == other.images.map(\.name) else {
        throw refuse("they are not of the same images")
      }
      for image in first.images + other.images
      where [image.truth, image.predicted, image.correct].contains(where: { $0.count != classes }) {
        throw refuse("images.json does not have \(classes) classes for \(image.name)")
      }
      guard first.images.map(\.truth) == other.images.map(\.truth) else {
        throw refuse("their truth differs, by another size of labels or other ignored pixels")
      }
      let (a, b) = (first.result.scoring, other.result.scoring)
      // What is ignored may be said otherwise; that the same is, the equal truth shows.
      guard a.scoredAt == b.scoredAt else {
        throw refuse("one protocol is \(a.summary), the other \(b.summary)")
      }
      if a.summary != b.summary {
        let sides =
          a.sides != nil && b.sides == nil && b.precision != "no network"
          ? " (sides extended by zeros, as earlier versions did)" : ""
        notes.append("\(other.name) was computed otherwise: \(b.summary)\(sides)")
      }
    }
    if first.images.count < 20 {
      notes.append(
        "Caution: of \(first.images.count) images intervals are rough and mostly too narrow. A difference"
          + " that looks clear here may be chance: compare on 20 images or more.")
    }
    self.entries = entries
    self.notes = notes
    differences = entries.dropFirst().map {
      Bootstrap.differences(
        first.images, $0.images, names: first.result.scores.classes.map(\.name), repeats: repeats,
        seed: seed)
    }
  }

  /// The ends of paths, as short as they differ.
  public static func shortNames(_ paths: [String]) -> [String] {
    let parts = paths.map {
      URL(fileURLWithPath: $0).standardizedFileURL.pathComponents.filter { $0 != "/" }
    }
    let longest = parts.map(\.count).max() ?? 1
    for length in 1...max(longest, 1) {
      let names = parts.map { $0.suffix(length).joined(separator: "/") }
      if Set(names).count == Set(paths).count { return names }
    }
    return paths
  }

  static func read<Value: Decodable>(_ folder: String, _ name: String) throws -> Value {
    let file = "\(folder)/\(name)"
    guard let data = FileSystem.contents(file) else {
      throw ScoringError.unreadable(
        file: file, reason: "it is not there; expected a folder that evaluate --output wrote")
    }
    do {
      return try JSONDecoder().decode(Value.self, from: data)
    } catch {
      throw ScoringError.unreadable(file: file, reason: "it is not what evaluate writes")
    }
  }

  // MARK: Tables

  /// Paper 001's first table: the IoU of classes.
  var classTable: [[String]] {
    let classes = entries[0].result.scores.classes
    var rows = [["IoU %"] + entries.map(\.name)]
    for (index, entry) in classes.enumerated() {
      rows.append([entry.name] + entries.map { percent($0.result.scores.classes[index].iou) })
    }
    rows.append(["mean"] + entries.map { percent($0.result.scores.meanIoU) })
    return rows
  }

  /// Paper 001's second table: accuracy and Jaccard indices, of the data set and per image.
  var summaryTable: [[String]] {
    func row(_ title: String, _ score: (Scores) -> Double?) -> [String] {
      [title] + entries.map { percent(score($0.result.scores)) }
    }
    return [
      ["score %"] + entries.map(\.name), row("pixel accuracy", \.pixelAccuracy),
      row("Jaccard micro", \.jaccardMicro), row("Jaccard macro", \.jaccardMacro),
      row("Jaccard weighted", \.jaccardWeighted),
      row("Jaccard macro per image", { $0.perImage?.meanIoU.mean }),
      row("Jaccard micro per image", { $0.perImage?.jaccardMicro.mean }),
      row("Jaccard weighted per image", { $0.perImage?.jaccardWeighted.mean }),
    ]
  }

  /// The differences of one result from the first, in percentage points.
  func differenceTable(_ index: Int) -> [[String]] {
    [["points", "difference", "from", "to", ""]]
      + leading(differences[index]).map {
        [
          $0.score, percent($0.difference), percent($0.low), percent($0.high),
          $0.isClear ? "clear" : "",
        ]
      }
  }

  /// Differences of which those of the foreground come first where there are two classes.
  func leading(_ differences: [PairedDifference]) -> [PairedDifference] {
    guard let name = entries[0].result.foreground?.name else { return differences }
    let first = Bootstrap.diceTitle(name)
    return differences.filter { $0.score == first } + differences.filter { $0.score != first }
  }

  /// Of two classes what counts most: Dice, precision, recall and, where they are known, the areas under
  /// curves of the foreground; nothing for another number.
  var foregroundTable: [[String]] {
    let rows = entries.map(\.result.foregroundRows)
    guard let name = entries[0].result.foreground?.name, let first = rows.first else { return [] }
    return [["\(name) %"] + entries.map(\.name)]
      + first.map { row in
        [row[0]] + rows.map { own in own.first { $0[0] == row[0] }?[1] ?? "n/a" }
      }
  }

  /// All tables for a terminal.
  public var text: String {
    let first = entries[0]
    var lines = ["\(first.result.dataset): \(first.images.count) images", ""]
    if !foregroundTable.isEmpty { lines += aligned(foregroundTable, numeric: 1) + [""] }
    lines += aligned(classTable, numeric: 1) + [""] + aligned(summaryTable, numeric: 1)
    for (index, entry) in entries.dropFirst().enumerated() {
      lines += [
        "", "\(entry.name) minus \(first.name), 95 % intervals of a bootstrap over images:",
      ]
      lines += aligned(differenceTable(index), numeric: 1)
    }
    return (lines + ["", first.result.scoring.summary] + notes).joined(separator: "\n")
  }

  /// All tables as Markdown.
  public var markdown: String {
    let first = entries[0]
    func name(_ entry: Entry) -> String { Markdown.escaped(entry.name) }
    var lines = ["# \(Markdown.escaped(first.result.dataset)): \(first.images.count) images", ""]
    if !foregroundTable.isEmpty { lines += Markdown.table(foregroundTable) + [""] }
    lines += Markdown.table(classTable) + [""] + Markdown.table(summaryTable)
    for (index, entry) in entries.dropFirst().enumerated() {
      lines += ["", "## \(name(entry)) minus \(name(first))", ""]
      lines += ["95 % intervals of a bootstrap over images.", ""]
      lines += Markdown.table(differenceTable(index))
    }
    let protocolLine = "Protocol: \(Markdown.escaped(first.result.scoring.summary))."
    return (lines + ["", protocolLine] + notes.map(Markdown.escaped))
      .joined(separator: "\n") + "\n"
  }

  private struct Record: Encodable {
    let names: [String]
    let results: [EvaluationResult]
    let differences: [[PairedDifference]]
    let notes: [String]
  }

  /// Writes the tables as text, Markdown and JSON, a picture of the images that differ most, and a page
  /// with all of it.
  ///
  /// - Throws: ``ScoringError``, `ImageError`.
  public func write(to folder: String) throws {
    let results = try ResultFolder(folder)
    defer { withExtendedLifetime(results) {} }
    let folder = results.path
    let record = Record(
      names: entries.map(\.name), results: entries.map(\.result), differences: differences,
      notes: notes)
    // Before anything of an earlier comparison is replaced.
    let (picture, page) = (try picture(), try ComparisonPage(self, in: folder).text())
    for (name, text) in [
      ("comparison.txt", text + "\n"), ("comparison.md", markdown),
      ("comparison.json", try jsonText(record) + "\n"), ("index.html", page),
    ] { try AtomicFile.write("\(folder)/\(name)", Array(text.utf8)) }
    if let picture {
      try picture.write(to: "\(folder)/comparison.jpg", quality: 88, isOutput: true)
    }
  }
}
