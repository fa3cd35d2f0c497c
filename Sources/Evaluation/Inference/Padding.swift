import Imaging

/// What an image is given at the right and at the bottom before the network sees it.
///
/// Networks take images of any size, and do themselves what their originals do to a side that is no
/// multiple of their strides. Extending the image is another protocol with other scores.
public enum Padding: String, Sendable, CaseIterable {
  /// Nothing: the image as it is.
  case unchanged = "none"
  /// Zeros after the normalization, which are its mean, up to a multiple of the network's stride.
  case zero
  /// The image mirrored at its last row and column, up to a multiple of the network's stride.
  case reflect

  /// The size that an image of `size` gets, where sides become multiples of `step`.
  func extended(_ size: Size, toMultipleOf step: Int) -> Size {
    self == .unchanged ? size : size.roundedUp(toMultipleOf: step)
  }

  /// For each place along a side of `extended` pixels the one of `length` that it shows; nil for none.
  func sources(_ length: Int, extended: Int) -> [Int?] {
    // Mirrored at the last pixel, and at the first where more is needed than there is.
    let period = max(1, 2 * (length - 1))
    return (0..<extended).map { place in
      guard place >= length else { return place }
      guard self == .reflect else { return nil }
      let turn = place % period
      return turn < length ? turn : period - turn
    }
  }
}

extension Size {
  /// The least multiples of `step` that are no smaller.
  func roundedUp(toMultipleOf step: Int) -> Size {
    func up(_ length: Int) -> Int { (length + step - 1) / step * step }
    return Size(width: up(width), height: up(height))
  }
}
