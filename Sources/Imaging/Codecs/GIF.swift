/// GIF (87a and 89a): the first picture, whose values are its indices into a palette.
enum GIF: Codec {
  private struct Frame {
    /// The size of the screen, and that of the picture and its place there.
    var screen: Size, size: Size, x: Int, y: Int
    /// The index that means nothing.
    var transparent: UInt8?
    var isInterlaced: Bool
    var palette: [Color]
    /// Where the packed indices begin: the byte of the smallest code's width.
    var start: Int
  }

  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    ImageHeader(size: try frame(bytes, file).screen)
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let frame = try frame(bytes, file)
    let indices = try indices(bytes, frame, file)
    var isPast = false
    let pixels: [UInt8] = Destination.array(of: 3 * indices.count, isWrittenWhole: true) {
      for (at, index) in indices.enumerated() {
        let isListed = Int(index) < frame.palette.count
        let color = isListed ? frame.palette[Int(index)] : Color(0, 0, 0)
        isPast = isPast || !isListed
        ($0[3 * at], $0[3 * at + 1], $0[3 * at + 2]) = (color.red, color.green, color.blue)
      }
    }
    if isPast { ImageNotes.post("this GIF has indices past its palette, which are black", file) }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  /// With a table of colours what these mean, without one the indices.
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    if let colors { return try LabelImage(image(bytes, size, file), colors, file) }
    let indices = try indices(bytes, frame(bytes, file), file)
    return LabelImage(width: size.width, height: size.height, values: indices.map(UInt16.init))
  }

  private static func damaged(_ file: String, _ reason: String) -> ImageError {
    .damaged(file: file, format: "GIF", reason: reason)
  }

  /// Walks the blocks to the first picture.
  private static func frame(_ bytes: [UInt8], _ file: String) throws -> Frame {
    func byte(_ at: Int) throws -> Int {
      guard at < bytes.count else { throw damaged(file, "the end is missing") }
      return Int(bytes[at])
    }
    func short(_ at: Int) throws -> Int { try byte(at) | byte(at + 1) << 8 }
    func palette(_ at: Int, _ flags: Int) throws -> [Color] {
      guard flags & 0x80 != 0 else { return [] }
      return try (0..<2 << (flags & 7)).map { index in
        Color(
          UInt8(try byte(at + 3 * index)), UInt8(try byte(at + 3 * index + 1)),
          UInt8(try byte(at + 3 * index + 2)))
      }
    }
    let screen = Size(width: try short(6), height: try short(8))
    let common = try palette(13, byte(10))
    // Without any palette indices are shades.
    let grey = (0...255).map { Color(UInt8($0), UInt8($0), UInt8($0)) }
    var at = 13 + 3 * common.count
    var transparent: UInt8?
    while true {
      switch try byte(at) {
      case 0x21:
        // Of the extensions only the one that tells the transparent index matters.
        if try byte(at + 1) == 0xF9, try byte(at + 2) == 4, try byte(at + 3) & 1 == 1 {
          transparent = UInt8(try byte(at + 6))
        }
        at += 2
        while try byte(at) != 0 { at += try byte(at) + 1 }
        at += 1
      case 0x2C:
        let size = Size(width: try short(at + 5), height: try short(at + 7))
        let (x, y) = (try short(at + 1), try short(at + 3))
        guard size.width > 0, size.height > 0 else {
          throw damaged(file, "its first picture is \(size.width)x\(size.height)")
        }
        let flags = try byte(at + 9)
        let own = try palette(at + 10, flags)
        // A picture that reaches past the screen makes it larger, as in Pillow.
        let whole = Size(
          width: max(screen.width, x + size.width), height: max(screen.height, y + size.height))
        return Frame(
          screen: whole, size: size, x: x, y: y, transparent: transparent, isInterlaced: flags & 0x40 != 0, palette: own.isEmpty ? (common.isEmpty ? grey : common) : own,
          start: at + 10 + 3 * own.count)
      default: throw damaged(file, "it holds no picture")
      }
    }
  }

  /// The palette's indices, row by row, unpacked by LZW (Welch, 1984).
  private static func indices(_ bytes: [UInt8], _ frame: Frame, _ file: String) throws -> [UInt8] {
    let count = frame.size.width * frame.size.height
    guard frame.start < bytes.count, (1...8).contains(bytes[frame.start]) else {
      throw damaged(file, "its codes have no valid width")
    }
    let firstWidth = Int(bytes[frame.start])
    let clear = 1 << firstWidth
    let packed = joinedBlocks(bytes, from: frame.start + 1)
    var table = CodeTable(clear)
    var values: [UInt8] = []
    values.reserveCapacity(count)
    var previous: Int?
    var (bits, available, next) = (0, 0, 0)
    while values.count < count {
      while available < table.width, next < packed.count {
        bits |= Int(packed[next]) << available
        available += 8
        next += 1
      }
      guard available >= table.width else { throw damaged(file, "the end is missing") }
      let code = bits & (1 << table.width - 1)
      bits >>= table.width
      available -= table.width
      if code == clear {
        table = CodeTable(clear)
        previous = nil
      } else if code == clear + 1 {
        throw damaged(file, "the end is missing")
      } else {
        guard let word = table.word(code, after: previous) else {
          throw damaged(file, "a code in it is not valid")
        }
        values += word
        if let previous, let first = word.first { table.append(previous, first) }
        previous = code
      }
    }
    values.removeLast(values.count - count)
    let picture = frame.isInterlaced ? rowsInOrder(values, frame.size) : values
    guard frame.size != frame.screen else { return picture }
    ImageNotes.post(
      "this GIF's first picture covers a part of its screen; the rest is the transparent index or 0",
      file)
    return Destination.array(of: frame.screen.width * frame.screen.height) { out in
      if let transparent = frame.transparent { out.update(repeating: transparent) }
      for y in 0..<frame.size.height {
        let to = (frame.y + y) * frame.screen.width + frame.x
        for x in 0..<frame.size.width { out[to + x] = picture[y * frame.size.width + x] }
      }
    }
  }

  /// The data of the blocks from a place on, each a length and its bytes, up to an empty one.
  private static func joinedBlocks(_ bytes: [UInt8], from start: Int) -> [UInt8] {
    var joined: [UInt8] = []
    var at = start
    while at < bytes.count, bytes[at] > 0 {
      let end = min(at + 1 + Int(bytes[at]), bytes.count)
      joined += bytes[at + 1..<end]
      at = end
    }
    return joined
  }

  /// Rows come as every eighth from 0, every eighth from 4, every fourth from 2, every second from 1.
  private static func rowsInOrder(_ values: [UInt8], _ size: Size) -> [UInt8] {
    let order = [(0, 8), (4, 8), (2, 4), (1, 2)].flatMap { first, step in
      Array(stride(from: first, to: size.height, by: step))
    }
    var sorted = values
    for (from, row) in order.enumerated() {
      let (source, target) = (from * size.width, row * size.width)
      for x in 0..<size.width { sorted[target + x] = values[source + x] }
    }
    return sorted
  }

  /// The words that codes stand for: each is an earlier word and one index more.
  private struct CodeTable {
    /// The number of bits of the next code.
    private(set) var width: Int
    private let clear: Int
    private var prefixes: [Int] = []
    private var lasts: [UInt8] = []

    init(_ clear: Int) {
      self.clear = clear
      width = clear.trailingZeroBitCount + 1
    }

    private var count: Int { clear + 2 + prefixes.count }

    /// The word of a code; one not yet in the table is the previous word and its own first index.
    func word(_ code: Int, after previous: Int?) -> [UInt8]? {
      if code < count { return word(code) }
      guard code == count, let previous, let known = word(previous) else { return nil }
      return known.first.map { known + [$0] }
    }

    private func word(_ code: Int) -> [UInt8]? {
      var reversed: [UInt8] = []
      var code = code
      while code > clear + 1 {
        reversed.append(lasts[code - clear - 2])
        code = prefixes[code - clear - 2]
      }
      guard code < clear else { return nil }
      reversed.append(UInt8(code))
      return reversed.reversed()
    }

    mutating func append(_ prefix: Int, _ last: UInt8) {
      guard count < 4096 else { return }
      prefixes.append(prefix)
      lasts.append(last)
      if count == 1 << width, width < 12 { width += 1 }
    }
  }
}
