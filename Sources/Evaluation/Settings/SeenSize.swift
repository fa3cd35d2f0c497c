import Imaging

/// The size to which images are resized for a network.
public enum SeenSize: Sendable, Equatable {
  /// One size for all, whatever their shape.
  case exact(Size)
  /// A length for the shorter side; the longer in proportion, rounded down.
  case shortSide(Int)
  /// The sides in proportion, by the factor of that side of a size which changes an image less, each rounded to a multiple
  /// of a number.
  ///
  /// As DPT has it (`keep_aspect_ratio` and `ensure_multiple_of` of its image processor).
  case near(Size, multiple: Int)

  /// The size that an image of `size` gets.
  public func size(for size: Size) -> Size {
    switch self {
    case .exact(let target): return target
    case .shortSide(let length):
      let (short, long) = (min(size.width, size.height), max(size.width, size.height))
      guard short > 0 else { return size }
      let (product, overflow) = length.multipliedReportingOverflow(by: long)
      let other = overflow ? length : max(1, product / short)
      return size.width <= size.height
        ? Size(width: length, height: other) : Size(width: other, height: length)
    case .near(let target, let multiple):
      let across = Double(target.width) / Double(max(1, size.width))
      let down = Double(target.height) / Double(max(1, size.height))
      let factor = abs(1 - across) < abs(1 - down) ? across : down
      func side(_ length: Int) -> Int {
        let steps = (factor * Double(length) / Double(multiple)).rounded(.toNearestOrEven)
        return max(1, Int(min(steps, 1e6))) * multiple
      }
      return Size(width: side(size.width), height: side(size.height))
    }
  }

  /// The size in words: `1024×512`, `a shorter side of 513`, `about 480×480, in proportion`.
  public var text: String {
    switch self {
    case .exact(let size): "\(size.width)×\(size.height)"
    case .shortSide(let length): "a shorter side of \(length)"
    case .near(let size, let multiple):
      "about \(size.width)×\(size.height), in proportion"
        + (multiple > 1 ? ", multiples of \(multiple)" : "")
    }
  }
}
