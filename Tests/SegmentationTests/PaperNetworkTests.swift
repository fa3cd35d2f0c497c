import Configuration
import Foundation
import Segmentation
import Testing
import Torch

/// The configurations of the networks that Kim et al., 2023, examine, and of torchvision's.
@Suite("Networks of Kim et al., 2023, and torchvision")
struct PaperNetworkTests {
  private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Configurations/networks").standardizedFileURL

  @Test("are all there")
  func complete() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
    #expect(Set(files) == Set(known.keys.map { "\($0).yaml" }))
  }

  @Test(
    "have as many parameters as in their originals, and give scores for images of odd sizes",
    arguments: known.keys.sorted())
  func build(_ name: String) throws {
    let section = try Section(contentsOf: Self.folder.appending(path: "\(name).yaml").path)
    try shapesOnly {
      let model = try ModelBuilder.build(section.section("model"))
      #expect(model.parameterCount == known[name])
      model.train(false)
      for (height, width) in [(97, 131), (512, 1024)] {
        let scores = withoutGradients { model(Tensor(uninitialized: [1, 3, height, width])) }
        #expect(scores.shape == [1, model.classes, height, width])
      }
    }
  }
}

private let known = parameterCounts.merging(torchvisionCounts) { first, _ in first }

/// What torchvision counts with its auxiliary classifiers, which its published files have.
private let torchvisionCounts: [String: Int] = [
  "torchvision-deeplabv3_mobilenet_v3_large": 11_029_328,
  "torchvision-deeplabv3_resnet101": 60_996_202,
  "torchvision-deeplabv3_resnet50": 42_004_074,
  "torchvision-fcn_resnet101": 54_314_346,
  "torchvision-fcn_resnet50": 35_322_218,
  "torchvision-lraspp_mobilenet_v3_large": 3_221_538,
]

/// What MMSegmentation 1.2.2 counts for its configurations of these networks; ours alone is the count
/// of `setr-aspp_vit-l` and of `unet-s5-d16_deeplabv3-encoder`, which it has none for.
private let parameterCounts: [String: Int] = [
  "ann_r50-d8": 46_228_614,
  "danet_r50-d8": 49_846_574,
  "deeplabv3_r50-d8": 68_113_030,
  "deeplabv3plus_r50-d8": 43_589_878,
  "dpt_vit-b16": 109_704_278,
  "encnet_r50-d8": 35_891_961,
  "fastfcn_r50-d32_aspp": 87_848_582,
  "fastfcn_r50-d32_enc": 55_627_513,
  "fastfcn_r50-d32_psp": 68_711_046,
  "fcn-d6_r50-d16": 49_497_734,
  "fcn_r50-d8": 49_497_734,
  "nonlocal_r50-d8": 50_023_814,
  "pspnet_r50-d8": 48_975_494,
  "segformer_mit-b0": 3_720_051,
  "segformer_mit-b1": 13_683_155,
  "segformer_mit-b2": 24_728_019,
  "segformer_mit-b3": 44_603_859,
  "segformer_mit-b4": 61_374_419,
  "segformer_mit-b5": 81_974_739,
  "segmenter-linear_vit-s16": 22_040_982,
  "segmenter-mask_vit-b16": 102_496_812,
  "setr-aspp_vit-l": 313_463_059,
  "setr-mla_vit-l": 310_678_111,
  "setr-naive_vit-l": 306_535_500,
  "setr-pup_vit-l": 318_466_124,
  "unet-s5-d16_deeplabv3-encoder": 45_863_891,
  "unet-s5-d16_deeplabv3": 29_064_996,
  "unet-s5-d16_fcn": 29_062_886,
  "unet-s5-d16_pspnet": 29_046_276,
  "upernet_convnext-t": 60_242_636,
  "upernet_deit-s16": 52_093_484,
  "upernet_swin-b": 121_279_716,
  "upernet_swin-s": 81_259_766,
  "upernet_swin-t": 59_941_862,
  "upernet_vit-b16": 144_172_844,
]
