import Segmentation
import Testing
import Torch

/// Counts of parameters that papers and other toolkits print.
@Suite("Parameter counts")
struct CountTests {
  @Test(
    "of classifiers are torchvision's, those of the EfficientNet-Lite port and timm's Xceptions",
    arguments: [
      ("resnet18", 11_689_512), ("resnet34", 21_797_672), ("resnet50", 25_557_032),
      ("resnet101", 44_549_160), ("resnet152", 60_192_808), ("densenet121", 7_978_856),
      ("densenet161", 28_681_000), ("densenet169", 14_149_480), ("densenet201", 20_013_928),
      ("mobilenet_v2", 3_504_872), ("mobilenet_v3_large", 5_483_032),
      ("mobilenet_v3_small", 2_542_856), ("convnext_tiny", 28_589_128),
      ("convnext_small", 50_223_688), ("convnext_base", 88_591_464),
      ("efficientnet_lite0", 4_652_008), ("efficientnet_lite1", 5_416_680),
      ("efficientnet_lite2", 6_092_072), ("vit_b_16", 86_567_656), ("vit_b_32", 88_224_232),
      ("vit_l_16", 304_326_632), ("vit_l_32", 306_535_400), ("swin_t", 28_288_354),
      ("swin_s", 49_606_258), ("swin_b", 87_768_224), ("efficientnet_b0", 5_288_548),
      ("efficientnet_b1", 7_794_184), ("efficientnet_b2", 9_109_994),
      ("efficientnet_b3", 12_233_232), ("efficientnet_b4", 19_341_616),
      ("efficientnet_b5", 30_389_784), ("efficientnet_b6", 43_040_704),
      ("efficientnet_b7", 66_347_960), ("xception41", 26_969_560), ("xception65", 39_916_312),
      ("xception71", 42_338_736), ("xception", 22_855_952),
      ("regnet_x_400mf", 5_495_976),
      ("regnet_x_800mf", 7_259_656),
      ("regnet_x_1_6gf", 9_190_136),
      ("regnet_x_3_2gf", 15_296_552),
      ("regnet_x_8gf", 39_572_648),
      ("regnet_x_16gf", 54_278_536),
      ("regnet_x_32gf", 107_811_560),
      ("regnet_y_400mf", 4_344_144),
      ("regnet_y_800mf", 6_432_512),
      ("regnet_y_1_6gf", 11_202_430),
      ("regnet_y_3_2gf", 19_436_338),
      ("regnet_y_8gf", 39_381_472),
      ("regnet_y_16gf", 83_590_140),
      ("regnet_y_32gf", 145_046_770),
    ])
  func classifiers(_ name: String, _ count: Int) {
    shapesOnly { #expect(ImageClassifier.named(name)?.parameterCount == count) }
  }

  @Test(
    "of RegNets with rounded widths are timm's, but for the classifier",
    arguments: [
      ("regnet_x_200mf", "regnetx_002", 2_684_792), ("regnet_x_400mf", "regnetx_004", 5_157_512),
      ("regnet_x_600mf", "regnetx_006", 6_196_040), ("regnet_x_4gf", "regnetx_040", 22_118_248),
      ("regnet_x_6_4gf", "regnetx_064", 26_209_256), ("regnet_x_12gf", "regnetx_120", 46_106_056),
      ("regnet_y_200mf", "regnety_002", 3_162_996), ("regnet_y_600mf", "regnety_006", 6_055_160),
      ("regnet_y_800mf", "regnety_008", 6_263_168), ("regnet_y_1_6gf", "regnety_016", 11_202_430),
      ("regnet_y_4gf", "regnety_040", 20_646_656), ("regnet_y_6_4gf", "regnety_064", 30_583_252),
      ("regnet_y_8gf", "regnety_080", 39_180_068), ("regnet_y_12gf", "regnety_120", 51_822_544),
    ])
  func regNets(_ name: String, _ timm: String, _ count: Int) throws {
    #expect(RegNet.Configuration.timmNames[timm]?.name == name)
    try shapesOnly {
      let network = try backbone("{name: \(name), rounding: nearest}")
      #expect(network.parameterCount + 1000 * (network.width + 1) == count)
    }
  }

  @Test("of RegNets as torchvision rounds widths have names of their own in timm where they differ")
  func regNetNames() {
    let names = RegNet.Configuration.timmNames
    #expect(
      names.keys.filter { $0.hasSuffix("_tv") }.sorted()
        == ["regnetx_004_tv", "regnety_008_tv", "regnety_080_tv"])
    #expect(names.count == 27)
  }

  @Test(
    "of DRNs are those of the authors' README in millions, with their classifiers",
    arguments: [
      ("drn_d_22", 16.4), ("drn_d_38", 26.5), ("drn_d_54", 35.8), ("drn_d_105", 54.8),
    ])
  func drns(_ name: String, _ millions: Double) throws {
    try shapesOnly {
      let count = try backbone("{name: \(name)}").parameterCount + 1000 * 513
      #expect(abs(Double(count) / 1e6 - millions) < 0.05)
    }
  }

  @Test(
    "of backbones are those of torchvision's features",
    arguments: [
      ("densenet121", 6_953_856), ("densenet201", 18_092_928), ("mobilenet_v3_large", 2_971_952),
      ("convnext_tiny", 27_818_592), ("resnet50", 23_508_032), ("resnet101", 42_500_160),
      ("resnet18", 11_176_512), ("densenet121, cut: 2", 1_297_536),
      ("densenet121, cut: 3", 4_267_392), ("vgg11_bn", 9_225_984), ("vgg13_bn", 9_410_880),
      ("vgg16_bn", 14_723_136), ("vgg19_bn", 20_035_392),
    ])
  func backbones(_ yaml: String, _ count: Int) throws {
    try shapesOnly {
      let network = try backbone("{name: \(yaml)}")
      #expect(network.parameterCount == count)
    }
  }

  @Test(
    "of the five models of Tepliashin et al. are their Table 1's",
    arguments: [
      ("cut: 2", "dilations: [3, 6, 9, 12], growth: 32, block: plain", 20, 662_420),
      ("cut: 3", "dilations: [3, 6, 9, 12], growth: 32, block: plain", 20, 1_266_580),
      ("cut: 3", "dilations: [6, 12, 18, 24], growth: 32, block: plain", 20, 1_266_580),
      ("frozen: true", "dilations: [3, 6, 12, 18, 24]", 20, 2_252_820),
      ("frozen: true", "dilations: [3, 6, 9, 12, 18, 24], postNorm: true", 19, 2_748_179),
      (
        "frozen: true", "dilations: [3, 6, 9, 12, 18, 24], normFirst: false, finalNorm: true", 19,
        2_748_179
      ),
    ])
  func paper000(_ part: String, _ head: String, _ classes: Int, _ count: Int) throws {
    try shapesOnly {
      let model = try model(
        "{backbone: {name: densenet121, \(part)}, head: {name: denseaspp, \(head)},"
          + " classes: \(classes)}")
      #expect(model.classifier.parameterCount == count)
    }
  }

  @Test(
    "of model 4's head on the backbones of Tepliashin et al., Table 2",
    arguments: [
      ("densenet201", 3_426_580), ("mobilenet_v3_large", 2_168_980), ("convnext_tiny", 1_917_460),
      ("resnet50", 3_594_260), ("resnet101", 3_594_260),
    ])
  func table2(_ name: String, _ count: Int) throws {
    try shapesOnly {
      let model = try model("{backbone: {name: \(name)}, head: {name: denseaspp}, classes: 20}")
      #expect(model.classifier.parameterCount == count)
    }
  }

  @Test(
    "of the DenseASPP networks of 2018",
    arguments: [
      ("densenet121", 8_280_851), ("densenet161", 35_395_427), ("densenet169", 18_420_675),
      ("densenet201", 28_639_987),
    ])
  func official(_ name: String, _ count: Int) throws {
    try shapesOnly {
      let model = try model(
        "{backbone: {name: \(name), outputStride: 8, finalTransition: true},"
          + " head: {name: denseaspp, official: true}, classes: 19}")
      #expect(model.parameterCount == count)
    }
  }

  @Test(
    "of torchvision's segmentation networks",
    arguments: [
      ("deeplabv3_resnet50", 19, false, 39_638_355), ("deeplabv3_resnet50", 20, false, 39_638_612),
      ("deeplabv3_resnet50", 21, true, 42_004_074), ("deeplabv3_resnet101", 21, false, 58_630_997),
      ("deeplabv3_resnet101", 21, true, 60_996_202),
      ("deeplabv3_mobilenet_v3_large", 21, true, 11_029_328),
      ("fcn_resnet50", 21, false, 32_957_013), ("fcn_resnet50", 21, true, 35_322_218),
      ("lraspp_mobilenet_v3_large", 21, false, 3_221_538),
    ])
  func torchvision(_ name: String, _ classes: Int, _ auxiliary: Bool, _ count: Int) {
    shapesOnly {
      let model = SegmentationModel.torchvision(name, classes: classes, auxiliary: auxiliary)
      #expect(model?.parameterCount == count)
    }
  }

  @Test(
    "of milesial's U-Net",
    arguments: [
      (2, false, 31_037_698), (2, true, 17_263_042), (10, false, 31_038_218),
      (10, true, 17_263_562), (19, false, 31_038_803), (19, true, 17_264_147),
    ])
  func milesial(_ classes: Int, _ bilinear: Bool, _ count: Int) throws {
    try shapesOnly {
      let model = try model(
        "{backbone: {name: unet, bilinear: \(bilinear)}, head: {name: linear}, classes: \(classes)}"
      )
      #expect(model.parameterCount == count)
    }
  }
}
