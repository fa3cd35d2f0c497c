import Configuration
import Torch

/// An aligned Xception (Chen et al., 2018, §3.2): blocks of three separable convolutions around a
/// shortcut, of which the last strides, with the output stride set by dilation.
///
/// The parts are those of timm's `XceptionAligned`: `stem`, and `blocks` with a `shortcut` and a `stack`.
public final class Xception: Layer, Backbone {
  /// What makes one network different from another.
  public struct Configuration: Sendable, Equatable {
    /// The strides of the entry flow's blocks, which end in 728 channels.
    public var entry = [2, 2, 2]
    /// The blocks of the middle flow.
    public var middle = 16
    /// Whose form it has.
    public var form = XceptionForm.tensorflow
    /// What normalizations add to the variance; the form's if nil.
    public var eps: Double?

    /// A network with these flows.
    public init(entry: [Int] = [2, 2, 2], middle: Int = 16) {
      (self.entry, self.middle) = (entry, middle)
    }

    /// DeepLab's networks, by timm's names.
    public static let named: [String: Configuration] = [
      "xception41": .init(middle: 8), "xception65": .init(),
      "xception71": .init(entry: [2, 1, 2, 1, 2]),
    ]

    /// The channels of the convolutions and the stride of each block; the last has no shortcut.
    fileprivate var rows: [(widths: [Int], stride: Int)] {
      let widths = entry.count > 3 ? [128, 256, 256, 728, 728] : [128, 256, 728]
      return zip(entry, widths).map { (Array(repeating: $1, count: 3), $0) }
        + Array(repeating: ([728, 728, 728], 1), count: middle)
        + [([728, 1024, 1024], 2), ([1536, 1536, 2048], 1)]
    }
  }

  let stem: Sequential
  let blocks: [XceptionBlock]
  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides: [Int]
  /// The blocks that stride in the network without dilation.
  private let strided: [Int]

  /// The convolutional part of an Xception.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 8, 16 or 32.
  ///   - inputChannels: The channels of the image.
  public init(_ configuration: Configuration, outputStride: Int = 32, inputChannels: Int = 3) {
    self.configuration = configuration
    let form = configuration.form
    let eps = configuration.eps ?? form.eps
    stem = Sequential {
      ConvNorm(inputChannels, 32, stride: 2, eps: eps)
      ConvNorm(32, 64, eps: eps)
    }
    var dilator = Dilator(limit: outputStride, stride: 2)
    var (input, blocks, strided) = (64, [XceptionBlock](), [Int]())
    var (channels, strides) = ([Int](), [Int]())
    let rows = configuration.rows
    for (index, row) in rows.enumerated() {
      let isLast = index + 1 == rows.count
      if row.stride > 1 {
        strided.append(index)
        channels.append(form == .jfzhang95 ? input : row.widths[1])
        strides.append(dilator.stride)
      }
      // A block whose stride dilation replaces keeps the dilation before.
      var rates = Array(repeating: dilator.dilation, count: 3)
      let (stride, _) = dilator.next(row.stride)
      // The middle flow's, also in the exit flow.
      if form == .bubbliiiing, index + 2 >= rows.count { rates = blocks.last?.rates ?? rates }
      if form == .jfzhang95, row.stride > 1 { rates[2] = 1 }
      blocks.append(
        XceptionBlock(
          input, row.widths, stride: stride, rates: rates, form, isLast: isLast, eps: eps,
          strides: row.stride > 1))
      input = row.widths[2]
    }
    (self.blocks, self.strided) = (blocks, strided)
    self.channels = channels + [input]
    self.strides = strides + [dilator.stride]
    super.init()
    Initialization.kaimingNormal(self, fanOut: true)
  }

  /// The maps at ``strides``: within each block that strides, just before that, and after the last block.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = stem(x)
    var maps: [Tensor] = []
    for (index, block) in blocks.enumerated() {
      guard strided.contains(index) else {
        x = block(x)
        continue
      }
      let (map, shortcut) = block.begun(x)
      switch configuration.form {
      case .tensorflow: maps.append(map.relu())
      case .bubbliiiing: maps.append(map)
      case .jfzhang95: maps.append(x.relu())
      }
      x = block.ended(map, shortcut)
    }
    return maps + [x]
  }

  /// The last map.
  public override func forward(_ x: Tensor) -> Tensor { blocks.reduce(stem(x)) { $1($0) } }

  /// Padding on both sides lets any image through.
  public var minimumSide: Int { 1 }

  /// What leads to each map; the block that a map is taken in goes with that map.
  public var stages: [[Module]] {
    let ends = strided + [blocks.count - 1]
    return ends.enumerated().map { stage, end in
      (stage == 0 ? [stem] : [])
        + blocks[(stage == 0 ? 0 : ends[stage - 1] + 1)...end].map { $0 as Module }
    }
  }
}

/// Whose form an Xception has where names and shapes are the same.
public enum XceptionForm: String, Sendable, CaseIterable {
  /// TensorFlow's DeepLab, and timm: shortcuts see maps before the ReLU, all convolutions of a dilated
  /// block are dilated, maps are rectified.
  case tensorflow
  /// jfzhang95/pytorch-deeplab-xception: shortcuts see rectified maps, the convolution that strode is not
  /// dilated, the last three convolutions have no ReLU within, maps are what strided blocks see.
  case jfzhang95
  /// bubbliiiing/deeplabv3-plus-pytorch: shortcuts without a convolution see rectified maps, the exit flow
  /// has the middle flow's dilation, maps are not rectified.
  case bubbliiiing

  /// What normalizations add to the variance.
  var eps: Double { self == .tensorflow ? 1e-3 : 1e-5 }
}

/// Three separable convolutions and the shortcut around them; the last block of a network has none.
final class XceptionBlock: Layer, RecomputableLayer {
  let shortcut: ConvNorm?
  let convs: [XceptionConv]
  /// The dilation of each convolution.
  let rates: [Int]
  private let form: XceptionForm, isLast: Bool

  override var keys: [String: String] { ["convs": "stack"] }

  /// A block from `input` channels to those of `widths` in turn, whose last convolution has `stride`;
  /// `strides` says whether it has one in the network without dilation, which a shortcut follows.
  init(
    _ input: Int, _ widths: [Int], stride: Int, rates: [Int], _ form: XceptionForm, isLast: Bool,
    eps: Double, strides: Bool
  ) {
    let output = widths[widths.count - 1]
    shortcut =
      isLast || !strides && input == output
      ? nil : ConvNorm(input, output, kernel: 1, stride: stride, eps: eps, .none)
    convs = widths.indices.map { index in
      XceptionConv(
        index == 0 ? input : widths[index - 1], widths[index],
        stride: index + 1 == widths.count ? stride : 1, dilation: rates[index], eps: eps,
        isRectified: isLast && form != .jfzhang95)
    }
    (self.rates, self.form, self.isLast) = (rates, form, isLast)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let (map, shortcut) = begun(x)
    return ended(map, shortcut)
  }

  /// What comes before the last convolution, not rectified, and what the shortcut sees.
  func begun(_ x: Tensor) -> (map: Tensor, shortcut: Tensor) {
    if isLast, form != .jfzhang95 { return (convs[1](convs[0](x)), x) }
    let first = x.relu()
    let seen =
      switch form {
      case .tensorflow: x
      case .jfzhang95: first
      case .bubbliiiing: shortcut == nil ? first : x
      }
    return (convs[1](convs[0](first).relu()), seen)
  }

  /// The block's output, of what ``begun(_:)`` gives.
  func ended(_ map: Tensor, _ seen: Tensor) -> Tensor {
    let last = convs[2]
    if isLast { return form == .jfzhang95 ? last(map.relu()).relu() : last(map) }
    return last(map.relu(), adding: shortcut?(seen) ?? seen)
  }
}

/// A depthwise convolution and a 1×1 convolution, each with its normalization and, in the last block, a
/// ReLU.
final class XceptionConv: Layer {
  let depthwise: ConvNorm, pointwise: ConvNorm

  init(
    _ input: Int, _ output: Int, stride: Int, dilation: Int, eps: Double, isRectified: Bool
  ) {
    let activation = isRectified ? Activation.relu : .none
    depthwise = ConvNorm(
      input, input, stride: stride, dilation: dilation, groups: input, eps: eps, activation)
    pointwise = ConvNorm(input, output, kernel: 1, eps: eps, activation)
  }

  override func forward(_ x: Tensor) -> Tensor { pointwise(depthwise(x)) }

  /// The sum with a shortcut.
  func callAsFunction(_ x: Tensor, adding shortcut: Tensor) -> Tensor {
    pointwise.conv(depthwise(x), pointwise.norm, adding: shortcut)
  }
}

extension Xception {
  /// `xception41`, `xception65` and `xception71`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry { options, section in
      var configuration = configuration
      configuration.form = try section.choice("form", default: .tensorflow)
      configuration.eps = try section.optionalDouble("eps", in: 0...1)
      return Xception(
        configuration, outputStride: options.outputStride, inputChannels: options.inputChannels)
    }
  }
}
