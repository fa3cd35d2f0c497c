import Annotations
import ArgumentParser
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Training

/// Which data a command looks at.
struct DataOptions: ParsableArguments {
  @Argument(
    help: """
      A configuration, the folder of a data set or of an annotation tool (whose layout is guessed, or \
      --layout), a tool's file, or images (with --labels).
      """)
  var source: String

  @Option(
    help: "The data set or the tool's export that lies in the folder, such as chase-db1 or coco.")
  var layout: String?

  @Option(help: "The folder of labels with the same names.")
  var labels: String?

  @Option(help: "What the labels' names end in besides. (default: what most of them do)")
  var labelSuffix = ""

  @Option(
    help: """
      With --labels: camvid, cityscapes, a number, names separated by commas, or entries such as \
      0=background,255=vessel. For a tool's export: a file with a name a line, in the order of numbers.
      """)
  var classes: String?

  @Option(help: "With --labels: a labelmap.txt or label_colors.txt, for coloured labels.")
  var colors: String?

  @Option(
    help: "With --labels or --layout: whether photographs are turned as EXIF says (applied) or not."
  )
  var orientation = ImageOrientation.applied

  @Option(help: "For a tool's export: how corners become pixels, coco, pillow, opencv or centers.")
  var raster: RasterRule?

  @Option(help: "For a tool's export: the folder of images, where they do not lie by it.")
  var imageFolder: String?

  @Option(help: "A part to look at, such as train; may be given repeatedly.")
  var part: [String] = []

  @OptionGroup var configuration: ConfigurationOptions

  func validate() throws {
    guard labels == nil || layout == nil else {
      throw ValidationError("expected --layout or --labels, found both.")
    }
    guard labels == nil || classes != nil || colors != nil else {
      throw ValidationError("expected --labels together with --classes or --colors.")
    }
    guard labels != nil || colors == nil else {
      throw ValidationError("expected --colors together with --labels.")
    }
  }

  /// The data that the arguments name.
  func resolved() throws -> DataSource {
    if let labels {
      return try DataSource(
        images: source, labels: labels, labelSuffix: labelSuffix, classes: classes, colors: colors,
        orientation: orientation)
    }
    let note = { (text: String) in ConsoleMonitor().message("note: \(text)") }
    let isFolder = FileSystem.isFolder(source)
    let known = layout.flatMap { AnnotationFormat(rawValue: $0) }
    let isConfiguration = !isFolder && ["yaml", "yml"].contains(source.fileSuffix)
    let format =
      known ?? (layout == nil && !isConfiguration ? FolderGuess.annotations(source) : nil)
    if let format {
      if known == nil {
        note("\(source) is taken for \(format.rawValue), \(format.title); --layout says otherwise")
      }
      let options = ReadingOptions(
        classes: try classes.map { try ReadingOptions.classes(in: $0) }, rule: raster,
        images: imageFolder)
      return try DataSource(source, format: format, options: options, orientation: orientation)
    }
    guard classes == nil, raster == nil, imageFolder == nil else {
      throw DatasetError.invalidSetting(
        name: classes != nil ? "--classes" : raster != nil ? "--raster" : "--image-folder",
        value: "given",
        expected: "a tool's export, or --labels")
    }
    if let layout {
      return try DataSource(source, layout: layout, orientation: orientation)
    }
    if isFolder { return try DataSource(guessing: source, orientation: orientation, note: note) }
    return try DataSource(configuration: source, overrides: configuration.overrides)
  }
}

extension ImageOrientation: ExpressibleByArgument {}
extension RasterRule: ExpressibleByArgument {}

/// `atrous data inspect`: what is in a data set, and what is wrong with it.
struct DataInspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show class shares and sizes, and find files that training would stumble over.",
    discussion: """
      Every file is decoded once, on all cores; files that have not changed since are not read \
      again. Ends with status 1 if a file cannot be read, holds a value outside the label map, \
      differs in size from its partner or has none.
      """)

  @OptionGroup var data: DataOptions

  @Option(help: "The file that keeps what was found; by default in the user's cache folder.")
  var cache: String?

  @Flag(help: "Read every file again.")
  var fresh = false

  @Flag(help: "Print JSON instead of tables.")
  var json = false

  func run() throws {
    try reportingErrors {
      let cache = cache ?? Inspection.cacheFile
      if fresh { FileSystem.remove(cache) }
      let found = try Inspection(data.resolved().datasets(data.part), cache: cache)
      print(json ? try jsonText(found) : found.text())
      if !found.errors.isEmpty { throw ExitCode(1) }
    }
  }
}
