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
    expect(Self.corners(false), "vainf", "kazuto1011", "nvidia", "csail")
    if model.backbone is VisionTransformer {
      expect(Self.corners(true), "huggingface")
    } else {
      expect(Self.corners(false), "huggingface", "huggingface-5")
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
        expect(Self.firstBlock(keeps: false), "jfzhang95", "kazuto1011", "hszhao", "paddleseg")
        expect(Self.multiGrid([1, 2, 4]), "jfzhang95")
        expect(Self.multiGrid(nil), "vainf", "tramac", "kazuto1011", "hszhao", "csail")
      }
      own += [
        Self.stride(configuration.stridesFirst), Self.pooling(configuration.poolsCeil),
      ]
      expect(Self.stride(true), "kazuto1011")
      expect(Self.pooling(true), "kazuto1011")
      let others = ["vainf", "jfzhang95", "tramac", "hszhao", "paddleseg", "csail"]
      for name in others {
        expect(Self.stride(false), name)
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
    if let head = model.classifier as? DeepLabV3Plus {
      own.append(Self.joined(lowFirst: head.lowFirst))
      expect(Self.joined(lowFirst: true), "vainf")
      expect(
        Self.joined(lowFirst: false), "jfzhang95", "bubbliiiing", "paddleseg", "mmsegmentation")
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
    case let backbone as Xception where convention == "timm":
      let form = backbone.configuration.form
      return form == .tensorflow
        ? [] : ["warning: timm's Xceptions have form tensorflow; taken: form \(form.rawValue)"]
    default: return []
    }
  }

  private static func corners(_ keeps: Bool) -> Fact { ("align corners", keeps ? "yes" : "no") }

  private static func firstBlock(keeps: Bool) -> Fact {
    ("first block of a dilated stage", keeps ? "keeps the rate before" : "has the new rate")
  }

  private static func multiGrid(_ rates: [Int]?) -> Fact {
    ("multi-grid", rates.map { $0.map(String.init).joined(separator: ", ") } ?? "none")
  }

  private static func stride(_ isFirst: Bool) -> Fact {
    ("stride of a block", isFirst ? "in the first 1×1" : "in the 3×3")
  }

  private static func pooling(_ isCeil: Bool) -> Fact {
    ("stem's pooling", isCeil ? "rounds sizes up" : "rounds sizes down")
  }

  private static func joined(lowFirst: Bool) -> Fact {
    ("joined maps", lowFirst ? "the finer one first" : "the pyramid first")
  }
}
