/// Portable maps of bits, grey and colours, as text (P1, P2, P3) and binary (P4, P5, P6).
enum PNM: Codec {
  private struct Header {
    var size: Size, channels: Int, maximum: Int, start: Int
    var isText: Bool, isBits: Bool
  }

  private static func damaged(_ file: String, _ reason: String) -> ImageError {
    .damaged(file: file, format: "PNM", reason: reason)
  }

  private static func isSpace(_ byte: UInt8) -> Bool { (9...13).contains(byte) || byte == 32 }

  /// Passes over white space and comments, which run to the end of a line.
  private static func skipSpace(_ bytes: [UInt8], _ position: inout Int) {
    while position < bytes.count, isSpace(bytes[position]) || bytes[position] == 0x23 {
      if bytes[position] == 0x23 {
        while position < bytes.count, bytes[position] != 10, bytes[position] != 13 { position += 1 }
      } else {
        position += 1
      }
    }
  }

  /// The decimal number at a position; nil if there is none of at most seven digits.
  private static func number(_ bytes: [UInt8], _ position: inout Int) -> Int? {
    skipSpace(bytes, &position)
    var value = 0
    let start = position
    while position < bytes.count, (0x30...0x39).contains(bytes[position]), value < 1_000_000 {
      value = 10 * value + Int(bytes[position] - 0x30)
      position += 1
    }
    return position > start ? value : nil
  }

  private static func parsed(_ bytes: [UInt8], _ file: String) throws -> Header {
    let kind = bytes[1] - 0x30
    var position = 2
    func next() throws -> Int {
      // A number ends at white space; one of more digits is none that an image has.
      guard let value = number(bytes, &position), position < bytes.count,
        isSpace(bytes[position]) || bytes[position] == 0x23
      else { throw damaged(file, "its header is not valid") }
      return value
    }
    let size = Size(width: try next(), height: try next())
    let isBits = kind == 1 || kind == 4
    let maximum = isBits ? 1 : try next()
    guard (1...65_535).contains(maximum), size.width > 0, size.height > 0 else {
      throw damaged(file, "its header is not valid")
    }
    if bytes[position] == 0x23 {
      while position < bytes.count, bytes[position] != 10, bytes[position] != 13 { position += 1 }
    }
    return Header(
      size: size, channels: kind == 3 || kind == 6 ? 3 : 1, maximum: maximum, start: position + 1,
      isText: kind < 4, isBits: isBits)
  }

  /// The numbers of a file, those of a map of bits with black as 0 and white as 1.
  private static func samples(_ bytes: [UInt8], _ header: Header, _ file: String) throws -> [UInt16]
  {
    let row = header.size.width * header.channels
    let count = header.size.height * row
    guard !header.isText else {
      var position = header.start
      return try Destination.array(of: count, isWrittenWhole: true) { samples in
        for index in 0..<count {
          samples[index] = try text(bytes, header, &position, file)
        }
      }
    }
    let width = header.maximum > 255 ? 2 : 1
    let stride = header.isBits ? (row + 7) / 8 : row * width
    guard header.start <= bytes.count, bytes.count - header.start >= stride * header.size.height
    else { throw damaged(file, "the end is missing") }
    return Destination.array(of: count, isWrittenWhole: true) { samples in
      for index in 0..<count {
        if header.isBits {
          let at = header.start + index / row * stride + index % row / 8
          samples[index] = UInt16(~bytes[at] >> UInt8(7 - index % row % 8) & 1)
        } else {
          let at = header.start + index * width
          samples[index] =
            width == 2 ? UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) : UInt16(bytes[at])
        }
      }
    }
  }

  /// The next number of a file in text; bits need no space between them.
  private static func text(
    _ bytes: [UInt8], _ header: Header, _ position: inout Int, _ file: String
  ) throws -> UInt16 {
    if header.isBits {
      skipSpace(bytes, &position)
      guard position < bytes.count else { throw damaged(file, "the end is missing") }
      guard let bit = [0x30, 0x31].firstIndex(of: bytes[position]) else {
        throw damaged(file, "it holds something that is no bit")
      }
      position += 1
      return UInt16(1 - bit)
    }
    guard let value = number(bytes, &position) else {
      throw damaged(file, position < bytes.count ? "it holds no number" : "the end is missing")
    }
    guard value <= header.maximum else {
      throw damaged(file, "it holds \(value), more than its header allows (\(header.maximum))")
    }
    return UInt16(value)
  }

  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    ImageHeader(size: try parsed(bytes, file).size)
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let header = try parsed(bytes, file)
    let samples = try samples(bytes, header, file).map {
      UInt8(min(255, (Int($0) * 255 + header.maximum / 2) / header.maximum))
    }
    return Image(
      width: size.width, height: size.height, channels: header.channels, pixels: samples
    ).rgb
  }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    let header = try parsed(bytes, file)
    if header.channels == 1 {
      return LabelImage(
        width: size.width, height: size.height, values: try samples(bytes, header, file))
    }
    if colors == nil,
      let values = LabelImage.values(ofEqual: try samples(bytes, header, file), channels: 3)
    {
      return LabelImage(width: size.width, height: size.height, values: values)
    }
    return try LabelImage(image(bytes, size, file), colors, found: "a coloured PPM image", file)
  }
}
