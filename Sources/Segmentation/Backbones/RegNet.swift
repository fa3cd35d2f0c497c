import Configuration
import Foundation
import Torch

/// A RegNet (Radosavovic et al., 2020): residual blocks of grouped convolutions whose widths follow a line,
/// with squeeze and excitation in kind Y; with the output stride set by dilation.
///
/// Names are those of torchvision's `regnet_*`.
public final class RegNet: Layer, Backbone {
  /// How widths become multiples of the groups' widths.
  public enum Rounding: String, Sendable, CaseIterable {
    /// To the nearest multiple (the authors' code and timm).
    case nearest
    /// To the nearest multiple, the larger one of two as near, that is at least 0.9 of the width (torchvision).
    case torchvision
  }

  /// What makes one network different from another.
  public struct Configuration: Sendable, Equatable {
    /// Equation 2: the width w₀ and the slope wₐ of the line; and the factor wₘ between stages.
    public var initialWidth: Int, slope: Double, factor: Double
    /// The number of blocks.
    public var depth: Int
    /// The channels of a group.
    public var groupWidth: Int
    /// Whether blocks squeeze and excite (kind Y).
    public var squeezes: Bool
    /// How widths become multiples of the groups' widths.
    public var rounding = Rounding.nearest
    /// Whether the stem's map, of output stride 2, is the first.
    public var hasStemMap = false
    /// Whether the first block of a dilated stage keeps the dilation before, as in timm.
    public var contractsDilation = true

    /// A network by the numbers of the paper's tables.
    public init(
      _ initialWidth: Int, _ slope: Double, _ factor: Double, depth: Int, groupWidth: Int,
      squeezes: Bool
    ) {
      (self.initialWidth, self.slope, self.factor) = (initialWidth, slope, factor)
      (self.depth, self.groupWidth, self.squeezes) = (depth, groupWidth, squeezes)
    }

    /// The networks of Tables 3 and 4, as torchvision has them where it does, and by names like its.
    public static let named: [String: Configuration] = {
      let x: KeyValuePairs<String, (Int, Double, Double, Int, Int)> = [
        "200mf": (24, 36.44, 2.49, 13, 8), "400mf": (24, 24.48, 2.54, 22, 16),
        "600mf": (48, 36.97, 2.24, 16, 24), "800mf": (56, 35.73, 2.28, 16, 16),
        "1_6gf": (80, 34.01, 2.25, 18, 24), "3_2gf": (88, 26.31, 2.25, 25, 48),
        "4gf": (96, 38.65, 2.43, 23, 40), "6_4gf": (184, 60.83, 2.07, 17, 56),
        "8gf": (80, 49.56, 2.88, 23, 120), "12gf": (168, 73.36, 2.37, 19, 112),
        "16gf": (216, 55.59, 2.1, 22, 128), "32gf": (320, 69.86, 2.0, 23, 168),
      ]
      let y: KeyValuePairs<String, (Int, Double, Double, Int, Int)> = [
        "200mf": (24, 36.44, 2.49, 13, 8), "400mf": (48, 27.89, 2.09, 16, 8),
        "600mf": (48, 32.54, 2.32, 15, 16), "800mf": (56, 38.84, 2.4, 14, 16),
        "1_6gf": (48, 20.71, 2.65, 27, 24), "3_2gf": (80, 42.63, 2.66, 21, 24),
        "4gf": (96, 31.41, 2.24, 22, 64), "6_4gf": (112, 33.22, 2.27, 25, 72),
        "8gf": (192, 76.82, 2.19, 17, 56), "12gf": (168, 73.36, 2.37, 19, 112),
        "16gf": (200, 106.23, 2.48, 18, 112), "32gf": (232, 115.89, 2.53, 20, 232),
      ]
      var named: [String: Configuration] = [:]
      for (kind, table) in [("x", x), ("y", y)] {
        for (size, (initial, slope, factor, depth, group)) in table {
          var configuration = Configuration(
            initial, slope, factor, depth: depth, groupWidth: group, squeezes: kind == "y")
          if !["200mf", "600mf", "4gf", "6_4gf", "12gf"].contains(size) {
            configuration.rounding = .torchvision
          }
          named["regnet_\(kind)_\(size)"] = configuration
        }
      }
      return named
    }()

    /// The networks of the table by timm's names, such as `regnety_016` for `regnet_y_1_6gf`: with widths rounded
    /// to the nearest, and with `_tv` as torchvision rounds them, where that makes a difference.
    package static let timmNames: [String: (name: String, rounding: Rounding)] = {
      var names: [String: (name: String, rounding: Rounding)] = [:]
      for (name, configuration) in named {
        let parts = name.split(separator: "_", maxSplits: 2)
        let number = Double(parts[2].dropLast(2).replacing("_", with: ".")) ?? 0
        let hundreds = "\(Int((parts[2].hasSuffix("gf") ? 10 * number : number / 100).rounded()))"
        let timm =
          "regnet\(parts[1])_" + String(repeating: "0", count: 3 - hundreds.count) + hundreds
        var other = configuration
        other.rounding = .nearest
        names[timm] = (name, .nearest)
        if other.stages.map(\.width) != configuration.stages.map(\.width) {
          names[timm + "_tv"] = (name, .torchvision)
        }
      }
      return names
    }()

    /// The width and the number of blocks of each stage: widths along the line, rounded to powers of the
    /// factor, to multiples of 8 and then of the groups (§3.3).
    var stages: [(width: Int, depth: Int)] {
      let first = Double(initialWidth)
      var stages: [(width: Int, depth: Int)] = []
      for block in 0..<depth {
        let power = (log((first + slope * Double(block)) / first) / log(factor))
          .rounded(.toNearestOrEven)
        let width = 8 * Int((first * pow(factor, power) / 8).rounded(.toNearestOrEven))
        if stages.last?.width == width {
          stages[stages.count - 1].depth += 1
        } else {
          stages.append((width, 1))
        }
      }
      return stages.map { width, depth in
        let group = min(groupWidth, width)
        switch rounding {
        case .nearest:
          let count = (Double(width) / Double(group)).rounded(.toNearestOrEven)
          return (group * Int(count), depth)
        case .torchvision: return (roundedToEight(Double(width), or: group), depth)
        }
      }
    }
  }

  let stem: ConvNorm
  private let layers: [Sequential]
  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides: [Int]

  /// The convolutional part of a RegNet.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: How many stages to keep.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3
  ) {
    self.configuration = configuration
    stem = ConvNorm(inputChannels, 32, stride: 2)
    var dilator = Dilator(limit: outputStride, stride: 2)
    var (input, layers) = (32, [Sequential]())
    var channels = configuration.hasStemMap ? [32] : [],
      strides = configuration.hasStemMap ? [2] : []
    for (width, depth) in configuration.stages.prefix(cut ?? 4) {
      let before = dilator.dilation
      let (stride, dilation) = dilator.next(2)
      let layer = Sequential()
      for block in 0..<depth {
        layer.append(
          RegNetBlock(
            input, width, stride: block == 0 ? stride : 1, strides: block == 0,
            dilation: block == 0 && configuration.contractsDilation ? before : dilation,
            configuration), as: "block\(layers.count + 1)-\(block)")
        input = width
      }
      layers.append(layer)
      channels.append(width)
      strides.append(dilator.stride)
    }
    (self.layers, self.channels, self.strides) = (layers, channels, strides)
    super.init()
    Initialization.kaimingNormal(self, fanOut: true)
  }

  public override var children: [(name: String, module: Module)] {
    [("stem", stem)] + layers.enumerated().map { ("trunk_output.block\($0 + 1)", $1) }
  }

  /// The outputs of the stages, and of the stem where that is a map.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = stem(x)
    return (configuration.hasStemMap ? [x] : [])
      + layers.map { layer in
        x = layer(x)
        return x
      }
  }

  /// The output of the last stage.
  public override func forward(_ x: Tensor) -> Tensor { layers.reduce(stem(x)) { $1($0) } }

  /// Padding on all sides lets any image through.
  public var minimumSide: Int { 1 }

  /// What leads to each map; the stem goes with the first stage unless its map is one.
  public var stages: [[Module]] {
    if configuration.hasStemMap { return [[stem]] + layers.map { [$0] } }
    return layers.enumerated().map { ($0 == 0 ? [stem] : []) + [$1] }
  }
}

/// A 1×1 convolution, a grouped 3×3 that may stride, squeeze and excitation in kind Y, a 1×1 convolution, and the
/// shortcut around them.
final class RegNetBlock: Layer, RecomputableLayer {
  let proj: ConvNorm?
  let a: ConvNorm, b: ConvNorm
  let se: SqueezeExcitation?
  let c: ConvNorm

  override var keys: [String: String] { ["a": "f.a", "b": "f.b", "se": "f.se", "c": "f.c"] }

  /// A block from `input` to `width` channels; `strides` says whether it does in the network without dilation,
  /// which its shortcut follows.
  init(
    _ input: Int, _ width: Int, stride: Int, strides: Bool, dilation: Int,
    _ configuration: RegNet.Configuration
  ) {
    proj =
      strides || input != width
      ? ConvNorm(input, width, kernel: 1, stride: stride, .none) : nil
    a = ConvNorm(input, width, kernel: 1)
    b = ConvNorm(
      width, width, stride: stride, dilation: dilation,
      groups: max(1, width / configuration.groupWidth))
    se =
      configuration.squeezes
      ? SqueezeExcitation(
        width, squeezed: Int((Double(input) / 4).rounded(.toNearestOrEven)), .relu) : nil
    c = ConvNorm(width, width, kernel: 1, .none)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = b(a(x))
    return c.conv(y, scaledBy: se?(y), c.norm, adding: proj?(x) ?? x, .relu)
  }
}

extension RegNet {
  /// `regnet_x_200mf` to `regnet_y_32gf`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry { options, section in
      var configuration = configuration
      configuration.hasStemMap = try section.bool("stemMap", default: false)
      configuration.contractsDilation = try section.bool("contractDilation", default: true)
      configuration.rounding = try section.choice("rounding", default: configuration.rounding)
      return RegNet(
        configuration, outputStride: options.outputStride,
        cut: try section.optionalInt("cut", in: 1...4), inputChannels: options.inputChannels)
    }
  }
}
