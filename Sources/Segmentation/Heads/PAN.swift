import Configuration
import Torch

/// The decoder of PAN (Li et al., 2018): pyramid attention on the deepest map, then at each finer map what the
/// map below, averaged, says of its channels.
///
/// Names are those of segmentation_models.pytorch's `PANDecoder`, the classifier's apart. Maps finer than an
/// output stride of 4 are not looked at.
public final class PAN: Layer {
  let fpa: PyramidAttention
  /// The steps by the map that they reach, finest first.
  private let steps: [GuidedStep]
  let classifier: Conv2d

  /// A decoder of maps of `input` channels, finest first, to `classes` scores.
  public init(
    _ input: [Int], classes: Int, channels: Int = 32, interpolation: Interpolation = .bilinear,
    alignCorners: Bool = true
  ) {
    fpa = PyramidAttention(input.last ?? 1, channels, alignCorners: alignCorners)
    steps = input.dropLast().map {
      GuidedStep($0, channels, interpolation, alignCorners: alignCorners)
    }
    classifier = Conv2d(channels, classes, kernel: 3)
  }

  public override var children: [(name: String, module: Module)] {
    [("fpa", fpa)] + steps.enumerated().reversed().map { ("gau\($0 + 1)", $1) }
      + [("classifier", classifier)]
  }

  /// The scores (N, classes, H, W) at the size of the finest map that it sees.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    let maps = maps.suffix(steps.count + 1)
    guard let deepest = maps.last else { return image }
    return classifier(
      zip(steps, maps).reversed().reduce(fpa(deepest)) { below, step in step.0(step.1, below) })
  }
}

/// A convolution with a bias and its normalization.
final class BiasedUnit: Layer {
  let conv: Conv2d, bn: BatchNorm2d
  private let activation: Activation

  init(_ input: Int, _ output: Int, kernel: Int = 1, _ activation: Activation = .relu) {
    conv = Conv2d(input, output, kernel: kernel)
    bn = BatchNorm2d(output)
    self.activation = activation
  }

  override func forward(_ x: Tensor) -> Tensor { conv(x, bn, activation) }
}

/// Weights of positions from three halvings of the map, times the map, plus its mean (Li et al., 2018, §3.2).
final class PyramidAttention: Layer {
  let mean: BiasedUnit, mid: BiasedUnit
  let down1: BiasedUnit, down2: BiasedUnit, down3: BiasedUnit, last: BiasedUnit
  let conv2: BiasedUnit, conv1: BiasedUnit
  private let alignCorners: Bool

  override var keys: [String: String] {
    [
      "mean": "branch1.1", "mid": "mid.0", "down1": "down1.1", "down2": "down2.1",
      "down3": "down3.1", "last": "down3.2",
    ]
  }

  init(_ input: Int, _ output: Int, alignCorners: Bool) {
    mean = BiasedUnit(input, output)
    mid = BiasedUnit(input, output)
    down1 = BiasedUnit(input, 1, kernel: 7)
    down2 = BiasedUnit(1, 1, kernel: 5)
    down3 = BiasedUnit(1, 1, kernel: 3)
    last = BiasedUnit(1, 1, kernel: 3)
    conv2 = BiasedUnit(1, 1, kernel: 5)
    conv1 = BiasedUnit(1, 1, kernel: 7)
    self.alignCorners = alignCorners
  }

  override func forward(_ x: Tensor) -> Tensor {
    func half(_ x: Tensor) -> Tensor {
      // Maps that are too small to be halved stay; the original refuses them.
      min(x.height, x.width) > 1 ? x.maxPool2d(2, stride: 2) : x
    }
    let x1 = down1(half(x))
    let x2 = down2(half(x1))
    let x3 = last(down3(half(x2)))
    var y = conv2(x2)
    y = y + x3.resized(like: y, alignCorners: alignCorners)
    let larger = conv1(x1)
    y = y.resized(like: larger, alignCorners: alignCorners) + larger
    return y.resized(like: x, alignCorners: alignCorners) * mid(x)
      + mean(x.globalAvgPool2d()).resized(like: x)
  }
}

/// A finer map whose channels are weighted by the mean of the map below, plus that map enlarged.
final class GuidedStep: Layer {
  let weigh: BiasedUnit, narrow: BiasedUnit
  private let interpolation: Interpolation, alignCorners: Bool

  override var keys: [String: String] { ["weigh": "conv1.1", "narrow": "conv2"] }

  init(_ input: Int, _ output: Int, _ interpolation: Interpolation, alignCorners: Bool) {
    weigh = BiasedUnit(output, output, .none)
    narrow = BiasedUnit(input, output, kernel: 3)
    self.interpolation = interpolation
    // The original keeps the corners of bilinear maps alone.
    self.alignCorners = alignCorners && interpolation == .bilinear
  }

  func callAsFunction(_ map: Tensor, _ below: Tensor) -> Tensor {
    let larger = below.resized(
      height: map.height, width: map.width, interpolation, alignCorners: alignCorners)
    return larger + narrow(map) * weigh(below.globalAvgPool2d()).sigmoid()
  }
}

extension PAN: SegmentationHead {
  /// `pan`.
  static let entries = [
    "pan": HeadEntry(
      needs: "several maps of output stride 4 or more, finest first",
      of: { input in
        input.strides.isRising && input.strides.filter { $0 >= 4 }.count > 1
      }
    ) { input, section in
      let count = input.strides.filter { $0 >= 4 }.count
      return PAN(
        Array(input.channels.suffix(count)), classes: input.classes,
        channels: try section.int("channels", default: 32, in: 1...8192),
        interpolation: try section.choice("interpolation", default: .bilinear),
        // The original keeps the corners in its decoder, whatever comes afterwards.
        alignCorners: try section.bool("alignCorners", default: true))
    }
  ]
}
