import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

/// Networks with pairs of our names and MMSegmentation's.
private let networks: [(yaml: String, names: [String: String])] = [
  (
    "{backbone: {name: resnet18, deepStem: true},"
      + " head: {name: deeplabv3, form: mmsegmentation, channels: 4},"
      + " auxiliary: {name: fcn, form: mmsegmentation, channels: 4}}",
    [
      "backbone.stem.0.weight": "backbone.stem.0.weight",
      "backbone.layer2.0.downsample.1.bias": "backbone.layer2.0.downsample.1.bias",
      "classifier.0.convs.0.1.weight": "decode_head.image_pool.1.conv.weight",
      "classifier.0.convs.0.2.weight": "decode_head.image_pool.1.bn.weight",
      "classifier.0.convs.1.0.weight": "decode_head.aspp_modules.0.conv.weight",
      "classifier.0.convs.4.1.bias": "decode_head.aspp_modules.3.bn.bias",
      "classifier.0.project.0.weight": "decode_head.bottleneck.conv.weight",
      "classifier.4.bias": "decode_head.conv_seg.bias",
      "aux_classifier.3.weight": "auxiliary_head.convs.1.conv.weight",
      "aux_classifier.conv_cat.1.bias": "auxiliary_head.conv_cat.bn.bias",
      "aux_classifier.7.weight": "auxiliary_head.conv_seg.weight",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: deeplabv3plus, channels: 4}}",
    [
      "classifier.aspp.convs.2.depthwise_conv.0.weight":
        "decode_head.aspp_modules.1.depthwise_conv.conv.weight",
      "classifier.c1_bottleneck.1.bias": "decode_head.c1_bottleneck.bn.bias",
      "classifier.sep_bottleneck.1.pointwise_conv.1.weight":
        "decode_head.sep_bottleneck.1.pointwise_conv.bn.weight",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: fastfcn, channels: 4,"
      + " head: {name: pspnet, channels: 4}}}",
    [
      "classifier.jpu.conv_layers.1.0.weight": "neck.conv_layers.1.0.conv.weight",
      "classifier.jpu.dilation_layers.3.depthwise_conv.1.bias":
        "neck.dilation_layers.3.0.depthwise_conv.bn.bias",
      "classifier.head.psp_modules.convs.2.0.weight": "decode_head.psp_modules.2.1.conv.weight",
      "classifier.head.classifier.bias": "decode_head.conv_seg.bias",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: encnet, channels: 4, laterals: [1]}}",
    [
      "classifier.enc_module.encoding.0.codewords": "decode_head.enc_module.encoding.0.codewords",
      "classifier.enc_module.encoding.1.running_var":
        "decode_head.enc_module.encoding.1.running_var",
      "classifier.enc_module.fc.0.bias": "decode_head.enc_module.fc.0.bias",
      "classifier.lateral_convs.0.0.weight": "decode_head.lateral_convs.0.conv.weight",
      "classifier.se_layer.weight": "decode_head.se_layer.weight",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: nonlocal, channels: 4}}",
    [
      "classifier.nl_block.query_project.bias": "decode_head.nl_block.theta.conv.bias",
      "classifier.nl_block.value_project.weight": "decode_head.nl_block.g.conv.weight",
      "classifier.nl_block.out_project.1.bias": "decode_head.nl_block.conv_out.bn.bias",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: ann, channels: 4, projectChannels: 2}}",
    [
      "classifier.fusion.attention.key_project.0.weight":
        "decode_head.fusion.stages.0.key_project.conv.weight",
      "classifier.context.attention.out_project.bias":
        "decode_head.context.stages.0.out_project.bias",
    ]
  ),
  (
    "{backbone: {name: resnet18}, head: {name: danet, channels: 4, positionChannels: 2}}",
    [
      "classifier.position.attention.gamma.scale": "decode_head.pam.gamma.scale",
      "classifier.position.in_conv.0.weight": "decode_head.pam_in_conv.conv.weight",
      "classifier.channel.classifier.bias": "decode_head.cam_conv_seg.bias",
      "classifier.classifier.bias": "decode_head.conv_seg.bias",
    ]
  ),
  (
    "{backbone: {name: unet, widths: [2, 2, 4, 4, 8], enlargement: projected},"
      + " head: {name: fcn, form: mmsegmentation, convolutions: 1, channels: 2}}",
    [
      "backbone.inc.double_conv.1.bias": "backbone.encoder.0.0.convs.0.bn.bias",
      "backbone.down4.maxpool_conv.1.double_conv.3.weight":
        "backbone.encoder.4.1.convs.1.conv.weight",
      "backbone.up1.up.0.weight": "backbone.decoder.3.upsample.interp_upsample.1.conv.weight",
      "backbone.up4.conv.double_conv.4.weight": "backbone.decoder.0.conv_block.convs.1.bn.weight",
    ]
  ),
]

@Suite("MMSegmentation's names", .serialized)
struct MMSegmentationNamesTests {
  @Test("go both ways, each for one of ours", arguments: networks)
  func names(_ yaml: String, _ expected: [String: String]) throws {
    try shapesOnly {
      let model = try ModelBuilder.build(Section(yaml: yaml, named: "test"), classes: 2)
      let names = NamingConvention.mmsegmentation(model).names(of: model)
      for (ours, theirs) in expected { #expect(names[ours] == theirs) }
      #expect(names.count == model.state.count)
      #expect(Set(names.values).count == names.count)
      let parts: Set = ["backbone", "neck", "decode_head", "auxiliary_head"]
      for name in names.values {
        #expect(parts.contains(String(name.prefix { $0 != "." })), "\(name)")
      }
    }
  }

  private let small = """
    backbone: {name: resnet18, deepStem: true, cut: 2}
    head: {name: pspnet, channels: 2}
    """
  private let auxiliary = "auxiliary: {name: fcn, form: mmsegmentation, level: 0, channels: 2}"

  /// Writes the tensors of a network with auxiliary head as MMSegmentation calls them, but for those
  /// that `keep` refuses, and says what their import by another network gives.
  private func imported(
    classes: Int = 2, listed: Bool = false, into yaml: String,
    keeping keep: (String) -> Bool = { _ in true }, _ body: (WeightImport) throws -> Void
  ) throws {
    let source = try ModelBuilder.build(
      Section(yaml: "\(small)\n\(auxiliary)", named: "test"), classes: classes)
    let convention = NamingConvention.mmsegmentation(source, listsAuxiliary: listed)
    let tensors = convention.state(of: source).filter { keep($0.name) }
    let model = try ModelBuilder.build(Section(yaml: yaml, named: "test"), classes: 2)
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write([("data_preprocessor.mean", Tensor(1))] + tensors, to: path)
    try body(WeightImport(try WeightFile.open(path), for: model))
  }

  @Test("load with and without auxiliary heads, on either side")
  func auxiliaryHeads() throws {
    let whole = "\(small)\n\(auxiliary)"
    for listed in [false, true] {
      try imported(listed: listed, into: whole) { plan in
        #expect(plan.convention == "mmsegmentation")
        #expect(plan.report.isComplete, "\(plan)")
        #expect(plan.passedOver == ["data_preprocessor.mean"])
        try plan.load()
      }
    }
    try imported(into: small) { plan in
      #expect(plan.onlyAuxiliaryIsLeftOver)
      #expect("\(plan)".contains("only the file's auxiliary heads are left over"))
    }
    try imported(into: whole, keeping: { !$0.hasPrefix("auxiliary_head") }) { plan in
      #expect(plan.lacksOnlyAuxiliary)
      #expect("\(plan)".contains("all but the auxiliary heads loads"))
    }
    try imported(into: whole, keeping: { !$0.hasPrefix("decode_head.bottleneck") }) { plan in
      #expect(!plan.lacksOnlyAuxiliary)
      #expect(plan.report.missing.contains("classifier.bottleneck.0.weight"))
    }
  }

  @Test("of another number of classes, of other channels and of a backbone alone are told apart")
  func disagreements() throws {
    for yaml in [small, "\(small)\n\(auxiliary)"] {
      try imported(classes: 5, into: yaml) { plan in
        #expect(plan.classCounts.map { [$0.ours, $0.theirs] } == [2, 5], "\(plan)")
      }
    }
    try imported(into: small.replacing("channels: 2", with: "channels: 3")) { plan in
      #expect(plan.report.mismatched.contains { $0.name == "classifier.bottleneck.0.weight" })
      #expect(plan.classCounts == nil && !plan.lacksOnlyAuxiliary)
    }
    try imported(into: small, keeping: { $0.hasPrefix("backbone.") }) { plan in
      #expect(plan.lacksOnlyHead, "\(plan)")
    }
  }

  @Test("name the parts of a U-Net that is a backbone only")
  func backbone() throws {
    let yaml =
      "{backbone: {name: unet, widths: [2, 4, 4], enlargement: projected}, head: {name: linear}}"
    let source = try ModelBuilder.build(Section(yaml: yaml, named: "test"), classes: 2)
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write(
      NamingConvention.mmsegmentation(source).state(of: source).reversed(), to: path)
    let other = yaml.replacing("projected", with: "projected, weights: \(path)")
    let model = try ModelBuilder.build(Section(yaml: other, named: "test"), classes: 3)
    for (own, theirs) in zip(model.backbone.state, source.backbone.state) {
      #expect(own.tensor.floats == theirs.tensor.floats, "\(own.name)")
    }
  }
}
