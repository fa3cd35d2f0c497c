import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

@Suite("Weights from elsewhere", .serialized)
struct WeightTests {
  /// A file of tensors that is there while `body` runs.
  private func withFile<R>(
    _ tensors: [(name: String, tensor: Tensor)], _ body: (String) throws -> R
  ) throws -> R {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write(tensors, to: path)
    return try body(path)
  }

  /// The state of a module with every value drawn anew, its names rewritten.
  private func redrawn(
    _ module: Module, _ rename: (String) -> String? = { $0 }
  ) -> [(name: String, tensor: Tensor)] {
    module.state.compactMap { name, tensor in
      guard let name = rename(name) else { return nil }
      let copy = tensor.cloned()
      if copy.dtype == .float32 { copy.drawNormal() } else { copy.fill(7) }
      return (name, copy)
    }
  }

  private func backbone(_ yaml: String) throws -> any Backbone {
    try ModelBuilder.backbone(Section(yaml: yaml, named: "test"))
  }

  /// That all of a module loads from tensors with these names, in the module's order.
  private func expectLoads(
    _ module: Module, _ tensors: [(name: String, tensor: Tensor)], as convention: String,
    _ prefix: String = ""
  ) throws {
    try withFile(tensors.reversed()) { path in
      let plan = WeightImport(try WeightFile.open(path), for: module)
      #expect(plan.convention == convention)
      #expect(plan.prefix == prefix)
      #expect(plan.report.missing.isEmpty && plan.report.mismatched.isEmpty, "\(plan)")
      try plan.load([.noMissing, .noMismatch])
      for (entry, source) in zip(module.state, tensors) {
        #expect(entry.tensor.floats == source.tensor.floats, "\(entry.name) and \(source.name)")
      }
    }
  }

  @Test("load as a backbone from files with and without a classifier, whatever stands before")
  func prefixes() throws {
    let resnet = try backbone("{name: resnet18, cut: 2}")
    let tensors = redrawn(resnet)
    try expectLoads(resnet, tensors, as: "torchvision")
    for prefix in ["backbone.", "model.encoder."] {
      try expectLoads(
        resnet, tensors.map { (prefix + $0.name, $0.tensor) } + [("fc.weight", Tensor(1))],
        as: "torchvision", prefix)
    }
    let densenet = try backbone("{name: densenet, blocks: [2, 2], growth: 4, stem: 8}")
    try expectLoads(
      densenet, redrawn(densenet) { "features.\($0)" }, as: "torchvision", "features.")
  }

  @Test("load under the dotted names of the first DenseNets")
  func dotted() throws {
    let densenet = try backbone("{name: densenet, blocks: [2, 2], growth: 4, stem: 8}")
    let tensors = redrawn(densenet) { name in
      guard name.contains("denselayer") else { return "features." + name }
      return "features."
        + name.replacing("norm1", with: "norm.1").replacing("norm2", with: "norm.2")
        .replacing("conv1", with: "conv.1").replacing("conv2", with: "conv.2")
    }
    #expect(tensors.contains { $0.name == "features.denseblock1.denselayer2.norm.1.weight" })
    try expectLoads(densenet, tensors, as: "torchvision-2017", "features.")
  }

  @Test(
    "have timm's names",
    arguments: [
      (
        "mobilenet_v3_large",
        [
          "features.0.0.weight": "conv_stem.weight", "features.0.1.bias": "bn1.bias",
          "features.1.block.0.0.weight": "blocks.0.0.conv_dw.weight",
          "features.1.block.1.1.running_var": "blocks.0.0.bn2.running_var",
          "features.4.block.2.fc1.weight": "blocks.2.0.se.conv_reduce.weight",
          "features.15.block.3.0.weight": "blocks.5.2.conv_pwl.weight",
          "features.16.0.weight": "blocks.6.0.conv.weight",
          "classifier.0.weight": "conv_head.weight", "classifier.3.bias": "classifier.bias",
        ]
      ),
      (
        "mobilenet_v2",
        [
          "features.1.conv.0.0.weight": "blocks.0.0.conv_dw.weight",
          "features.1.conv.1.weight": "blocks.0.0.conv_pw.weight",
          "features.3.conv.2.weight": "blocks.1.1.conv_pwl.weight",
          "features.17.conv.3.weight": "blocks.6.0.bn3.weight",
          "features.18.0.weight": "conv_head.weight", "features.18.1.weight": "bn2.weight",
          "classifier.1.bias": "classifier.bias",
        ]
      ),
      (
        "efficientnet_lite0",
        [
          "features.0.0.weight": "conv_stem.weight",
          "features.16.block.1.0.weight": "blocks.6.0.conv_dw.weight",
          "features.17.1.weight": "bn2.weight",
        ]
      ),
      (
        "convnext_tiny",
        [
          "features.0.1.weight": "stem.1.weight",
          "features.2.0.weight": "stages.1.downsample.0.weight",
          "features.5.8.layer_scale": "stages.2.blocks.8.gamma",
          "features.7.0.block.0.weight": "stages.3.blocks.0.conv_dw.weight",
          "features.7.2.block.5.bias": "stages.3.blocks.2.mlp.fc2.bias",
          "classifier.0.weight": "head.norm.weight", "classifier.2.weight": "head.fc.weight",
        ]
      ),
    ])
  func timm(_ name: String, _ expected: [String: String]) throws {
    try shapesOnly {
      let model = try #require(ImageClassifier.named(name))
      let state = model.state.map { (name: $0.name, shape: $0.tensor.shape) }
      let tables = NamingConvention.ofParts.filter { $0.name == "timm" }.map { $0.theirs(state) }
      let names = try #require(tables.first { $0.count == state.count })
      let pairs = Dictionary(names.map { ($0.ours, $0.theirs) }, uniquingKeysWith: { a, _ in a })
      for (ours, theirs) in expected { #expect(pairs[ours] == theirs) }
      #expect(Set(names.map(\.theirs)).count == state.count)
    }
  }

  @Test("of timm have a shape of their own where ones make the difference")
  func reshaped() throws {
    let convnext = try backbone("{name: convnext_tiny, cut: 1}")
    let tensors = redrawn(convnext) { name in
      name.hasPrefix("0.")
        ? "stem." + name.dropFirst(2)
        : "stages.0.blocks."
          + name.dropFirst(2).replacing("block.0", with: "conv_dw")
          .replacing("block.2", with: "norm").replacing("block.3", with: "mlp.fc1")
          .replacing("block.5", with: "mlp.fc2").replacing("layer_scale", with: "gamma")
    }
    try expectLoads(
      convnext,
      tensors.map { ($0.name, $0.tensor.rank == 3 ? $0.tensor.flattened(from: 0) : $0.tensor) },
      as: "timm")
  }

  @Test("of EfficientNet-Lite load under the names of its PyTorch port")
  func lite() throws {
    let lite = try backbone("{name: efficientnet_lite0}")
    let names = NamingConvention.efficientNetPyTorch.names(of: lite)
    let tensors = redrawn(lite) { names[$0] }
    try expectLoads(lite, tensors, as: "efficientnet-pytorch")
  }

  private let small = """
    backbone: {name: densenet, blocks: [2, 2], growth: 4, stem: 8, finalTransition: true}
    head: {name: denseaspp, official: true, growth: 4, bottleneck: 8, dilations: [3, 6]}
    """

  private func network(classes: Int, _ yaml: String? = nil) throws -> SegmentationModel {
    try ModelBuilder.build(Section(yaml: yaml ?? small, named: "test"), classes: classes)
  }

  @Test("of DenseASPP of 2018 and of milesial's U-Net load whole, and go back to those names")
  func whole() throws {
    let aspp = try network(classes: 3)
    let conventions = NamingConvention.conventions(of: aspp)
    #expect(
      conventions.map(\.name) == ["torchvision", "denseaspp-2018", "mmsegmentation", "tramac"])
    let old = conventions[1].state(of: aspp)
    #expect(old.contains { $0.name == "ASPP_6.norm.1.weight" })
    #expect(old.contains { $0.name == "features.denseblock2.denselayer1.conv.2.weight" })
    try expectLoads(aspp, redrawn(aspp, Convention.denseASPP2018([3, 6])), as: "denseaspp-2018")
    let unet = try network(
      classes: 2, "{backbone: {name: unet, widths: [2, 4, 8]}, head: {name: linear}}")
    let theirs = redrawn(unet, Convention.milesial)
    #expect(theirs.contains { $0.name == "outc.conv.bias" })
    try expectLoads(unet, theirs, as: "milesial")
  }

  @Test("of another number of classes say so, and load but for the classifier")
  func classes() throws {
    let (model, other) = (try network(classes: 3), try network(classes: 5))
    try withFile(redrawn(other, Convention.denseASPP2018([3, 6]))) { path in
      let plan = WeightImport(try WeightFile.open(path), for: model)
      #expect(plan.classCounts.map { [$0.ours, $0.theirs] } == [3, 5])
      #expect("\(plan)".contains("only the classifier differs"))
      #expect("\(plan)".contains("classifier.classifier.weight: the network has [3, "))
      let before = model.state[0].tensor.floats
      #expect(throws: WeightFileError.self) { try plan.load() }
      #expect(model.state[0].tensor.floats == before)
      try plan.load([])
      #expect(model.state[0].tensor.floats != before)
    }
  }

  @Test("of nothing that is known are told of by every name")
  func unknown() throws {
    let model = try network(classes: 3)
    try withFile([("alpha", Tensor(1)), ("beta.weight", Tensor(2))]) { path in
      let plan = WeightImport(try WeightFile.open(path), for: model)
      #expect(plan.report.loaded.allSatisfy { $0.hasSuffix("num_batches_tracked") })
      #expect(plan.report.unexpected == ["alpha", "beta.weight"])
      #expect("\(plan)".contains("of no convention known here"))
    }
  }

  @Test("that rules rewrite are recognised after them")
  func rules() throws {
    let resnet = try backbone("{name: resnet18, cut: 1}")
    let rules = try NameMap(
      Section(yaml: "rules: [{from: 'kernel$', to: 'weight'}]", named: "rules"))
    let tensors = redrawn(resnet) { $0.replacing("weight", with: "kernel") }
    try withFile(tensors) { path in
      let plan = WeightImport(try WeightFile.open(path), for: resnet, rules: rules)
      #expect(plan.report.isComplete)
    }
  }

  @Test("of ImageNet are one line of a configuration")
  func pretrained() throws {
    let classifier = try #require(ImageClassifier.named("resnet18", classes: 10))
    let tensors = redrawn(classifier)
    try withFile(tensors) { path in
      let yaml = "{backbone: {name: resnet18, cut: 3, weights: \(path)}, head: {name: linear}}"
      let model = try network(classes: 2, yaml)
      #expect(model.backbone.state[0].tensor.floats == tensors[0].tensor.floats)
      let plan = WeightImport(try WeightFile.open(path), for: model)
      #expect(plan.part == "backbone")
      let other = yaml.replacing("resnet18", with: "resnet34")
      let error = #expect(throws: WeightFileError.self) { try network(classes: 2, other) }
      #expect(error?.description.contains("layer1.2.conv1.weight") == true)
      unlink(path)
      _ = try ModelBuilder.build(Section(yaml: yaml, named: "test"), classes: 2, pretrained: false)
      #expect(throws: WeightFileError.self) { try network(classes: 2, yaml) }
    }
  }

  @Test(
    "beside constants, metrics and an average are left aside, with a note, whatever stands before")
  func outside() throws {
    let aspp = try network(classes: 3)
    let own = redrawn(aspp)
    for prefix in ["", "model."] {
      let named = own.map { (prefix + $0.name, $0.tensor) }
      let others = ["mean", "std", "criterion.weight", "iou.confmat"].map { ($0, Tensor(1)) }
      let average = own.map { ("ema_model." + $0.name, Tensor(filledWith: 5, $0.tensor.shape)) }
      try withFile(average + others + named) { path in
        let plan = WeightImport(try WeightFile.open(path), for: aspp)
        #expect(plan.prefix == prefix && plan.report.isComplete, "\(plan)")
        #expect(Set(plan.leftAside) == Set((average + others).map(\.0)))
        let text = "\(plan)"
        for word in ["everything loads", "ema_model", "mean", "criterion", "'ema_model.', too"] {
          #expect(text.contains(word), "\(text)")
        }
        try plan.load()
        #expect(aspp.state[0].tensor.floats == own[0].tensor.floats)
      }
    }
    // One more layer of a module that the network has is another network.
    try withFile(own + [("backbone.denseblock9.weight", Tensor(1)), ("mean", Tensor(1))]) { path in
      let plan = WeightImport(try WeightFile.open(path), for: aspp)
      #expect(plan.report.unexpected == ["backbone.denseblock9.weight"])
      #expect(plan.leftAside == ["mean"])
    }
  }

  @Test("of a backbone are noted where the configuration names them")
  func remarks() throws {
    let resnet = try backbone("{name: resnet18, cut: 1}")
    try withFile(redrawn(resnet) { "net." + $0 } + [("criterion.weight", Tensor(1))]) { path in
      let remarks = WeightRemarks()
      _ = try WeightRemarks.$current.withValue(remarks) {
        try backbone("{name: resnet18, cut: 1, weights: \(path)}")
      }
      #expect(remarks.lines.count == 1)
      #expect(remarks.lines.first?.contains("criterion") == true)
    }
  }
}
