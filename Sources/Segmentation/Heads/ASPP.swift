import Configuration
import Torch

/// Atrous spatial pyramid pooling (Chen et al., 2017, §3.3): the same features seen at several rates
/// and, averaged, as a whole.
///
/// Names are those of torchvision's `ASPP`.
public final class ASPP: Layer {
  /// What makes one pyramid different from another.
  public struct Configuration: Sendable, Equatable {
    /// The rate of each branch; 1 stands for a 1×1 convolution.
    public var rates = [1, 12, 24, 36]
    /// The channels of each branch and of the result.
    public var channels = 256
    /// The kernel of a branch of rate 1: 1, or 3 as some print it.
    public var unitKernel = 1
    /// Whether a branch sees the mean of the whole map.
    public var poolsImage = true
    /// Whether that branch is the first rather than the last.
    public var poolsFirst = false
    /// Whether that branch has a normalization; its convolution has a bias where it has none.
    public var normalizesPool = true
    /// The height and width of the window that it sees the mean of, in positions of the map: the whole map if
    /// nil or larger.
    public var poolWindow: [Int]?
    /// Whether atrous convolutions are depthwise separable (Chen et al., 2018).
    public var isSeparable = false
    /// What stands between a depthwise convolution and the 1×1 after it.
    public var between = SeparableForm.relu
    /// The kernel of the convolution that joins the branches: 1, or 3 as in MMSegmentation.
    public var projection = 1
    /// The share of elements that training drops from the result.
    public var dropout = 0.5

    /// The pyramid for an output stride of 8.
    public init() {}

    /// MMSegmentation's pyramid, which is wider and joins its branches by a 3×3 convolution.
    public static var mmsegmentation: Configuration {
      var configuration = Configuration()
      configuration.channels = 512
      configuration.poolsFirst = true
      configuration.projection = 3
      configuration.dropout = 0
      return configuration
    }

    /// DeepLab's rule: r, 2r and 3r beside the 1×1 convolution, with `baseRate` for an output stride
    /// of 16 and inversely more or less for others (Chen et al., 2017, §4).
    public static func rates(baseRate: Int, outputStride: Int) -> [Int] {
      let rate = max(1, (baseRate * 16 + outputStride / 2) / outputStride)
      return [1, rate, 2 * rate, 3 * rate]
    }
  }

  /// The rate of each branch but the pooled one.
  public let rates: [Int]
  /// The branches, by place, that give nothing: what is left of a network without them.
  public var removed: Set<Int> = []
  /// The channels of the features that it takes.
  public let inputs: Int
  let convs: [Layer]
  let project: ConvNorm
  private let dropout: Dropout
  /// What the pyramid was made from.
  let configuration: Configuration

  /// A pyramid over `input` channels.
  public init(_ input: Int, _ configuration: Configuration = .init()) {
    let channels = configuration.channels
    rates = configuration.rates
    inputs = input
    let branches = configuration.rates.map { rate -> Layer in
      rate > 1 && configuration.isSeparable
        ? configuration.between.unit(input, channels, dilation: rate)
        : ConvNorm(
          input, channels, kernel: rate == 1 ? configuration.unitKernel : 3, dilation: rate)
    }
    let pooling =
      configuration.poolsImage
      ? [
        ImagePooling(
          input, channels, window: configuration.poolWindow,
          isNormalized: configuration.normalizesPool)
      ] : []
    convs = configuration.poolsFirst ? pooling + branches : branches + pooling
    project = ConvNorm(convs.count * channels, channels, kernel: configuration.projection)
    dropout = Dropout(configuration.dropout)
    self.configuration = configuration
  }

  public override func forward(_ x: Tensor) -> Tensor {
    dropout(project(concatenate(convs.indices.map { output($0, x) })))
  }

  /// The output of a branch.
  private func output(_ index: Int, _ x: Tensor) -> Tensor {
    let y = convs[index](x)
    return removed.contains(index) ? y.zerosLike() : y
  }

  /// What the branches give at their rates (N, channels, H, W), without the mean of the whole map.
  public func sampled(_ x: Tensor) -> [Tensor] {
    convs.filter { !($0 is ImagePooling) }.map { $0(x) }
  }

  /// The branches in words, in their order: `1×1, 3×3 at 12, 24, 36, pooled`.
  ///
  /// `rates` lists all branches but the pooled one, so that a list without 1 has no 1×1 branch.
  var rateText: String? {
    let kernel = (configuration.isSeparable ? "separable " : "") + "3×3 at "
    var words: [String] = []
    for (index, rate) in rates.enumerated() {
      if rate == 1 {
        words.append(configuration.unitKernel == 1 ? "1×1" : "3×3 at 1")
      } else {
        let begins = index == 0 || rates[index - 1] == 1
        words.append((begins ? kernel : "") + "\(rate)")
      }
    }
    if configuration.poolsImage {
      let window = configuration.poolWindow.map { " over \($0[0])×\($0[1])" } ?? ""
      words.insert("pooled" + window, at: configuration.poolsFirst ? 0 : words.count)
    }
    return words.joined(separator: ", ") + (rates.contains(1) ? "" : " (no 1×1 branch)")
  }

  /// The branches as a person knows them: `1x1`, `rate 12`, `image mean`.
  public var branchNames: [String] {
    var names = rates.map { $0 == 1 ? "1x1" : "rate \($0)" }
    if let pooling = convs.firstIndex(where: { $0 is ImagePooling }) {
      names.insert("image mean", at: pooling)
    }
    return names
  }
}

/// What stands between both convolutions of a depthwise separable one.
public enum SeparableForm: String, Sendable, CaseIterable {
  /// A normalization and a ReLU (MMSegmentation, TensorFlow).
  case relu
  /// A normalization (PaddleSeg).
  case norm
  /// Nothing (segmentation_models.pytorch).
  case nothing

  /// A unit from `input` to `output` channels.
  func unit(_ input: Int, _ output: Int, dilation: Int = 1) -> SeparableConvNorm {
    SeparableConvNorm(
      input, output, dilation: dilation, between: self == .relu ? .relu : .none,
      isBare: self == .nothing)
  }
}

/// The mean over the whole map, or over windows of it one position apart, through a 1×1 convolution, spread over
/// the map again (Liu et al., 2015).
///
/// With a batch of one image its normalization has nothing to take statistics of and uses the running
/// ones (see `BatchNorm2d`).
final class ImagePooling: Layer {
  let conv: Conv2d, norm: BatchNorm2d?
  private let window: [Int]?

  override var keys: [String: String] { ["conv": "1", "norm": "2"] }

  init(_ input: Int, _ output: Int, window: [Int]? = nil, isNormalized: Bool = true) {
    conv = Conv2d(input, output, bias: !isNormalized)
    norm = isNormalized ? BatchNorm2d(output) : nil
    self.window = window
  }

  override func forward(_ x: Tensor) -> Tensor {
    conv(mean(x), norm, .relu).resized(like: x)
  }

  private func mean(_ x: Tensor) -> Tensor {
    guard let window, window[0] < x.height || window[1] < x.width else {
      return x.globalAvgPool2d()
    }
    return x.meanPool2d(height: min(window[0], x.height), width: min(window[1], x.width))
  }
}

extension ASPP: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    guard let index = Int(child.dropFirst("convs.".count)) else { return "bottleneck" }
    guard configuration.poolsImage else { return "aspp_modules.\(index)" }
    let pooling = configuration.poolsFirst ? 0 : convs.count - 1
    return index == pooling
      ? "image_pool.1" : "aspp_modules.\(configuration.poolsFirst ? index - 1 : index)"
  }
}

extension ImagePooling: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "1" ? "conv" : "bn" }
}

extension ASPP.Configuration {
  /// The pyramid that a configuration describes, for features of this output stride.
  ///
  /// What is not given is as in `base`.
  /// Rates come from `rates`, all of them, where a 1 is the 1×1 branch and none is added; from `rate`, the r of 1×1, r, 2r, 3r; or from `baseRate`,
  /// the r that an output stride of 16 would have, which is 6 by default.
  init(_ section: Section, outputStride: Int, base: Self = .init()) throws {
    self = base
    let given = ["rates", "rate", "baseRate"].filter(section.has)
    if given.count > 1 {
      throw section.invalid(
        given[1], "given beside '\(given[0])'", expected: "only one of rates, rate and baseRate")
    }
    if section.has("rates") {
      rates = try section.ints("rates", in: 1...1024)
      if rates.isEmpty { throw section.invalid("rates", "[]", expected: "at least one rate") }
    } else if let rate = try section.optionalInt("rate", in: 1...341) {
      rates = [1, rate, 2 * rate, 3 * rate]
    } else {
      let base = try section.int("baseRate", default: 6, in: 1...341)
      rates = Self.rates(baseRate: base, outputStride: outputStride)
    }
    channels = try section.int("channels", default: channels, in: 1...8192)
    unitKernel = try section.smallKernel("unitKernel", default: unitKernel)
    poolsImage = try section.bool("imagePooling", default: poolsImage)
    poolsFirst = try section.bool("poolFirst", default: poolsFirst)
    normalizesPool = try section.bool("poolNorm", default: normalizesPool)
    poolWindow = try section.optionalInts("poolWindow", in: 1...65_535) ?? poolWindow
    if let window = poolWindow, window.count != 2 {
      throw section.invalid("poolWindow", "\(window)", expected: "a height and a width")
    }
    isSeparable = try section.bool("separable", default: isSeparable)
    between = try section.choice("between", default: between)
    projection = try section.smallKernel("projection", default: projection)
    dropout = try section.double("dropout", default: dropout, in: 0...0.99)
  }
}
