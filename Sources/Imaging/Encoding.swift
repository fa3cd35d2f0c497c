import Files
import Foundation

extension Image {
  /// Writes a PNG or, by the name's ending, a JPEG; a reader never finds a part of it.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - quality: A JPEG's quality, 1 to 100.
  ///   - isOutput: Whether the file says that it is a picture of a result, so that it is not taken for a
  ///     photograph where it lies among such.
  /// - Throws: ``ImageError`` if the file cannot be written; the old one stays then.
  public func write(to path: String, quality: Int = 92, isOutput: Bool = false) throws {
    let suffix = path.fileSuffix
    switch suffix {
    case "png": try writePicture(png(isOutput: isOutput, named: path), to: path)
    case "jpg", "jpeg":
      let bytes = try JPEG.encoded(self, quality: quality, file: path)
      try writePicture(isOutput ? OutputMark.added(to: bytes) : bytes, to: path)
    default: throw ImageError.unknownFormat(file: path, suffix: ".\(suffix)")
    }
  }

  /// The picture as the bytes of a PNG file.
  ///
  /// - Throws: ``ImageError`` if it cannot be encoded.
  public func png(isOutput: Bool = false, named file: String = "image") throws -> [UInt8] {
    try pixels.withUnsafeBytes { samples in
      try PNG.encoded(
        samples, size, colorType: channels == 1 ? 0 : channels == 3 ? 2 : 6, depth: 8,
        isOutput: isOutput, file: file)
    }
  }

  /// The picture as the bytes of a JPEG file.
  ///
  /// - Throws: ``ImageError`` if it cannot be encoded.
  public func jpeg(quality: Int = 92) throws -> [UInt8] {
    try JPEG.encoded(self, quality: quality, file: "image")
  }
}

extension LabelImage {
  /// Writes the values as a PNG; a reader never finds a part of it.
  ///
  /// With a palette the file is indexed, without one grey: 8 bits, or 16 if a value needs them. A
  /// palette that is too short for the values is continued in black.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - palette: The colours of the values.
  ///   - isOutput: Whether the file says that it is a result, so that it is not taken for a photograph
  ///     where it lies among such.
  /// - Throws: ``ImageError`` if the file cannot be written; the old one stays then.
  public func writePNG(
    to path: String, palette: [Color]? = nil, isOutput: Bool = false
  ) throws {
    try writePicture(png(palette: palette, isOutput: isOutput, named: path), to: path)
  }

  /// The values as the bytes of a PNG file.
  ///
  /// - Throws: ``ImageError`` if they cannot be encoded.
  public func png(
    palette: [Color]? = nil, isOutput: Bool = false, named file: String = "labels"
  ) throws -> [UInt8] {
    let largest = values.max() ?? 0
    guard largest < 256 else {
      return try values.withUnsafeBytes {
        try PNG.encoded($0, size, colorType: 0, depth: 16, isOutput: isOutput, file: file)
      }
    }
    let narrow = values.map { UInt8(truncatingIfNeeded: $0) }
    guard let palette else {
      return try narrow.withUnsafeBytes {
        try PNG.encoded($0, size, colorType: 0, depth: 8, isOutput: isOutput, file: file)
      }
    }
    return try Image.indexedPNG(narrow, size, palette: palette, isOutput: isOutput, file: file)
  }
}

extension Image {
  /// Indices as the bytes of an indexed PNG file; a palette that is too short is continued in black.
  ///
  /// - Throws: ``ImageError`` if they cannot be encoded.
  package static func indexedPNG(
    _ indices: [UInt8], _ size: Size, palette: [Color], isOutput: Bool = false,
    file: String = "labels"
  ) throws -> [UInt8] {
    var palette = Array(palette.prefix(256))
    let largest = Int(indices.max() ?? 0)
    while palette.count <= largest { palette.append(Color(0, 0, 0)) }
    return try indices.withUnsafeBytes {
      try PNG.encoded(
        $0, size, colorType: 3, depth: 8, palette: palette, isOutput: isOutput, file: file)
    }
  }
}

extension Image {
  /// Writes numbers that differ little from their neighbours as a grey PNG of 8 bits, which says that it is a
  /// result.
  ///
  /// - Throws: ``ImageError`` if the file cannot be written; the old one stays then.
  package static func writeGray(_ levels: [UInt8], _ size: Size, to path: String) throws {
    try writePicture(
      levels.withUnsafeBytes {
        try PNG.encoded(
          $0, size, colorType: 0, depth: 8, isSmooth: true, isOutput: true, file: path)
      }, to: path)
  }

  /// The same with 16 bits.
  ///
  /// - Throws: ``ImageError`` if the file cannot be written; the old one stays then.
  package static func writeGray(_ levels: [UInt16], _ size: Size, to path: String) throws {
    let bytes = levels.map(\.bigEndian)
    try writePicture(
      bytes.withUnsafeBytes {
        try PNG.encoded(
          $0, size, colorType: 0, depth: 16, isSmooth: true, isOutput: true, file: path)
      }, to: path)
  }
}
