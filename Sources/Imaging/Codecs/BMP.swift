/// BMP of 1, 2, 4, 8, 16, 24 and 32 bits a pixel, of Windows and OS/2, plain, with bit fields or runs.
///
/// MMSegmentation's converter of iSAID writes its patches so, in files called `.png`.
enum BMP: Codec {
  struct Header {
    var size: Size
    /// Whether the first row of the file is the picture's first; as a rule it is the last.
    var isTopDown: Bool
    var bits: Int
    /// 0 for plain rows, 1 and 2 for runs of 8 and 4 bits, 3 and 6 for bit fields.
    var compression: Int
    var palette: [Color]
    /// Which bits are red, green and blue.
    var masks: [UInt32]
    /// Where the pixels begin.
    var start: Int

    /// The bytes of a row, which are a multiple of 4.
    var stride: Int { (size.width * bits + 31) / 32 * 4 }
    /// The row of the picture that the file's row is.
    func row(_ y: Int) -> Int { isTopDown ? y : size.height - 1 - y }
  }

  /// Whether a file is a BMP: its name, and the size of a header that is known.
  static func begins(_ bytes: [UInt8]) -> Bool {
    bytes.has("BM") && bytes.count >= 18
      && [12, 16, 40, 52, 56, 64, 108, 124].contains(word(bytes, 14))
  }

  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    ImageHeader(size: try parsed(bytes, file).size)
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let header = try parsed(bytes, file)
    guard header.bits > 8 else {
      let indices = try indices(bytes, header, file)
      var isPast = false
      let pixels: [UInt8] = Destination.array(of: 3 * indices.count, isWrittenWhole: true) {
        for (at, index) in indices.enumerated() {
          let isListed = Int(index) < header.palette.count
          let color = isListed ? header.palette[Int(index)] : Color(0, 0, 0)
          isPast = isPast || !isListed
          ($0[3 * at], $0[3 * at + 1], $0[3 * at + 2]) = (color.red, color.green, color.blue)
        }
      }
      if isPast {
        ImageNotes.post("this BMP has indices past its palette, which are black", file)
      }
      return Image(width: size.width, height: size.height, pixels: pixels)
    }
    try check(bytes, header, file)
    let fields = header.masks.map(Field.init)
    let step = header.bits / 8
    let isPlain = header.bits >= 24 && header.masks == [0xFF_0000, 0xFF00, 0xFF]
    let pixels: [UInt8] = Destination.array(
      of: 3 * size.width * size.height, isWrittenWhole: true
    ) { out in
      for y in 0..<size.height {
        let from = header.start + y * header.stride
        let to = header.row(y) * size.width * 3
        for x in 0..<size.width {
          let at = from + x * step
          if isPlain {
            for channel in 0..<3 { out[to + 3 * x + channel] = bytes[at + 2 - channel] }
          } else {
            let value = (0..<step).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << (8 * $1) }
            for channel in 0..<3 { out[to + 3 * x + channel] = fields[channel].sample(value) }
          }
        }
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  /// With a table of colours what these mean, without one the indices into the palette.
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    let header = try parsed(bytes, file)
    guard colors == nil, header.bits <= 8 else {
      return try LabelImage(
        image(bytes, size, file), colors, found: "a coloured BMP image", file)
    }
    let values = try indices(bytes, header, file).map(UInt16.init)
    return LabelImage(width: size.width, height: size.height, values: values)
  }

  static func damaged(_ file: String, _ reason: String) -> ImageError {
    .damaged(file: file, format: "BMP", reason: reason)
  }

  private static func check(_ bytes: [UInt8], _ header: Header, _ file: String) throws {
    guard header.start <= bytes.count,
      bytes.count - header.start >= header.stride * header.size.height
    else { throw damaged(file, "the end is missing") }
  }

  /// The indices into the palette, in reading order.
  private static func indices(
    _ bytes: [UInt8], _ header: Header, _ file: String
  ) throws -> [UInt8] {
    let size = header.size
    if header.compression != 0 { return try Runs.indices(bytes, header, file) }
    try check(bytes, header, file)
    return Destination.array(of: size.width * size.height, isWrittenWhole: true) { out in
      for y in 0..<size.height {
        let from = header.start + y * header.stride
        let to = header.row(y) * size.width
        for x in 0..<size.width {
          let bit = x * header.bits
          let shift = 8 - header.bits - bit % 8
          out[to + x] = bytes[from + bit / 8] >> UInt8(shift) & UInt8(1 << header.bits - 1)
        }
      }
    }
  }

  /// Where a colour's bits lie in a pixel.
  private struct Field {
    let mask: UInt32, shift: Int, largest: UInt32

    init(_ mask: UInt32) {
      self.mask = mask
      shift = mask == 0 ? 0 : mask.trailingZeroBitCount
      largest = mask >> UInt32(shift)
    }

    func sample(_ pixel: UInt32) -> UInt8 {
      let value = (pixel & mask) >> UInt32(shift)
      return largest == 0 ? 0 : UInt8(UInt64(value) * 255 / UInt64(largest))
    }
  }
}
