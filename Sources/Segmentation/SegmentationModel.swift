import Torch

/// What a segmentation network gives: scores at the heads' own resolution.
public struct SegmentationOutput {
  /// The scores of the head (N, classes, h, w).
  public let logits: Tensor
  /// The scores of the auxiliary heads, in their order.
  public let auxiliary: [Tensor]
  /// What the head's own loss sees besides in training.
  public var helpers: [HelperScores] = []
}

/// A backbone, a head and, in training, auxiliary heads on earlier maps.
///
/// Names are torchvision's: `backbone`, `classifier`, `aux_classifier`.
open class SegmentationModel: Layer {
  /// The network that gives features.
  public let backbone: any Backbone
  /// The network that gives scores.
  public let classifier: any SegmentationHead
  /// The heads that help training.
  public let auxiliary: [AuxiliaryHead]
  /// Whether scores are resized with the corners' centres kept.
  public let alignCorners: Bool
  /// The number of classes.
  public let classes: Int
  /// The map that the head takes for the last one; nil for the backbone's last.
  public let level: Int?

  /// A network of these parts; with `level` the head sees the maps up to that one.
  public init(
    _ backbone: any Backbone, _ classifier: any SegmentationHead, classes: Int,
    level: Int? = nil, auxiliary: [AuxiliaryHead] = [], alignCorners: Bool = false
  ) {
    self.backbone = backbone
    self.classifier = classifier
    self.level = level
    self.auxiliary = auxiliary
    self.classes = classes
    self.alignCorners = alignCorners
  }

  open override var children: [(name: String, module: Module)] {
    [("backbone", backbone), ("classifier", classifier)]
      + auxiliary.enumerated().map { index, head in
        (auxiliary.count == 1 ? "aux_classifier" : "aux_classifier.\(index)", head.head)
      }
  }

  /// The channels of the images that it takes: those that its first convolution has.
  public var inputChannels: Int {
    backbone.parameters.lazy.map(\.parameter.shape).first { $0.count == 4 }.map { $0[1] } ?? 3
  }

  /// The output stride of the last map that the head sees.
  public var headStride: Int { backbone.strides[level ?? backbone.strides.count - 1] }

  /// The scores at the heads' resolutions; those of auxiliary heads only while training or when
  /// `withAuxiliary` asks for them.
  ///
  /// They cover `x` and the zeros at the right and the bottom by which it is extended where the backbone
  /// needs that, see ``coveredSize(height:width:)``; ``upsampled(_:like:)`` cuts those off.
  ///
  /// `maps` are those of ``maps(_:)`` where they are known already.
  open func output(
    _ x: Tensor, withAuxiliary: Bool = false, maps given: [Tensor]? = nil
  ) -> SegmentationOutput {
    let x = whole(x)
    if given == nil, level == nil, !isTraining, !withAuxiliary,
      let head = classifier as? any LastMapHead
    {
      // So that nothing keeps the other maps meanwhile.
      return SegmentationOutput(logits: head(backbone(x)), auxiliary: [])
    }
    let maps = given ?? backbone.features(x)
    return output(
      of: maps, image: x, isTraining: isTraining, withAuxiliary: isTraining || withAuxiliary)
  }

  /// The backbone's maps of `x` (N, C, H, W), finest first.
  public final func maps(_ x: Tensor) -> [Tensor] { backbone.features(whole(x)) }

  /// What the heads give in training for the maps of `x`, in whatever mode they are.
  public final func trainingOutput(_ maps: [Tensor], _ x: Tensor) -> SegmentationOutput {
    output(of: maps, image: whole(x), isTraining: true, withAuxiliary: true)
  }

  private func output(
    of maps: [Tensor], image x: Tensor, isTraining: Bool, withAuxiliary: Bool
  ) -> SegmentationOutput {
    let own = level.map { Array(maps.prefix($0 + 1)) } ?? maps
    let scores =
      isTraining
      ? classifier.trainingScores(own, image: x)
      : TrainingScores(logits: classifier.scores(own, image: x))
    return SegmentationOutput(
      logits: scores.logits,
      auxiliary: withAuxiliary
        ? auxiliary.map { $0.head.scores([maps[$0.level]], image: x) } : [],
      helpers: scores.helpers)
  }

  /// The image extended to what the backbone can take.
  private func whole(_ x: Tensor) -> Tensor {
    let (height, width) = coveredSize(height: x.height, width: x.width)
    return height == x.height && width == x.width
      ? x : x.padded([0, width - x.width, 0, height - x.height])
  }

  /// The scores of each class (N, classes, H, W) at the size of `x` (N, C, H, W).
  open override func forward(_ x: Tensor) -> Tensor { upsampled(output(x).logits, like: x) }

  /// Scores that `output(_:withAuxiliary:)` gave for `x`, resized to the size of `x`.
  public final func upsampled(_ logits: Tensor, like x: Tensor) -> Tensor {
    let (height, width) = coveredSize(height: x.height, width: x.width)
    let whole = logits.resized(height: height, width: width, alignCorners: alignCorners)
    return height == x.height && width == x.width
      ? whole : whole.sliced(2, 0, x.height).sliced(3, 0, x.width)
  }

  /// The sides of what the scores of an image cover: its own, but where the backbone needs larger sides,
  /// or multiples.
  public final func coveredSize(height: Int, width: Int) -> (height: Int, width: Int) {
    let (least, multiple) = (backbone.minimumSide, backbone.sideMultiple)
    func covered(_ side: Int) -> Int {
      (max(side, least) + multiple - 1) / multiple * multiple
    }
    return (covered(height), covered(width))
  }
}

/// A network that turns feature maps into scores.
public protocol SegmentationHead: Layer {
  /// The scores (N, classes, h, w) of the maps that a backbone gave for `image`.
  func scores(_ maps: [Tensor], image: Tensor) -> Tensor

  /// The scores in training, and what else the head's own loss sees.
  func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores
}

/// What a head gives in training.
public struct TrainingScores {
  /// The scores (N, classes, h, w).
  public var logits: Tensor
  /// What else its loss sees.
  public var helpers: [HelperScores] = []
}

/// Scores that a head is trained with and does not give otherwise.
public struct HelperScores {
  /// What is scored.
  public enum Kind: Sendable {
    /// The class of each pixel: (N, classes, h, w).
    case pixels
    /// Whether each class is anywhere in the image: (N, classes).
    case presence
  }

  /// The scores.
  public let scores: Tensor
  /// What is scored.
  public let kind: Kind
  /// The weight of their loss.
  public let weight: Double

  /// Scores whose loss counts `weight`.
  public init(_ scores: Tensor, _ kind: Kind = .pixels, weight: Double) {
    (self.scores, self.kind, self.weight) = (scores, kind, weight)
  }
}

extension SegmentationHead {
  /// The scores alone, for heads whose loss sees nothing else.
  public func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores {
    TrainingScores(logits: scores(maps, image: image))
  }
}

/// A head that looks at nothing but the last map, which is what its `forward` takes.
public protocol LastMapHead: SegmentationHead {}

extension LastMapHead {
  /// The scores of the last map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    maps.last.map { self($0) } ?? image
  }
}

/// A head on an earlier map whose loss helps training.
public struct AuxiliaryHead {
  /// The head.
  public let head: any SegmentationHead
  /// The backbone's map that it sees, counted from the finest.
  public let level: Int
  /// The weight of its loss.
  public let weight: Double

  /// A head on map `level` whose loss counts `weight`.
  public init(_ head: any SegmentationHead, level: Int, weight: Double = 0.4) {
    self.head = head
    self.level = level
    self.weight = weight
  }
}
