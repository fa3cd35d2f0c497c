import Imaging

/// The class of every pixel: what the loss, the metrics and the overlay work on.
///
/// A class is an index into ``LabelMap/classes``; ``LabelMap/ignored`` stands for pixels that count
/// nowhere.
public struct ClassMask: Sendable, Equatable {
  /// The number of columns and rows.
  public let size: Size
  /// The class of every pixel, row-major (H, W), or ``LabelMap/ignored``.
  public var classes: [UInt8]

  /// The number of columns.
  public var width: Int { size.width }
  /// The number of rows.
  public var height: Int { size.height }

  /// A mask made of `classes`, whose count must be `width * height`.
  public init(width: Int, height: Int, classes: [UInt8]) {
    precondition(classes.count == width * height, "classes do not fill the mask")
    size = Size(width: width, height: height)
    self.classes = classes
  }

  /// A mask of one class everywhere, ignored unless said otherwise.
  public init(size: Size, filledWith value: UInt8 = LabelMap.ignored) {
    self.size = size
    classes = [UInt8](repeating: value, count: size.width * size.height)
  }

  /// The class at a column and a row.
  public subscript(x: Int, y: Int) -> UInt8 { classes[y * width + x] }

  /// The mask with the pixels ignored where nothing was measured.
  package func ignoring(_ missing: [Bool]?) -> ClassMask {
    guard let missing, missing.count == classes.count else { return self }
    var mask = self
    for index in missing.indices where missing[index] { mask.classes[index] = LabelMap.ignored }
    return mask
  }
}
