import Annotations
import ArgumentParser
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
    abstract: "Segment a photograph, or all in a folder.",
    usage: "atrous predict [<checkpoint>] <image> [--output <folder>] [<options>]",
    discussion: """
      Writes NAME_labels.png (indexed, of the photograph's size) and NAME_overlay.png, and prints \
      the share of each class. Without a checkpoint the network that comes with the package runs: \
      eleven classes of street scenes. With --polygons also writes outlines that a tool reads: \
      NAME.geojson, NAME.json of labelme, coco.json or label-studio.json. In a folder a file that cannot be read is reported and the \
      rest goes on; the exit status is 1 then.

      An image that has a place on earth (GeoTIFF, or a world file beside it), or that does not fit into \
      memory, is segmented block by block, and its labels are a cloud-optimized GeoTIFF NAME_labels.tif \
      that lies on it.
      """)

  @Argument(
    help: ArgumentHelp(
      "A run's folder, a checkpoint or an ONNX file, or nothing; then an image or a folder of images.",
      valueName: "checkpoint> <image"))
  var paths: [String]

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

  @Option(help: "The share of a block's side over which neighbours are blended, 0 to 0.5.")
  var overlap = 0.125

  @Flag(help: "Write the probability of each class as NAME_probabilities.tif, 255 for 1, too.")
  var probabilities = false

  @Flag(
    help:
      "Go on with an image that was being segmented block by block when the command was stopped.")
  var resume = false

  @OptionGroup var outlines: OutlineOptions
  @OptionGroup var padding: PaddingOptions
  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var place: DeviceOptions
  @OptionGroup var work: GraphOptions

  func validate() throws {
    guard (0...1).contains(opacity) else {
      throw ValidationError("--opacity is \(opacity), expected a number from 0 to 1.")
    }
    guard !polygons.isEmpty || (outlines.simplify == 0 && outlines.minimumArea == 0) else {
      throw ValidationError("--simplify and --minimum-area expect --polygons.")
    }
    guard (1...2).contains(paths.count) else {
      throw ValidationError(
        "There are \(paths.count) paths, expected an image, or a checkpoint and an image.")
    }
    if let block, !(64...8192).contains(block) {
      throw ValidationError("--block is \(block), expected a number of pixels from 64 to 8192.")
    }
    guard (0...0.5).contains(overlap) else {
      throw ValidationError("--overlap is \(overlap), expected a number from 0 to 0.5.")
    }
    if paths.count == 2 { try refuseSwapped(paths[0], paths[1]) }
    if paths.count == 1, TrainedNetwork.isONNX(paths[0]) || (try? Checkpoint(paths[0])) != nil {
      throw ValidationError("'\(paths[0])' is a network, expected an image after it.")
    }
  }

  func run() throws {
    try reportingErrors {
      var options = InferenceSession.Options()
      options.tiles = tiles
      options.mode = padding.pad.map { InferenceMode(padding: $0) }
      preparation.apply(to: &options)
      if let memoryBudget { options.memoryBudget = memoryBudget.value }
      let device = try place.prepared()
      options.graphs = try work.isUsed(on: device)
      let session = try InferenceSession(
        paths.count == 2 ? paths[0] : PackagedWeights.file(), overrides: settings.overrides,
        options: options, device: device)
      for line in session.notes { note(line) }
      var files = try PredictionFiles(in: output, session.labelMap)
      files.opacity = opacity
      files.panel = panel
      if !polygons.isEmpty {
        var writing = WritingOptions()
        (writing.simplify, writing.minimumArea) = (outlines.simplify, outlines.minimumArea)
        files.polygons = PolygonFiles(polygons, in: output, session.labelMap, options: writing)
      }
      var failures = 0
      var large = LargeImage.Options()
      (large.step, large.overlap) = (block, overlap)
      (large.writesProbabilities, large.resumes) = (probabilities, resume)
      let run = PredictionRun(session, files, truth: truth, large: large)
      let monitor = ConsoleMonitor()
      try run.run(
        paths[paths.count - 1], note: note, progress: { monitor.progress($0, $1, "blocks") }
      ) { finding in
        monitor.finish()
        print("\(finding.file.shownInLine): \(finding.size.width)×\(finding.size.height)")
        for (name, share) in finding.shares {
          print(String(format: "%8.2f %%  ", share * 100) + name)
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
}

extension OutlineForm: ExpressibleByArgument {}
