import Configuration
import Files
import Foundation
import Graphs
import Segmentation
import Testing
import Torch

@testable import Parity

/// What other toolkits give for images whose sides are no multiples of a stride, and what networks of
/// repositories give; `Fixtures/make.py` and `Fixtures/repositories.py` say how the files came about.
@Suite("Parity on odd sizes", .serialized)
struct OddSizeTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "Fixtures")
  private static let configurations =
    folder
    .appending(path: "../../../Configurations/networks").standardizedFileURL

  /// The files, without their ending.
  private static let files: [String] =
    // A test counts what was found.
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])  // may fail: so
    .filter { $0.hasSuffix(".json") }.map { String($0.dropLast(5)) }.sorted()

  /// The file of a network that a configuration describes.
  private static func file(of network: TorchvisionNetwork) -> String {
    "torchvision-\(network.name)-97x131"
  }

  @Test(
    "holds with torchvision, timm, MMSegmentation, milesial's U-Net and others' DeepLab and PSPNet",
    arguments: files.filter { !TorchvisionNetwork.all.map(file).contains($0) })
  func agrees(_ name: String) throws {
    let result = try Parity.check(Self.folder.appending(path: "\(name).json").path)
    #expect(result.disagreements == [])
  }

  @Test("has files of all")
  func complete() {
    for (family, count) in [
      ("torchvision", 16), ("mmseg", 19), ("milesial", 2), ("jfzhang95", 2), ("bubbliiiing", 1),
      ("csail", 1), ("vainf", 2), ("detectron2", 1), ("timm", 3),
    ] {
      #expect(Self.files.count { $0.hasPrefix(family) } == count, "\(family)")
    }
  }

  @Test(
    "holds for torchvision's networks as their configurations describe them, prepared or not",
    arguments: TorchvisionNetwork.all)
  func configurations(_ network: TorchvisionNetwork) throws {
    let section = try Section(
      contentsOf: Self.configurations.appending(path: "torchvision-\(network.name).yaml").path)
    let model = try Initialization.skipped { try ModelBuilder.build(section.section("model")) }
    let file = try ParityFile(
      contentsOf: Self.folder.appending(path: "\(Self.file(of: network)).json").path)
    let probes = try Dictionary(
      uniqueKeysWithValues: file.probes("outputs").map { ($0.name, $0.probe) })
    let probe = try #require(probes["out"])
    try attempt {
      Rule.fill(model) { $0 }
      model.train(false)
      let image = Rule.image("input", [1, 3, 97, 131])
      inferenceMode {
        var comparison = Comparison()
        comparison.compare("plain", model(image), probe)
        if let head = model.auxiliary.first?.head, let probe = probes["aux"] {
          let scores = head.scores([model.maps(image)[2]], image: image)
          comparison.compare("auxiliary", model.upsampled(scores, like: image), probe)
        }
        let runner = Runner(model) { model($0) }
        comparison.compare("prepared", runner(image), probe)
        #expect(comparison.disagreements == [])
      }
    }
  }
}
