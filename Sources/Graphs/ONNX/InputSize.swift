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

/// Why a network is not the same one for images of every size.
package enum SizeDependence: Error, Sendable, Equatable, CustomStringConvertible {
  /// Its operators are others; nil stands for the network's end.
  case structure(
    kind: String?, place: String, size: InputSize, other: String?, otherSize: InputSize)
  /// An operator takes numbers that are others; each with the first of its dimensions.
  case constant(name: String, kind: String, place: String, shapes: [[Int]], sizes: [InputSize])
  /// A number of an operator is another and follows from no side of a map.
  case number(kind: String, place: String, what: String, numbers: [Double], sizes: [InputSize])

  /// The message for a person.
  package var description: String {
    let reason: String
    switch self {
    case .structure(let kind, let place, let size, let other, let otherSize):
      let (own, its) = (kind.map { "\($0) \(place)" } ?? "the result", other ?? "the result")
      reason =
        own == its
        ? "\(own) takes or gives another value for images \(size) than for \(otherSize)"
        : "\(own) for images \(size) is \(its) for \(otherSize)"
    case .constant(let name, let kind, let place, let shapes, let sizes):
      let list = zip(shapes, sizes).prefix(3).map { "\($0) for \($1)" }
      reason =
        "\(name), which the operator \(kind) \(place) takes, is made for one size: "
        + (Set(shapes).count > 1
          ? list.joined(separator: ", ") : "other numbers for \(sizes[0]) than for others")
    case .number(let kind, let place, let what, let numbers, let sizes):
      let list = zip(numbers, sizes).prefix(3).map { number, size in
        "\(Int(exactly: number).map { "\($0)" } ?? "\(number)") for \(size)"
      }
      reason =
        "\(what) of the operator \(kind) \(place) follows from no side of a map: "
        + list.joined(separator: ", ")
    }
    return
      "the network depends on its images' size, so it can be written for one size only: \(reason)"
  }
}
