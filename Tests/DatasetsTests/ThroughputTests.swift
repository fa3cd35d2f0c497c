import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

/// Images per second of the loader's stages: set `ATROUS_BENCH` and build for release.
@Suite(
  "Throughput", .serialized,
  .enabled(if: ProcessInfo.processInfo.environment["ATROUS_BENCH"] != nil))
struct ThroughputTests {
  private static let recipe: [Transform] = [
    .randomResize(ratio: 0.5...2), .randomCrop(Size(width: 360, height: 360), maxClassShare: 0.75),
    .horizontalFlip(), .photometricDistortion(), .pad(to: Size(width: 360, height: 360)),
  ]

  private func street() -> (Image, ClassMask) {
    let (image, mask) = picture(480, 360, classes: 11)
    return (image, mask)
  }

  @Test("each transform on a 480×360 picture")
  func stages() throws {
    let source = street()
    let stages: [(String, [Transform])] = [
      ("resize ×0.5", [.resize(Size(width: 240, height: 180))]),
      ("resize ×1.5", [.resize(Size(width: 720, height: 540))]),
      (
        "resize ×2, crop 360",
        [
          .resize(Size(width: 960, height: 720)), .centerCrop(Size(width: 360, height: 360)),
        ]
      ),
      (
        "crop 360, flip",
        [.centerCrop(Size(width: 360, height: 360)), .horizontalFlip(probability: 1)]
      ),
      ("photometric", [.photometricDistortion()]),
      (
        "jitter",
        [.colorJitter(ColorJitter(brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0.1))]
      ),
      ("rotation", [.rotation(degrees: 10...10, probability: 1)]),
      ("recipe", Self.recipe),
    ]
    for (name, transforms) in stages {
      let pipeline = try Pipeline(transforms)
      let runs = 60
      let time = ContinuousClock().measure {
        for i in 0..<runs {
          var random = SampleRandom(seed: 1, epoch: 0, index: i)
          let result = pipeline(source.0, source.1, random: &random)
          #expect(result.image.size == result.mask.size)
        }
      }
      print(name, "\(time / .milliseconds(1) / Double(runs)) ms")
    }
    let output = UnsafeMutablePointer<Float>.allocate(capacity: 480 * 360 * 3)
    defer { output.deallocate() }
    let time = ContinuousClock().measure {
      for _ in 0..<60 { InputEncoding.imageNet.encode(source.0.raster, into: output) }
    }
    print("normalisation", "\(time / .milliseconds(1) / 60) ms")
  }

  @Test("decoding a CamVid image and its label", .enabled(if: camVidFolder != nil))
  func decoding() throws {
    let set = try FileDataset.camVid(try #require(camVidFolder), split: "train").spread(to: 60)
    let whole = try processorTime { for i in 0..<60 { _ = try set.load(i) } }
    let masks = try processorTime { for i in 0..<60 { _ = try set.loadMask(i) } }
    print("image and label", "\(whole * 1000 / 60) ms")
    print("label", "\(masks * 1000 / 60) ms")
  }

  @Test("the recipe through the loader", arguments: [1, 2])
  func loader(_ threads: Int) throws {
    let source = street()
    let set: any Dataset
    if let camVidFolder {
      set = try FileDataset.camVid(camVidFolder, split: "train")
    } else {
      set = MemoryDataset(
        name: "street", labelMap: .camVid,
        samples: (0..<367).map { ("\($0)", source.0, source.1) })
    }
    let loader = try Loader(
      set, pipeline: Pipeline(Self.recipe), batchSize: 8, shuffle: true, dropLast: true,
      threads: threads, cacheBytes: 1 << 29)
    for epoch in 0..<3 {
      var images = 0
      var seconds = 0.0
      let time = try ContinuousClock().measure {
        seconds = try processorTime {
          let batches = loader.batches(epoch: epoch)
          while let batch = try batches.next() { images += batch.count }
        }
      }
      print(
        "\(threads) threads, epoch \(epoch):", "\(Double(images) / (time / .seconds(1))) images/s,",
        "\(seconds * 1000 / Double(images)) ms of processor an image")
    }
  }
}

/// The processor time of all threads during `body`, in seconds: not disturbed by other programs.
private func processorTime(_ body: () throws -> Void) rethrows -> Double {
  let start = clock()
  try body()
  return Double(clock() - start) / Double(CLOCKS_PER_SEC)
}
