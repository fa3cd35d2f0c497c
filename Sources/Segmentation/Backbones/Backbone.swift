import Torch

/// A network that gives feature maps, finest first; as a layer it gives the last.
public protocol Backbone: Layer {
  /// The channels of each map that ``features(_:)`` returns.
  var channels: [Int] { get }

  /// The output stride of each map: how many image pixels lie between its neighbours.
  var strides: [Int] { get }

  /// The feature maps of `x` (N, C, H, W), each (N, channels, H / stride, W / stride).
  func features(_ x: Tensor) -> [Tensor]

  /// For each map the parts that lead to it from the map before, or from the image: freezing the
  /// first stages leaves what the later maps add.
  var stages: [[Module]] { get }

  /// The parts from the image on, for learning rates that fall towards it; parts in none learn as the
  /// head does, and the backbone's own parameters as the first.
  func depths(by unit: DepthUnit) -> [[Module]]

  /// The sides that an image must have at least; smaller ones are extended.
  var minimumSide: Int { get }

  /// What the sides of an image must be multiples of in the original, which extends others by zeros at
  /// the right and at the bottom; 1 for networks that take any size.
  var sideMultiple: Int { get }

  /// What the network does, as its original, to sides that do not fit its patches, windows or skip
  /// connections, in words for a protocol; nil if there are none.
  var oddSides: String? { get }

  /// What the names of parts begin with that classifiers of images lack, so that their weights are
  /// complete without these.
  var partsWithoutPretraining: [String] { get }
}

extension Backbone {
  /// The channels of the last map.
  public var width: Int { channels.last ?? 0 }

  /// Classifiers have all parts.
  public var partsWithoutPretraining: [String] { [] }

  /// One cell of the coarsest map.
  public var minimumSide: Int { strides.max() ?? 1 }

  /// Any size.
  public var sideMultiple: Int { 1 }

  /// That they are extended to ``sideMultiple``, where there is one.
  public var oddSides: String? {
    sideMultiple == 1
      ? nil : "extended by the network to multiples of \(sideMultiple) by zeros at right and bottom"
  }
}

/// Gives each stage its stride and dilation so that the output stride never passes a limit.
///
/// A stage that would pass it keeps the resolution and spreads its kernels instead (Chen et al.,
/// 2017, §3.1).
public struct Dilator {
  private let limit: Int
  /// The output stride so far.
  public private(set) var stride: Int
  /// The dilation so far.
  public private(set) var dilation = 1

  /// A dilator for an output stride of at most `limit`, after layers that stride by `stride`.
  public init(limit: Int, stride: Int) {
    self.limit = limit
    self.stride = stride
  }

  /// The stride and dilation of a stage that would stride by `step`.
  public mutating func next(_ step: Int) -> (stride: Int, dilation: Int) {
    guard step > 1 && stride * step > limit else {
      stride *= step
      return (step, dilation)
    }
    dilation *= step
    return (1, dilation)
  }
}
