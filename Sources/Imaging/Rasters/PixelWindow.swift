/// A part of an image: its first column and row, and its size.
public struct PixelWindow: Sendable, Hashable {
  /// The first column and the first row.
  public var x: Int, y: Int
  /// The columns and rows.
  public var size: Size

  /// The window that begins at (x, y).
  public init(x: Int, y: Int, size: Size) { (self.x, self.y, self.size) = (x, y, size) }

  /// All of an image.
  public init(_ size: Size) { self.init(x: 0, y: 0, size: size) }

  /// Whether it lies in an image of this size and has a pixel at least.
  func isInside(_ whole: Size) -> Bool {
    x >= 0 && y >= 0 && size.width > 0 && size.height > 0
      && size.width <= whole.width && size.height <= whole.height
      && x <= whole.width - size.width && y <= whole.height - size.height
  }
}
