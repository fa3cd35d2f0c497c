import Configuration
import Torch

/// The head of DeepLabV2 (Chen et al., 2018, TPAMI, §3.2): 3×3 convolutions at several rates straight to
/// the classes, summed.
public final class DeepLabV2: Layer, LastMapHead, AtrousModule {
  /// The rate of each branch.
  public let rates: [Int]
  /// The channels of the features.
  public let inputs: Int
  let convs: [Conv2d]

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, rates: [Int] = [6, 12, 18, 24]) {
    self.rates = rates
    inputs = input
    convs = rates.map { Conv2d(input, classes, kernel: 3, dilation: $0) }
    super.init()
    Initialization.normal(self, deviation: 0.01)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    guard let first = convs.first else { return x }
    return convs.dropFirst().reduce(first(x)) { $0 + $1(x) }
  }

  /// The rates above 1.
  public var atrousRates: [Int] { rates.filter { $0 > 1 } }
  /// How far a branch reaches.
  public var atrousWidth: Int { 2 * (rates.max() ?? 0) }

  /// What each branch gives.
  public func sampled(_ x: Tensor) -> [Tensor] { convs.map { $0(x) } }

  /// `deeplabv2`.
  static let entries = [
    "deeplabv2": HeadEntry { input, section in
      let rates = try section.ints("rates", default: [6, 12, 18, 24], in: 1...1024)
      if rates.isEmpty { throw section.invalid("rates", "[]", expected: "at least one rate") }
      return DeepLabV2(input.last, classes: input.classes, rates: rates)
    }
  ]
}

extension DeepLabV2: DescribedRates {
  var rateText: String? {
    "3×3 at " + rates.map(String.init).joined(separator: ", ") + ", summed"
  }
}
