import Torch

/// A network between a backbone and its heads, which makes other maps of the backbone's.
public protocol Neck: Layer {
  /// The channels of each map that ``maps(_:)`` returns.
  var channels: [Int] { get }

  /// The output stride of each map that ``maps(_:)`` returns.
  var strides: [Int] { get }

  /// New maps of those that a backbone gave.
  func maps(_ maps: [Tensor]) -> [Tensor]
}

/// A backbone whose maps pass a neck, `neck`, before heads see them.
public final class Necked: Layer, Backbone {
  /// The network that gives maps.
  public let base: any Backbone
  /// The network that makes others of them.
  public let neck: any Neck

  /// The network `base` with `neck` behind it, which must be built for its maps.
  public init(_ base: any Backbone, _ neck: any Neck) {
    self.base = base
    self.neck = neck
  }

  public override var children: [(name: String, module: Module)] {
    [("", base), ("neck", neck)]
  }

  /// The maps of the neck.
  public func features(_ x: Tensor) -> [Tensor] { neck.maps(base.features(x)) }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The channels of the neck's maps.
  public var channels: [Int] { neck.channels }
  /// The strides of the neck's maps.
  public var strides: [Int] { neck.strides }
  /// The stages of `base`; the neck is in none.
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

extension Necked: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "neck" ? "/neck" : child }
}
