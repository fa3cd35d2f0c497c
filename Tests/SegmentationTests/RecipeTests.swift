import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

@Suite("Recipes")
struct RecipeTests {
  private let q = WeightRecipe.joined(["q", "k", "v"])

  @Test("make one tensor of several, and several of one again")
  func wayBack() throws {
    let (a, b) = (Tensor((0..<24).map(Float.init), [4, 6]), Tensor([1, 2, 3] as [Float], [3]))
    let cases: [(recipe: WeightRecipe, tensors: [String: Tensor], made: [Float], shape: [Int])] = [
      (.tensor("a"), ["a": b], [1, 2, 3], [3]),
      (
        q, ["q": Tensor([1] as [Float]), "k": Tensor([2] as [Float]), "v": Tensor([3] as [Float])],
        [1, 2, 3], [3]
      ),
      (
        .joined([.tensor("q"), .tensor("kv")], shares: [1, 2]),
        ["q": Tensor([1] as [Float]), "kv": Tensor([2, 3] as [Float])], [1, 2, 3], [3]
      ),
      (
        .inputs(.tensor("a"), sizes: [], order: [2, 0, 1]), ["a": a.sliced(0, 0, 1)],
        [4, 5, 0, 1, 2, 3], [1, 6]
      ),
      (
        .inputs(.tensor("a"), sizes: [1, 0], order: [1, 0]), ["a": a.sliced(0, 0, 1)],
        [1, 2, 3, 4, 5, 0], [1, 6]
      ),
      (
        .permuted(.tensor("a"), [1, 0]), ["a": a.sliced(0, 0, 2)],
        [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11], [6, 2]
      ),
      (.kernel(.tensor("a")), ["a": a.sliced(0, 0, 1)], [0, 1, 2, 3, 4, 5], [1, 6, 1, 1]),
    ]
    for (recipe, tensors, made, shape) in cases {
      #expect(recipe.shape { tensors[$0]?.shape } == shape, "\(recipe)")
      let value = try recipe.value { try #require(tensors[$0]) }
      #expect(value.floats == made && value.shape == shape, "\(recipe)")
      let parts = try #require(recipe.parts(value))
      #expect(parts.map(\.name) == recipe.names)
      for part in parts {
        #expect(part.tensor.floats == tensors[part.name]?.floats, "\(recipe)")
        #expect(part.tensor.shape == tensors[part.name]?.shape, "\(recipe)")
      }
    }
  }

  @Test(
    "name detectron2's parts, with a normalization inside of each convolution but the pooled one")
  func detectron2() throws {
    try shapesOnly {
      let text = """
        {backbone: {name: resnet50, width: 4}, head: {name: deeplabv3, refine: false, channels: 4,
         poolNorm: false}, classes: 3}
        """
      let model = try model(text)
      let convention = try #require(
        NamingConvention.conventions(of: model).first { $0.name == "detectron2" })
      let names = convention.names(of: model)
      #expect(names.count == model.state.count)
      for (ours, theirs) in [
        ("backbone.conv1.weight", "backbone.stem.conv1.weight"),
        ("backbone.bn1.bias", "backbone.stem.conv1.norm.bias"),
        ("backbone.layer1.0.downsample.1.running_var", "backbone.res2.0.shortcut.norm.running_var"),
        ("backbone.layer4.2.conv3.weight", "backbone.res5.2.conv3.weight"),
        ("classifier.0.convs.0.0.weight", "sem_seg_head.aspp.convs.0.weight"),
        ("classifier.0.convs.2.1.weight", "sem_seg_head.aspp.convs.2.norm.weight"),
        ("classifier.0.convs.4.1.bias", "sem_seg_head.aspp.convs.4.1.bias"),
        ("classifier.0.project.1.bias", "sem_seg_head.aspp.project.norm.bias"),
        ("classifier.4.weight", "sem_seg_head.predictor.weight"),
      ] {
        #expect(names[ours] == theirs)
      }
    }
  }

  @Test("put the levels of PaddleSeg's pyramid, which come last first, into our order")
  func paddleSegPyramid() throws {
    let model = try model(
      "{backbone: {name: resnet18, width: 2}, head: {name: pspnet, channels: 1, poolChannels: 1}, classes: 2}"
    )
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "paddleseg" })
    let recipe = try #require(convention.recipes(of: model)["classifier.bottleneck.0.weight"])
    // Sixteen features, then the levels of 6, 3, 2 and 1 regions.
    let theirs = Tensor((0..<20).map(Float.init), [1, 20, 1, 1])
    let made = try recipe.value { _ in theirs }
    #expect(made.floats == (0..<16).map(Float.init) + [19, 18, 17, 16])
  }

  @Test("fold a bias into the mean that a normalization takes away, without a way back")
  func difference() throws {
    let recipe = WeightRecipe.difference(.tensor("mean"), .tensor("bias"))
    let value = try recipe.value { Tensor([$0 == "mean" ? 5 : 2] as [Float]) }
    #expect(value.floats == [3])
    #expect(recipe.parts(value) == nil)
  }

  @Test("have no shape where tensors are missing or do not fit")
  func misfits() {
    let shapes = ["q": [2, 3], "k": [2, 3], "a": [4, 6], "one": [4]]
    let shape: (WeightRecipe) -> [Int]? = { $0.shape { shapes[$0] } }
    #expect(shape(q) == nil)
    #expect(shape(.joined(["q", "a"])) == nil)
    #expect(shape(.joined(["q", "k"])) == [4, 3])
    #expect(shape(.inputs(.tensor("a"), sizes: [], order: [3, 2, 1, 0])) == nil)
    #expect(shape(.inputs(.tensor("a"), sizes: [7, 0], order: [1, 0])) == nil)
    #expect(shape(.inputs(.tensor("one"), sizes: [], order: [1, 0])) == nil)
    #expect(shape(.permuted(.tensor("a"), [0, 2])) == nil)
    #expect(shape(.difference(.tensor("a"), .tensor("one"))) == nil)
  }

  @Test("come from tables by the numbers and the rest of a name")
  func rules() {
    let rules: [NameRule] = [
      NameRule("a.#.b.#.*", "x$2.$1+1.*"), NameRule("c#.weight", "y$1-2"),
      NameRule("d", "z"),
    ]
    #expect(rules.recipe("a.3.b.12.norm.weight") == .tensor("x12.4.norm.weight"))
    #expect(rules.recipe("c7.weight") == .tensor("y5"))
    #expect(rules.recipe("d") == .tensor("z"))
    for name in ["a.b.c", "a.3.b.12.", "c7.weights", "c.weight", "dd", "", "c9999999999.weight"] {
      #expect(rules.recipe(name) == nil, "\(name)")
    }
  }
}

@Suite("Names of Hugging Face", .serialized)
struct HuggingFaceNamesTests {
  private static let networks = [
    """
    {backbone: {name: mit_b0, depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], widths: [8, 8, 16, 16]},
     head: {name: segformer, levels: matrix, channels: 12}, classes: 3}
    """,
    """
    {backbone: {name: swin_t, depths: [1, 1, 2, 1], heads: [1, 1, 2, 2], width: 8, window: 3,
                form: mmsegmentation, merging: positions},
     head: {name: upernet, channels: 8}, auxiliary: [{name: fcn, level: 2, channels: 8}], classes: 3}
    """,
    """
    {backbone: {name: convnext_tiny, depths: [1, 1, 2, 1], widths: [8, 8, 16, 16],
                form: mmsegmentation},
     head: {name: upernet, channels: 8}, classes: 3}
    """,
    """
    {backbone: {name: vit, outputStride: 16, depth: 4, width: 8, heads: 2, joinClassToken: true,
                normalizeLast: false, imageSize: 64x64},
     head: {name: dpt, reassembled: [4, 4, 8, 8], channels: 8, auxiliaryWeight: 0.4,
            normalizeFusions: false}, classes: 3}
    """,
    """
    {backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false,
                padding: tensorflow},
     head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false, channels: 8}, classes: 3}
    """,
  ]

  private func model(_ yaml: String) throws -> SegmentationModel {
    try ModelBuilder.build(Section(yaml: yaml, named: "test"))
  }

  @Test(
    "old and new, are written and read again",
    arguments: networks, ["huggingface", "huggingface-5"])
  func roundTrip(_ yaml: String, _ name: String) throws {
    let (written, read) = (try model(yaml), try model(yaml))
    let known = NamingConvention.conventions(of: written)
    // Networks whose names stayed have one convention.
    let convention = try #require(
      known.first { $0.name == name } ?? known.first { $0.name == "huggingface" })
    for (_, tensor) in written.state where tensor.dtype == .float32 { tensor.drawNormal() }
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    let state = convention.state(of: written)
    #expect(Set(state.map(\.name)).count == state.count)
    try WeightFile.write(state, to: path)
    let plan = WeightImport(try WeightFile.open(path), for: read)
    #expect(plan.convention == convention.name)
    #expect(plan.report.isComplete, "\(plan)")
    try plan.load()
    for (a, b) in zip(written.state, read.state) {
      #expect(a.tensor.floats == b.tensor.floats, "\(a.name)")
    }
  }

  @Test("leave aside what the library writes and does not read")
  func unread() throws {
    let model = try model(Self.networks[1])
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "huggingface" })
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    let extra = ("backbone.swin.layernorm.weight", Tensor([1] as [Float]))
    try WeightFile.write(convention.state(of: model) + [extra], to: path)
    let plan = WeightImport(try WeightFile.open(path), for: model)
    #expect(plan.report.isComplete, "\(plan)")
    #expect(plan.unread == [extra.0])
    #expect(plan.description.contains("which nothing reads: 1"))
  }

  @Test("of a file that has one of three parts only are no network's")
  func incomplete() throws {
    let model = try model(Self.networks[0])
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "huggingface" })
    let gone = "segformer.encoder.block.0.0.attention.self.key.weight"
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    let state = convention.state(of: model)
    #expect(state.contains { $0.name == gone })
    try WeightFile.write(state.filter { $0.name != gone }, to: path)
    let plan = WeightImport(try WeightFile.open(path), for: model)
    #expect(plan.report.missing == ["backbone.layers.0.1.0.attn.attn.in_proj_weight"])
    #expect(throws: WeightFileError.self) { try plan.load() }
  }
}
