import Configuration
import Foundation
import Segmentation
import TestSupport
import Testing
import Torch

private let lists = URL(fileURLWithPath: shared).appending(path: "names")
private let listsAreHere = FileManager.default.fileExists(atPath: lists.path)

/// A list of the names and shapes of a public file, and the network that it is for.
struct NameList: Sendable, CustomTestStringConvertible {
  let files: [String]
  let convention: String
  let model: String
  /// What the names of the list begin with.
  let prefix: String

  init(_ files: String..., is convention: String, after prefix: String = "", _ model: String) {
    (self.files, self.convention, self.model, self.prefix) = (files, convention, model, prefix)
  }

  var testDescription: String { files.joined(separator: ", ") }

  /// The names and shapes.
  func entries() throws -> [String: [Int]] {
    var result: [String: [Int]] = [:]
    for file in files {
      let text = try String(
        contentsOf: lists.appending(path: "\(file).tsv"), encoding: .utf8)
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count > 1 else { continue }
        #expect(fields[0].hasPrefix(prefix))
        result[String(fields[0].dropFirst(prefix.count))] = fields[1].split { !$0.isNumber }
          .compactMap { Int($0) }
      }
    }
    return result
  }

  static let all: [NameList] = [
    .init(
      "hf-segformer_b0_ade", is: "huggingface",
      "{backbone: {name: mit_b0}, head: {name: segformer, levels: matrix}, classes: 150}"),
    .init(
      "hf-upernet_swin_tiny_backbone", "hf-upernet_heads_tiny", is: "huggingface",
      """
      {backbone: {name: swin_t, form: mmsegmentation, merging: positions}, head: {name: upernet},
       auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150}
      """),
    .init(
      "hf-upernet_convnext_tiny_backbone", "hf-upernet_heads_tiny", is: "huggingface",
      """
      {backbone: {name: convnext_tiny, form: mmsegmentation}, head: {name: upernet},
       auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150}
      """),
    .init(
      "hf-deeplabv3_mobilenet_v2_1.0_513", is: "huggingface",
      """
      {backbone: {name: mobilenet_v2, outputStride: 8, lastConvolution: false, padding: tensorflow,
                  eps: 1e-3},
       head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false}, classes: 21}
      """),
    .init(
      "vainf-deeplabv3_resnet50", is: "vainf",
      "{backbone: {name: resnet50, outputStride: 8}, head: {name: deeplabv3}, classes: 21}"),
    .init(
      "vainf-deeplabv3_mobilenetv2", is: "vainf",
      """
      {backbone: {name: mobilenet_v2, outputStride: 8, lastConvolution: false},
       head: {name: deeplabv3}, classes: 21}
      """),
    .init(
      "vainf-deeplabv3plus_resnet50", is: "vainf",
      "{backbone: {name: resnet50}, head: \(plus(", convolutions: 1, lowFirst: true")), classes: 21}"
    ),
    .init(
      "vainf-deeplabv3plus_mobilenetv2", is: "vainf",
      """
      {backbone: {name: mobilenet_v2, lastConvolution: false},
       head: \(plus(", convolutions: 1, lowFirst: true")), classes: 21}
      """),
    .init(
      "jfzhang95-deeplab_resnet", is: "jfzhang95",
      "{backbone: {name: resnet101}, head: \(plus()), classes: 21}"),
    .init(
      "jfzhang95-deeplab_mobilenet", is: "jfzhang95",
      "{backbone: {name: mobilenet_v2, lastConvolution: false}, head: \(plus()), classes: 21}"),
    .init(
      "kazuto1011-deeplabv2_resnet101_msc", is: "kazuto1011", after: "base.",
      "{backbone: {name: resnet101}, head: {name: deeplabv2}, classes: 182}"),
    .init(
      "bubbliiiing-deeplabv3plus_mobilenet", is: "bubbliiiing",
      "{backbone: {name: mobilenet_v2, lastConvolution: false}, head: \(plus()), classes: 21}"),
    .init(
      "jfzhang95-deeplab_xception", is: "jfzhang95",
      "{backbone: {name: xception65, form: jfzhang95}, head: \(plus()), classes: 21}"),
    .init(
      "jfzhang95-deeplab_drn", is: "jfzhang95",
      "{backbone: {name: drn_d_54}, head: \(plus()), classes: 21}"),
    .init(
      "vainf-deeplabv3plus_xception", is: "vainf",
      """
      {backbone: {name: xception, form: vainf, outputStride: 16},
       head: \(plus(", convolutions: 1, lowFirst: true")), classes: 21}
      """),
    .init(
      "bubbliiiing-deeplabv3plus_xception", is: "bubbliiiing",
      "{backbone: {name: xception65, form: bubbliiiing}, head: \(plus()), classes: 21}"),
    .init(
      "tramac-deeplabv3_resnet50", is: "tramac",
      """
      {backbone: {name: resnet50, deepStem: true, stemChannels: 128}, head: {name: deeplabv3},
       auxiliary: {name: fcn, level: 2}, classes: 21}
      """),
    .init(
      "tramac-denseaspp_densenet121", is: "tramac",
      """
      {backbone: {name: densenet121, outputStride: 8},
       head: {name: denseaspp, block: postActivation}, classes: 19}
      """),
    .init(
      "hszhao-pspnet50", is: "hszhao",
      """
      {backbone: {name: resnet50, deepStem: true, stemChannels: 128}, head: {name: pspnet},
       auxiliary: {name: fcn, level: 2}, classes: 150}
      """),
    .init(
      "paddleseg-deeplabv3_resnet50_vd_os8", is: "paddleseg",
      "{backbone: \(vd), head: {name: deeplabv3, refine: false}, classes: 19}"),
    .init(
      "paddleseg-deeplabv3p_resnet50_vd_os8", is: "paddleseg",
      """
      {backbone: \(vd), head: {name: deeplabv3plus, channels: 256, projection: 1,
       poolFirst: false, between: norm}, classes: 19}
      """),
    .init(
      "paddleseg-pspnet_resnet50_vd", is: "paddleseg",
      """
      {backbone: \(vd), head: {name: pspnet, channels: 1024, poolChannels: 512},
       auxiliary: {name: fcn, level: 2}, classes: 19}
      """),
    .init(
      "paddleseg-segformer_b0", is: "paddleseg",
      "{backbone: {name: mit_b0}, head: {name: segformer, levels: matrix}, classes: 19}"),
    .init(
      "tflite-deeplabv3_257_mv_gpu", is: "tensorflow-lite",
      """
      {backbone: {name: mobilenet_v2, channelMultiplier: 0.5, channelDivisor: 4,
                  lastConvolution: false},
       head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false}, classes: 21}
      """),
  ]

  private static let vd = "{name: resnet50, deepStem: true, averageShortcuts: true}"

  /// DeepLabV3+ of plain convolutions.
  private static func plus(_ more: String = "") -> String {
    """
    {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1, separable: false, \
    separableDecoder: false\(more)}
    """
  }
}

@Suite("Lists of names", .serialized)
struct NameListTests {
  @Test(
    "of public files have a place for every tensor, and every tensor has one",
    .enabled(if: listsAreHere, "skipped: the lists of names are not beside the checkout"),
    arguments: NameList.all)
  func complete(_ list: NameList) throws {
    let shapes = try list.entries()
    try #require(!shapes.isEmpty)
    let model = try shapesOnly {
      try ModelBuilder.build(Section(yaml: list.model, named: "test"))
    }
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == list.convention })
    let recipes = convention.recipes(of: model)
    var used: Set<String> = []
    var faults: [String] = []
    for (name, tensor) in model.state {
      // Constants are in no file of these; counters of batches are in none of the lists.
      if name.hasSuffix("num_batches_tracked") || (tensor as? Buffer)?.isConstant == true {
        continue
      }
      guard let recipe = recipes[name], let shape = recipe.shape({ shapes[$0] }) else {
        faults.append("\(name) is not in the list: \(recipes[name]?.description ?? "no name")")
        continue
      }
      used.formUnion(recipe.names)
      if shape.filter({ $0 != 1 }) != tensor.shape.filter({ $0 != 1 }) {
        faults.append("\(name): \(tensor.shape), there \(shape)")
      }
    }
    faults += shapes.keys.filter { !used.contains($0) && !convention.isUnused($0) }
      .map { "\($0) is left over" }
    #expect(faults == [])
  }
}
