import Torch

/// What a network computes beyond its weights: two networks whose weights have the same names and shapes
/// differ in this, and answer differently.
public struct NetworkGeometry: Sendable, Codable, Equatable {
  /// The dilated kernels of one rate within a part of the network.
  public struct Dilation: Sendable, Codable, Equatable {
    /// The part, such as `layer3`.
    public let part: String
    /// The rate.
    public let rate: Int
    /// The number of convolutions.
    public let count: Int
  }

  /// How many layers add the same number to variances.
  public struct Epsilon: Sendable, Codable, Equatable {
    /// What is added.
    public let value: Double
    /// The number of normalizations.
    public let count: Int
  }

  /// The output stride of the map that the head sees.
  public let outputStride: Int
  /// The dilated kernels of the backbone.
  public let backbone: [Dilation]
  /// The pyramids, cascades and dilated convolutions of the head, in words.
  public let head: [String]
  /// What normalizations add to variances.
  public let epsilons: [Epsilon]
  /// Whether some convolutions have more zeros at the right and the bottom, as TensorFlow's.
  public let padsEnds: Bool
  /// Whether scores are enlarged with the corners' centres kept.
  public let alignCorners: Bool

  /// What `model` computes; auxiliary heads are left out.
  public init(_ model: SegmentationModel) {
    outputStride = model.headStride
    alignCorners = model.alignCorners
    let (own, heads) = (model.backbone.modules, model.classifier.modules)
    backbone = Self.dilations(own)
    head = Self.words(heads)
    let convolutions = (own + heads).compactMap { $0.module as? Conv2d }
    padsEnds = convolutions.contains { ($0.endPadding > 0 || $0.padsBySize) && $0.stride > 1 }
    var counts: [Double: Int] = [:]
    for (_, module) in own + heads {
      if let eps = (module as? BatchNorm2d)?.eps ?? (module as? LayerNorm)?.eps {
        counts[eps, default: 0] += 1
      }
    }
    epsilons = counts.sorted { $0.key < $1.key }.map { Epsilon(value: $0.key, count: $0.value) }
  }

  private static func dilations(_ modules: [(name: String, module: Module)]) -> [Dilation] {
    var found: [Dilation] = []
    for case let (name, convolution as Conv2d) in modules
    where convolution.dilation > 1 && convolution.kernel > 1 {
      let part = name.split(separator: ".").first.map(String.init) ?? ""
      let rate = convolution.dilation
      if let last = found.last, last.part == part, last.rate == rate {
        found[found.count - 1] = Dilation(part: part, rate: rate, count: last.count + 1)
      } else {
        found.append(Dilation(part: part, rate: rate, count: 1))
      }
    }
    return found
  }

  /// The pyramids and cascades, and the dilated convolutions outside of them.
  private static func words(_ modules: [(name: String, module: Module)]) -> [String] {
    var words: [String] = []
    var told: [String] = []
    for (name, module) in modules {
      if let text = (module as? any DescribedRates)?.rateText {
        words.append("\(type(of: module)): \(text)")
        told.append(name.isEmpty ? "" : name + ".")
      }
    }
    let rest = modules.filter { entry in !told.contains { entry.name.hasPrefix($0) } }
    return words
      + dilations(rest).map { "\($0.part): rate \($0.rate)\($0.count > 1 ? " ×\($0.count)" : "")" }
  }

  /// What a file of weights says nothing of, in words.
  public static let notInFiles =
    "output stride, rates, what normalizations add to variances (eps), padding, corners, and how"
    + " images are normalized"

  /// The lines of a report: a title and what is said under it.
  public var rows: [(title: String, text: String)] {
    let rates = Dictionary(grouping: backbone, by: \.rate).sorted { $0.key < $1.key }
    let backbone = rates.map { rate, parts in
      "rate \(rate) in "
        + parts.map { $0.count > 1 ? "\($0.part) ×\($0.count)" : $0.part }.joined(separator: ", ")
    }
    return [
      ("output stride", "\(outputStride)"),
      ("backbone rates", backbone.isEmpty ? "none" : backbone.joined(separator: "; ")),
      ("head", head.isEmpty ? "no atrous convolutions" : head.joined(separator: "; ")),
      (
        "eps",
        epsilons.map { "\($0.value) ×\($0.count)" }.joined(separator: ", ")
      ),
      (
        "padding",
        padsEnds ? "TensorFlow's, more zeros at right and bottom" : "the same on all sides"
      ),
      ("align corners", alignCorners ? "yes" : "no"),
    ]
  }
}

/// A part of a head that says its rates in its own words.
protocol DescribedRates: Module {
  /// The rates in words, or nil if no kernel is dilated.
  var rateText: String? { get }
}

extension ASPP: DescribedRates {}

extension DenseASPP: DescribedRates {
  var rateText: String? {
    "3×3 at " + atrousRates.map(String.init).joined(separator: ", ") + ", in turn"
  }
}

extension FCN: DescribedRates {
  var rateText: String? {
    atrousRates.isEmpty
      ? nil : "3×3 at " + atrousRates.map(String.init).joined(separator: ", ") + ", in turn"
  }
}
