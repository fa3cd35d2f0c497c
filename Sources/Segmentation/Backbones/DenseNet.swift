import Configuration
import Torch

/// A densely connected network (Huang et al., 2017), with the output stride set by dilation.
///
/// Names are those of torchvision's `densenet*.features`. Where an output stride below 32 asks for
/// it, a transition does not pool and the 3×3 convolutions after it are dilated, as in the 2018
/// DenseASPP networks.
public final class DenseNet: Sequential, Backbone {
  /// What makes one DenseNet different from another.
  public struct Configuration: Sendable {
    /// The layers of each dense block.
    public var blocks: [Int]
    /// The channels that a layer adds.
    public var growth: Int
    /// The channels of the stem.
    public var stem: Int
    /// The width of a layer's 1×1 convolution in growths.
    public var bottleneck = 4
    /// Whether a transition follows the last block too, as in DenseASPP's variant.
    public var endsWithTransition = false
    /// The share of a layer's new channels that training drops.
    public var dropRate = 0.0
    /// Whether the stem's map, of output stride 2, is the first.
    public var hasStemMap = false
    /// Whether a block's map is what the transition after it makes of it by its normalization and ReLU.
    public var normalizesMaps = false

    /// A network of `blocks` layers that each add `growth` channels.
    public init(blocks: [Int], growth: Int = 32, stem: Int = 64) {
      self.blocks = blocks
      self.growth = growth
      self.stem = stem
    }

    /// The four networks of the paper's Table 1.
    public static let named: [String: Configuration] = [
      "densenet121": .init(blocks: [6, 12, 24, 16]),
      "densenet161": .init(blocks: [6, 12, 36, 24], growth: 48, stem: 96),
      "densenet169": .init(blocks: [6, 12, 32, 32]),
      "densenet201": .init(blocks: [6, 12, 48, 32]),
    ]
  }

  /// The channels of each feature map, finest first.
  public private(set) var channels: [Int] = []
  /// The output stride of each feature map, finest first.
  public private(set) var strides: [Int] = []
  private let hasStemMap: Bool, normalizesMaps: Bool

  /// The convolutional part of a DenseNet.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 4, 8, 16 or 32.
  ///   - cut: How many dense blocks to keep; the final normalization goes with the last one.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3
  ) {
    hasStemMap = configuration.hasStemMap
    normalizesMaps = configuration.normalizesMaps
    super.init()
    let (growth, stem) = (configuration.growth, configuration.stem)
    if hasStemMap { (channels, strides) = ([stem], [2]) }
    append(Conv2d(inputChannels, stem, kernel: 7, stride: 2, bias: false), as: "conv0")
    append(BatchNorm2d(stem), as: "norm0")
    append(ReLU(), as: "relu0")
    append(MaxPool2d(3, stride: 2, padding: 1), as: "pool0")
    var dilator = Dilator(limit: outputStride, stride: 4)
    var width = stem
    let blocks = configuration.blocks
    for (index, depth) in blocks.prefix(cut ?? blocks.count).enumerated() {
      append(
        DenseBlock(width, depth, configuration, dilation: dilator.dilation),
        as: "denseblock\(index + 1)")
      width += depth * growth
      channels.append(width)
      strides.append(dilator.stride)
      let isLast = index + 1 == blocks.count
      guard index + 1 < (cut ?? blocks.count) || isLast && configuration.endsWithTransition else {
        continue
      }
      let pools = !isLast && dilator.next(2).stride == 2
      append(Transition(width, pools: pools), as: "transition\(index + 1)")
      width /= 2
    }
    if cut == nil || cut == blocks.count {
      append(BatchNorm2d(width), as: "norm5")
      channels[channels.count - 1] = width
    }
    Initialization.kaimingNormal(self)
  }

  /// The outputs of the dense blocks, and of the stem where that is a map; the last one normalized where
  /// the network is whole.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = x
    var maps: [Tensor] = []
    var start = 0
    if hasStemMap {
      x = applied(0..<Self.pooling, to: x)
      maps.append(x)
      start = Self.pooling
    }
    for end in blockIndices {
      x = applied(start..<end + 1, to: x)
      start = end + 1
      if normalizesMaps, end + 1 < count, let transition = self[end + 1] as? Transition {
        let map = transition.normalized(x)
        maps.append(map)
        x = transition.narrowed(map)
        start += 1
      } else {
        maps.append(x)
      }
    }
    if start < count { maps[maps.count - 1] = applied(start..<count, to: x) }
    return maps
  }

  /// Where the stem ends, before its pooling.
  private static let pooling = 3

  /// The last map alone.
  public override func forward(_ x: Tensor) -> Tensor { applied(0..<count, to: x) }

  private var blockIndices: [Int] {
    layers.indices.filter { layers[$0].name.hasPrefix("denseblock") }
  }

  /// What leads to each map: a dense block with what stands before it.
  public var stages: [[Module]] {
    let ends = blockIndices
    let stem = hasStemMap ? [layers[..<Self.pooling].map { $0.layer as Module }] : []
    return stem
      + ends.indices.map { stage in
        let start = stage == 0 ? (hasStemMap ? Self.pooling : 0) : ends[stage - 1] + 1
        let end = stage + 1 == ends.count ? layers.count - 1 : ends[stage]
        return layers[start...end].map(\.layer)
      }
  }
}

/// Layers that each see the output of all before them.
final class DenseBlock: Layer {
  private let layers: [DenseLayer]

  init(_ input: Int, _ depth: Int, _ configuration: DenseNet.Configuration, dilation: Int) {
    layers = (0..<depth).map {
      DenseLayer(input + $0 * configuration.growth, configuration, dilation: dilation)
    }
  }

  override var children: [(name: String, module: Module)] {
    layers.enumerated().map { ("denselayer\($0 + 1)", $1) }
  }

  override func forward(_ x: Tensor) -> Tensor {
    guard layers.first?.recomputes == true else {
      if let y = cascade?.trained(x) { return y }
      return layers.reduce(x) { concatenate([$0, $1($0)]) }
    }
    // Joined inside of what runs again, so that memory grows with the depth and not with its square
    // (Pleiss et al., 2017).
    let maps = layers.reduce([x]) { maps, layer in
      maps + [Recomputation.run(maps) { layer.forward(concatenate($0)) }]
    }
    return concatenate(maps)
  }
}

extension DenseBlock {
  /// The layers as one operator, where nothing stands between them.
  private var cascade: DenseCascade? {
    guard isTraining, layers.allSatisfy({ $0.dropout.probability == 0 }) else { return nil }
    return DenseCascade(layers.map { .init($0.norm1, $0.conv1, $0.norm2, $0.conv2) })
  }
}

/// The new channels of one layer: a 1×1 bottleneck and a 3×3 convolution, both pre-activated.
final class DenseLayer: Layer, RecomputableLayer {
  let norm1: BatchNorm2d, conv1: Conv2d, norm2: BatchNorm2d, conv2: Conv2d
  let dropout: Dropout

  init(_ input: Int, _ configuration: DenseNet.Configuration, dilation: Int) {
    let middle = configuration.bottleneck * configuration.growth
    norm1 = BatchNorm2d(input)
    conv1 = Conv2d(input, middle, bias: false)
    norm2 = BatchNorm2d(middle)
    conv2 = Conv2d(middle, configuration.growth, kernel: 3, dilation: dilation, bias: false)
    dropout = Dropout(configuration.dropRate)
  }

  override func forward(_ x: Tensor) -> Tensor {
    dropout(conv2(conv1(x, after: norm1, norm2, .relu)))
  }
}

/// Halves the channels, and the resolution where it pools.
final class Transition: Layer, RecomputableLayer {
  let norm: BatchNorm2d, conv: Conv2d
  private let pools: Bool

  /// A transition from `input` channels.
  init(_ input: Int, pools: Bool) {
    norm = BatchNorm2d(input)
    conv = Conv2d(input, input / 2, bias: false)
    self.pools = pools
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = conv(x, after: norm)
    return pools ? y.avgPool2d(2) : y
  }

  /// The map normalized and rectified, which ``narrowed(_:)`` takes.
  func normalized(_ x: Tensor) -> Tensor { norm(x).relu() }

  /// What is left to do after ``normalized(_:)``.
  func narrowed(_ x: Tensor) -> Tensor {
    let y = conv(x)
    return pools ? y.avgPool2d(2) : y
  }
}

extension DenseNet {
  /// `densenet121` and its relatives, and `densenet` with blocks of one's own.
  static let entries: [String: BackboneEntry] = {
    var entries = Configuration.named.mapValues { configuration in
      BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
        try DenseNet(configuration, options, section)
      }
    }
    entries["densenet"] = BackboneEntry(outputStrides: [4, 8, 16, 32], isComplete: false) {
      options, section in
      let configuration = Configuration(
        blocks: try section.ints("blocks", in: 1...512),
        growth: try section.int("growth", default: 32, in: 1...1024),
        stem: try section.int("stem", default: 64, in: 1...4096))
      return try DenseNet(configuration, options, section)
    }
    return entries
  }()

  private convenience init(
    _ configuration: Configuration, _ options: BackboneOptions, _ section: Section
  ) throws {
    var configuration = configuration
    configuration.bottleneck = try section.int("bottleneck", default: 4, in: 1...64)
    configuration.endsWithTransition = try section.bool("finalTransition", default: false)
    configuration.dropRate = try section.double("dropRate", default: 0, in: 0...0.99)
    configuration.hasStemMap = try section.bool("stemMap", default: false)
    configuration.normalizesMaps = try section.bool("normalizeMaps", default: false)
    let cut = try section.optionalInt("cut", in: 1...max(1, configuration.blocks.count))
    self.init(
      configuration, outputStride: options.outputStride, cut: cut,
      inputChannels: options.inputChannels)
  }
}
