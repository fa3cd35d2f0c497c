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

    /// The paper's three networks that torchvision calls so.
    public static let named: [String: Configuration] = [
      "convnext_tiny": .init(depths: [3, 3, 9, 3], widths: [96, 192, 384, 768], dropRate: 0.1),
      "convnext_small": .init(depths: [3, 3, 27, 3], widths: [96, 192, 384, 768], dropRate: 0.4),
      "convnext_base": .init(depths: [3, 3, 27, 3], widths: [128, 256, 512, 1024], dropRate: 0.5),
    ]
  }

  /// The channels of each stage.
  public private(set) var channels: [Int] = []
  /// The output stride of each stage.
  public private(set) var strides: [Int] = []

  /// The convolutional part of a ConvNeXt.
  ///
  /// - Parameters:
  ///   - outputStride: 4, 8, 16 or 32.
  ///   - cut: how many of the four stages to keep.
  ///   - inputChannels: the channels of the image.
  public init(
    _ configuration: Configuration, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3
  ) {
    super.init()
    let widths = configuration.widths
    append(
      Sequential {
        Conv2d(inputChannels, widths[0], kernel: 4, stride: 4, padding: 0)
        LayerNorm(widths[0], ofImages: true, eps: 1e-6)
      })
    var dilator = Dilator(limit: outputStride, stride: 4)
    let last = configuration.depths.reduce(-1, +)
    var block = 0
    for (index, depth) in configuration.depths.prefix(cut ?? widths.count).enumerated() {
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
            widths[index], dilation: dilator.dilation,
            dropRate: configuration.dropRate * Double(block) / Double(max(1, last))))
        block += 1
      }
      append(stage)
      channels.append(widths[index])
      strides.append(dilator.stride)
    }
    Initialization.normal(self, deviation: 0.02)
  }

  /// The outputs of the stages.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = self[0](x)
    return stride(from: 1, to: count, by: 2).map { stage in
      if stage > 1 { x = self[stage - 1](x) }
      x = self[stage](x)
      return x
    }
  }

  /// Each stage with the downsampling before it.
  public var stages: [[Module]] {
    stride(from: 1, to: count, by: 2).map { [self[$0 - 1], self[$0]] }
  }
}

/// A depthwise 7×7 convolution and two matrices over the channels, around a shortcut.
final class ConvNeXtBlock: Layer {
  let layerScale: Parameter
  let depthwise: Conv2d
  let norm: LayerNorm
  let expand: Linear, project: Linear
  private let depth: StochasticDepth

  override var keys: [String: String] {
    ["depthwise": "block.0", "norm": "block.2", "expand": "block.3", "project": "block.5"]
  }

  init(_ width: Int, dilation: Int, dropRate: Double) {
    layerScale = Parameter(1e-6, [width, 1, 1])
    depthwise = Conv2d(width, width, kernel: 7, dilation: dilation, groups: width)
    norm = LayerNorm(width, eps: 1e-6)
    expand = Linear(width, 4 * width)
    project = Linear(4 * width, width)
    depth = StochasticDepth(dropRate)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = norm(depthwise(x).permuted(0, 2, 3, 1))
    let z = project(expand(y).gelu()).permuted(0, 3, 1, 2)
    return depth(layerScale * z) + x
  }
}

extension ConvNeXt {
  /// `convnext_tiny`, `convnext_small` and `convnext_base`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
      var configuration = configuration
      configuration.dropRate = try section.double(
        "dropRate", default: configuration.dropRate, in: 0...0.99)
      return ConvNeXt(
        configuration, outputStride: options.outputStride,
        cut: try section.optionalInt("cut", in: 1...4), inputChannels: options.inputChannels)
    }
  }
}
