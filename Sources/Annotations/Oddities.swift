import Imaging

/// What looks wrong in annotations but can be meant.
public struct Oddities: Sendable {
  /// How often each was found, and the first place.
  private var found: [Kind: (count: Int, first: String)] = [:]

  /// What is odd.
  enum Kind: Int, Sendable, CaseIterable {
    case outside, across, empty

    /// What there is to say of so many shapes.
    func text(_ count: Int) -> String {
      switch self {
      case .outside: "\(count) \(count == 1 ? "shape lies" : "shapes lie") outside of the image"
      case .across:
        "\(count) \(count == 1 ? "shape reaches" : "shapes reach") more than a pixel beyond the image"
      case .empty: "\(count) \(count == 1 ? "shape covers" : "shapes cover") no pixel"
      }
    }
  }

  /// None.
  public init() {}

  mutating func add(_ kind: Kind, _ place: String) {
    found[kind, default: (0, place)].count += 1
  }

  /// Takes what was found elsewhere.
  public mutating func merge(_ other: Oddities) {
    for (kind, entry) in other.found {
      let own = found[kind]
      found[kind] = ((own?.count ?? 0) + entry.count, min(own?.first ?? entry.first, entry.first))
    }
  }

  /// Sentences for a person.
  public var sentences: [String] {
    Kind.allCases.compactMap { kind in
      found[kind].map { "\(kind.text($0.count)), such as \($0.first)" }
    }
  }
}

extension AnnotationSet {
  /// What is odd about the shapes of an image.
  ///
  /// - Throws: As ``mask(of:)`` does.
  public func oddities(of image: Image) throws -> Oddities {
    var odd = Oddities()
    guard let shapes = image.content.shapes else { return odd }
    let size = try size(of: image)
    var canvas = PixelCanvas(width: size.width, height: size.height, filledWith: 0)
    var drawing = Drawing(rule)
    for shape in shapes {
      let place = "\(image.file): \(image.name), \(shape.place)"
      let box = shape.box
      // What reaches to the border may pass it by a rounding.
      if box.min.x >= Double(size.width) || box.min.y >= Double(size.height) || box.max.x < 0
        || box.max.y < 0
      {
        odd.add(.outside, place)
        continue
      }
      if box.min.x < -1 || box.min.y < -1 || box.max.x > Double(size.width) + 1
        || box.max.y > Double(size.height) + 1
      {
        odd.add(.across, place)
      }
      try drawing.fill(shape, on: &canvas, 1, file: image.file)
      // Lines and discs are wider than their places.
      let margin = 12.0
      let (left, right) = (
        max((box.min.x - margin).truncated, 0), min((box.max.x + margin).truncated, size.width - 1)
      )
      var covered = 0
      for y in max(
        (box.min.y - margin).truncated, 0)...min((box.max.y + margin).truncated, size.height - 1)
      {
        for i in y * size.width + left...y * size.width + right where canvas.pixels[i] != 0 {
          covered += 1
          canvas.pixels[i] = 0
        }
      }
      if covered == 0 { odd.add(.empty, place) }
    }
    return odd
  }

  /// What is odd about names: classes that differ in their spelling alone, images that are annotated twice.
  public var oddNames: [String] {
    var sentences: [String] = []
    let spellings = Dictionary(grouping: classes.map(\.name)) { name in
      name.lowercased().filter { $0.isLetter || $0.isNumber }
    }
    for names in spellings.values.filter({ $0.count > 1 }).sorted(by: { $0[0] < $1[0] }) {
      sentences.append(
        "the classes \(names.map { quoted($0) }.joined(separator: " and ")) differ in their spelling alone"
      )
    }
    let paths = Dictionary(grouping: images, by: \.path).values.filter { $0.count > 1 }
      .sorted { $0[0].path < $1[0].path }
    if let first = paths.first {
      sentences.append(
        "\(paths.count) \(paths.count == 1 ? "image is" : "images are") annotated more than once, such as"
          + " \(first[0].path), in \(Set(first.map { "\($0.file) (\($0.name))" }).sorted().joined(separator: " and "))"
      )
    }
    return sentences
  }
}

extension Shape {
  /// The least and the greatest coordinates of the places that it was drawn by.
  var box: (min: Point, max: Point) {
    func around(_ points: [Point]) -> (min: Point, max: Point) {
      var (low, high) = (Point(repeating: .infinity), Point(repeating: -.infinity))
      for point in points {
        low = pointwiseMin(low, point)
        high = pointwiseMax(high, point)
      }
      return (low, high)
    }
    switch form {
    case .rings(let rings): return around(rings.flatMap { $0 })
    case .holed(let outer, _): return around(outer)
    case .rectangle(let a, let b): return around([a, b])
    case .ellipse(let center, let radii, _):
      let reach = Point(repeating: radii.max())
      return (center - reach, center + reach)
    case .circle(let center, let rim):
      let offset = center - rim
      let reach = Point(repeating: (offset * offset).sum().squareRoot())
      return (center - reach, center + reach)
    case .dot(let place): return around([place])
    case .line(let points, _): return around(points)
    case .runs(_, let size):
      return (Point(0, 0), Point(Double(size.width), Double(size.height)))
    case .patch(let x, let y, let size, _):
      return (Point(Double(x), Double(y)), Point(Double(x + size.width), Double(y + size.height)))
    }
  }
}
