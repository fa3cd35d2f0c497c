/// Why a network is not the same one for images of every size.
package enum SizeDependence: Error, Sendable, Equatable, CustomStringConvertible {
  /// Its operators are others; nil stands for the network's end.
  case structure(
    kind: String?, place: String, size: InputSize, other: String?, otherSize: InputSize)
  /// An operator takes a constant that is another; its place is empty if the constant's name tells it.
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
        "\(name), which the operator \(kind)\(place.isEmpty ? "" : " \(place)") takes, is made for one size: "
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
