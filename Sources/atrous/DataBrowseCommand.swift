import ArgumentParser
import Datasets
import Files
import Imaging
import Training

/// `atrous data browse`: a picture of samples as training sees them.
struct DataBrowse: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "browse",
    abstract: "Write a sheet of samples after augmentation, with their labels over them.")

  @OptionGroup var data: DataOptions

  @Option(help: "The picture to write, .png or .jpg.")
  var output = "sheet.png"

  @Option(help: "The number of samples, spread over the set.")
  var count = 12

  @Option(help: "The longer side of each picture, in pixels.")
  var side = 320

  @Option(help: "The epoch whose random draws are shown.")
  var epoch = 0

  @Flag(inversion: .prefixedNo, help: "Show images as training changes them.")
  var augmented = true

  func validate() throws {
    guard (1...400).contains(count) else {
      throw ValidationError("--count is \(count), expected a number from 1 to 400.")
    }
    guard (16...4096).contains(side) else {
      throw ValidationError("--side is \(side), expected a number from 16 to 4096.")
    }
  }

  func run() throws {
    try reportingErrors {
      try FileSystem.makeOutputFolder(of: output)
      let source = try data.resolved()
      guard let (name, dataset) = try source.datasets(data.part).first else { return }
      var sheet = ContactSheet()
      (sheet.count, sheet.side, sheet.epoch) = (count, side, epoch)
      let image = try sheet.image(
        of: dataset, pipeline: augmented ? source.augmentation : .none,
        sampling: augmented ? source.sampling : .uniform,
        encoding: source.encoding, seed: source.seed)
      try image.write(to: output, isOutput: true)
      print("\(output): \(min(count, dataset.count)) of \(dataset.count) samples of \(name)")
    }
  }
}
