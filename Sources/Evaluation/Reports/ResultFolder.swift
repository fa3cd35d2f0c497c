import Datasets
import Files
import Foundation
import Imaging

/// The folder that an evaluation leaves: tables, pictures, what each image contributes, and a page.
///
/// | file | what it is |
/// |---|---|
/// | `evaluation.txt`, `.md`, `.csv`, `.json` | the table, with the protocol |
/// | `images.json`, `classes.json` | the counts of each image and the label map, for comparisons |
/// | `predictions/NAME.png` | the predicted classes, indexed |
/// | `confusion.png`, `classes.png` | the confusion matrix, and a bar for each class |
/// | `panels/` | the worst and the best images with truth, prediction and errors |
/// | `index.html` | all of it in one page that needs no other file |
///
/// What an earlier evaluation left stays until everything of a new one is there. While the value lives,
/// another process that wants to write results there is refused.
public struct ResultFolder: Sendable {
  /// The folder's path.
  public let path: String
  private let lock: FolderLock

  /// The folders of pictures, which are made under another name first.
  private static let parts = ["predictions", "panels"]

  /// The folder at `path`, which is made with what is above it.
  ///
  /// - Throws: ``ScoringError/unreadable(file:reason:)`` if it cannot be made, or another process
  ///   writes results there.
  public init(_ path: String) throws {
    self.path = path
    do {
      lock = try FolderLock(path, name: ".results.lock")
    } catch FolderLockError.held(let holder) {
      throw ScoringError.unreadable(
        file: path,
        reason: "\(holder ?? "another process") writes results there; expected another folder")
    } catch FolderLockError.unusable(let code) {
      throw ScoringError.unreadable(
        file: path, reason: "the folder cannot be made (\(String(cString: strerror(code))))")
    }
    try make("")
    discard()
  }

  /// Lets go of what an evaluation has left that did not come to its end.
  public func discard() {
    for part in Self.parts { FileSystem.removeAll(begun(part)) }
  }

  /// Where a folder of pictures lies until everything is there.
  private func begun(_ part: String) -> String { "\(path)/.\(part).begun" }

  /// Puts the new folders of pictures in the place of the old ones.
  private func finish() throws {
    for part in Self.parts where FileSystem.exists(begun(part)) {
      FileSystem.removeAll("\(path)/\(part)")
      guard FileSystem.rename(begun(part), to: "\(path)/\(part)") == 0 else {
        throw ScoringError.unreadable(
          file: "\(path)/\(part)",
          reason: "the folder cannot be replaced (\(String(cString: strerror(errno))))")
      }
    }
  }

  private func make(_ name: String) throws {
    let folder = name.isEmpty ? path : "\(path)/\(name)"
    let code = FileSystem.makeFolder(folder)
    guard code == 0 else {
      throw ScoringError.unreadable(
        file: folder, reason: "the folder cannot be made (\(String(cString: strerror(code))))")
    }
  }

  /// Whether a folder holds results.
  public static func holdsResults(_ path: String) -> Bool {
    FileSystem.exists("\(path)/evaluation.json")
      && FileSystem.exists("\(path)/images.json")
  }

  /// The names of the classes of a folder's results.
  ///
  /// - Throws: ``ScoringError/unreadable(file:reason:)``.
  package static func classes(in path: String) throws -> [String] {
    let table: ClassTable = try Comparison.read(path, "classes.json")
    return table.classes.map(\.name)
  }

  /// Keeps a prediction: classes as indices of a palette.
  ///
  /// - Throws: `ImageError` if it cannot be written.
  public func keep(_ prediction: ClassMask, name: String, colors: [Color]) throws {
    if !FileSystem.exists(begun("predictions")) {
      try make(".predictions.begun")
    }
    try prediction.writePNG(to: "\(begun("predictions"))/\(name).png", palette: colors)
  }

  /// A sample with the prediction that was kept for it.
  ///
  /// - Throws: `ImageError` if the prediction cannot be read.
  public func shown(
    _ sample: Sample, labelSize: Size? = nil, labelRule: NearestRule = .centre
  ) throws -> Shown {
    let size = labelSize ?? sample.mask.size
    let truth = sample.mask.resized(to: size, by: labelRule)
    return Shown(
      image: sample.image.resized(to: size), truth: truth,
      prediction: try Self.mask("\(begun("predictions"))/\(sample.name).png")
        ?? ClassMask(size: size))
  }

  /// Reads a prediction that was kept; nil if there is none.
  static func kept(_ folder: String, _ name: String) throws -> ClassMask? {
    try mask("\(folder)/predictions/\(name).png")
  }

  private static func mask(_ file: String) throws -> ClassMask? {
    FileSystem.exists(file) ? try ClassMask(contentsOf: file) : nil
  }

  /// An image with its truth and its prediction, of one size.
  public struct Shown: Sendable {
    /// The picture; nil if there is none.
    public var image: Image?
    /// The true and the predicted classes.
    public var truth, prediction: ClassMask

    /// An image of these parts.
    public init(image: Image?, truth: ClassMask, prediction: ClassMask) {
      self.image = image?.size == truth.size ? image : nil
      self.truth = truth
      self.prediction = prediction
    }
  }

  /// Writes everything but the predictions.
  ///
  /// - Parameters:
  ///   - result: The scores.
  ///   - images: What each image contributes to them.
  ///   - map: The classes.
  ///   - labelColors: For labels that are RGB pictures, the value of each colour.
  ///   - show: Reads an image again, for the pictures.
  /// - Throws: `ImageError` if a file cannot be written, and what `show` throws.
  public func write(
    _ result: EvaluationResult, images: [ImageCounts], map: LabelMap,
    labelColors: [Color: UInt16]? = nil, show: (Int) throws -> Shown
  ) throws {
    let colors = map.colors
    let confusion = ReportPictures.confusion(result)
    try make(".panels.begun")
    let choice = ImageChoice(images, classes: result.scores.classes.count) {
      result.mainScore(of: $0)
    }
    let style = PictureStyle(map, hasIgnored: result.ignoredPixels > 0)
    let legend = style.legend + style.errorLegend
    var page = HTMLPage(result: result, images: images, style: style)
    page.confusion = try confusion.png()
    for index in choice.all {
      let shown = try show(index)
      let errors = ReportPictures.errors(shown.image, shown.truth, shown.prediction, style)
      try page.add(index, shown, errors)
      guard let place = choice.place(index) else { continue }
      var parts: [(caption: String, image: Image)] = []
      if let image = shown.image { parts.append(("image \(images[index].name)", image)) }
      for (caption, mask) in [("truth", shown.truth), ("prediction", shown.prediction)] {
        parts.append(
          (caption, mask.picture(style.palette)))
      }
      let name = result.mainScore.name
      parts.append(
        ("errors, \(name) \(percent(result.mainScore(of: images[index]))) %", errors))
      try Image.panel(parts, columns: 2, legend: legend)
        .write(
          to: "\(begun("panels"))/\(place)-\(images[index].name).jpg", quality: 88, isOutput: true)
    }
    let text = try page.text()
    try finish()
    try confusion.write(to: "\(path)/confusion.png", isOutput: true)
    try ReportPictures.bars(result, colors).write(to: "\(path)/classes.png", isOutput: true)
    try write(result.text + "\n", "evaluation.txt")
    try write(result.markdown, "evaluation.md")
    try write(result.csv, "evaluation.csv")
    try write(jsonText(result) + "\n", "evaluation.json")
    try write(jsonText(images) + "\n", "images.json")
    try write(jsonText(ClassTable(map, labelColors)) + "\n", "classes.json")
    try write(text, "index.html")
  }

  private func write(_ text: String, _ name: String) throws {
    try AtomicFile.write("\(path)/\(name)", Array(text.utf8))
  }
}

/// A label map as a file holds it.
struct ClassTable: Codable {
  struct Class: Codable {
    let name: String
    let color: [UInt8]
  }
  struct Row: Codable {
    let value: UInt16
    let index: Int?
    let label: String
  }
  let name: String
  let classes: [Class]
  let rows: [Row]
  /// The name of the background, where that is not the class called so.
  let background: String?
  /// For labels that are RGB pictures, the value of each colour as `r,g,b`.
  let labelColors: [String: UInt16]?

  init(_ map: LabelMap, _ colors: [Color: UInt16]?) {
    name = map.name
    background = map.background.map { map.classes[$0].name }
    labelColors = colors.map { colors in
      Dictionary(
        uniqueKeysWithValues: colors.map { ("\($0.red),\($0.green),\($0.blue)", $1) })
    }
    classes = map.classes.map {
      Class(name: $0.name, color: [$0.color.red, $0.color.green, $0.color.blue])
    }
    rows = map.rows.map { Row(value: $0.value, index: $0.index, label: $0.label) }
  }

  /// The value of each colour.
  var colors: [Color: UInt16]? {
    labelColors.map { entries in
      Dictionary(
        entries.compactMap { key, value in
          let parts = key.split(separator: ",").compactMap { UInt8($0) }
          return parts.count == 3 ? (Color(parts[0], parts[1], parts[2]), value) : nil
        }, uniquingKeysWith: { first, _ in first })
    }
  }

  func map() throws -> LabelMap {
    let map = try LabelMap(
      name: name,
      classes: classes.map { entry in
        let color = entry.color + [0, 0, 0]
        return LabelMap.Class(entry.name, Color(color[0], color[1], color[2]))
      }, rows: rows.map { LabelMap.Row(value: $0.value, index: $0.index, label: $0.label) })
    return try background.map { try map.withBackground($0) } ?? map
  }
}

/// Which images a report shows.
struct ImageChoice {
  /// The worst and the best by the score that counts.
  let worst, best: [Int]
  /// Those and the worst of each class, without repetition.
  let all: [Int]

  init(
    _ images: [ImageCounts], classes: Int, worst: Int = 8, best: Int = 4, ofEachClass: Int = 3,
    by score: (ImageCounts) -> Double?
  ) {
    let scores = images.map(score)
    let order = images.indices.filter { scores[$0] != nil }
      .sorted { (scores[$0] ?? 0, $0) < (scores[$1] ?? 0, $1) }
    self.worst = Array(order.prefix(worst))
    self.best = Array(order.dropFirst(worst).suffix(best).reversed())
    var chosen = self.worst + self.best
    // Images in which a class is hardly there say little of it.
    for index in 0..<min(classes, 40) {
      let most = images.map { $0.truth[index] }.max() ?? 0
      chosen += images.indices.filter { images[$0].truth[index] > most / 20 }
        .sorted { (images[$0].iou[index] ?? 0, $0) < (images[$1].iou[index] ?? 0, $1) }
        .prefix(ofEachClass)
    }
    var seen: Set<Int> = []
    all = chosen.filter { seen.insert($0).inserted }
  }

  /// The name of an image's place among the worst or the best; nil if it is neither.
  func place(_ index: Int) -> String? {
    if let i = worst.firstIndex(of: index) { return String(format: "worst-%02d", i + 1) }
    return best.firstIndex(of: index).map { String(format: "best-%02d", $0 + 1) }
  }
}

extension EvaluationResult {
  /// The scores of classes as comma-separated values, shares from 0 to 1, empty for n/a.
  public var csv: String {
    func cell(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
    var lines = ["class,iou,dice,precision,recall,truth,predicted,correct,boundary_iou"]
    for (index, entry) in scores.classes.enumerated() {
      lines.append(
        [
          CommaSeparated.cell(entry.name), cell(entry.iou), cell(entry.dice), cell(entry.precision),
          cell(entry.recall),
          "\(entry.truth)", "\(entry.predicted)", "\(entry.correct)",
          cell(boundary?.classes[index]),
        ].joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
