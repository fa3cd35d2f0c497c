import CTIFF
import Files
import Foundation

/// Where an image lies on earth: from pixels to coordinates of a system, and which system that is.
///
/// GeoTIFF's tags are kept as they are, so that what is written beside the image lies exactly on it: OGC
/// 19-008r4, "OGC GeoTIFF Standard", 1.1.
public struct GeoReference: Sendable, Hashable {
  /// The coordinates of pixels' corners: x = t₀ + t₁ · column + t₂ · row, y = t₃ + t₄ · column + t₅ · row,
  /// in the order of GDAL's geotransform; the corner of the first pixel is (0, 0).
  public var transform: [Double]
  /// The coordinate system; nil where nothing says which it is.
  public var system: CoordinateSystem?

  /// GeoTIFF's tags as they stand in the file, for files that lie on the same pixels.
  var tags: [GeoTag] = []

  /// A place that is known by its transform.
  public init(transform: [Double], system: CoordinateSystem? = nil) {
    precondition(transform.count == 6, "a transform has six numbers")
    (self.transform, self.system) = (transform, system)
  }

  /// The coordinates of a place in the image, in pixels from its upper left corner.
  public func coordinates(column: Double, row: Double) -> (x: Double, y: Double) {
    (
      transform[0] + transform[1] * column + transform[2] * row,
      transform[3] + transform[4] * column + transform[5] * row
    )
  }

  /// The place of a window of the image.
  func place(ofWindowAt x: Int, _ y: Int) -> GeoReference {
    guard x != 0 || y != 0 else { return self }
    let corner = coordinates(column: Double(x), row: Double(y))
    var place = self
    (place.transform[0], place.transform[3]) = (corner.x, corner.y)
    place.tags = tags.filter { !GeoTag.placing.contains($0.number) }
    return place
  }
}

/// One of GeoTIFF's tags.
struct GeoTag: Sendable, Hashable {
  enum Value: Sendable, Hashable {
    case shorts([UInt16])
    case doubles([Double])
    case text(String)
  }
  let number: UInt16
  let value: Value

  static let pixelScale: UInt16 = 33_550, tiePoints: UInt16 = 33_922, matrix: UInt16 = 34_264
  static let keys: UInt16 = 34_735, doubles: UInt16 = 34_736, text: UInt16 = 34_737
  /// Those that say where the first pixel lies.
  static let placing: Set<UInt16> = [pixelScale, tiePoints, matrix]
}

extension GeoReference {
  /// The place that a TIFF notes; nil if it notes none.
  init?(_ tiff: TIFFFile) {
    var tags: [GeoTag] = []
    for number in [GeoTag.pixelScale, GeoTag.tiePoints, GeoTag.matrix, GeoTag.doubles] {
      if let values = tiff.doubles(number), values.count <= 65_536 {
        tags.append(GeoTag(number: number, value: .doubles(values)))
      }
    }
    if let values = tiff.shorts(GeoTag.keys), values.count <= 65_536 {
      tags.append(GeoTag(number: GeoTag.keys, value: .shorts(values)))
    }
    if let text = tiff.text(GeoTag.text) {
      tags.append(GeoTag(number: GeoTag.text, value: .text(text)))
    }
    func doubles(_ number: UInt16) -> [Double]? {
      for case .doubles(let values) in tags.lazy.filter({ $0.number == number }).map(\.value) {
        return values
      }
      return nil
    }
    let keys = GeoKeys(tags)
    guard
      let transform = Self.transform(
        scale: doubles(GeoTag.pixelScale), ties: doubles(GeoTag.tiePoints),
        matrix: doubles(GeoTag.matrix), isPoint: keys.isPixelPoint)
    else { return nil }
    self.init(transform: transform, system: keys.system)
    self.tags = tags.sorted { $0.number < $1.number }
  }

  /// The transform by the tags; nil for none, and for points that no plane goes through.
  ///
  /// Where pixels are points (GTRasterTypeGeoKey 2) the tags speak of their centres.
  static func transform(
    scale: [Double]?, ties: [Double]?, matrix: [Double]?, isPoint: Bool
  ) -> [Double]? {
    var t: [Double]
    if let ties, ties.count >= 6, let scale, scale.count >= 2 {
      // Some programs write the size of rows with the wrong sign, which GDAL passes over.
      let down = abs(scale[1])
      t = [ties[3] - ties[0] * scale[0], scale[0], 0, ties[4] + ties[1] * down, 0, -down]
    } else if let m = matrix, m.count >= 16 {
      t = [m[3], m[0], m[1], m[7], m[4], m[5]]
    } else {
      return nil
    }
    if isPoint {
      t[0] -= (t[1] + t[2]) / 2
      t[3] -= (t[4] + t[5]) / 2
    }
    guard t.allSatisfy(\.isFinite), t[1] * t[5] != t[2] * t[4] else { return nil }
    return t
  }

  /// The tags for a file that lies on the same pixels.
  var geoTags: [GeoTag] {
    guard !tags.contains(where: { GeoTag.placing.contains($0.number) }) else { return tags }
    var all = tags
    // Where the tags of the system say that pixels are points, places are those of their centres.
    let half = GeoKeys(tags).isPixelPoint ? 0.5 : 0
    let first = coordinates(column: half, row: half)
    if transform[2] == 0, transform[4] == 0, transform[1] > 0, transform[5] < 0 {
      all.append(
        GeoTag(number: GeoTag.pixelScale, value: .doubles([transform[1], -transform[5], 0])))
      all.append(
        GeoTag(number: GeoTag.tiePoints, value: .doubles([0, 0, 0, first.x, first.y, 0])))
    } else {
      all.append(
        GeoTag(
          number: GeoTag.matrix,
          value: .doubles([
            transform[1], transform[2], 0, first.x, transform[4], transform[5], 0, first.y,
            0, 0, 0, 0, 0, 0, 0, 1,
          ])))
    }
    if !all.contains(where: { $0.number == GeoTag.keys }) {
      all += system.map(GeoKeys.tags) ?? []
    }
    return all.sorted { $0.number < $1.number }
  }
}

extension GeoReference {
  /// The place by a world file beside an image: `photo.tfw`, `photo.tifw` or `photo.wld` for `photo.tif`,
  /// with the system of a `photo.prj`; nil if there is none.
  ///
  /// Its six lines are the size of a pixel in x, two rotations, the size in y, and the coordinates of the
  /// first pixel's centre.
  init?(worldFileOf image: String) {
    let suffix = image.fileSuffix
    guard !suffix.isEmpty, let first = suffix.first, let last = suffix.last else { return nil }
    let stem = String(image.dropLast(suffix.count))
    let endings = ["\(first)\(last)w", "\(suffix)w", "wld"]
    let names = endings.flatMap { [stem + $0, stem + $0.uppercased()] }
    guard let file = names.first(where: FileSystem.exists),
      let text = FileSystem.text(file, upTo: 4096)
    else { return nil }
    let numbers = text.split(whereSeparator: \.isWhitespace).prefix(6).map { Double($0) }
    let values = numbers.compactMap { $0 }
    guard values.count == 6, values.allSatisfy(\.isFinite),
      values[0] * values[3] != values[1] * values[2]
    else {
      ImageNotes.post("its world file does not hold six numbers and is passed over", image)
      return nil
    }
    let (a, d, b, e, c, f) = (values[0], values[1], values[2], values[3], values[4], values[5])
    self.init(transform: [c - (a + b) / 2, a, b, f - (d + e) / 2, d, e])
    system = FileSystem.text("\(stem)prj", upTo: 65_536).flatMap {
      CoordinateSystem(definition: $0)
    }
  }
}

extension GeoReference {
  /// The place of an image file, by its own tags or a world file beside it; nil where neither says it.
  ///
  /// - Throws: ``ImageError`` for a TIFF that cannot be opened.
  public static func of(_ path: String, page: Int = 1) throws -> GeoReference? {
    if ImageFormat(FileSystem.beginning(path, 16)) == .tiff {
      let tiff = try TIFFFile(contentsOf: path)
      try tiff.select(page: page)
      if let place = GeoReference(tiff) { return place }
    }
    return GeoReference(worldFileOf: path)
  }
}

extension FileSystem {
  /// The text of a small file; nil if it cannot be read, is no UTF-8 or longer than `limit`.
  fileprivate static func text(_ path: String, upTo limit: Int) -> String? {
    let bytes = beginning(path, limit + 1)
    guard !bytes.isEmpty, bytes.count <= limit else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }
}
