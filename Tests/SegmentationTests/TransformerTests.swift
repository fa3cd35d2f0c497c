import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

@Suite("Transformers and their heads")
struct TransformerTests {
  @Test(
    "learn a batch of two within five steps, with a gradient for every parameter",
    arguments: tinyTransformers)
  func steps(_ yaml: String) throws {
    Engine.seed(5)
    let model = try model("{\(yaml), classes: 3}")
    let x = noise([2, 3, 64, 64])
    let labels = Tensor((0..<2 * 64 * 64).map { Int64($0 / 16 % 3) }, [2, 64, 64])
    let optimizer = Optimizer(.adamW(), model, learningRate: 2e-3, weightDecay: 0.01)
    model.train()
    func loss() -> Tensor {
      let output = model.output(x)
      return ([output.logits] + output.auxiliary).map { scores in
        model.upsampled(scores, like: x).logSoftmax(1)
          .negativeLogLikelihoodSum(labels, ignoreIndex: 255) / Double(labels.count)
      }.reduce(Tensor(0)) { $0 + $1 }
    }
    let first = loss()
    first.backward()
    for (name, parameter) in model.parameters {
      // A class token that takes no part in the blocks learns nothing, in the original neither.
      let isIdle = name.hasSuffix("class_token") && yaml.contains("classToken: false")
      let size = try #require(parameter.gradient, "\(name)").norm().item
      #expect(isIdle ? size == 0 : size > 0 && size.isFinite, "\(name)")
    }
    var lowest = Double.infinity
    for _ in 0..<5 {
      optimizer.step()
      optimizer.clearGradients()
      let next = loss()
      lowest = min(lowest, next.item)
      next.backward()
    }
    #expect(lowest < first.item)
  }

  @Test("take images of any size", arguments: tinyTransformers)
  func sizes(_ yaml: String) throws {
    Engine.seed(5)
    let model = try model("{\(yaml), classes: 3}")
    model.train(false)
    withoutGradients {
      for shape in [[1, 3, 97, 131], [2, 3, 5, 40]] {
        let scores = model(noise(shape))
        #expect(scores.shape == [shape[0], 3, shape[2], shape[3]])
        #expect(scores.isFinite)
      }
    }
  }

  @Test("resize position embeddings to the image's grid, and leave their own grid alone")
  func positions() throws {
    let network = try backbone(
      "{name: vit, outputStride: 16, depth: 1, width: 4, heads: 1, imageSize: 64x32}")
    network.train(false)
    // Nothing but the embeddings reaches the map when everything else is zero.
    for (name, parameter) in network.parameters where !name.hasSuffix("ln.weight") {
      parameter.fill(0)
    }
    let embedding = try #require(network.parameters.first { $0.name.hasSuffix("pos_embedding") })
    #expect(embedding.parameter.shape == [1, 9, 4])
    let grid = noise([1, 4, 2, 4])
    embedding.parameter.assign(
      concatenate([noise([1, 1, 4]), grid.flattened(from: 2).transposed(1, 2)], along: 1))
    let norm = LayerNorm(4, ofImages: true, eps: 1e-6)
    withoutGradients {
      for (height, width) in [(32, 64), (80, 48), (33, 64)] {
        let (rows, columns) = ((height + 15) / 16, (width + 15) / 16)
        let expected = norm(grid.resized(height: rows, width: columns, .bicubic)).floats
        let own = network(noise([1, 3, height, width]))
        #expect(own.shape == [1, 4, rows, columns])
        #expect(zip(own.floats, expected).allSatisfy { abs($0 - $1) < 1e-4 })
      }
    }
  }

  @Test("of shifted windows let no position see what only the shift made its neighbour")
  func windows() throws {
    for form in ["torchvision", "mmsegmentation"] {
      let network = try backbone(
        "{name: swin_t, depths: [2, 1, 1, 1], heads: [1, 1, 1, 1], width: 8, window: 4,"
          + " dropRate: 0, form: \(form)}")
      network.train(false)
      for (name, parameter) in network.parameters where name.hasSuffix("bias_table") {
        parameter.drawNormal()
      }
      let x = noise([1, 3, 64, 64])
      x.requiresGrad = true
      network.features(x)[0].selected(1, 0).selected(2, 0).selected(1, 0).sum().backward()
      let seen = try #require(x.gradient).abs().sum([0, 1])
      // The corner's window has 4 positions; of the shifted one only 2 are its true neighbours.
      #expect(seen.sliced(0, 16, 64).sum().item < 1e-20)
      #expect(seen.sliced(1, 16, 64).sum().item < 1e-20)
      #expect(seen.sliced(0, 0, 16).sliced(1, 0, 16).floats.allSatisfy { $0 > 0 })
    }
  }

  @Test(
    "refuse what does not go together, and say what does",
    arguments: [
      ("backbone: {name: vit_b_16, heads: 5}, head: {name: linear}", "divisor of the width, 768"),
      ("backbone: {name: vit_b_16, levels: [3, 1]}, head: {name: linear}", "rising order"),
      ("backbone: {name: vit, outputStride: 4}, head: {name: linear}", "8, 14, 16, 32"),
      ("backbone: {name: swin_t, depths: [1, 2]}, head: {name: linear}", "4 numbers"),
      ("backbone: {name: mit_b0, reductions: [1]}, head: {name: linear}", "4 numbers"),
      ("backbone: {name: swin_t}, neck: {name: mla}, head: {name: linear}", "maps of one size"),
      ("backbone: {name: vit_b_16}, neck: {name: fpn}, head: {name: linear}", "multilevel"),
      (
        "backbone: {name: vit_b_16}, neck: {name: multilevel, scales: [1]}, head: {name: linear}",
        "a factor for each of 4 maps"
      ),
      ("backbone: {name: swin_t}, head: {name: dpt}", "four maps of one size"),
      ("backbone: {name: vit_b_16}, head: {name: segmenter, heads: 7}", "divisor of the width"),
    ])
  func refusals(_ yaml: String, _ words: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try shapesOnly { _ = try model("{\(yaml), classes: 2}") }
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test("have no bias in any of attention's matrices where they have none, as in PyTorch")
  func biases() throws {
    try shapesOnly {
      for yaml in [
        "{name: vit_t_16, attentionBias: false}", "{name: mit_b0, attentionBias: false}",
      ] {
        let names = try backbone(yaml).parameters.map(\.name)
        #expect(names.contains { $0.hasSuffix("out_proj.weight") })
        #expect(!names.contains { $0.hasSuffix("out_proj.bias") || $0.hasSuffix("in_proj_bias") })
      }
    }
  }

  @Test("have the names of MMSegmentation", arguments: transformerNames)
  func names(_ yaml: String, _ pairs: [String: String]) throws {
    try shapesOnly {
      let model = try model("{\(yaml), classes: 3}")
      let names = NamingConvention.mmsegmentation(model).names(of: model)
      for (own, theirs) in pairs { #expect(names[own] == theirs) }
      #expect(Set(names.values).count == names.count)
    }
  }

  @Test(
    "have as many parameters as MMSegmentation's",
    arguments: [
      (
        "backbone: {name: mit_b5}, head: {name: segformer}, classes: 19", 81_974_739
      ),
      ("backbone: {name: mit_b2}, head: {name: segformer}, classes: 19", 24_728_019),
      (
        "backbone: {name: swin_s, form: mmsegmentation}, head: {name: upernet},"
          + " auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150", 81_259_766
      ),
      (
        "backbone: {name: deit_s_16, imageSize: 512, normalizeLast: false, patchBias: false},"
          + " head: {name: upernet}, auxiliary: [{name: fcn, level: 3, channels: 256}],"
          + " classes: 150", 52_093_484
      ),
      (
        "backbone: {name: convnext_tiny, form: mmsegmentation}, head: {name: upernet},"
          + " auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150", 60_242_636
      ),
      (
        "backbone: {name: vit_s_16, imageSize: 512, patchBias: false}, classes: 150,"
          + " head: {name: segmenter}", 26_033_580
      ),
    ])
  func counts(_ yaml: String, _ count: Int) throws {
    try shapesOnly {
      let model = try model("{\(yaml)}")
      #expect(model.parameterCount == count)
    }
  }
}

private let tinyViT = "name: vit, outputStride: 16, depth: 4, width: 32, heads: 2, imageSize: 48"

/// Every transformer and every head that came with one, small enough to train in a test.
private let tinyTransformers = [
  "backbone: {\(tinyViT)}, head: {name: setr_naive, channels: 16},"
    + " auxiliary: [{name: setr_naive, level: 1, channels: 8}]",
  "backbone: {\(tinyViT)}, head: {name: setr_pup, channels: 16, convolutions: 2}",
  "backbone: {\(tinyViT)}, head: {name: setr_aspp, channels: 16, rate: 2}",
  "backbone: {\(tinyViT)}, head: {name: deeplabv3, channels: 16, rate: 2}",
  "backbone: {\(tinyViT), classToken: false}, neck: {name: mla, channels: 16},"
    + " head: {name: setr_mla, channels: 16}, auxiliary: [{name: linear, level: 0}]",
  "backbone: {\(tinyViT)}, head: {name: segmenter, heads: 2, dropRate: 0}",
  "backbone: {\(tinyViT)}, head: {name: linear}",
  "backbone: {\(tinyViT), joinClassToken: true},"
    + " head: {name: dpt, channels: 16, reassembled: [8, 8, 16, 16]}",
  "backbone: {\(tinyViT)}, neck: {name: multilevel, channels: 16},"
    + " head: {name: upernet, channels: 16}, auxiliary: [{name: fcn, level: 3, channels: 8}]",
  "backbone: {name: swin_t, depths: [2, 2, 2, 2], heads: [1, 2, 2, 4], width: 16, window: 4,"
    + " dropRate: 0}, head: {name: upernet, channels: 16}",
  "backbone: {name: swin_t, depths: [1, 1, 2, 2], heads: [1, 2, 2, 4], width: 16, window: 3,"
    + " dropRate: 0, form: mmsegmentation}, head: {name: upernet, channels: 16}",
  "backbone: {name: convnext_tiny, cut: 2, form: mmsegmentation, layerScale: 1, dropRate: 0},"
    + " head: {name: upernet, channels: 16}",
  "backbone: {name: mit_b0, depths: [1, 1, 1, 1], heads: [1, 2, 2, 4], width: 16, dropRate: 0},"
    + " head: {name: segformer, channels: 16}",
]

/// Names of ours and of MMSegmentation's.
private let transformerNames: [(String, [String: String])] = [
  (
    "backbone: {name: vit_t_16}, neck: {name: multilevel}, head: {name: upernet}",
    [
      "backbone.class_token": "backbone.cls_token",
      "backbone.encoder.pos_embedding": "backbone.pos_embed",
      "backbone.conv_proj.weight": "backbone.patch_embed.projection.weight",
      "backbone.encoder.layers.encoder_layer_3.ln_1.weight": "backbone.layers.3.ln1.weight",
      "backbone.encoder.layers.encoder_layer_3.self_attention.in_proj_bias":
        "backbone.layers.3.attn.attn.in_proj_bias",
      "backbone.encoder.layers.encoder_layer_3.mlp.3.bias": "backbone.layers.3.ffn.layers.1.bias",
      "backbone.encoder.ln.bias": "backbone.ln1.bias",
      "backbone.neck.lateral_convs.1.weight": "neck.lateral_convs.1.conv.weight",
      "classifier.psp_modules.convs.2.0.weight": "decode_head.psp_modules.2.1.conv.weight",
      "classifier.lateral_convs.0.1.running_var": "decode_head.lateral_convs.0.bn.running_var",
      "classifier.classifier.weight": "decode_head.conv_seg.weight",
    ]
  ),
  (
    "backbone: {name: swin_t, form: mmsegmentation}, head: {name: linear}",
    [
      "backbone.0.2.weight": "backbone.patch_embed.norm.weight",
      "backbone.3.1.attn.relative_position_index":
        "backbone.stages.1.blocks.1.attn.w_msa.relative_position_index",
      "backbone.3.1.mlp.0.weight": "backbone.stages.1.blocks.1.ffn.layers.0.0.weight",
      "backbone.4.reduction.weight": "backbone.stages.1.downsample.reduction.weight",
      "backbone.norms.3.bias": "backbone.norm3.bias",
    ]
  ),
  (
    "backbone: {name: convnext_tiny, form: mmsegmentation}, head: {name: linear}",
    [
      "backbone.0.1.weight": "backbone.downsample_layers.0.1.weight",
      "backbone.2.1.weight": "backbone.downsample_layers.1.1.weight",
      "backbone.3.2.layer_scale": "backbone.stages.1.2.gamma",
      "backbone.3.2.block.5.bias": "backbone.stages.1.2.pointwise_conv2.bias",
    ]
  ),
  (
    "backbone: {name: vit_t_16, joinClassToken: true}, head: {name: dpt}",
    [
      "classifier.reassemble.3.resize_layers.weight":
        "decode_head.reassemble_blocks.resize_layers.3.weight",
      "classifier.reassemble.1.projects.bias":
        "decode_head.reassemble_blocks.projects.1.conv.bias",
      "classifier.reassemble.2.readout_projects.0.bias":
        "decode_head.reassemble_blocks.readout_projects.2.0.bias",
      "classifier.fusion_blocks.1.res_conv_unit1.conv2.1.weight":
        "decode_head.fusion_blocks.1.res_conv_unit1.conv2.bn.weight",
      "classifier.fusion_blocks.0.project.bias": "decode_head.fusion_blocks.0.project.conv.bias",
    ]
  ),
]

@Suite("Weights of transformers from elsewhere", .serialized)
struct TransformerWeightTests {
  /// What a file of `tensors` would do to `module`, and does.
  private func load(
    _ tensors: [(name: String, tensor: Tensor)], into module: Module
  ) throws -> WeightImport {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write(tensors, to: path)
    let plan = WeightImport(try WeightFile.open(path), for: module)
    try plan.load([.noMismatch])
    return plan
  }

  private func drawn(_ module: Module, _ rename: (String) -> String?) -> [(
    name: String, tensor: Tensor
  )] {
    module.state.compactMap { name, tensor in
      guard let name = rename(name) else { return nil }
      let copy = tensor.detached().cloned()
      if copy.dtype == .float32 { copy.drawNormal() }
      return (name, copy)
    }
  }

  private let vit = "{name: vit, outputStride: 16, depth: 2, width: 8, heads: 2, imageSize: 64}"
  private let swin = "{name: swin_t, depths: [1, 2, 1, 1], heads: [1, 1, 1, 1], width: 8, window: 3"

  @Test("load under the names of timm, the authors and MMSegmentation")
  func names() throws {
    let vit = try backbone(vit)
    let timm = drawn(vit, TransformerNames.vision)
    #expect(timm.contains { $0.name == "blocks.1.attn.qkv.weight" })
    var plan = try load(timm, into: vit)
    #expect(plan.convention == "timm" && plan.report.isComplete, "\(plan)")
    let mmseg = NamingConvention.mmsegmentation(vit)
    plan = try load(mmseg.state(of: vit).map { ("backbone." + $0.name, $0.tensor) }, into: vit)
    #expect(plan.convention == "mmsegmentation" && plan.prefix == "backbone.", "\(plan)")
    #expect(plan.report.isComplete)

    let swin = try backbone(swin + "}")
    let authors = drawn(swin) { TransformerNames.swin($0, mergingIsLater: false) }
    #expect(authors.contains { $0.name == "layers.1.downsample.reduction.weight" })
    plan = try load(authors, into: swin)
    #expect(plan.convention == "swin" && plan.report.isComplete, "\(plan)")
  }

  @Test("of another form do not load as if they were of this one")
  func forms() throws {
    let theirs = try backbone(swin + ", form: mmsegmentation}")
    let own = try backbone(swin + "}")
    let names = NamingConvention.mmsegmentation(theirs)
    #expect(throws: WeightFileError.self) {
      _ = try load(names.state(of: theirs).map { ($0.name, $0.tensor) }, into: own)
    }
  }

  @Test("are resized for another size of image or window")
  func resized() throws {
    let small = try backbone(vit)
    let large = try backbone(vit.replacing("imageSize: 64", with: "imageSize: 128x96"))
    var plan = try load(drawn(small) { $0 }, into: large)
    #expect(plan.resized == ["encoder.pos_embedding"])
    #expect(plan.report.isComplete, "\(plan)")
    let position = try #require(large.parameters.first { $0.name == "encoder.pos_embedding" })
    #expect(position.parameter.shape == [1, 1 + 6 * 8, 8] && position.parameter.isFinite)

    let narrow = try backbone(swin + "}")
    let wide = try backbone(swin.replacing("window: 3", with: "window: 5") + "}")
    let tensors = drawn(narrow) { $0 }
    plan = try load(tensors, into: wide)
    #expect(plan.resized.count == 5 && plan.report.isComplete, "\(plan)")
    // A window's centre stays: no distance at all is the middle of both tables.
    for (name, table) in wide.parameters where name.hasSuffix("bias_table") {
      let source = try #require(tensors.first { $0.name == name }).tensor
      #expect(abs(table.floats[40] - source.floats[12]) < 1e-5)
    }
  }

  /// The numbers are those of timm 1.0.31's `adapt_input_conv`, for weights 1, 2 and 4.
  @Test(
    "for red, green and blue are widened to other bands",
    arguments: [
      (1, [7.0]), (2, [1.5, 3]), (4, [0.75, 1.5, 3, 0.75]),
      (
        5,
        [
          0.6000000238418579, 1.2000000476837158, 2.4000000953674316, 0.6000000238418579,
          1.2000000476837158,
        ]
      ),
    ])
  func widened(bands: Int, expected: [Double]) throws {
    let colours = try backbone(swin + "}")
    let own = try backbone(swin + ", inputChannels: \(bands)}")
    let first = try #require(colours.parameters.first { $0.parameter.shape.count == 4 })
    #expect(first.parameter.shape[1] == 3)
    let tensors = drawn(colours) { $0 }
    let given = try #require(tensors.first { $0.name == first.name }).tensor
    for (k, weight) in [1.0, 2, 4].enumerated() { given.sliced(1, k, k + 1).fill(weight) }
    let plan = try load(tensors, into: own)
    #expect(plan.report.isComplete, "\(plan)")
    #expect(plan.notes.contains { $0.contains("widened from red, green and blue to \(bands)") })
    let weights = try #require(own.parameters.first { $0.name == first.name }).parameter
    for (k, value) in expected.enumerated() {
      #expect(
        weights.sliced(1, k, k + 1).contiguous().floats.allSatisfy {
          abs(Double($0) - value) < 1e-6
        })
    }
  }

  @Test("of classifiers load into a configuration's backbone, whose maps' normalizations are new")
  func classifier() throws {
    let bare = try backbone(swin + ", normalizeMaps: false}")
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write(drawn(bare) { "features." + $0 }, to: path)
    let network = try backbone(swin + ", weights: \(path)}")
    #expect(network.parameterCount > bare.parameterCount)
    #expect(throws: WeightFileError.self) { _ = try backbone("{name: swin_t, weights: \(path)}") }
  }
}
