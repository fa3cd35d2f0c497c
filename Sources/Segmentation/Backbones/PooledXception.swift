import Configuration
import Torch

/// The first Xception (Chollet, 2017): blocks of separable convolutions around a shortcut, which stride by a
/// pooling at their end; with the output stride set by dilation in its place.
///
/// Names are those of Cadene's port, which segmentation_models.pytorch, timm (`legacy_xception`) and VainF have:
/// `block3.rep.1.conv1`, `block3.skip`, `conv4.pointwise`.
public final class PooledXception: Layer, Backbone {
  /// Whose form a network has where names are the same.
  public enum Form: String, Sendable, CaseIterable {
    /// The paper's and timm's: the last map is normalized and rectified.
    case standard
    /// segmentation_models.pytorch's: it is normalized.
    case smp
    /// VainF/DeepLabV3Plus-Pytorch's: it is neither, and dilation makes it smaller, as the last two convolutions
    /// have one zero on each side whatever their dilation.
    case vainf
  }

  /// What makes one network different from another.
  public struct Configuration: Sendable, Equatable {
    /// Whose form it has.
    public var form = Form.standard
    /// Whether the first two convolutions have zeros around their maps; they have not in the paper.
    public var padsStem = true
    /// Whether the map before the first block, of output stride 2, is the first.
    public var hasStemMap = false

    /// The paper's form, with zeros around all maps.
    public init() {}
  }

  let conv1: Conv2d, bn1: BatchNorm2d
  let conv2: Conv2d, bn2: BatchNorm2d
  let conv3: BareSeparable, bn3: BatchNorm2d
  let conv4: BareSeparable, bn4: BatchNorm2d?
  private let blocks: [PooledXceptionBlock]
  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides: [Int]

  /// The convolutional part of an Xception.
  ///
  /// - Parameters:
  ///   - configuration: The form of the network.
  ///   - outputStride: 8, 16 or 32.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration = .init(), outputStride: Int = 32, inputChannels: Int = 3
  ) {
    self.configuration = configuration
    let padding = configuration.padsStem ? 1 : 0
    conv1 = Conv2d(inputChannels, 32, kernel: 3, stride: 2, padding: padding, bias: false)
    bn1 = BatchNorm2d(32)
    conv2 = Conv2d(32, 64, kernel: 3, padding: padding, bias: false)
    bn2 = BatchNorm2d(64)
    var dilator = Dilator(limit: outputStride, stride: 2)
    var blocks: [PooledXceptionBlock] = []
    var (input, strides) = (64, [Int]())
    for (index, row) in Self.rows.enumerated() {
      // A dilated block has the new dilation at once: its pooling came after its convolutions.
      let (stride, dilation) = dilator.next(row.stride)
      blocks.append(
        PooledXceptionBlock(
          input, row.widths, strides: row.stride > 1, pools: stride > 1, dilation: dilation,
          isFirst: index == 0))
      input = row.widths.last ?? input
      strides.append(dilator.stride)
    }
    self.blocks = blocks
    let (rate, isVainF) = (dilator.dilation, configuration.form == .vainf)
    conv3 = BareSeparable(input, 1536, dilation: rate, padding: isVainF ? 1 : rate)
    bn3 = BatchNorm2d(1536)
    conv4 = BareSeparable(1536, 2048, dilation: rate, padding: isVainF ? 1 : rate)
    bn4 = isVainF ? nil : BatchNorm2d(2048)
    let hasStem = configuration.hasStemMap
    channels = (hasStem ? [64] : []) + [128, 256, 728, 2048]
    self.strides =
      (hasStem ? [2] : []) + Self.ends.map { strides[$0 - 1] } + [dilator.stride]
    super.init()
    Initialization.kaimingNormal(self, fanOut: true)
  }

  /// The channels of each block's convolutions, and whether it strides.
  private static let rows: [(widths: [Int], stride: Int)] =
    [([128, 128], 2), ([256, 256], 2), ([728, 728], 2)]
    + Array(repeating: ([728, 728, 728], 1), count: 8) + [([728, 1024], 2)]

  /// After which blocks the maps but the last are taken.
  private static let ends = [1, 2, 11]

  public override var children: [(name: String, module: Module)] {
    let first: [(String, Module)] = [
      ("conv1", conv1), ("bn1", bn1), ("conv2", conv2), ("bn2", bn2),
    ]
    let last: [(String, Module?)] = [
      ("conv3", conv3), ("bn3", bn3), ("conv4", conv4), ("bn4", bn4),
    ]
    return first + blocks.enumerated().map { ("block\($0 + 1)", $1) }
      + last.compactMap { name, module in module.map { (name, $0) } }
  }

  /// The maps at ``strides``.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = conv2(conv1(x, bn1, .relu), bn2, .relu)
    var maps = configuration.hasStemMap ? [x] : []
    for (index, block) in blocks.enumerated() {
      x = block(x)
      if Self.ends.contains(index + 1) { maps.append(x) }
    }
    let y = conv4(bn3(conv3(x)).relu())
    guard let norm = bn4 else { return maps + [y] }
    return maps + [configuration.form == .smp ? norm(y) : norm(y).relu()]
  }

  /// The last map.
  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// What is left of smaller images is no map where convolutions have no zeros around them.
  public var minimumSide: Int {
    let rate = conv3.conv1.dilation
    let lost = configuration.form == .vainf ? 4 * (rate - 1) * (strides.last ?? 32) : 0
    return configuration.padsStem && lost == 0 ? 1 : (strides.last ?? 32) + lost + 8
  }

  /// What leads to each map; the stem goes with the first block unless its map is one.
  public var stages: [[Module]] {
    let stem: [Module] = [conv1, bn1, conv2, bn2]
    let exit: [Module] = [conv3 as Module?, bn3, conv4, bn4].compactMap { $0 }
    let starts = [0] + Self.ends
    var stages = zip(starts, Self.ends + [blocks.count]).map { start, end in
      blocks[start..<end].map { $0 as Module }
    }
    stages[stages.count - 1] += exit
    if configuration.hasStemMap { return [stem] + stages }
    stages[0] = stem + stages[0]
    return stages
  }
}

/// A depthwise convolution and a 1×1 convolution without anything between.
final class BareSeparable: Layer {
  let conv1: Conv2d, pointwise: Conv2d

  init(_ input: Int, _ output: Int, dilation: Int, padding: Int? = nil) {
    conv1 = Conv2d(
      input, input, kernel: 3, padding: padding, dilation: dilation, groups: input, bias: false)
    pointwise = Conv2d(input, output, bias: false)
  }

  override func forward(_ x: Tensor) -> Tensor { pointwise(conv1(x)) }
}

/// Separable convolutions after a ReLU each, perhaps a pooling, and the shortcut around them.
final class PooledXceptionBlock: Layer, RecomputableLayer {
  let rep = Sequential()
  let skip: Conv2d?, skipbn: BatchNorm2d?

  /// A block from `input` channels to those of `widths` in turn.
  ///
  /// - Parameters:
  ///   - strides: Whether the block strides in the network without dilation, which its shortcut follows.
  ///   - pools: Whether it does here.
  ///   - dilation: That of all its convolutions.
  ///   - isFirst: Whether it begins without a ReLU.
  init(
    _ input: Int, _ widths: [Int], strides: Bool, pools: Bool, dilation: Int, isFirst: Bool
  ) {
    let output = widths.last ?? input
    var before = input
    for (index, width) in widths.enumerated() {
      if index > 0 || !isFirst { rep.append(ReLU()) }
      rep.append(BareSeparable(before, width, dilation: dilation))
      rep.append(BatchNorm2d(width))
      before = width
    }
    if pools { rep.append(MaxPool2d(3, stride: 2, padding: 1)) }
    let changes = strides || input != output
    skip = changes ? Conv2d(input, output, stride: pools ? 2 : 1, bias: false) : nil
    skipbn = changes ? BatchNorm2d(output) : nil
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = rep(x)
    guard let skip else { return y + x }
    return skip(x, skipbn, adding: y)
  }
}

extension PooledXception {
  /// `xception`.
  static let entries = [
    "xception": BackboneEntry { options, section in
      var configuration = Configuration()
      configuration.form = try section.choice("form", default: .standard)
      configuration.padsStem = try section.bool(
        "stemPadding", default: configuration.form != .vainf)
      configuration.hasStemMap = try section.bool("stemMap", default: false)
      return PooledXception(
        configuration, outputStride: options.outputStride, inputChannels: options.inputChannels)
    }
  ]
}
