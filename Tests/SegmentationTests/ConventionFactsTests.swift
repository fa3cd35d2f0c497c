import Checkpoints
import Configuration
import Foundation
import Testing
import Torch

@testable import Segmentation

/// A network as a convention's original computes it, and what may be otherwise with the same names and shapes.
struct Twins: Sendable, CustomTestStringConvertible {
  let convention: String
  let model: String
  /// A part of the model in the place of another, and what is said of it.
  let changes: [(part: String, other: String, said: String)]

  var testDescription: String { "\(convention): \(model.prefix(60))" }

  private init(
    _ convention: String, _ model: String, _ changes: [(part: String, other: String, said: String)]
  ) {
    (self.convention, self.model, self.changes) = (convention, model, changes)
  }

  private static func plus(_ more: String = "") -> String {
    """
    head: {name: deeplabv3plus, rate: 6, channels: 4, lowChannels: 2, poolFirst: false, \
    projection: 1, separable: false, separableDecoder: false\(more)}
    """
  }

  // What all networks of a kind may have otherwise; `?` stands for the convention.

  private static let noCorners = [
    ("{backbone", "{alignCorners: true, backbone", "align corners: here yes; ?'s no")
  ]
  private static let corners = [
    ("alignCorners: true", "alignCorners: false", "align corners: here no; ?'s yes")
  ]
  private static let caffe = [
    (
      "width: 4", "width: 4, strideFirst: true",
      "stride of a block: here in the first 1×1; ?'s in the 3×3"
    ),
    (
      "width: 4", "width: 4, ceilPooling: true",
      "stem's pooling: here rounds sizes up; ?'s rounds sizes down"
    ),
  ]
  private static let keeps = [
    (
      "width: 4", "width: 4, contractDilation: false",
      "first block of a dilated stage: here has the new rate; ?'s keeps the rate before"
    )
  ]
  private static let news = [
    (
      "contractDilation: false", "contractDilation: true",
      "first block of a dilated stage: here keeps the rate before; ?'s has the new rate"
    )
  ]
  private static let noGrid = [
    ("width: 4", "width: 4, multiGrid: [1, 2, 4]", "multi-grid: here 1, 2, 4; ?'s none")
  ]
  private static let grid = [
    ("multiGrid: [1, 2, 4]", "multiGrid: [1, 1, 1]", "multi-grid: here 1, 1, 1; ?'s 1, 2, 4")
  ]
  private static let atSixteen = [
    ("outputStride: 16", "outputStride: 32", "output stride: here 32; ?'s 16 or 8"),
    ("rate: 6", "rate: 5", "rates of the pyramid: here 1, 5, 10, 15; ?'s 1, 6, 12, 18"),
  ]
  private static let atEight = [
    ("outputStride: 8", "outputStride: 16", "output stride: here 16; ?'s 8")
  ]
  private static let whole = [
    (
      "head: {", "head: {poolWindow: [2, 2], ",
      "pooled branch sees: here a window of the training crop's size; ?'s the whole map"
    )
  ]
  private static let high = [
    (
      "projection: 1", "projection: 1, lowFirst: true",
      "joined maps: here the finer one first; ?'s the pyramid first"
    )
  ]
  private static let low = [
    (
      "lowFirst: true", "lowFirst: false",
      "joined maps: here the pyramid first; ?'s the finer one first"
    )
  ]
  private static let featuresFirst = [
    (
      "name: pspnet", "name: pspnet, poolFirst: true",
      "joined maps of the pyramid: here the pooled ones first; ?'s the features first"
    )
  ]
  private static let mobile = "name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false"
  private static let usualEps = [
    ("name: mobilenet_v2", "name: mobilenet_v2, eps: 1e-3", "eps: here 0.001; ?'s 1e-05")
  ]
  private static let blockPadding = [
    ("padding: block", "padding: symmetric", "padding: here symmetric; ?'s block")
  ]

  private static let resNets: [Twins] = [
    .init(
      "vainf",
      "{backbone: {name: resnet50, width: 4, outputStride: 16}, \(plus(", convolutions: 1, lowFirst: true"))}",
      noCorners + caffe + keeps + noGrid + atSixteen + whole + low),
    .init(
      "vainf",
      "{backbone: {name: resnet50, width: 4, outputStride: 8}, head: {name: deeplabv3, rate: 12}}",
      noCorners + caffe + keeps + noGrid + whole + [
        ("outputStride: 8", "outputStride: 32", "output stride: here 32; ?'s 16 or 8"),
        ("rate: 12", "rate: 6", "rates of the pyramid: here 1, 6, 12, 18; ?'s 1, 12, 24, 36"),
      ]),
    .init(
      "jfzhang95",
      """
      {alignCorners: true, backbone: {name: resnet50, width: 4, outputStride: 16, contractDilation: false,
       multiGrid: [1, 2, 4]}, \(plus())}
      """, corners + caffe + news + grid + atSixteen + whole + high),
    .init(
      "jfzhang95",
      "{alignCorners: true, backbone: {name: drn_d_22}, \(plus().replacing("rate: 6", with: "rate: 12"))}",
      corners + whole + high + [
        ("rate: 12", "rate: 6", "rates of the pyramid: here 1, 6, 12, 18; ?'s 1, 12, 24, 36")
      ]),
    .init(
      "detectron2",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 16, deepStem: true, contractDilation: false,
       multiGrid: [1, 2, 4]}, \(plus(", lowFirst: true, poolNorm: false, poolWindow: [32, 64]"))}
      """,
      noCorners + caffe + news + grid + atSixteen + low + [
        (
          "poolWindow: [32, 64]", "dropout: 0.1",
          "pooled branch sees: here the whole map; ?'s a window of the training crop's size"
        )
      ]),
    .init(
      "detectron2",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 16, deepStem: true, contractDilation: false,
       multiGrid: [1, 2, 4]}, head: {name: deeplabv3plus, rate: 6, channels: 4, lowChannels: 2,
       poolFirst: false, projection: 1, separableDecoder: false, lowFirst: true, poolNorm: false,
       poolWindow: [32, 64]}}
      """,
      [
        (
          "projection: 1", "projection: 1, between: norm",
          "between depthwise and 1×1 convolutions: here a normalization; ?'s a normalization and a ReLU"
        )
      ]),
    .init(
      "paddleseg",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 8, deepStem: true, averageShortcuts: true,
       contractDilation: false, multiGrid: [1, 2, 4]}, head: {name: deeplabv3plus, rate: 12, channels: 4,
       lowChannels: 2, poolFirst: false, projection: 1, between: norm}}
      """,
      caffe + news + grid + whole + high + [
        ("outputStride: 8", "outputStride: 32", "output stride: here 32; ?'s 16 or 8"),
        ("rate: 12", "rate: 6", "rates of the pyramid: here 1, 6, 12, 18; ?'s 1, 12, 24, 36"),
        (
          "between: norm", "between: relu",
          "between depthwise and 1×1 convolutions: here a normalization and a ReLU; ?'s a normalization"
        ),
      ]),
    .init(
      "paddleseg",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 8, deepStem: true, averageShortcuts: true,
       contractDilation: false}, head: {name: pspnet, channels: 4}}
      """, noGrid + featuresFirst),
    .init(
      "tramac",
      """
      {alignCorners: true, backbone: {name: resnet50, width: 4, outputStride: 8, deepStem: true},
       head: {name: deeplabv3, rate: 12}}
      """,
      corners + caffe + keeps + noGrid + atEight + whole + [
        ("rate: 12", "rate: 6", "rates of the pyramid: here 1, 6, 12, 18; ?'s 1, 12, 24, 36")
      ]),
    .init(
      "hszhao",
      """
      {alignCorners: true, backbone: {name: resnet50, width: 4, outputStride: 8, deepStem: true,
       contractDilation: false}, head: {name: pspnet, channels: 4}}
      """, corners + caffe + news + noGrid + atEight + featuresFirst),
    .init(
      "csail",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 8, deepStem: true},
       head: {name: pspnet, channels: 4}}
      """, noCorners + caffe + keeps + noGrid + atEight + featuresFirst),
    .init(
      "kazuto1011",
      """
      {backbone: {name: resnet50, width: 4, outputStride: 8, contractDilation: false, strideFirst: true,
       ceilPooling: true}, head: {name: deeplabv2}}
      """,
      noCorners + news + noGrid + atEight + [
        (
          "strideFirst: true", "strideFirst: false",
          "stride of a block: here in the 3×3; ?'s in the first 1×1"
        ),
        (
          "ceilPooling: true", "ceilPooling: false",
          "stem's pooling: here rounds sizes down; ?'s rounds sizes up"
        ),
        (
          "name: deeplabv2", "name: deeplabv2, rates: [6, 12, 18, 36]",
          "rates of the head: here 6, 12, 18, 36; ?'s 6, 12, 18, 24"
        ),
      ]),
    .init(
      "smp",
      """
      {alignCorners: true, backbone: {name: resnet18, width: 4, outputStride: 16, contractDilation: false,
       dilateBoth: true, stemMap: true}, head: {name: deeplabv3plus, rate: 12, channels: 4, lowChannels: 2,
       poolFirst: false, projection: 1, refinePyramid: true, convolutions: 1, between: nothing}}
      """, whole + high),
    .init(
      "smp",
      """
      {alignCorners: true, backbone: {name: resnet18, width: 4, stemMap: true},
       head: {name: pspnet, channels: 4, poolFirst: true}}
      """,
      [
        (
          "poolFirst: true", "poolFirst: false",
          "joined maps of the pyramid: here the features first; ?'s the pooled ones first"
        )
      ]),
    .init(
      "mmsegmentation",
      "{backbone: {name: resnet18, width: 4, outputStride: 8}, head: {name: deeplabv3plus, channels: 4, lowChannels: 2}}",
      whole + [
        (
          "channels: 4", "channels: 4, lowFirst: true",
          "joined maps: here the finer one first; ?'s the pyramid first"
        ),
        (
          "channels: 4", "channels: 4, between: norm",
          "between depthwise and 1×1 convolutions: here a normalization; ?'s a normalization and a ReLU"
        ),
      ]),
    .init(
      "mmsegmentation",
      "{backbone: {name: resnet18, width: 4, outputStride: 8}, head: {name: pspnet, channels: 4}}",
      featuresFirst),
  ]

  private static let others: [Twins] =
    [
      .init(
        "vainf",
        "{backbone: {\(mobile), outputStride: 16, padding: block}, \(plus(", convolutions: 1, lowFirst: true"))}",
        blockPadding + usualEps),
      .init(
        "vainf",
        "{backbone: {name: xception, form: vainf, outputStride: 16}, \(plus(", convolutions: 1, lowFirst: true"))}",
        [
          (
            "form: vainf", "form: vainf, stemPadding: true",
            "zeros around the first two maps: here yes; ?'s no"
          )
        ]),
      .init(
        "jfzhang95",
        "{alignCorners: true, backbone: {\(mobile), outputStride: 16, padding: block}, \(plus())}",
        blockPadding + usualEps),
      .init(
        "bubbliiiing", "{alignCorners: true, backbone: {\(mobile), outputStride: 16}, \(plus())}",
        corners + usualEps + atSixteen + whole + high + [
          (
            "outputStride: 16", "outputStride: 16, padding: block",
            "padding: here block; ?'s symmetric"
          )
        ]),
      .init(
        "tramac",
        """
        {alignCorners: true, backbone: {name: densenet, blocks: [1, 1, 1, 1], growth: 4, stem: 4, outputStride: 8},
         head: {name: denseaspp, block: postActivation, growth: 4, bottleneck: 4}}
        """, corners + atEight),
      .init(
        "tensorflow-lite",
        """
        {backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false, padding: tensorflow},
         head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false, channels: 4}}
        """,
        usualEps + [
          ("padding: tensorflow", "padding: symmetric", "padding: here symmetric; ?'s tensorflow")
        ]),
      .init(
        "huggingface",
        """
        {backbone: {name: mobilenet_v2, channelMultiplier: 0.1, lastConvolution: false, padding: tensorflow,
         eps: 1e-3}, head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false, channels: 4}}
        """,
        noCorners + [
          ("eps: 1e-3", "eps: 1e-5", "eps: here 1e-05; ?'s 0.001"),
          ("padding: tensorflow", "padding: symmetric", "padding: here symmetric; ?'s tensorflow"),
        ]),
      .init(
        "huggingface",
        """
        {backbone: {name: swin_t, depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], width: 4, window: 3,
         form: mmsegmentation, merging: positions}, head: {name: upernet, channels: 4}}
        """,
        noCorners + [
          ("merging: positions", "merging: channels", "merging: here channels; ?'s positions")
        ]),
      .init(
        "mmsegmentation",
        """
        {backbone: {name: swin_t, depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], width: 4, window: 3,
         form: mmsegmentation}, head: {name: upernet, channels: 4}}
        """,
        [
          (
            "form: mmsegmentation", "form: mmsegmentation, merging: positions",
            "merging: here positions; ?'s channels"
          )
        ]),
    ]
    + ["huggingface", "huggingface-5"].map {
      segFormer($0, "1e-5", "1e-05", other: "1e-6", "1e-06")
    }
    + ["nvidia", "paddleseg"].map { segFormer($0, "1e-6", "1e-06", other: "1e-5", "1e-05") }

  private static func segFormer(
    _ convention: String, _ eps: String, _ shown: String, other: String, _ otherShown: String
  ) -> Twins {
    .init(
      convention,
      """
      {backbone: {name: mit_b0, depths: [1, 1, 1, 1], width: 4, eps: \(eps)},
       head: {name: segformer, levels: matrix, channels: 4}}
      """,
      [
        (
          "eps: \(eps)", "eps: \(other)",
          "eps of the backbone: here \(otherShown); ?'s \(shown)"
        )
      ] + (convention == "paddleseg" ? [] : noCorners))
  }

  static let all = resNets + others
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
      ("name: xception", "torchvision", "taken: with, form standard"),
      ("name: xception, form: vainf", "torchvision", "taken: without, form vainf"),
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

  private func model(_ text: String, _ choice: String = "") throws -> SegmentationModel {
    try ModelBuilder.build(
      Section(yaml: text.replacing("?", with: choice), named: "test"), classes: 3)
  }

  /// A file of a convention's for a network; what is folded here has a bias of 0 there.
  private func file(_ model: SegmentationModel, _ convention: String) throws -> WeightFile {
    let recipes = try #require(
      NamingConvention.conventions(of: model).first { $0.name == convention }
    ).recipes(of: model)
    var tensors: [String: Tensor] = [:]
    for (name, tensor) in model.state {
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
    return try WeightFile.open(path)
  }

  @Test(
    "is said where it is another than the convention's, and where it is the same",
    arguments: Twins.all)
  func pairs(_ twins: Twins) throws {
    let right = try model(twins.model)
    let file = try file(right, twins.convention)
    func notes(_ model: SegmentationModel) -> [String] {
      let plan = WeightImport(file, for: model)
      #expect(plan.convention == twins.convention)
      #expect(plan.report.isComplete, "\(plan)")
      return plan.geometryNotes(for: model)
    }
    let told = "as \(twins.convention)'s, by the names alone: "
    let own = notes(right)
    #expect(own.contains { $0.hasPrefix(told) }, "\(own)")
    for (part, other, said) in twins.changes {
      #expect(twins.model.contains(part))
      let wrong = try model(twins.model.replacing(part, with: other))
      #expect(right.state.map(\.name) == wrong.state.map(\.name))
      #expect(right.state.map(\.tensor.shape) == wrong.state.map(\.tensor.shape))
      let line = "  " + said.replacing("?", with: twins.convention)
      let lines = notes(wrong)
      #expect(!own.contains(line) && lines.contains(line), "\(line) \(lines)")
      #expect(!lines.contains { $0.hasPrefix(told) }, "\(lines)")
    }
  }

  @Test(
    "is said of RegNets of segmentation_models.pytorch's, whose own encoders dilate a stage's first block at once",
    arguments: [("", true), (", contractDilation: false", false)])
  func regNets(_ more: String, _ warns: Bool) throws {
    let model = try model(
      "{alignCorners: true, backbone: {name: regnet_x_200mf, outputStride: 16\(more)}, head: {name: deeplabv3, channels: 4}}"
    )
    let plan = WeightImport(try file(model, "smp"), for: model)
    #expect(
      plan.convention == "smp" && plan.names.contains { $0.theirs == "encoder.stem.conv.weight" })
    let notes = plan.geometryNotes(for: model)
    #expect(
      notes.contains { $0.hasSuffix("expected contractDilation: false") } == warns, "\(notes)")
  }

  @Test("has a pair of networks for everything that a convention's are known by")
  func complete() throws {
    var tested: [String: Set<String>] = [:]
    for twins in Twins.all {
      let titles = twins.changes.compactMap { $0.said.split(separator: ":").first.map(String.init) }
      tested[twins.convention, default: []].formUnion(titles)
    }
    for convention in ["jfzhang95", "bubbliiiing"] {
      // Those of `xception`.
      tested[convention, default: []].formUnion(["form of Xception", "eps"])
    }
    var untested: Set<String> = []
    for twins in Twins.all {
      let facts = try shapesOnly { ConventionFacts(try model(twins.model)) }
      let own = Set(facts.own.map(\.title))
      for (title, _) in facts.known(of: twins.convention) ?? [] where own.contains(title) {
        if tested[twins.convention]?.contains(title) != true {
          untested.insert("\(twins.convention): \(title)")
        }
      }
    }
    #expect(untested.sorted() == [])
  }

  @Test("names every convention whose names a file has")
  func rivals() throws {
    let text = "{backbone: {name: mit_b0, depths: [1, 1, 1, 1], width: 4}, head: {name: segformer}}"
    let model = try model(text)
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
