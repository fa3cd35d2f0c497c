import CTurboJPEG
import Foundation

/// JPEG by libjpeg-turbo, turned as EXIF says.
enum JPEG: Codec {
  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    let header = try withDecoder(bytes, file) { _, header in header.size }
    return Orientation(jpeg: bytes).swapsSides
      ? Size(width: header.height, height: header.width) : header
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    try withDecoder(bytes, file) { decoder, header in
      let isCMYK = header.space == TJCS_CMYK.rawValue || header.space == TJCS_YCCK.rawValue
      let channels = isCMYK ? 4 : 3
      let stored = header.size
      var status: Int32 = 0
      var pixels = [UInt8](
        unsafeUninitializedCapacity: stored.width * stored.height * channels
      ) { buffer, count in
        status = tjDecompress2(
          decoder, bytes, UInt(bytes.count), buffer.baseAddress, Int32(stored.width),
          Int32(stored.width * channels), Int32(stored.height),
          Int32((isCMYK ? TJPF_CMYK : TJPF_RGB).rawValue), 0)
        count = stored.width * stored.height * channels
      }
      if status != 0 {
        // Stray bytes between markers harm nothing; a file that ends too early does.
        let reason = String(cString: tjGetErrorStr2(decoder))
        let isHarmless =
          tjGetErrorCode(decoder) == Int32(TJERR_WARNING.rawValue)
          && reason.lowercased().contains("extraneous")
        guard isHarmless else {
          throw ImageError.damaged(file: file, format: "JPEG", reason: reason)
        }
      }
      if isCMYK { pixels = rgb(fromInvertedCMYK: pixels) }
      let image = Image(width: stored.width, height: stored.height, pixels: pixels)
      return Orientation(jpeg: bytes).upright(image)
    }
  }

  /// Adobe's files store the inverse of the inks, so that light is c · k / 255.
  private static func rgb(fromInvertedCMYK inks: [UInt8]) -> [UInt8] {
    var pixels = [UInt8](repeating: 0, count: inks.count / 4 * 3)
    for index in 0..<inks.count / 4 {
      let black = Int(inks[4 * index + 3])
      for channel in 0..<3 {
        pixels[3 * index + channel] = UInt8((Int(inks[4 * index + channel]) * black + 127) / 255)
      }
    }
    return pixels
  }

  private static func withDecoder<R>(
    _ bytes: [UInt8], _ file: String,
    _ body: (tjhandle, (size: Size, space: UInt32)) throws -> R
  ) throws -> R {
    guard let decoder = tjInitDecompress() else {
      throw ImageError.damaged(file: file, format: "JPEG", reason: "not enough memory")
    }
    defer { tjDestroy(decoder) }
    var (width, height, sampling, space) = (Int32(0), Int32(0), Int32(0), Int32(0))
    let status = tjDecompressHeader3(
      decoder, bytes, UInt(bytes.count), &width, &height, &sampling, &space)
    guard status == 0 || width > 0 && height > 0 else {
      throw ImageError.damaged(
        file: file, format: "JPEG", reason: String(cString: tjGetErrorStr2(decoder)))
    }
    let size = Size(width: Int(width), height: Int(height))
    return try body(decoder, (size, UInt32(bitPattern: space)))
  }

  /// A JPEG file of a grey or RGB picture.
  static func encoded(_ image: Image, quality: Int, file: String) throws -> [UInt8] {
    guard let encoder = tjInitCompress() else {
      throw ImageError.unwritable(file: file, reason: "not enough memory")
    }
    defer { tjDestroy(encoder) }
    let source = image.channels == 4 ? image.rgb : image
    let isGrey = source.channels == 1
    var (buffer, count): (UnsafeMutablePointer<UInt8>?, UInt) = (nil, 0)
    defer { tjFree(buffer) }
    let status = tjCompress2(
      encoder, source.pixels, Int32(source.width), 0, Int32(source.height),
      Int32((isGrey ? TJPF_GRAY : TJPF_RGB).rawValue), &buffer, &count,
      Int32((isGrey ? TJSAMP_GRAY : quality >= 90 ? TJSAMP_444 : TJSAMP_420).rawValue),
      Int32(max(1, min(100, quality))), 0)
    guard status == 0, let buffer else {
      throw ImageError.unwritable(file: file, reason: String(cString: tjGetErrorStr2(encoder)))
    }
    return [UInt8](UnsafeBufferPointer(start: buffer, count: Int(count)))
  }
}

/// How a camera was held: the values 1 to 8 of EXIF's tag 0x0112.
struct Orientation {
  let value: Int

  /// Whether upright columns are stored rows.
  var swapsSides: Bool { value >= 5 }

  /// The orientation that a JPEG file notes, 1 if none.
  init(jpeg bytes: [UInt8]) { value = Self.find(bytes) ?? 1 }

  init(_ value: Int) { self.value = value }

  /// Walks the markers to the EXIF segment and there to the first directory.
  private static func find(_ bytes: [UInt8]) -> Int? {
    var position = 2
    while position + 4 <= bytes.count, bytes[position] == 0xFF {
      let marker = bytes[position + 1]
      if marker == 0xFF {
        position += 1
        continue
      }
      if marker == 0xDA || marker == 0xD9 { return nil }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      guard length >= 2, end <= bytes.count else { return nil }
      if marker == 0xE1, let value = exif(bytes[(position + 4)..<end]) { return value }
      position = end
    }
    return nil
  }

  private static func exif(_ segment: ArraySlice<UInt8>) -> Int? {
    guard segment.starts(with: Array("Exif\0\0".utf8)) else { return nil }
    let tiff = Array(segment.dropFirst(6))
    guard tiff.count >= 8 else { return nil }
    let isLittle = tiff[0] == 0x49
    func number(_ offset: Int, _ count: Int) -> Int? {
      guard offset >= 0, offset + count <= tiff.count else { return nil }
      let part = tiff[offset..<offset + count]
      return (isLittle ? Array(part.reversed()) : Array(part)).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let directory = number(4, 4), let entries = number(directory, 2) else { return nil }
    for index in 0..<entries {
      let entry = directory + 2 + 12 * index
      guard let tag = number(entry, 2) else { return nil }
      if tag == 0x0112, let value = number(entry + 8, 2), (1...8).contains(value) { return value }
    }
    return nil
  }

  /// The picture as it was seen.
  func upright(_ image: Image) -> Image {
    guard value > 1 else { return image }
    let (width, height, channels) = (image.width, image.height, image.channels)
    let size =
      swapsSides ? Size(width: height, height: width) : Size(width: width, height: height)
    var pixels = [UInt8](repeating: 0, count: image.pixels.count)
    for y in 0..<size.height {
      for x in 0..<size.width {
        let (sx, sy): (Int, Int) =
          switch value {
          case 2: (width - 1 - x, y)
          case 3: (width - 1 - x, height - 1 - y)
          case 4: (x, height - 1 - y)
          case 5: (y, x)
          case 6: (y, height - 1 - x)
          case 7: (width - 1 - y, height - 1 - x)
          case 8: (width - 1 - y, x)
          default: (x, y)
          }
        let (to, from) = ((y * size.width + x) * channels, (sy * width + sx) * channels)
        for channel in 0..<channels { pixels[to + channel] = image.pixels[from + channel] }
      }
    }
    return Image(width: size.width, height: size.height, channels: channels, pixels: pixels)
  }
}
