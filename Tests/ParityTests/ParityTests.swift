import Checkpoints
import Configuration
import Datasets
import Files
import Foundation
import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Parity

private let kit = URL(fileURLWithPath: shared).appending(path: "parity")

private let kitIsHere = FileManager.default.fileExists(atPath: kit.path)

@Suite("Parity", .serialized)
struct ParityTests {
  @Test(
    "with the reference implementations holds for every probe and count",
    .enabled(if: kitIsHere, "skipped: the parity kit is not beside the checkout"),
    arguments: [
      "torchvision-densenet121", "torchvision-mobilenet_v3_large",
      "torchvision-mobilenet_v3_small", "torchvision-resnet18",
      "torchvision-deeplabv3_mobilenet_v3_large", "torchvision-lraspp_mobilenet_v3_large",
      "mmseg-segformer_mit-b0", "mmseg-segmenter_vit-t_mask", "mmseg-setr_mla_vit-small",
      "mmseg-setr_naive_vit-small", "mmseg-deeplabv3_r18-d8", "mmseg-encnet_r50-d8",
      "mmseg-unet-s5-d16_fcn", "denseaspp-DenseASPP121", "train-denseaspp-DenseASPP121",
      "hf-segformer_b0", "hf-upernet_swin_tiny", "hf-dpt", "hf-deeplabv3_mobilenet_v2_1.0_513",
      "hf-deeplabv3_mobilenet_v2_os16", "smp-unet_resnet34", "smp-unetplusplus_resnet34",
      "smp-fpn_resnet50", "smp-deeplabv3_resnet50", "smp-deeplabv3plus_resnet50",
      "smp-pspnet_resnet50", "smp-upernet_resnet50", "smp-segformer_mit_b0",
      "vainf-deeplabv3_resnet50", "vainf-deeplabv3plus_resnet50", "jfzhang95-deeplab_resnet",
      "kazuto1011-deeplabv2_resnet101", "bubbliiiing-deeplabv3plus_mobilenet",
      "tramac-denseaspp_densenet121", "timm-xception65",
    ])
  func agrees(_ name: String) throws {
    let result = try Parity.check(kit.appending(path: "\(name).json").path)
    #expect(result.disagreements == [])
  }

  @Test(
    "with segmentation_models.pytorch holds for a folder that is read by itself alone",
    .enabled(if: kitIsHere, "skipped: the parity kit is not beside the checkout"))
  func folder() throws {
    let folder = URL(fileURLWithPath: shared).appending(path: "checkpoints/smp-unet_tiny").path
    let file = try #require(FileManager.default.contents(atPath: "\(folder).json"))
    let json = try #require(JSON(file))
    let shape = try #require(json["input"]?.ints)
    let probe = try #require(json["outputs"]?["logits"].flatMap { Probe($0) })
    let network = try TrainedNetwork(checkpoint: folder)
    var comparison = Comparison()
    withoutGradients {
      comparison.compare("logits", network.model(Rule.image("input", shape)), probe)
    }
    #expect(comparison.disagreements == [])
    #expect(network.pretrained?.description.family == "smp")
    #expect(network.encoding.mean == [0.5, 0.5, 0.5])
  }

  @Test(
    "with MMSegmentation holds for a checkpoint that is read by its meta alone",
    .enabled(if: kitIsHere, "skipped: the parity kit is not beside the checkout"))
  func checkpoint() throws {
    let path = URL(fileURLWithPath: shared).appending(path: "checkpoints/mmengine-iter_2.pth").path
    let file = try #require(FileManager.default.contents(atPath: "\(path).json"))
    let json = try #require(JSON(file))
    let shape = try #require(json["input"]?.ints)
    let probe = try #require(json["outputs"]?["logits"].flatMap { Probe($0) })
    let network = try TrainedNetwork(checkpoint: path)
    var comparison = Comparison()
    withoutGradients {
      let logits = network.model.output(Rule.image("input", shape)).logits
      comparison.compare("logits", logits, probe)
    }
    #expect(comparison.disagreements == [])
    #expect(network.classNames == ["road", "tree", "sky", "car"])
    #expect(network.pretrained?.description.family == "mmsegmentation")
  }

  @Test(
    "with TensorFlow Lite holds for its trained DeepLabV3 and an image of noise",
    .enabled(if: kitIsHere, "skipped: the parity kit is not beside the checkout"))
  func tensorFlowLite() throws {
    let file = URL(fileURLWithPath: shared).appending(
      path: "checkpoints/deeplabv3_257_mv_gpu.tflite")
    let model = try ModelBuilder.build(
      Section(
        yaml: """
          alignCorners: true
          backbone: {name: mobilenet_v2, outputStride: 8, channelMultiplier: 0.5,
                     channelDivisor: 4, lastConvolution: false}
          head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false}
          classes: 21
          """, named: "test"))
    let plan = WeightImport(try WeightFile.open(file.path), for: model)
    #expect(plan.convention == "tensorflow-lite")
    #expect(plan.report.isComplete, "\(plan)")
    try plan.load()
    model.train(false)
    let reference = try ParityFile(contentsOf: file.path + ".json")
    let probe = try #require(try reference.probes("outputs").first).probe
    let image = Rule.image("input", try reference.inputShape()) * 0.5
    let scores = withoutGradients { model(image) }
    var comparison = Comparison()
    comparison.compare("upsampled", scores, probe)
    #expect(comparison.values == 65)
    #expect(comparison.disagreements == [])
  }

  @Test("the rule's stream is the README's")
  func rule() {
    // splitmix64 of FNV-1a, computed independently with Python's integers.
    #expect(Rule.hash("input") == 0x1EBB_AE8F_5810_B65B)
    #expect(Rule.units("input", 4).floats == [0.097818315, 0.6523604, 0.20362425, 0.27444464])
  }

  @Test("refuses files that are no part of the kit, and models that nobody knows")
  func refusals() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let cases = [
      ("text", "hello", "JSON"), ("empty", "{}", "model"),
      ("unknown", #"{"model": "torchvision/vgg99", "input": [1, 3, 8, 8]}"#, "vgg99"),
    ]
    for (name, content, word) in cases {
      let file = folder.appending(path: name)
      try Data(content.utf8).write(to: file)
      let error = #expect(throws: ParityError.self) { try Parity.check(file.path) }
      let message = error?.description ?? ""
      #expect(message.contains(word))
      #expect(message.contains(file.path))
    }
    #expect(throws: ParityError.self) { try Parity.check("/no/such/file.json") }
  }
}
