/// The size of what a network is given.
package struct InputSize: Sendable, Hashable, CustomStringConvertible {
  /// The number of images, their rows and their columns.
  package var batch: Int, height: Int, width: Int

  /// So many images of a size.
  package init(batch: Int = 1, height: Int, width: Int) {
    (self.batch, self.height, self.width) = (batch, height, width)
  }

  /// `2 of 161x97`, the width first.
  package var description: String { "\(batch) of \(width)x\(height)" }

  /// Sizes that tell a network for any size from one for some.
  ///
  /// They have every kind of rest, when divided by the powers of two up to the network's stride: what is
  /// rounded up and what is rounded down differ somewhere, and so do the sides that a network extends and
  /// those that it does not.
  /// - Parameter stride: The network's largest output stride, or a number that it extends sides to
  ///   multiples of.
  package static func telling(stride: Int) -> [InputSize] {
    let unit = max(stride, 16)
    return [
      InputSize(batch: 2, height: 5 * unit + 3, width: 8 * unit + 1),
      InputSize(batch: 1, height: 7 * unit - 2, width: 5 * unit + unit / 2),
      InputSize(batch: 3, height: 6 * unit, width: 10 * unit - 1),
      InputSize(batch: 5, height: 9 * unit + 1, width: 7 * unit),
      InputSize(batch: 4, height: 4 * unit + unit / 2, width: 13 * unit + 2),
      InputSize(batch: 2, height: 11 * unit - 1, width: 6 * unit + 5),
    ]
  }
}
