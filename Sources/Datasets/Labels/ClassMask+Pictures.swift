import Imaging

// The one way from masks to files and pictures, and to other sizes.
extension ClassMask {
  /// The mask at another size: each pixel takes the class that the rule says.
  package func resized(to target: Size, by rule: NearestRule = .centre) -> ClassMask {
    ClassMask(
      width: target.width, height: target.height,
      classes: nearest(classes, size, to: target, by: rule))
  }

  /// The mask as the bytes of an indexed PNG file, whose indices are the classes.
  ///
  /// - Throws: `ImageError` if it cannot be encoded.
  package func png(_ palette: [Color]) throws -> [UInt8] {
    try Image.indexedPNG(classes, size, palette: palette)
  }

  /// Writes the mask as an indexed PNG that says that it is a result; a reader never finds a part of it.
  ///
  /// - Throws: `ImageError` if the file cannot be written; the old one stays then.
  public func writePNG(to path: String, palette: [Color]) throws {
    try writePicture(
      Image.indexedPNG(classes, size, palette: palette, isOutput: true, file: path), to: path)
  }

  /// A mask that ``writePNG(to:palette:)`` wrote.
  ///
  /// - Throws: `ImageError` if the file has no labels.
  package init(contentsOf file: String) throws {
    let labels = try LabelImage(contentsOf: file)
    self.init(
      width: labels.width, height: labels.height,
      classes: labels.values.map { UInt8(truncatingIfNeeded: $0) })
  }

  /// The mask in the colours of its classes.
  package func picture(_ palette: [Color]) -> Image {
    Image(classes: classes, size: size, palette: palette)
  }
}
