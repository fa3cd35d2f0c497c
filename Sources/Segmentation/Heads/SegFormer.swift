import Configuration
import Torch

/// The all-MLP head of SegFormer (Xie et al., 2021, §3.2): every map through a matrix, enlarged to the
/// finest, all joined through another, and classified.
///
/// Names are those of MMSegmentation's `SegformerHead`.
public final class SegFormer: Layer {
  /// What a map goes through before it is joined with the others.
  public enum Level: String, Sendable, CaseIterable {
    /// A matrix, a normalization and a ReLU, as in MMSegmentation.
    case unit
    /// A matrix with a bias alone, as in the paper and the authors' code.
    case matrix
  }

  let convs: [Layer], fusionConv: ConvNorm
  let classifier: Conv2d
  /// What a map goes through before it is joined with the others.
  public let level: Level
  private let dropout: Dropout
  private let interpolation: Interpolation, alignCorners: Bool
  private let sizeLevel: Int

  /// A head on maps of `input` channels, finest first, to `classes` scores.
  public init(
    _ input: [Int], classes: Int, channels: Int = 256, level: Level = .unit,
    dropout: Double = 0.1, interpolation: Interpolation = .bilinear, sizeLevel: Int = 0,
    alignCorners: Bool = false
  ) {
    self.sizeLevel = sizeLevel
    self.level = level
    convs = input.map {
      level == .unit ? ConvNorm($0, channels, kernel: 1) : Conv2d($0, channels)
    }
    fusionConv = ConvNorm(input.count * channels, channels, kernel: 1)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
    self.interpolation = interpolation
    self.alignCorners = alignCorners
  }

  /// The channels to which each map is brought.
  public var channels: Int { classifier.weight.size(1) }

  /// The scores (N, classes, H, W) at the size of the finest map, or of another that was asked for.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard maps.indices.contains(sizeLevel) else { return image }
    let finest = maps[sizeLevel]
    let levels = zip(convs, maps).map { conv, map in
      conv(map).resized(
        height: finest.height, width: finest.width, interpolation, alignCorners: alignCorners)
    }
    return classifier(dropout(fusionConv(concatenate(levels))))
  }
}

extension SegFormer: SegmentationHead {
  /// `segformer`.
  static let entries = [
    "segformer": HeadEntry(needs: "maps, finest first", of: { $0.strides.isRising }) {
      input, section in
      SegFormer(
        input.channels, classes: input.classes,
        channels: try section.int("channels", default: 256, in: 1...8192),
        level: try section.choice("levels", default: .unit),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99),
        interpolation: try section.choice("interpolation", default: .bilinear),
        sizeLevel: try section.int("sizeLevel", default: 0, in: 0...input.channels.count - 1),
        alignCorners: try section.corners(input))
    }
  ]
}
