import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

/// Networks whose weights have the same names and shapes and which compute something else.
struct Twins: Sendable, CustomTestStringConvertible {
  let convention: String
  /// As the convention's original computes it, with this in the place of `?`.
  let right: String
  /// Another one.
  let wrong: String
  let model: String
  /// What is said of it.
  let said: String

  var testDescription: String { "\(convention): \(said)" }

  private static let plus = """
    head: {name: deeplabv3plus, rate: 6, channels: 4, lowChannels: 2, poolFirst: false, \
    projection: 1, separable: false, separableDecoder: false
    """

  static let all: [Twins] = [
    .init(
      convention: "csail", right: "contractDilation: true", wrong: "contractDilation: false",
      model: """
        {backbone: {name: resnet18, width: 4, outputStride: 8, deepStem: true, ?},
         head: {name: pspnet, channels: 4}}
        """,
      said: "first block of a dilated stage: here has the new rate; csail's keeps the rate before"),
    .init(
      convention: "vainf", right: "lowFirst: true", wrong: "lowFirst: false",
      model: "{backbone: {name: resnet18, width: 4}, \(plus), convolutions: 1, ?}}",
      said: "joined maps: here the pyramid first; vainf's the finer one first"),
    .init(
      convention: "vainf", right: "contractDilation: true", wrong: "contractDilation: false",
      model: "{backbone: {name: resnet18, width: 4, outputStride: 8, ?}, head: {name: deeplabv3}}",
      said: "first block of a dilated stage: here has the new rate; vainf's keeps the rate before"),
    .init(
      convention: "jfzhang95", right: "multiGrid: [1, 2, 4]", wrong: "multiGrid: [1, 1, 1]",
      model: """
        {alignCorners: true, backbone: {name: resnet18, width: 4, outputStride: 16,
         contractDilation: false, ?}, \(plus)}}
        """,
      said: "multi-grid: here 1, 1, 1; jfzhang95's 1, 2, 4"),
    .init(
      convention: "bubbliiiing", right: "alignCorners: true", wrong: "alignCorners: false",
      model: """
        {?, backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false}, \(plus)}}
        """,
      said: "align corners: here no; bubbliiiing's yes"),
    .init(
      convention: "vainf", right: "padding: block", wrong: "padding: symmetric",
      model: """
        {backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false, ?},
         \(plus), convolutions: 1, lowFirst: true}}
        """,
      said: "padding: here symmetric; vainf's block"),
    .init(
      convention: "kazuto1011", right: "strideFirst: true", wrong: "strideFirst: false",
      model: """
        {backbone: {name: resnet50, width: 4, outputStride: 8, contractDilation: false,
         ceilPooling: true, ?}, head: {name: deeplabv2}}
        """,
      said: "stride of a block: here in the 3×3; kazuto1011's in the first 1×1"),
    .init(
      convention: "kazuto1011", right: "ceilPooling: true", wrong: "ceilPooling: false",
      model: """
        {backbone: {name: resnet50, width: 4, outputStride: 8, contractDilation: false,
         strideFirst: true, ?}, head: {name: deeplabv2}}
        """,
      said: "stem's pooling: here rounds sizes down; kazuto1011's rounds sizes up"),
    .init(
      convention: "hszhao", right: "contractDilation: false", wrong: "contractDilation: true",
      model: """
        {alignCorners: true, backbone: {name: resnet18, width: 4, outputStride: 8, deepStem: true, ?},
         head: {name: pspnet, channels: 4}}
        """,
      said: "first block of a dilated stage: here keeps the rate before; hszhao's has the new rate"),
    .init(
      convention: "huggingface", right: "eps: 1e-5", wrong: "eps: 1e-6",
      model: """
        {backbone: {name: mit_b0, depths: [1, 1, 1, 1], width: 4, ?},
         head: {name: segformer, levels: matrix, channels: 4}}
        """,
      said: "eps of the backbone: here 1e-06; huggingface's 1e-05"),
    .init(
      convention: "huggingface", right: "merging: positions", wrong: "merging: channels",
      model: """
        {backbone: {name: swin_t, depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], width: 4, window: 3,
         form: mmsegmentation, ?}, head: {name: upernet, channels: 4}}
        """,
      said: "merging: here channels; huggingface's positions"),
    .init(
      convention: "huggingface", right: "eps: 1e-3", wrong: "eps: 1e-5",
      model: """
        {backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false,
         padding: tensorflow, ?},
         head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false, channels: 4}}
        """,
      said: "eps: here 1e-05; huggingface's 0.001"),
  ]
}

@Suite("What names do not show", .serialized)
struct ConventionFactsTests {
  @Test(
    "is said of Xceptions by their form, which names of repositories tell",
    arguments: [
      ("jfzhang95", "bubbliiiing"), ("bubbliiiing", "jfzhang95"), ("jfzhang95", "tensorflow"),
      ("bubbliiiing", "tensorflow"),
    ])
  func xception(_ convention: String, _ other: String) throws {
    let plus = "head: {name: deeplabv3plus, channels: 4, lowChannels: 2}"
    for form in [convention, other] {
      try shapesOnly {
        let model = try model("{backbone: {name: xception65, form: ?}, \(plus)}", form)
        let found = ConventionFacts(model).differences(from: convention).map(\.title)
        #expect(found.contains("form of Xception") == (form == other))
        #expect(found.contains("eps") == (form == "tensorflow"))
      }
    }
  }

  @Test(
    "is said of backbones whose names are those of several networks",
    arguments: [
      ("name: efficientnet_b0", "timm", "tf_efficientnet alike"),
      (
        "name: efficientnet_b0, padding: tensorflow, eps: 1e-3", "timm",
        "padding tensorflow, eps 0.001"
      ),
      ("name: efficientnet_b0, padding: fixed", "timm", "warning: timm's EfficientNets"),
      ("name: efficientnet_b0, padding: tensorflow", "torchvision", "warning: torchvision's"),
      ("name: efficientnet_b0", "efficientnet-pytorch", "have padding fixed or tensorflow"),
      ("name: efficientnet_b0", "torchvision", ""), ("name: xception41", "timm", ""),
      (
        "name: xception41, form: jfzhang95", "timm",
        "warning: timm's Xceptions have form tensorflow"
      ),
    ])
  func backbones(_ yaml: String, _ convention: String, _ said: String) throws {
    let lines = try shapesOnly {
      ConventionFacts.remarks(try backbone("{\(yaml)}"), convention)
    }
    #expect(said.isEmpty ? lines.isEmpty : lines.joined().contains(said), "\(lines)")
  }

  private func model(_ text: String, _ choice: String) throws -> SegmentationModel {
    try ModelBuilder.build(
      Section(yaml: text.replacing("?", with: choice), named: "test"), classes: 3)
  }

  @Test(
    "is said where it is another than the convention's, and where it is the same",
    arguments: Twins.all)
  func pairs(_ twins: Twins) throws {
    let (right, wrong) = (
      try model(twins.model, twins.right), try model(twins.model, twins.wrong)
    )
    #expect(right.state.map(\.name) == wrong.state.map(\.name))
    #expect(right.state.map(\.tensor.shape) == wrong.state.map(\.tensor.shape))
    let recipes = try #require(
      NamingConvention.conventions(of: right).first { $0.name == twins.convention }
    ).recipes(of: right)
    // A file of theirs; what is folded here has a bias of 0 there.
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in right.state {
      guard let recipe = recipes[name] else { continue }
      if case .difference(.tensor(let mean), .tensor(let bias)) = recipe {
        tensors[mean] = tensor
        tensors[bias] = tensor.zerosLike()
      }
      for part in recipe.parts(tensor) ?? [] { tensors[part.name] = part.tensor }
    }
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    try WeightFile.write(tensors.map { ($0.key, $0.value) }, to: path)
    let file = try WeightFile.open(path)
    for (model, isRight) in [(right, true), (wrong, false)] {
      let plan = WeightImport(file, for: model)
      #expect(plan.convention == twins.convention)
      #expect(plan.report.isComplete, "\(plan)")
      let notes = plan.geometryNotes(for: model)
      #expect(notes.contains("  " + twins.said) == !isRight, "\(notes)")
      let told = notes.contains { $0.hasPrefix("as \(twins.convention)'s, by the names alone: ") }
      #expect(told == isRight, "\(notes)")
    }
  }

  @Test("names every convention whose names a file has")
  func rivals() throws {
    let text = "{backbone: {name: mit_b0, depths: [1, 1, 1, 1], width: 4}, head: {name: segformer}}"
    let model = try model(text, "")
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).safetensors").path
    defer { unlink(path) }
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == "mmsegmentation" })
    try WeightFile.write(convention.state(of: model), to: path)
    let plan = WeightImport(try WeightFile.open(path), for: model)
    #expect(plan.convention == "mmsegmentation")
    #expect(plan.rivals == [])
  }
}
