import Imaging

/// Pictures whose values or colours are classes.
public struct LabelPictures: Sendable {
  /// What a pixel says.
  enum Coding: Sendable {
    /// Its value, or for pictures in RGB whose channels differ the colour.
    case values([UInt16: Int], colors: [Color: Int])
    /// The high bits of its value: class · 2^shift + instance.
    case shifted(Int, [UInt16: Int])
    /// R + 256 G + 65536 B, an id of a segment.
    case ids([UInt32: Int])
    /// (R // 10) · 256 + G.
    case ade([Int: Int])
    /// Whether it is more than 0: a stroke of this class.
    case stroke(Int)
  }

  /// The files in the order in which they are drawn, and how they are read.
  var files: [(path: String, coding: Coding)]

  /// The classes of pixels.
  ///
  /// - Parameters:
  ///   - size: The size of the image, asked for where there are strokes alone.
  ///   - background: The value of pixels that no stroke covers.
  func mask(
    size: () throws -> Size, background: UInt16, image: AnnotationSet.Image
  ) throws -> LabelImage {
    guard let (path, coding) = files.first else {
      throw AnnotationError(image.file, image.name, found: "has no picture", expected: "one")
    }
    if case .stroke = coding { return try strokes(size(), background) }
    return try Self.read(path, coding)
  }

  private func strokes(_ size: Size, _ background: UInt16) throws -> LabelImage {
    var values = [UInt16](repeating: background, count: size.width * size.height)
    for (path, coding) in files {
      guard case .stroke(let label) = coding else { continue }
      let picture = try LabelImage(contentsOf: path)
      guard picture.size == size else {
        throw AnnotationError(
          path, found: "has \(picture.width)×\(picture.height) pixels",
          expected: "those of its image, \(size.width)×\(size.height)")
      }
      let value = label < 0 ? AnnotationSet.ignoredValue : UInt16(label)
      for i in values.indices where picture.values[i] > 0 { values[i] = value }
    }
    return LabelImage(width: size.width, height: size.height, values: values)
  }

  private static func read(_ path: String, _ coding: Coding) throws -> LabelImage {
    switch coding {
    case .values(let values, let colors):
      // What is coloured is given numbers that no value of a class has.
      let first = 40_000
      let table = colors.isEmpty ? nil : colors.mapValues { UInt16(first + 1 + $0) }
      return try mapped(LabelImage(contentsOf: path, colors: table), path) {
        table != nil && $0 >= UInt16(first) ? Int($0) - first - 1 : values[$0]
      }
    case .shifted(let shift, let classes):
      return try mapped(LabelImage(contentsOf: path), path) { classes[$0 >> UInt16(shift)] }
    case .ids(let ids):
      return try decoded(path) { ids[UInt32($0) | UInt32($1) << 8 | UInt32($2) << 16] }
    case .ade(let indices):
      return try decoded(path) { red, green, _ in indices[Int(red) / 10 * 256 + Int(green)] }
    case .stroke: return try LabelImage(contentsOf: path)
    }
  }

  private static func mapped(
    _ picture: LabelImage, _ path: String, _ label: (UInt16) -> Int?
  ) throws -> LabelImage {
    var table = [Int32](repeating: -1, count: 65_536)
    var result = picture
    for i in picture.values.indices {
      let value = Int(picture.values[i])
      if table[value] < 0 {
        guard let label = label(UInt16(value)) else {
          throw AnnotationError(
            path, "pixel (x \(i % picture.width), y \(i / picture.width))",
            found: "has the value \(value)", expected: "a value that a class has")
        }
        table[value] = Int32(label < 0 ? Int(AnnotationSet.ignoredValue) : label)
      }
      result.values[i] = UInt16(table[value])
    }
    return result
  }

  private static func decoded(
    _ path: String, _ label: (UInt8, UInt8, UInt8) -> Int?
  ) throws -> LabelImage {
    let picture = try Image(contentsOf: path, orientation: .stored)
    var values = [UInt16](repeating: 0, count: picture.width * picture.height)
    var known: [Color: UInt16] = [:]
    for i in values.indices {
      let color = Color(picture.pixels[3 * i], picture.pixels[3 * i + 1], picture.pixels[3 * i + 2])
      if let value = known[color] {
        values[i] = value
        continue
      }
      guard let label = label(color.red, color.green, color.blue) else {
        throw AnnotationError(
          path, "pixel (x \(i % picture.width), y \(i / picture.width))",
          found: "has the colour \(color.red), \(color.green), \(color.blue)",
          expected: "an id that the annotations list")
      }
      let value = label < 0 ? AnnotationSet.ignoredValue : UInt16(label)
      known[color] = value
      values[i] = value
    }
    return LabelImage(width: picture.width, height: picture.height, values: values)
  }

  /// The pictures with other numbers of classes.
  func renumbered(_ number: (Int) -> Int) -> LabelPictures {
    func other(_ coding: Coding) -> Coding {
      switch coding {
      case .values(let values, let colors):
        .values(values.mapValues(number), colors: colors.mapValues(number))
      case .shifted(let shift, let classes): .shifted(shift, classes.mapValues(number))
      case .ids(let ids): .ids(ids.mapValues(number))
      case .ade(let indices): .ade(indices.mapValues(number))
      case .stroke(let label): .stroke(number(label))
      }
    }
    return LabelPictures(files: files.map { ($0.path, other($0.coding)) })
  }
}
