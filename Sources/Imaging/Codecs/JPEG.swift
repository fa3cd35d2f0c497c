import CJPEG
import CTurboJPEG

/// JPEG: read by libjpeg, which tells each of its warnings, and written by TurboJPEG.
enum JPEG: Codec {
  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    let result = try read(bytes, into: nil, file)
    return ImageHeader(
      size: Size(width: Int(result.width), height: Int(result.height)),
      orientation: orientation(bytes) ?? 1)
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let channels = Int(try read(bytes, into: nil, file).channels)
    var result = cjpeg_result()
    var pixels: [UInt8] = try Destination.array(of: size.width * size.height * channels) {
      result = try read(bytes, into: $0, file)
    }
    for (bit, text) in notes where result.notes & bit.rawValue != 0 { ImageNotes.post(text, file) }
    if channels == 4 { pixels = Inks.rgb(fromInverted: pixels) }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  private static let notes: [(cjpeg_note, String)] = [
    (CJPEG_STRAY_BYTES, "this JPEG has stray bytes before a marker, which are passed over"),
    (CJPEG_SCAN_PARAMETERS, "this JPEG's scan has parameters that its kind has not"),
    (CJPEG_JFIF_REVISION, "this JPEG names an unknown revision of JFIF"),
    (CJPEG_PROGRESSION, "this JPEG's scans come in an inconsistent order"),
    (CJPEG_ADOBE, "this JPEG names an unknown colour transform of Adobe"),
    (CJPEG_NO_END, "this JPEG has all its pixels, but not the marker that ends it"),
    (CJPEG_OTHER, "libjpeg finds a fault in this JPEG's headers"),
  ]

  private static func read(
    _ bytes: [UInt8], into pixels: UnsafeMutableBufferPointer<UInt8>?, _ file: String
  ) throws -> cjpeg_result {
    var result = cjpeg_result()
    let status = cjpeg_read(bytes, bytes.count, pixels?.baseAddress, pixels?.count ?? 0, &result)
    guard status != Int32(CJPEG_READ.rawValue) else { return result }
    let message = withUnsafeBytes(of: result.message) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
    throw status == Int32(CJPEG_UNSUPPORTED.rawValue)
      ? ImageError.unsupported(file: file, found: "a JPEG of a kind that is not read (\(message))")
      : ImageError.damaged(file: file, format: "JPEG", reason: message)
  }

  /// Walks the markers to the EXIF segment.
  private static func orientation(_ bytes: [UInt8]) -> Int? {
    var position = 2
    while position + 4 <= bytes.count {
      // What stands between segments is passed over, as libjpeg does.
      guard bytes[position] == 0xFF, bytes[position + 1] != 0xFF, bytes[position + 1] != 0 else {
        position += 1
        continue
      }
      let marker = bytes[position + 1]
      if marker == 0xDA || marker == 0xD9 { return nil }
      let length = Int(bytes[position + 2]) << 8 | Int(bytes[position + 3])
      let end = position + 2 + length
      guard length >= 2, end <= bytes.count else { return nil }
      let segment = bytes[(position + 4)..<end]
      if marker == 0xE1, segment.starts(with: Array("Exif\0\0".utf8)),
        let value = Orientation.value(exif: segment)
      {
        return value
      }
      position = end
    }
    return nil
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
