import Torch

/// A backbone whose last map is enlarged bilinearly, as in model 2 of Tepliashin, Paltov and Smirnov (§5), whose
/// features were coarser than what its classifier enlarges.
public final class Upsampled: Layer, Backbone {
  private let base: any Backbone
  private let factor: Int

  /// The network `base` with its last map enlarged by `factor`.
  public init(_ base: any Backbone, by factor: Int) {
    self.base = base
    self.factor = factor
  }

  public override var children: [(name: String, module: Module)] { [("", base)] }

  /// The maps of `base`, the last enlarged.
  public func features(_ x: Tensor) -> [Tensor] {
    var maps = base.features(x)
    guard let last = maps.popLast() else { return maps }
    return maps + [last.resized(height: factor * last.height, width: factor * last.width)]
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The channels of the maps of `base`.
  public var channels: [Int] { base.channels }
  /// The strides of the maps, the last divided by the factor.
  public var strides: [Int] {
    base.strides.dropLast() + base.strides.suffix(1).map { max(1, $0 / factor) }
  }
  /// The stages of `base`.
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
