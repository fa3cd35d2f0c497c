import Annotations
import ArgumentParser
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Inference
import Training
import Weights

/// `atrous predict`: segments photographs.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Segment a photograph, all in a folder, or a video.",
    usage: "atrous predict [<checkpoint> ...] <image> [--output <folder>] [<options>]",
    discussion: """
      Writes NAME_labels.png (indexed, of the photograph's size) and NAME_overlay.png, and prints \
      the share of each class. Without a checkpoint the network that comes with the package runs: \
      eleven classes of street scenes, or the vessels of eyes by --network vessels; the probabilities of several \
      checkpoints are averaged, and a folder of train --folds stands for all of its networks. With --polygons \
      also writes outlines that a tool reads: \
      NAME.geojson, NAME.json of labelme, coco.json or label-studio.json. In a folder a file that cannot be read is reported and the \
      rest goes on; the exit status is 1 then, and predictions.json and predictions.csv tell what was found.

      An image that has a place on earth (GeoTIFF, or a world file beside it), or that does not fit into \
      memory, is segmented block by block, and its labels are a cloud-optimized GeoTIFF NAME_labels.tif \
      that lies on it.

      Of a video, or of raw frames on the standard input ('-' with --raw), each frame is segmented and drawn; \
      ffmpeg of the system decodes and encodes. --output is the new video's name then.
      """)

  @Argument(
    help: ArgumentHelp(
      "Runs' folders, folders of folds, checkpoints or ONNX files, or nothing; then an image or a folder of images.",
      valueName: "checkpoint> <image"))
  var paths: [String] = []

  @Option(help: "Where files go.")
  var output = "predictions"

  @Option(help: "How much the overlay's colours cover, 0 to 1.")
  var opacity = 0.5

  @Flag(help: "Write image, truth, prediction and overlay side by side, too.")
  var panel = false

  @Option(help: "The label file, or the folder of label files, for the panel.")
  var truth: String?

  @Option(
    help: ArgumentHelp(
      "Write outlines, too: geojson, geojson-projected, coco, labelme or label-studio; may be given repeatedly.",
      valueName: "form"))
  var polygons: [OutlineForm] = []

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @Flag(help: "Cut images that need more memory into tiles instead of refusing them.")
  var tiles = false

  @Option(
    help: """
      Segment images block by block, of so many pixels a side (made a multiple of 256), blended where they \
      meet.
      """)
  var block: Int?

  @Option(
    help: ArgumentHelp(
      "The classes that are asked for, separated by commas; pixels of others are labelled 255 and left clear.",
      valueName: "names"))
  var classes: String?

  @OptionGroup var packaged: PackagedNetworkOptions
  @OptionGroup var views: ViewOptions
  @OptionGroup var sureness: SurenessOptions
  @OptionGroup var ensemble: EnsembleOptions
  @OptionGroup var cut: ThresholdOptions
  @OptionGroup var parts: ShardOptions
  @OptionGroup var video: VideoOptions
  @OptionGroup var outlines: OutlineOptions
  @OptionGroup var padding: PaddingOptions
  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var place: DeviceOptions
  @OptionGroup var work: GraphOptions

  func validate() throws {
    try packaged.validate(checkpoints: paths.count - 1)
    guard parts.summarize == nil else {
      guard paths.isEmpty else {
        throw ValidationError("--summarize expects no other paths.")
      }
      return
    }
    guard (0...1).contains(opacity) else {
      throw ValidationError("--opacity is \(opacity), expected a number from 0 to 1.")
    }
    guard !polygons.isEmpty || outlines.simplify == 0 else {
      throw ValidationError("--simplify expects --polygons.")
    }
    guard let image = paths.last else {
      throw ValidationError("There is no path, expected an image, or a checkpoint and an image.")
    }
    if let block, !(64...8192).contains(block) {
      throw ValidationError("--block is \(block), expected a number of pixels from 64 to 8192.")
    }
    guard block == nil || !views.hasWindow else {
      throw ValidationError("--block and --window cut images in two ways, expected one of them.")
    }
    if let overlap = views.overlap {
      let most = views.hasWindow ? 0.9 : 0.5
      guard (0...most).contains(overlap) else {
        throw ValidationError("--overlap is \(overlap), expected a number from 0 to \(most).")
      }
    }
    // A folder of folds that is not finished is told of where it is read.
    let networks = paths.dropLast().map { FoldRuns($0)?.count ?? 1 }.reduce(0, +)
    try ensemble.validate(networks: max(1, networks))
    for network in paths.dropLast() { try refuseSwapped(network, image) }
    try video.validate(
      image,
      others: [
        (panel, "--panel"), (truth != nil, "--truth"), (!polygons.isEmpty, "--polygons"),
        (block != nil, "--block"), (sureness.given != nil, sureness.given ?? ""),
        (parts.shard != nil, "--shard"), (parts.resume, "--resume"),
      ])
    if TrainedNetwork.isONNX(image) || (try? Checkpoint(image)) != nil {
      throw ValidationError("'\(image)' is a network, expected an image after it.")
    }
  }

  func run() throws {
    try reportingErrors {
      if let folder = parts.summarize { return try parts.join(folder) }
      try refuseImages()
      let networks = try session()
      for line in networks.sessions.flatMap(\.notes) { note(line) }
      if paths.count == 1, let terms = packaged.chosen.terms { note(terms) }
      let map = networks.first.labelMap
      let refinement = try MaskRefinement(
        map, classes: classes?.split(separator: ",").map(String.init), threshold: cut.threshold,
        minimumArea: outlines.minimumArea)
      let image = paths[paths.count - 1]
      if video.isMeant(image) {
        return try video.run(
          image, networks, to: output, opacity: opacity, refinement: refinement)
      }
      var options = PredictionRun.Options()
      options.refinement = refinement
      (options.truth, options.shard, options.resumes) = (truth, try parts.part(), parts.resume)
      options.large.step = block
      if let overlap = views.overlap, !views.hasWindow { options.large.overlap = overlap }
      var failures = 0
      let files = try files(map)
      let run = try PredictionRun(networks, files, options)
      let monitor = ConsoleMonitor()
      try run.run(
        image, note: note, progress: { monitor.progress($0, $1, "blocks") }
      ) { finding in
        monitor.finish()
        print("\(finding.file.shownInLine): \(finding.size.width)×\(finding.size.height)")
        for area in finding.areas {
          let confidence = area.confidence.map { String(format: "  %5.1f %% sure", $0 * 100) }
          print(String(format: "%8.2f %%  ", area.share * 100) + area.name + (confidence ?? ""))
        }
        if let timing = finding.timing, timing.whole > 60 { monitor.message(timing.text) }
      } failed: { _, error in
        monitor.finish()
        failures += 1
        complain(describe(error))
      }
      _ = try files.polygons?.finish()
      print("written to \(output.shown)")
      if failures > 0 { throw ExitCode(1) }
    }
  }

  /// Refuses images in a network's place, as a shell makes them of photos/*.jpg.
  private func refuseImages() throws {
    for network in paths.dropLast() where !FileSystem.isFolder(network) {
      // may fail: what is no image may be a network
      guard let info = try? ImageInfo(contentsOf: network) else { continue }
      throw ImageAsNetwork(file: network, format: "\(info.format.rawValue)")
    }
  }

  /// The networks that are asked for.
  private func session() throws -> Ensemble {
    var options = InferenceSession.Options()
    options.tiles = tiles
    preparation.apply(to: &options)
    if let memoryBudget { options.memoryBudget = memoryBudget.value }
    let device = try place.prepared()
    options.graphs = try work.isUsed(on: device)
    let seen = try views.overrides(ofBlocks: true) + padding.overrides
    let names =
      paths.count > 1
      ? try paths.dropLast().flatMap(FoldRuns.checkpoints) : [try packaged.chosen.file()]
    let sessions = try names.map {
      try InferenceSession(
        $0, overrides: settings.overrides + seen, options: options, device: device)
    }
    return try Ensemble(sessions, names: names, weights: ensemble.values)
  }

  /// What is written.
  private func files(_ map: LabelMap) throws -> PredictionFiles {
    var files = try PredictionFiles(in: output, map)
    (files.opacity, files.panel, files.clearsOthers) = (opacity, panel, classes != nil)
    sureness.apply(to: &files)
    if !polygons.isEmpty {
      var writing = WritingOptions()
      (writing.simplify, writing.minimumArea) = (outlines.simplify, outlines.minimumArea)
      files.polygons = PolygonFiles(polygons, in: output, map, options: writing)
    }
    return files
  }
}

/// An image where a network was expected.
struct ImageAsNetwork: Error, CustomStringConvertible {
  let file: String, format: String
  var description: String {
    "\(file): is a \(format) image, expected networks before one image or a folder, which stands for all images in it"
  }
}

extension OutlineForm: ExpressibleByArgument {}
