/// BMP without compression: 24 and 32 bits a pixel, and 8 with a palette.
///
/// MMSegmentation's converter of iSAID writes its patches so, in files called `.png`.
enum BMP: Codec {
  private struct Header {
    var size: Size
    /// Whether the first row of the file is the picture's first; as a rule it is the last.
    var isTopDown: Bool
    /// 1, 3 or 4.
    var bytesPerPixel: Int
    var palette: [Color]
    /// Where the pixels begin.
    var start: Int

    /// The bytes of a row, which are a multiple of 4.
    var stride: Int { (size.width * bytesPerPixel + 3) / 4 * 4 }
  }

  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    try header(bytes, file).size
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let header = try header(bytes, file)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * size.width * size.height)
    try forEachPixel(bytes, header, file) { at in
      if header.bytesPerPixel == 1 {
        guard Int(bytes[at]) < header.palette.count else {
          throw damaged(file, "its palette has no colour \(bytes[at])")
        }
        let color = header.palette[Int(bytes[at])]
        pixels += [color.red, color.green, color.blue]
      } else {
        pixels += [bytes[at + 2], bytes[at + 1], bytes[at]]
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  /// With a table of colours what these mean, without one the indices into the palette.
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    if let colors { return try LabelImage(image(bytes, size, file), colors, file) }
    let header = try header(bytes, file)
    guard header.bytesPerPixel == 1 else {
      throw ImageError.notLabels(file: file, found: "a coloured BMP image")
    }
    var values: [UInt16] = []
    values.reserveCapacity(size.width * size.height)
    try forEachPixel(bytes, header, file) { values.append(UInt16(bytes[$0])) }
    return LabelImage(width: size.width, height: size.height, values: values)
  }

  private static func damaged(_ file: String, _ reason: String) -> ImageError {
    .damaged(file: file, format: "BMP", reason: reason)
  }

  /// Calls `body` with the place of each pixel's first byte, in reading order.
  private static func forEachPixel(
    _ bytes: [UInt8], _ header: Header, _ file: String, _ body: (Int) throws -> Void
  ) throws {
    let size = header.size
    guard header.start <= bytes.count,
      bytes.count - header.start >= header.stride * size.height
    else { throw damaged(file, "the end is missing") }
    for y in 0..<size.height {
      let row = header.start + (header.isTopDown ? y : size.height - 1 - y) * header.stride
      for x in 0..<size.width { try body(row + x * header.bytesPerPixel) }
    }
  }

  private static func header(_ bytes: [UInt8], _ file: String) throws -> Header {
    func word(_ at: Int) -> Int {
      (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
    }
    guard bytes.count >= 54, word(14) >= 40 else { throw damaged(file, "its header is not valid") }
    let height = Int(Int32(truncatingIfNeeded: word(22)))
    let size = Size(width: Int(Int32(truncatingIfNeeded: word(18))), height: abs(height))
    let bits = word(28) & 0xFFFF
    guard size.width > 0, size.height > 0, size.width < 1 << 24, size.height < 1 << 24 else {
      throw damaged(file, "its header is not valid")
    }
    guard word(30) == 0, [8, 24, 32].contains(bits) else {
      throw damaged(
        file, "it has \(bits) bits a pixel and compression \(word(30)), expected 8, 24 or 32 and 0")
    }
    var palette: [Color] = []
    if bits == 8 {
      let (count, start) = (word(46) == 0 ? 256 : min(word(46), 256), 14 + word(14))
      guard start + 4 * count <= bytes.count else { throw damaged(file, "the end is missing") }
      palette = (0..<count).map { index in
        let at = start + 4 * index
        return Color(bytes[at + 2], bytes[at + 1], bytes[at])
      }
    }
    return Header(
      size: size, isTopDown: height < 0, bytesPerPixel: bits / 8, palette: palette,
      start: word(10))
  }
}
