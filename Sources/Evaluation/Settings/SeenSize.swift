import Imaging

/// The size to which images are resized for a network.
public enum SeenSize: Sendable, Equatable {
  /// One size for all, whatever their shape.
  case exact(Size)
  /// A length for the shorter side; the longer in proportion, rounded down.
  case shortSide(Int)

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
    }
  }

  /// The size in words: `1024×512`, `a shorter side of 513`.
  public var text: String {
    switch self {
    case .exact(let size): "\(size.width)×\(size.height)"
    case .shortSide(let length): "a shorter side of \(length)"
    }
  }
}
