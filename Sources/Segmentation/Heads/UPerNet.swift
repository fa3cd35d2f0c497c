import Configuration
import Torch

/// The head of UPerNet (Xiao et al., 2018): pyramid pooling on the last map, a feature pyramid from it
/// down to the finest, and all its levels joined.
///
/// Names are those of MMSegmentation's `UPerHead`.
public final class UPerNet: Layer {
  let featureNorms: [LayerNorm]
  let pspModules: PyramidPooling, bottleneck: ConvNorm
  let lateralConvs: [ConvNorm], fpnConvs: [ConvNorm]
  let fpnBottleneck: ConvNorm
  let classifier: Conv2d
  private let dropout: Dropout
  private let alignCorners: Bool

  /// A head on maps of `input` channels, finest first, to `classes` scores.
  ///
  /// - Parameters:
  ///   - input: The channels of each map.
  ///   - classes: The number of scores at each position.
  ///   - channels: The channels of each level.
  ///   - scales: The numbers of regions along a side that the last map's pyramid pools.
  ///   - normalizesMaps: Whether each map is normalized over its channels first.
  ///   - dropout: The share of channels that training drops before the classifier.
  ///   - alignCorners: Whether maps are enlarged so that the corners' centres stay.
  public init(
    _ input: [Int], classes: Int, channels: Int = 512, scales: [Int] = [1, 2, 3, 6],
    normalizesMaps: Bool = false, dropout: Double = 0.1, alignCorners: Bool = false
  ) {
    featureNorms = normalizesMaps ? input.map { LayerNorm($0, ofImages: true, eps: 1e-6) } : []
    pspModules = PyramidPooling(
      input.last ?? 1, channels: channels, scales: scales, alignCorners: alignCorners)
    bottleneck = ConvNorm(pspModules.outputs, channels)
    lateralConvs = input.dropLast().map { ConvNorm($0, channels, kernel: 1) }
    fpnConvs = input.dropLast().map { _ in ConvNorm(channels, channels) }
    fpnBottleneck = ConvNorm(input.count * channels, channels)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
    self.alignCorners = alignCorners
  }

  /// The channels of each level.
  public var channels: Int { classifier.weight.size(1) }
  /// The numbers of regions along a side that the last map's pyramid pools.
  public var scales: [Int] { pspModules.scales }

  /// The scores (N, classes, H, W) at the size of the finest map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    var maps = Array(maps.suffix(lateralConvs.count + 1))
    if !featureNorms.isEmpty { maps = zip(featureNorms, maps).map { $0($1) } }
    guard let finest = maps.first, let coarsest = maps.last else { return image }
    // Top-down: each level is its own map and all coarser ones.
    var top = bottleneck(pspModules(coarsest))
    var levels = [top]
    for (lateral, map) in zip(lateralConvs, maps).reversed() {
      let own = lateral(map)
      top = own + top.resized(like: own, alignCorners: alignCorners)
      levels.insert(top, at: 0)
    }
    let smooth = zip(fpnConvs, levels).map { $0($1) } + levels.suffix(1)
    let joined = concatenate(smooth.map { $0.resized(like: finest, alignCorners: alignCorners) })
    return classifier(dropout(fpnBottleneck(joined)))
  }
}

extension UPerNet: SegmentationHead {
  /// `upernet`.
  static let entries = [
    "upernet": HeadEntry(
      needs: "several maps, finest first", of: { $0.strides.count > 1 && $0.strides.isRising }
    ) { input, section in
      UPerNet(
        Array(input.channels.suffix(try section.lastMaps(of: input))), classes: input.classes,
        channels: try section.int("channels", default: 512, in: 1...8192),
        scales: try section.regionCounts("scales", default: [1, 2, 3, 6]),
        normalizesMaps: try section.bool("normalizeMaps", default: false),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99),
        alignCorners: try section.corners(input))
    }
  ]
}

extension [Int] {
  /// Whether no number is smaller than the one before.
  var isRising: Bool { zip(self, dropFirst()).allSatisfy(<=) }
}
