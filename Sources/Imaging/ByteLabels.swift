/// The values of a label file of 8 bits, one byte each.
///
/// What scores many files reads these: half the memory of a `LabelImage`, and less to do.
package struct ByteLabels: Sendable, Equatable {
  /// The number of columns and rows.
  package let size: Size
  /// The values as they stand in the file, row-major.
  package let values: [UInt8]

  init(size: Size, values: [UInt8]) {
    self.size = size
    self.values = values
  }

  /// Reads the file at `path`; nil if it is no PNG of 8 bits, grey or indexed, or is not in order.
  ///
  /// `LabelImage` reads the others and says what is wrong.
  /// - Throws: ``ImageError`` if the file cannot be read or its pixels pass the budget.
  package init?(contentsOf path: String, budget: Int = defaultImageBudget) throws {
    let bytes = try readFile(path)
    guard ImageFormat(bytes) == .png else { return nil }
    try PNG.header(bytes, path).size.check(3, budget, path)
    guard let labels = PNG.byteLabels(bytes) else { return nil }
    self = labels
  }
}
