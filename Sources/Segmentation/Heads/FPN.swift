import Configuration
import Torch

/// The semantic branch of Panoptic FPN (Kirillov et al., 2019): a feature pyramid from the deepest map up,
/// each level brought to the finest one's size step by step, and all of them summed.
///
/// Names are those of segmentation_models.pytorch's `FPNDecoder`, the classifier's apart.
public final class FPN: Layer {
  /// How levels become one map.
  public enum Merge: String, Sendable, CaseIterable {
    case sum, concatenation
  }

  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels of the pyramid.
    public var pyramidChannels = 256
    /// The channels of each level afterwards; a multiple of 32, which is the number of groups.
    public var channels = 128
    /// How levels become one map.
    public var merge = Merge.sum
    /// How the pyramid's maps are enlarged.
    public var interpolation = Interpolation.nearest
    /// The share of channels that training drops before the classifier.
    public var dropout = 0.2

    /// The usual head.
    public init() {}
  }

  /// The 1×1 convolutions of the maps, deepest first.
  private let laterals: [Conv2d]
  /// The units of each level, deepest first.
  private let levels: [[GroupedUnit]]
  let classifier: Conv2d
  private let dropout: Dropout
  private let configuration: Configuration
  private let alignCorners: Bool

  /// A head on maps of `input` channels, finest first, to `classes` scores.
  public init(
    _ input: [Int], classes: Int, _ configuration: Configuration = .init(),
    alignCorners: Bool = false
  ) {
    let (pyramid, channels) = (configuration.pyramidChannels, configuration.channels)
    laterals = input.reversed().map { Conv2d($0, pyramid) }
    levels = input.indices.reversed().map { level in
      (0..<max(1, level)).map { GroupedUnit($0 == 0 ? pyramid : channels, channels) }
    }
    classifier = Conv2d(
      configuration.merge == .sum ? channels : input.count * channels, classes)
    dropout = Dropout(configuration.dropout, ofChannels: true)
    self.configuration = configuration
    self.alignCorners = alignCorners
  }

  public override var children: [(name: String, module: Module)] {
    let count = laterals.count
    let laterals = laterals.enumerated().map { index, lateral in
      ("p\(count + 1 - index)" + (index == 0 ? "" : ".skip_conv"), lateral as Module)
    }
    let units = levels.enumerated().flatMap { index, units in
      units.enumerated().map { ("seg_blocks.\(index).block.\($0)", $1 as Module) }
    }
    return laterals + units + [("dropout", dropout), ("classifier", classifier)]
  }

  /// The scores (N, classes, H, W) at the size of the finest map that it sees.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    let maps = Array(maps.suffix(laterals.count))
    var top: Tensor?
    var merged: [Tensor] = []
    for (index, (lateral, units)) in zip(laterals, levels).enumerated() {
      let level = maps.count - 1 - index
      let own = lateral(maps[level])
      let map =
        top.map {
          own
            + $0.resized(height: own.height, width: own.width, configuration.interpolation)
        } ?? own
      top = map
      var y = map
      for (step, unit) in units.enumerated() {
        y = unit(y)
        if level > step { y = y.resized(like: maps[level - 1 - step], alignCorners: alignCorners) }
      }
      merged.append(y)
    }
    guard let first = merged.first else { return image }
    let joined =
      configuration.merge == .sum
      ? merged.dropFirst().reduce(first) { $0 + $1 } : concatenate(merged)
    return classifier(dropout(joined))
  }
}

/// A 3×3 convolution, a normalization of 32 groups of channels and a ReLU.
final class GroupedUnit: Layer, RecomputableLayer {
  let conv: Conv2d, norm: GroupNorm

  override var keys: [String: String] { ["conv": "block.0", "norm": "block.1"] }

  init(_ input: Int, _ output: Int) {
    conv = Conv2d(input, output, kernel: 3, bias: false)
    norm = GroupNorm(32, output)
  }

  override func forward(_ x: Tensor) -> Tensor { conv(x, norm, .relu) }
}

extension FPN: SegmentationHead {
  /// `fpn`.
  static let entries = [
    "fpn": HeadEntry(
      needs: "several maps, finest first", of: { $0.strides.count > 1 && $0.strides.isRising }
    ) { input, section in
      var configuration = Configuration()
      configuration.pyramidChannels = try section.int("pyramidChannels", default: 256, in: 1...8192)
      configuration.channels = try section.int("channels", default: 128, in: 1...8192)
      if configuration.channels % 32 != 0 {
        throw section.invalid(
          "channels", "\(configuration.channels)",
          expected: "a multiple of 32, the groups of its normalization")
      }
      configuration.merge = try section.choice("merge", default: configuration.merge)
      configuration.interpolation = try section.choice("interpolation", default: .nearest)
      configuration.dropout = try section.double("dropout", default: 0.2, in: 0...0.99)
      let count = try section.lastMaps(of: input, default: 4)
      return FPN(
        Array(input.channels.suffix(count)), classes: input.classes, configuration,
        alignCorners: try section.corners(input))
    }
  ]
}

extension Section {
  /// How many maps, the last of all, a head sees: `maps`, or at most `usual`.
  func lastMaps(of input: HeadInput, default usual: Int? = nil) throws -> Int {
    let all = input.channels.count
    return try int("maps", default: min(all, usual ?? all), in: 1...all)
  }

  /// Whether the head itself resizes with the corners' centres kept: `alignCorners`, or as the network.
  func corners(_ input: HeadInput) throws -> Bool {
    try bool("alignCorners", default: input.alignCorners)
  }
}
