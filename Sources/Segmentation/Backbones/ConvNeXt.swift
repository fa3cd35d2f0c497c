import Configuration
import Torch

/// A ConvNeXt (Liu et al., 2022), with the output stride set by dilation.
///
/// Names are those of torchvision's `convnext_*.features`. A downsampling 2×2 convolution that would
/// pass the output stride scans every position instead; what follows is dilated.
public final class ConvNeXt: Sequential, Backbone {
  /// What makes one ConvNeXt different from another.
  public struct Configuration: Sendable {
    /// The blocks of each stage.
    public var depths: [Int]
    /// The channels of each stage.
    public var widths: [Int]
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate: Double
    /// Whether each map is normalized, as the authors do for everything but classification.
    public var normalizesMaps = false
    /// The factor of a block's branch before training.
    public var layerScale = 1e-6
    /// Whose form it has: MMSegmentation's scales have one dimension.
    public var form = HeadForm.torchvision

    /// A network of these depths and widths.
    public init(depths: [Int], widths: [Int], dropRate: Double) {
      (self.depths, self.widths, self.dropRate) = (depths, widths, dropRate)
    }

    /// The paper's networks by torchvision's names, the largest by such a name too.
    public static let named: [String: Configuration] = [
      "convnext_tiny": .init(depths: [3, 3, 9, 3], widths: [96, 192, 384, 768], dropRate: 0.1),
      "convnext_small": .init(depths: [3, 3, 27, 3], widths: [96, 192, 384, 768], dropRate: 0.4),
      "convnext_base": .init(depths: [3, 3, 27, 3], widths: [128, 256, 512, 1024], dropRate: 0.5),
      "convnext_large": .init(
        depths: [3, 3, 27, 3], widths: [192, 384, 768, 1536], dropRate: 0.5),
      "convnext_xlarge": .init(
        depths: [3, 3, 27, 3], widths: [256, 512, 1024, 2048], dropRate: 0.5),
    ]
  }

  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each stage.
  public private(set) var channels: [Int] = []
  /// The output stride of each stage.
  public private(set) var strides: [Int] = []
  let norms: [LayerNorm]

  /// The convolutional part of a ConvNeXt.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 4, 8, 16 or 32.
  ///   - cut: How many of the four stages to keep.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3
  ) {
    self.configuration = configuration
    let widths = configuration.widths
    let stages = cut ?? widths.count
    norms =
      configuration.normalizesMaps
      ? widths.prefix(stages).map { LayerNorm($0, ofImages: true, eps: 1e-6) } : []
    super.init()
    append(
      Sequential {
        Conv2d(inputChannels, widths[0], kernel: 4, stride: 4, padding: 0)
        LayerNorm(widths[0], ofImages: true, eps: 1e-6)
      })
    var dilator = Dilator(limit: outputStride, stride: 4)
    let last = configuration.depths.reduce(-1, +)
    var block = 0
    for (index, depth) in configuration.depths.prefix(stages).enumerated() {
      if index > 0 {
        let before = dilator.dilation
        let stride = dilator.next(2).stride
        append(
          Sequential {
            LayerNorm(widths[index - 1], ofImages: true, eps: 1e-6)
            Conv2d(
              widths[index - 1], widths[index], kernel: 2, stride: stride, padding: 0,
              endPadding: stride == 1 ? before : 0, dilation: stride == 1 ? before : 1)
          })
      }
      let stage = Sequential()
      for _ in 0..<depth {
        stage.append(
          ConvNeXtBlock(
            widths[index], dilation: dilator.dilation, configuration,
            dropRate: configuration.dropRate * Double(block) / Double(max(1, last))))
        block += 1
      }
      append(stage)
      channels.append(widths[index])
      strides.append(dilator.stride)
    }
    Initialization.normal(self, deviation: 0.02)
  }

  public override var children: [(name: String, module: Module)] {
    layers.map { ($0.name, $0.layer) } + norms.enumerated().map { ("norms.\($0)", $1) }
  }

  /// The outputs of the stages.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = self[0](x)
    return stride(from: 1, to: count, by: 2).map { stage in
      if stage > 1 { x = self[stage - 1](x) }
      x = self[stage](x)
      return norms.isEmpty ? x : norms[stage / 2](x)
    }
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The normalizations of the maps.
  public var partsWithoutPretraining: [String] { ["norms."] }

  /// Each stage with the downsampling before it, and its map's normalization.
  public var stages: [[Module]] {
    stride(from: 1, to: count, by: 2).map { stage in
      let norm: [Module] = norms.isEmpty ? [] : [norms[stage / 2]]
      return [self[stage - 1], self[stage]] + norm
    }
  }
}

/// A depthwise 7×7 convolution and two matrices over the channels, around a shortcut.
final class ConvNeXtBlock: Layer, RecomputableLayer {
  let layerScale: Parameter
  let depthwise: Conv2d
  let norm: LayerNorm
  let expand: Linear, project: Linear
  private let depth: StochasticDepth

  override var keys: [String: String] {
    ["depthwise": "block.0", "norm": "block.2", "expand": "block.3", "project": "block.5"]
  }

  init(_ width: Int, dilation: Int, _ configuration: ConvNeXt.Configuration, dropRate: Double) {
    layerScale = Parameter(
      Float(configuration.layerScale),
      configuration.form == .torchvision ? [width, 1, 1] : [width])
    depthwise = Conv2d(width, width, kernel: 7, dilation: dilation, groups: width)
    norm = LayerNorm(width, eps: 1e-6)
    expand = Linear(width, 4 * width)
    project = Linear(4 * width, width)
    depth = StochasticDepth(dropRate)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = norm(depthwise(x).permuted(0, 2, 3, 1))
    let z = project(expand(y, adding: nil, .gelu)) * layerScale.flattened(from: 0)
    return depth(z.permuted(0, 3, 1, 2)) + x
  }
}

extension ConvNeXt {
  /// `convnext_tiny`, `convnext_small`, `convnext_base`, `convnext_large` and `convnext_xlarge`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
      var configuration = configuration
      configuration.depths = try section.ints(
        "depths", default: configuration.depths, in: 1...128)
      configuration.widths = try section.ints(
        "widths", default: configuration.widths, in: 1...8192)
      try section.checkStages(
        4, ["depths": configuration.depths, "widths": configuration.widths])
      configuration.dropRate = try section.double(
        "dropRate", default: configuration.dropRate, in: 0...0.99)
      configuration.form = try section.choice("form", default: .torchvision)
      configuration.normalizesMaps = try section.bool(
        "normalizeMaps", default: configuration.form == .mmsegmentation)
      configuration.layerScale = try section.double(
        "layerScale", default: configuration.layerScale, in: 0...10)
      return ConvNeXt(
        configuration, outputStride: options.outputStride,
        cut: try section.optionalInt("cut", in: 1...4), inputChannels: options.inputChannels)
    }
  }
}

extension ConvNeXt: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    guard let index = Int(child) else { return child.replacing("norms.", with: "norm") }
    return index % 2 == 0 ? "downsample_layers.\(index / 2)" : "stages.\(index / 2)"
  }
}

extension ConvNeXtBlock: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    let names = [
      "layer_scale": "gamma", "block.0": "depthwise_conv", "block.2": "norm",
      "block.3": "pointwise_conv1", "block.5": "pointwise_conv2",
    ]
    return names[child] ?? child
  }
}
