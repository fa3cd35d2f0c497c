import Configuration
import Torch

/// Makes a pyramid of maps that all have one size, such as a vision transformer's: each through a 1×1
/// convolution, resized, and through a 3×3 convolution.
///
/// It is MMSegmentation's `MultiLevelNeck`, which its UPerNets on ViT and DeiT have.
public final class MultiLevelNeck: Layer, Neck {
  let lateralConvs: [Conv2d], convs: [Conv2d]
  private let scales: [Double]
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map.
  public let strides: [Int]

  /// A neck for maps of `channels` channels and of `strides`, each enlarged by its number of `scales`.
  public init(
    _ channels: [Int], strides: [Int], output: Int? = nil, scales: [Double] = [4, 2, 1, 0.5]
  ) {
    let output = output ?? channels.last ?? 1
    lateralConvs = channels.map { Conv2d($0, output) }
    convs = scales.map { _ in Conv2d(output, output, kernel: 3) }
    self.scales = scales
    self.channels = scales.map { _ in output }
    self.strides = zip(strides, scales).map { max(1, Int((Double($0) / $1).rounded())) }
  }

  /// The pyramid.
  public func maps(_ maps: [Tensor]) -> [Tensor] {
    maps.indices.map { level in
      convs[level](lateralConvs[level](maps[level]).resized(by: scales[level]))
    }
  }
}

extension MultiLevelNeck {
  /// `multilevel`.
  static let entries = [
    "multilevel": NeckEntry { channels, strides, section in
      let scales = try section.doubles("scales", default: [4, 2, 1, 0.5])
      guard scales.count == channels.count, scales.allSatisfy({ (0.01...64).contains($0) }) else {
        throw section.invalid(
          "scales", "\(scales)", expected: "a factor for each of \(channels.count) maps")
      }
      return MultiLevelNeck(
        channels, strides: strides, output: try section.optionalInt("channels", in: 1...8192),
        scales: scales)
    }
  ]
}

extension MultiLevelNeck: MMSegmentationNamed {
  // Its convolutions are units there, without a normalization.
  func mmsegmentationName(_ child: String) -> String { "\(child).conv" }
}
