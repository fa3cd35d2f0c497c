import Torch

/// Which part of a network's scores an effective receptive field belongs to.
public enum FieldTarget: Sendable, Equatable {
  /// The pixel in the middle.
  case center
  /// The pixel in this row and column.
  case position(row: Int, column: Int)
  /// The mean over all pixels.
  case mean
}

/// How much each pixel of the image contributes to one pixel of the scores (Kim et al., 2023, equation 1).
///
/// For each image the gradient of the scores' sum over classes at the target, or of one class's score, is
/// summed over the image's channels; what is positive of that is added up over the images.
public struct EffectiveReceptiveField {
  /// The field so far (H, W).
  public private(set) var map: Tensor
  /// The images that it was added up over.
  public private(set) var images = 0
  /// The part of the scores that the field belongs to.
  public let target: FieldTarget
  /// The place of the class whose score counts; nil for the sum over all.
  public let label: Int?

  /// An empty field for images of this size.
  public init(height: Int, width: Int, target: FieldTarget = .center, label: Int? = nil) {
    map = Tensor(filledWith: 0, [height, width])
    self.target = target
    self.label = label
  }

  /// Adds the gradient of `scores`, which gives (N, K, H, W) for `image` (N, C, H, W).
  ///
  /// The network's parameters should need no gradients, which saves half of the work.
  public mutating func add(_ image: Tensor, scores: (Tensor) -> Tensor) {
    let input = withoutGradients { image.detached().cloned() }
    input.requiresGrad = true
    withGradients {
      let all = scores(input)
      let y = label.map { all.selected(1, $0).unsqueezed(1) } ?? all
      let picked: Tensor
      switch target {
      case .center: picked = y.selected(3, y.width / 2).selected(2, y.height / 2).sum()
      case .position(let row, let column): picked = y.selected(3, column).selected(2, row).sum()
      case .mean: picked = y.mean([2, 3]).sum()
      }
      picked.backward()
    }
    guard let gradient = input.gradient else { return }
    withoutGradients { map = map + gradient.sum([0, 1]).relu().to(.cpu) }
    images += 1
  }

  /// The field's numbers, row-major.
  public var values: [Float] { map.floats }
}
