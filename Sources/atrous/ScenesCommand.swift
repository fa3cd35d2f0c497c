import ArgumentParser
import Datasets
import Foundation
import Imaging

/// `atrous scenes`: street scenes with labels, without a licence.
struct ScenesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scenes",
    abstract: "Render street scenes with labels in the layout of Cityscapes.",
    discussion: """
      The same seed gives the same bytes, on any number of cores. Training and validation scenes \
      never share one. With --distance the pictures are of another kind, blobs in the layout of folders: whether a \
      pixel is of class 1 depends on the four points at that distance, so that the atrous rate that it takes is \
      known.
      """)

  @Argument(help: "The folder to write; made if it is not there.")
  var output: String

  @Option(help: "How many scenes to train on.")
  var train = 300

  @Option(help: "How many scenes to validate on.")
  var val = 60

  @Option(help: "The scenes' size, WIDTHxHEIGHT.")
  var size = "512x256"

  @Option(help: "What the scenes follow from.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "Pictures whose classes depend on what lies this many pixels away, instead of streets.",
      valueName: "pixels"))
  var distance: Int?

  func validate() throws {
    guard Size(text: size) != nil else {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 512x256.")
    }
    guard train >= 0, val >= 0, train + val > 0, train + val <= 1_000_000 else {
      throw ValidationError(
        "--train and --val are \(train) and \(val), expected 0 to 1000000 scenes.")
    }
  }

  func run() throws {
    try reportingErrors {
      let size = Size(text: size) ?? Size(width: 512, height: 256)
      let start = Date()
      if let distance {
        try DistanceTask(seed: seed, size: size, distance: distance).write(
          to: output, train: train, val: val)
      } else {
        try SceneWriter(seed: seed, size: size).write(to: output, train: train, val: val)
      }
      let seconds = Date().timeIntervalSince(start)
      print(
        "\(train) training and \(val) validation scenes of \(size.width)x\(size.height) in \(output)"
          + String(format: " (%.1f s)", seconds))
    }
  }
}
