import Torch

/// A dilated residual network of kind D (Yu et al., 2017, §4): the last two stages of a residual network keep
/// the resolution by dilation, and two convolutions of falling dilation after them take away the grid that
/// dilation leaves.
///
/// Neither a pooling nor a stride comes before the residual blocks but the one in `layer2`.
///
/// Names are those of the authors' code (fyu/drn), `layer0` to `layer8`.
public final class DRN: Layer, Backbone {
  /// What makes one network different from another.
  public struct Configuration: Sendable, Equatable {
    /// The blocks of `layer3` to `layer6`.
    public var blocks: [Int]
    /// Whether they are 1×1, 3×3, 1×1 rather than two 3×3.
    public var isBottleneck: Bool

    /// A network of `blocks` in each of its four residual stages.
    public init(_ blocks: [Int], isBottleneck: Bool = true) {
      (self.blocks, self.isBottleneck) = (blocks, isBottleneck)
    }

    /// The networks of kind D, by their layers.
    public static let named: [String: Configuration] = [
      "drn_d_22": .init([2, 2, 2, 2], isBottleneck: false),
      "drn_d_38": .init([3, 4, 6, 3], isBottleneck: false),
      "drn_d_54": .init([3, 4, 6, 3]),
      "drn_d_105": .init([3, 4, 23, 3]),
    ]
  }

  /// `layer0` to `layer8`.
  private let layers: [Layer]
  /// The channels of each map: those of `layer3`, `layer4`, `layer5` and `layer8`.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides = [4, 8, 8, 8]
  /// The layers whose outputs are maps.
  private static let ends = [3, 4, 5, 8]

  /// The convolutional part of a network, for images of so many channels.
  public init(_ configuration: Configuration, inputChannels: Int = 3) {
    var layers: [Layer] = [
      ConvNorm(inputChannels, 16, kernel: 7), ConvNorm(16, 16), ConvNorm(16, 32, stride: 2),
    ]
    let expansion = configuration.isBottleneck ? 4 : 1
    let form = ResNet.Configuration(
      configuration.blocks, isBottleneck: configuration.isBottleneck)
    var input = 32
    var channels: [Int] = []
    let rows = zip([64, 128, 256, 512], [(2, 1), (2, 1), (1, 2), (1, 4)])
    for (depth, (width, (stride, dilation))) in zip(configuration.blocks, rows) {
      let layer = Sequential()
      for block in 0..<depth {
        layer.append(
          ResidualBlock(
            input, width, expansion: expansion, stride: block == 0 ? stride : 1,
            dilation: dilation, second: dilation, form))
        input = expansion * width
      }
      layers.append(layer)
      channels.append(input)
    }
    layers += [ConvNorm(input, 512, dilation: 2), ConvNorm(512, 512)]
    self.layers = layers
    self.channels = channels.dropLast() + [512]
    super.init()
    Initialization.kaimingNormal(self, fanOut: true)
  }

  public override var children: [(name: String, module: Module)] {
    layers.enumerated().map { ("layer\($0)", $1) }
  }

  /// The maps at ``strides``.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = x
    return layers.enumerated().compactMap { index, layer in
      x = layer(x)
      return Self.ends.contains(index) ? x : nil
    }
  }

  /// The last map.
  public override func forward(_ x: Tensor) -> Tensor { layers.reduce(x) { $1($0) } }

  /// Padding on all sides lets any image through.
  public var minimumSide: Int { 1 }

  /// The layers up to each map.
  public var stages: [[Module]] {
    zip([0] + Self.ends.map { $0 + 1 }, Self.ends).map { start, end in Array(layers[start...end]) }
  }
}

extension DRN {
  /// `drn_d_22` to `drn_d_105`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [8]) { options, _ in
      DRN(configuration, inputChannels: options.inputChannels)
    }
  }
}
