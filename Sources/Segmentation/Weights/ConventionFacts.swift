/// What networks compute beyond names and shapes of weights, in words: of a network here, and of those
/// that a convention of names is of.
///
/// Weights under the same names answer otherwise where these differ.
struct ConventionFacts {
  /// Something that a network does.
  typealias Fact = (title: String, text: String)

  /// What the network here does.
  let own: [Fact]
  private let expected: [String: [Fact]]

  /// The facts of `model`, of those that a convention decides.
  init(_ model: SegmentationModel) {
    var own = [Self.corners(model.alignCorners)]
    var expected: [String: [Fact]] = [:]
    func expect(_ fact: Fact, _ conventions: String...) {
      for name in conventions { expected[name, default: []].append(fact) }
    }
    expect(Self.corners(true), "jfzhang95", "bubbliiiing", "tramac", "hszhao")
    expect(Self.corners(false), "vainf", "kazuto1011", "nvidia", "csail", "detectron2")
    expect(Self.corners(false), "huggingface", "huggingface-5")
    if let head = model.classifier as? DPT {
      own.append(Self.doubling(head.enlargesScores))
      expect(Self.doubling(true), "huggingface")
      expect(Self.doubling(false), "mmsegmentation")
    }
    switch model.backbone {
    case let backbone as ResNet:
      let configuration = backbone.configuration
      let isDilated = (backbone.strides.last ?? 32) < 32
      if isDilated {
        own += [
          Self.firstBlock(keeps: configuration.contractsDilation),
          Self.multiGrid(configuration.multiGrid),
        ]
        expect(Self.firstBlock(keeps: true), "vainf", "tramac", "csail")
        expect(
          Self.firstBlock(keeps: false), "jfzhang95", "kazuto1011", "hszhao", "paddleseg",
          "detectron2")
        expect(Self.multiGrid([1, 2, 4]), "jfzhang95", "detectron2")
        expect(Self.multiGrid(nil), "vainf", "tramac", "kazuto1011", "hszhao", "csail")
        // Its published configurations'.
        expect(Self.multiGrid(model.classifier is PSPNet ? nil : [1, 2, 4]), "paddleseg")
      }
      own += [
        Self.blockStride(configuration.stridesFirst), Self.pooling(configuration.poolsCeil),
      ]
      expect(Self.blockStride(true), "kazuto1011")
      expect(Self.pooling(true), "kazuto1011")
      let others = ["vainf", "jfzhang95", "tramac", "hszhao", "paddleseg", "csail", "detectron2"]
      for name in others {
        // Those of detectron2's networks with a stem of one convolution stride in either.
        if name != "detectron2" || configuration.hasDeepStem {
          expect(Self.blockStride(false), name)
        }
        expect(Self.pooling(false), name)
      }
    case let backbone as MobileNetV2:
      let configuration = backbone.configuration
      own += [
        ("padding", configuration.padding.rawValue), ("eps", "\(configuration.eps)"),
      ]
      expect(("padding", "block"), "vainf", "jfzhang95")
      expect(("padding", "symmetric"), "bubbliiiing")
      expect(("padding", "tensorflow"), "huggingface", "tensorflow-lite")
      expect(("eps", "\(1e-3)"), "huggingface")
      expect(("eps", "\(1e-5)"), "vainf", "jfzhang95", "bubbliiiing", "tensorflow-lite")
    case let backbone as Xception:
      let form = backbone.configuration.form
      own += [
        ("form of Xception", form.rawValue),
        ("eps", "\(backbone.configuration.eps ?? form.eps)"),
      ]
      for name in ["jfzhang95", "bubbliiiing"] {
        expect(("form of Xception", name), name)
        expect(("eps", "\(1e-5)"), name)
      }
    case let backbone as PooledXception:
      own.append(Self.stemZeros(backbone.configuration.padsStem))
      expect(Self.stemZeros(false), "vainf")
    case let backbone as EfficientNet:
      own.append(("padding", backbone.configuration.padding.rawValue))
    case let backbone as MixTransformer:
      own.append(("eps of the backbone", "\(backbone.configuration.eps)"))
      expect(("eps of the backbone", "\(1e-5)"), "huggingface", "huggingface-5")
      expect(("eps of the backbone", "\(1e-6)"), "nvidia", "paddleseg")
    case let backbone as Swin:
      let usual: Swin.Merging =
        backbone.configuration.form == .torchvision ? .positions : .channels
      own.append(("merging", (backbone.configuration.merging ?? usual).rawValue))
      expect(("merging", "positions"), "huggingface", "huggingface-5")
      expect(("merging", "channels"), "mmsegmentation")
    default: break
    }
    let stride = model.headStride
    own.append(Self.outputStride(stride))
    for (names, strides) in [
      (["vainf", "jfzhang95", "bubbliiiing", "paddleseg", "detectron2"], [16, 8]),
      (["tramac", "kazuto1011", "hszhao", "csail"], [8]),
    ] where !(model.backbone is MixTransformer) {
      let usual = strides.map(String.init).joined(separator: " or ")
      let fact = strides.contains(stride) ? Self.outputStride(stride) : (Self.stride, usual)
      for name in names { expect(fact, name) }
    }
    if let head = model.classifier as? DeepLabV3Plus {
      own.append(Self.joined(lowFirst: head.lowFirst))
      expect(Self.joined(lowFirst: true), "vainf", "detectron2")
      expect(
        Self.joined(lowFirst: false), "jfzhang95", "bubbliiiing", "paddleseg", "mmsegmentation",
        "smp")
      if head.aspp.configuration.isSeparable, head.aspp.configuration.between != .nothing {
        own.append(Self.between(head.aspp.configuration.between))
        expect(Self.between(.norm), "paddleseg")
        expect(Self.between(.relu), "mmsegmentation", "detectron2")
      }
    }
    if let head = model.classifier as? DeepLabV2 {
      own.append(Self.rates(head.rates, of: "head"))
      expect(Self.rates([6, 12, 18, 24], of: "head"), "kazuto1011")
    }
    if let head = model.classifier as? PSPNet {
      own.append(Self.joined(poolsFirst: head.pspModules.poolsFirst))
      expect(Self.joined(poolsFirst: true), "smp")
      expect(Self.joined(poolsFirst: false), "hszhao", "csail", "paddleseg", "mmsegmentation")
    }
    if let pyramid = (model.classifier as? DeepLabV3Plus)?.aspp
      ?? (model.classifier as? DeepLabV3)?.aspp
    {
      let configuration = pyramid.configuration
      let rated = ["vainf", "jfzhang95", "bubbliiiing", "paddleseg", "detectron2"]
      if configuration.rates.count == 4, [8, 16].contains(stride) {
        own.append(Self.rates(configuration.rates))
        let usual = Self.rates(ASPP.Configuration.rates(baseRate: 6, outputStride: stride))
        for name in rated + (stride == 8 ? ["tramac"] : []) { expect(usual, name) }
      }
      if configuration.poolsImage {
        own.append(Self.pooled(configuration.poolWindow != nil))
        expect(Self.pooled(true), "detectron2")
        for name in rated.dropLast() + ["tramac", "mmsegmentation", "smp"] {
          expect(Self.pooled(false), name)
        }
      }
    }
    self.own = own
    self.expected = expected
  }

  /// What networks of a convention do, as far as that is always the same.
  func known(of convention: String) -> [Fact]? { expected[convention] }

  /// What the network here does otherwise.
  func differences(
    from convention: String
  ) -> [(title: String, here: String, there: String)] {
    (expected[convention] ?? []).compactMap { fact in
      guard let here = own.first(where: { $0.title == fact.title }), here.text != fact.text else {
        return nil
      }
      return (fact.title, here.text, fact.text)
    }
  }

  /// What names and shapes of a backbone's weights do not tell and `backbone` takes, a line each; with a
  /// warning where networks of the convention are never so.
  static func remarks(_ backbone: any Backbone, _ convention: String) -> [String] {
    switch backbone {
    case let backbone as EfficientNet:
      let own = backbone.configuration.padding
      let taken = "taken: padding \(own.rawValue), eps \(backbone.eps)"
      let known: [String: [EfficientNet.Padding]] = [
        "torchvision": [.symmetric], "timm": [.symmetric, .tensorflow],
        "efficientnet-pytorch": [.fixed, .tensorflow],
      ]
      guard let theirs = known[convention], !theirs.contains(own) else {
        return convention == "timm"
          ? [
            "names are those of timm's efficientnet and tf_efficientnet alike, which pad otherwise; \(taken)"
          ]
          : []
      }
      return [
        "warning: \(convention)'s EfficientNets have padding"
          + " \(theirs.map(\.rawValue).joined(separator: " or ")); \(taken)"
      ]
    case let backbone as ResNet where convention == "timm":
      let own = backbone.configuration
      guard !own.isBottleneck, (backbone.strides.last ?? 32) < 32,
        !own.dilatesBoth || !own.contractsDilation
      else { return [] }
      return [
        "warning: timm dilates both convolutions of a dilated block, of a stage's first block the first"
          + " one by the rate before; expected contractDilation: true, dilateBoth: true"
      ]
    case let backbone as MobileNetV3 where convention == "timm":
      guard backbone.eps != 1e-5 else { return [] }
      return [
        "warning: timm's mobilenetv3 adds 1e-05 to variances (eps), its tf_mobilenetv3 0.001 with"
          + " TensorFlow's padding, which networks here lack; taken: eps \(backbone.eps)"
      ]
    case let backbone as PooledXception where convention == "torchvision":
      let form = backbone.configuration.form.rawValue
      let zeros = backbone.configuration.padsStem ? "with" : "without"
      return [
        "names are those of timm's legacy_xception, without zeros around the first two maps, and of"
          + " segmentation_models.pytorch's xception, with them, alike; taken: \(zeros), form \(form)"
      ]
    case let backbone as Xception where convention == "timm":
      let form = backbone.configuration.form
      return form == .tensorflow
        ? [] : ["warning: timm's Xceptions have form tensorflow; taken: form \(form.rawValue)"]
    default: return []
    }
  }

  private static func doubling(_ doubles: Bool) -> Fact {
    ("scores", doubles ? "doubled in the head" : "resized to the image's size alone")
  }
  private static func corners(_ keeps: Bool) -> Fact { ("align corners", keeps ? "yes" : "no") }

  private static func firstBlock(keeps: Bool) -> Fact {
    ("first block of a dilated stage", keeps ? "keeps the rate before" : "has the new rate")
  }

  private static func multiGrid(_ rates: [Int]?) -> Fact {
    ("multi-grid", rates.map { $0.map(String.init).joined(separator: ", ") } ?? "none")
  }

  private static func blockStride(_ isFirst: Bool) -> Fact {
    ("stride of a block", isFirst ? "in the first 1×1" : "in the 3×3")
  }

  private static func pooling(_ isCeil: Bool) -> Fact {
    ("stem's pooling", isCeil ? "rounds sizes up" : "rounds sizes down")
  }

  private static func stemZeros(_ has: Bool) -> Fact {
    ("zeros around the first two maps", has ? "yes" : "no")
  }

  private static let stride = "output stride"

  private static func outputStride(_ stride: Int) -> Fact { (Self.stride, "\(stride)") }

  private static func between(_ form: SeparableForm) -> Fact {
    (
      "between depthwise and 1×1 convolutions",
      form == .relu ? "a normalization and a ReLU" : "a normalization"
    )
  }

  private static func joined(poolsFirst: Bool) -> Fact {
    ("joined maps of the pyramid", poolsFirst ? "the pooled ones first" : "the features first")
  }

  private static func rates(_ rates: [Int], of part: String = "pyramid") -> Fact {
    ("rates of the \(part)", rates.map(String.init).joined(separator: ", "))
  }

  private static func pooled(_ isWindow: Bool) -> Fact {
    ("pooled branch sees", isWindow ? "a window of the training crop's size" : "the whole map")
  }

  private static func joined(lowFirst: Bool) -> Fact {
    ("joined maps", lowFirst ? "the finer one first" : "the pyramid first")
  }
}
