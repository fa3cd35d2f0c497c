import ArgumentParser
import Datasets
import Evaluation
import Foundation
import Training

/// `atrous data speed`: how many images a second training can be given.
struct DataSpeed: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "speed",
    abstract: "Measure how many images a second the loader decodes, changes and normalises.")

  @OptionGroup var data: DataOptions

  @Option(help: "The images of a batch.")
  var batchSize = 8

  @Option(help: "The threads; 0 for one a core.")
  var workers = 0

  @Option(help: "How often the images are gone through.")
  var epochs = 3

  @Option(help: "The memory for decoded images, in megabytes.")
  var cacheMegabytes = 0

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard (1...65_536).contains(batchSize), (0...4096).contains(workers),
      (1...10_000).contains(epochs), (0...1 << 30).contains(cacheMegabytes)
    else { throw ValidationError("expected sizes and numbers of at least 1.") }
  }

  func run() throws {
    try reportingErrors {
      let source = try data.resolved()
      guard let (name, dataset) = try source.datasets(data.part).first else { return }
      let speed = try LoaderSpeed(
        dataset.paired(), of: source, batchSize: batchSize, threads: workers, epochs: epochs,
        cacheBytes: cacheMegabytes << 20)
      if json { return print(try jsonText(speed)) }
      for (images, cost) in zip(speed.imagesPerSecond, speed.processorMilliseconds) {
        print(
          "\(name): "
            + String(format: "%.1f images/s, %.2f ms of processor an image", images, cost))
      }
    }
  }
}
