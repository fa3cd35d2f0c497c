import Configuration
import Torch

/// A residual network (He et al., 2016), with the output stride set by dilation (Chen et al., 2017).
///
/// Names are those of torchvision's `resnet*`; the three 3×3 convolutions of the deep stem are
/// called `stem`, as in MMSegmentation's `ResNetV1c`.
public final class ResNet: Layer, Backbone {
  /// What makes one residual network different from another.
  public struct Configuration: Sendable, Equatable {
    /// The blocks of each stage.
    public var blocks: [Int]
    /// Whether blocks are 1×1, 3×3, 1×1 rather than two 3×3.
    public var isBottleneck: Bool
    /// Whether three 3×3 convolutions stand in the place of the stem's 7×7 ("V1c").
    public var hasDeepStem = false
    /// The channels that the stem gives.
    public var stemChannels = 64
    /// The channels of the first stage's 3×3 convolutions; each later stage doubles them.
    public var width = 64
    /// The channels of each stage's 3×3 convolutions, where they are not doubled.
    public var widths: [Int]?
    /// The groups of the 3×3 convolutions of blocks with 1×1 convolutions (Xie et al., 2017).
    public var groups = 1
    /// The channels of those convolutions for each 64 of the stage's width.
    public var groupedWidth = 64
    /// Whether shortcuts halve the map by means rather than by a stride ("V1d").
    public var averagesShortcuts = false
    /// What multiplies the dilation of the last stage's blocks in turn (Chen et al., 2017, §3.2.1).
    public var multiGrid: [Int]?
    /// The dilations of the last stage's blocks in turn, as MMSegmentation reads a multi-grid.
    public var lastDilations: [Int]?
    /// The dilation of each stage, where it is not what the output stride asks for.
    public var dilations: [Int]?
    /// Whether the first block of a dilated stage keeps the dilation before, as in torchvision.
    public var contractsDilation = true
    /// Whether both 3×3 convolutions of a block without 1×1 convolutions are dilated.
    public var dilatesBoth = false
    /// Whether the stem's map, of output stride 2, is the first.
    public var hasStemMap = false
    /// Whether the first 1×1 convolution of a block strides rather than the 3×3, as in Caffe's networks.
    public var stridesFirst = false
    /// Whether the stem's pooling gives ⌈size / 2⌉ + 1 positions for even sides, as Caffe's `ceil_mode`.
    public var poolsCeil = false

    /// A network of `blocks` in each of its stages.
    public init(
      _ blocks: [Int], isBottleneck: Bool = true, groups: Int = 1, groupedWidth: Int = 64
    ) {
      self.blocks = blocks
      self.isBottleneck = isBottleneck
      self.groups = groups
      self.groupedWidth = groupedWidth
    }

    /// The networks of the paper's Table 1, grouped ones (Xie et al., 2017) and wide ones.
    public static let named: [String: Configuration] = [
      "resnet18": .init([2, 2, 2, 2], isBottleneck: false),
      "resnet34": .init([3, 4, 6, 3], isBottleneck: false),
      "resnet50": .init([3, 4, 6, 3]),
      "resnet101": .init([3, 4, 23, 3]),
      "resnet152": .init([3, 8, 36, 3]),
      "resnext50_32x4d": .init([3, 4, 6, 3], groups: 32, groupedWidth: 4 * 32),
      "resnext101_32x4d": .init([3, 4, 23, 3], groups: 32, groupedWidth: 4 * 32),
      "resnext101_32x8d": .init([3, 4, 23, 3], groups: 32, groupedWidth: 8 * 32),
      "resnext101_32x16d": .init([3, 4, 23, 3], groups: 32, groupedWidth: 16 * 32),
      "resnext101_32x32d": .init([3, 4, 23, 3], groups: 32, groupedWidth: 32 * 32),
      "resnext101_32x48d": .init([3, 4, 23, 3], groups: 32, groupedWidth: 48 * 32),
      "resnext101_64x4d": .init([3, 4, 23, 3], groups: 64, groupedWidth: 4 * 64),
      "wide_resnet50_2": .init([3, 4, 6, 3], groupedWidth: 128),
      "wide_resnet101_2": .init([3, 4, 23, 3], groupedWidth: 128),
    ]
  }

  let conv1: Conv2d?, bn1: BatchNorm2d?
  let stem: Sequential?
  private let layers: [Sequential]
  private let hasStemMap: Bool, poolsCeil: Bool
  /// Whether the first block of a dilated stage keeps the dilation before.
  let contractsDilation: Bool
  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides: [Int]

  /// The convolutional part of a residual network.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 4, 8, 16 or 32.
  ///   - cut: How many stages to keep.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3
  ) {
    let isDeep = configuration.hasDeepStem
    var input = configuration.stemChannels
    conv1 = isDeep ? nil : Conv2d(inputChannels, input, kernel: 7, stride: 2, bias: false)
    bn1 = isDeep ? nil : BatchNorm2d(input)
    stem = isDeep ? Self.deepStem(inputChannels, input) : nil

    let blocks = configuration.blocks.prefix(cut ?? configuration.blocks.count)
    let expansion = configuration.isBottleneck ? 4 : 1
    var dilator = Dilator(limit: outputStride, stride: 4)
    var layers: [Sequential] = []
    self.configuration = configuration
    hasStemMap = configuration.hasStemMap
    contractsDilation = configuration.contractsDilation
    poolsCeil = configuration.poolsCeil
    var channels = hasStemMap ? [input] : [], strides = hasStemMap ? [2] : []
    for (index, depth) in blocks.enumerated() {
      let width = configuration.widths?[index] ?? configuration.width << index
      let (stride, needed) = dilator.next(index == 0 ? 1 : 2)
      let dilation = configuration.dilations?[index] ?? needed
      let isLast = index + 1 == blocks.count
      let grid =
        isLast
        ? configuration.lastDilations ?? configuration.multiGrid?.map { $0 * dilation } : nil
      let layer = Sequential()
      for block in 0..<depth {
        let contracts = block == 0 && configuration.contractsDilation
        let own = grid.map { $0[block % $0.count] }
        let rate = own ?? (contracts ? max(1, dilation / 2) : dilation)
        layer.append(
          ResidualBlock(
            input, width, expansion: expansion, stride: block == 0 ? stride : 1, dilation: rate,
            second: configuration.dilatesBoth ? own ?? dilation : 1, configuration))
        input = expansion * width
      }
      layers.append(layer)
      channels.append(input)
      strides.append(dilator.stride)
    }
    (self.layers, self.channels, self.strides) = (layers, channels, strides)
    super.init()
    Initialization.kaimingNormal(self, fanOut: true)
  }

  private static func deepStem(_ input: Int, _ output: Int) -> Sequential {
    let half = max(1, output / 2)
    return Sequential {
      Conv2d(input, half, kernel: 3, stride: 2, bias: false)
      BatchNorm2d(half)
      ReLU()
      Conv2d(half, half, kernel: 3, bias: false)
      BatchNorm2d(half)
      ReLU()
      Conv2d(half, output, kernel: 3, bias: false)
      BatchNorm2d(output)
      ReLU()
    }
  }

  public override var children: [(name: String, module: Module)] {
    let first: [(String, Module?)] = [("conv1", conv1), ("bn1", bn1), ("stem", stem)]
    return first.compactMap { name, module in module.map { (name, $0) } }
      + layers.enumerated().map { ("layer\($0 + 1)", $1) }
  }

  /// The outputs of the stages, and of the stem before its pooling where that is a map.
  public func features(_ x: Tensor) -> [Tensor] {
    let first = stemMap(x)
    var x = pooled(first)
    return (hasStemMap ? [first] : [])
      + layers.map { layer in
        x = layer(x)
        return x
      }
  }

  /// The output of the last stage.
  public override func forward(_ x: Tensor) -> Tensor {
    layers.reduce(entry(x)) { $1($0) }
  }

  /// What the first stage sees of an image.
  package func entry(_ x: Tensor) -> Tensor { pooled(stemMap(x)) }

  private func stemMap(_ x: Tensor) -> Tensor { stem?(x) ?? conv1?(x, bn1, .relu) ?? x }

  private func pooled(_ x: Tensor) -> Tensor {
    guard poolsCeil else { return x.maxPool2d(3, stride: 2, padding: 1) }
    // After a ReLU a zero is no more than what there is.
    let (right, bottom) = (1 - x.width % 2, 1 - x.height % 2)
    let whole = right + bottom == 0 ? x : x.padded([0, right, 0, bottom])
    return whole.maxPool2d(3, stride: 2, padding: 1)
  }

  /// Padding on all sides lets any image through.
  public var minimumSide: Int { 1 }

  /// What leads to each map; the stem goes with the first stage unless its map is one.
  public var stages: [[Module]] {
    let first: [Module] = [conv1 as Module?, bn1, stem].compactMap { $0 }
    if hasStemMap { return [first] + layers.map { [$0] } }
    return layers.enumerated().map { ($0 == 0 ? first : []) + [$1] }
  }
}

/// A few convolutions and the shortcut around them; the 3×3 that may stride is dilated.
final class ResidualBlock: Layer, RecomputableLayer {
  let conv1: Conv2d, bn1: BatchNorm2d
  let conv2: Conv2d, bn2: BatchNorm2d
  let conv3: Conv2d?, bn3: BatchNorm2d?
  let downsample: Layer?

  init(
    _ input: Int, _ width: Int, expansion: Int, stride: Int, dilation: Int, second: Int,
    _ configuration: ResNet.Configuration
  ) {
    let output = expansion * width
    let middle = expansion > 1 ? max(1, width * configuration.groupedWidth / 64) : width
    if expansion > 1 {
      let first = configuration.stridesFirst ? stride : 1
      conv1 = Conv2d(input, middle, stride: first, bias: false)
      conv2 = Conv2d(
        middle, middle, kernel: 3, stride: stride / first, dilation: dilation,
        groups: configuration.groups, bias: false)
      conv3 = Conv2d(middle, output, bias: false)
    } else {
      // torchvision refuses dilation here; MMSegmentation dilates the first of both, segmentation_models.pytorch and timm
      // both, timm's first block of a stage the first one by the rate before.
      conv1 = Conv2d(input, width, kernel: 3, stride: stride, dilation: dilation, bias: false)
      conv2 = Conv2d(width, width, kernel: 3, dilation: second, bias: false)
      conv3 = nil
    }
    bn1 = BatchNorm2d(middle)
    bn2 = BatchNorm2d(middle)
    bn3 = expansion > 1 ? BatchNorm2d(output) : nil
    if stride == 1 && input == output {
      downsample = nil
    } else if configuration.averagesShortcuts {
      downsample = Sequential {
        Function { $0.avgPool2d(stride, ceil: true) }
        Conv2d(input, output, bias: false)
        BatchNorm2d(output)
      }
    } else {
      downsample = ConvNorm(input, output, kernel: 1, stride: stride, .none)
    }
  }

  override func forward(_ x: Tensor) -> Tensor {
    var y = conv1(x, bn1, .relu)
    if conv3 != nil { y = conv2(y, bn2, .relu) }
    // Only now, as most channels are the shortcut's.
    let shortcut = downsample?(x) ?? x
    return (conv3 ?? conv2)(y, bn3 ?? bn2, adding: shortcut, .relu)
  }
}

extension ResNet {
  /// `resnet18` to `resnet152` and their relatives.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
      var configuration = configuration
      configuration.hasDeepStem = try section.bool("deepStem", default: false)
      configuration.stemChannels = try section.int(
        "stemChannels", default: configuration.stemChannels, in: 2...1024)
      configuration.width = try section.int("width", default: configuration.width, in: 1...1024)
      let stages = configuration.blocks.count
      configuration.blocks = try section.ints("blocks", default: configuration.blocks, in: 1...512)
      configuration.widths = try section.optionalInts("widths", count: stages, in: 1...8192)
      try section.checkStages(stages, ["blocks": configuration.blocks])
      if configuration.groups > 1, configuration.width % 64 != 0 || configuration.widths != nil {
        throw section.invalid(
          configuration.widths == nil ? "width" : "widths", "given for grouped convolutions",
          expected: "a multiple of 64 as the width, and no widths")
      }
      configuration.averagesShortcuts = try section.bool("averageShortcuts", default: false)
      configuration.contractsDilation = try section.bool("contractDilation", default: true)
      configuration.dilatesBoth = try section.bool("dilateBoth", default: false)
      configuration.hasStemMap = try section.bool("stemMap", default: false)
      configuration.stridesFirst = try section.bool("strideFirst", default: false)
      configuration.poolsCeil = try section.bool("ceilPooling", default: false)
      configuration.multiGrid = try section.optionalInts("multiGrid", in: 1...64)
      configuration.lastDilations = try section.optionalInts("lastDilations", in: 1...64)
      configuration.dilations = try section.optionalInts(
        "dilations", count: configuration.blocks.count, in: 1...64)
      return ResNet(
        configuration, outputStride: options.outputStride,
        cut: try section.optionalInt("cut", in: 1...configuration.blocks.count),
        inputChannels: options.inputChannels)
    }
  }
}
