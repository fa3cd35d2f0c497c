extension BMP {
  static func word(_ bytes: [UInt8], _ at: Int) -> Int {
    (0..<4).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }

  private static func short(_ bytes: [UInt8], _ at: Int) -> Int {
    Int(bytes[at]) | Int(bytes[at + 1]) << 8
  }

  /// Reads the header, which has 12 bytes in OS/2's first version and 40 or more elsewhere.
  static func parsed(_ bytes: [UInt8], _ file: String) throws -> Header {
    guard begins(bytes), bytes.count >= 14 + word(bytes, 14) else {
      throw damaged(file, "its header is not valid")
    }
    let length = word(bytes, 14)
    let isOld = length == 12
    let width = isOld ? short(bytes, 18) : Int(Int32(truncatingIfNeeded: word(bytes, 18)))
    let height = isOld ? short(bytes, 20) : Int(Int32(truncatingIfNeeded: word(bytes, 22)))
    let size = Size(width: width, height: abs(height))
    let bits = short(bytes, isOld ? 24 : 28)
    let compression = length >= 40 ? word(bytes, 30) : 0
    guard size.width > 0, size.height > 0, size.width < 1 << 24, size.height < 1 << 24 else {
      throw damaged(file, "its header is not valid")
    }
    let isKnown =
      switch compression {
      case 0: [1, 2, 4, 8, 16, 24, 32].contains(bits)
      case 1: bits == 8 && height > 0
      case 2: bits == 4 && height > 0
      case 3, 6: bits == 16 || bits == 32
      default: false
      }
    guard isKnown, length != 64 || compression < 3 else {
      throw ImageError.unsupported(
        file: file, found: "a BMP of \(bits) bits a pixel and compression \(compression), "
          + "which is not read; expected 0 to 3 or 6")
    }
    var header = Header(
      size: size, isTopDown: height < 0, bits: bits, compression: compression, palette: [],
      masks: bits == 16 ? [0x7C00, 0x3E0, 0x1F] : [0xFF_0000, 0xFF00, 0xFF],
      start: word(bytes, 10))
    if compression == 3 || compression == 6 {
      // The fields stand in the header or, if that is short, behind it.
      guard bytes.count >= 66 else { throw damaged(file, "the end is missing") }
      header.masks = (0..<3).map { UInt32(word(bytes, 54 + 4 * $0)) }
    }
    if bits <= 8 { header.palette = palette(bytes, header, after: 14 + length, isOld: isOld) }
    return header
  }

  /// The colours between the header and the pixels; a palette may be shorter than it says.
  private static func palette(
    _ bytes: [UInt8], _ header: Header, after start: Int, isOld: Bool
  ) -> [Color] {
    let step = isOld ? 3 : 4
    let noted = isOld || start < 54 ? 0 : word(bytes, 46)
    let most = 1 << header.bits
    let count = min(noted == 0 ? most : noted, most)
    let end = min(bytes.count, max(start, header.start))
    return (0..<min(count, (end - start) / step)).map { index in
      let at = start + step * index
      return Color(bytes[at + 2], bytes[at + 1], bytes[at])
    }
  }

  /// Indices in runs, of 8 bits or 4.
  enum Runs {
    /// The indices in reading order; what no run reaches is 0.
    static func indices(_ bytes: [UInt8], _ header: Header, _ file: String) throws -> [UInt8] {
      let (width, height) = (header.size.width, header.size.height)
      let isNarrow = header.compression == 2
      return try Destination.array(of: width * height) { (out: UnsafeMutableBufferPointer<UInt8>) in
        var (x, y, at) = (0, 0, header.start)
        func next() throws -> Int {
          guard at < bytes.count else { throw damaged(file, "the end is missing") }
          at += 1
          return Int(bytes[at - 1])
        }
        func put(_ index: Int) {
          if x < width, y < height { out[header.row(y) * width + x] = UInt8(index) }
          x += 1
        }
        while true {
          // A file may lack the mark of the end once all rows are there.
          if y >= height || (y == height - 1 && x >= width && at >= bytes.count) { return }
          let (count, value) = (try next(), try next())
          if count > 0 {
            for i in 0..<count { put(isNarrow ? (i % 2 == 0 ? value >> 4 : value & 15) : value) }
            continue
          }
          switch value {
          case 0: (x, y) = (0, y + 1)
          case 1: return
          case 2: (x, y) = (x + (try next()), y + (try next()))
          default:
            // As many indices as they are, filled up to two bytes.
            let start = at
            for i in 0..<value {
              let byte = isNarrow && i % 2 == 1 ? Int(bytes[at - 1]) : try next()
              put(isNarrow ? (i % 2 == 0 ? byte >> 4 : byte & 15) : byte)
            }
            at += (at - start) % 2
          }
        }
      }
    }
  }
}
