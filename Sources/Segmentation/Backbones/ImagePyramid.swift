import Torch

/// One backbone on several sizes of the image, with shared weights (Farabet et al.,
/// 2013).
///
/// The last maps are resized to that of the whole image, joined, and merged by a 1×1 convolution,
/// `merge`, to as many channels as before. Earlier maps are those of the whole image.
public final class ImagePyramid: Layer, Backbone {
  private let base: any Backbone
  private let scales: [Double]
  private let merge: Conv2d

  /// The network `base` on the image as it is and resized by each of `scales`.
  public init(_ base: any Backbone, scales: [Double]) {
    self.base = base
    self.scales = scales
    merge = Conv2d((1 + scales.count) * base.width, base.width)
  }

  public override var children: [(name: String, module: Module)] {
    [("", base), ("merge", merge)]
  }

  /// The whole image's maps, the last merged from all sizes.
  public func features(_ x: Tensor) -> [Tensor] {
    var maps = base.features(x)
    guard let last = maps.popLast() else { return maps }
    let others = scales.map { base(resized(x, by: $0)).resized(like: last) }
    return maps + [merge(concatenate([last] + others))]
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  private func resized(_ x: Tensor, by scale: Double) -> Tensor {
    func length(_ side: Int) -> Int {
      let scaled = max(base.minimumSide, Int((Double(side) * scale).rounded()), 1)
      let multiple = base.sideMultiple
      return (scaled + multiple - 1) / multiple * multiple
    }
    return x.resized(height: length(x.height), width: length(x.width))
  }

  /// The channels of the maps of `base`.
  public var channels: [Int] { base.channels }
  /// The strides of the maps of `base`.
  public var strides: [Int] { base.strides }
  /// The stages of `base`; the merging convolution is in none.
  public var stages: [[Module]] { base.stages }
  /// The depths of `base`.
  public func depths(by unit: DepthUnit) -> [[Module]] { base.depths(by: unit) }
  /// What `base` needs.
  public var minimumSide: Int { base.minimumSide }
  /// What `base` needs.
  public var sideMultiple: Int { base.sideMultiple }
  /// What `base` does.
  public var oddSides: String? { base.oddSides }
}
