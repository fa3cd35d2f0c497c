import CSPNG
import Foundation

/// PNG by libspng.
enum PNG: Codec {
  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    try withDecoder(bytes, file) { _, header in
      ImageHeader(
        size: Size(width: Int(header.width), height: Int(header.height)),
        orientation: orientation(bytes) ?? 1)
    }
  }

  /// What a chunk of EXIF before the pixels says.
  private static func orientation(_ bytes: [UInt8]) -> Int? {
    var at = 8
    while at + 12 <= bytes.count, !bytes.has("IDAT", at: at + 4) {
      let length = bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - at - 12 else { return nil }
      if bytes.has("eXIf", at: at + 4) {
        return Orientation.value(exif: bytes[at + 8..<at + 8 + length])
      }
      at += 12 + length
    }
    return nil
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    if let picture = plainPicture(bytes) { return picture }
    return try decoded(bytes, SPNG_FMT_RGB8, channels: 3, size, file)
  }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    if let labels = plainLabels(bytes) { return labels }
    let header = try withDecoder(bytes, file) { $1 }
    let depth = Int(header.bit_depth)
    let kind = header.color_type
    guard kind != 0 && kind != 3 else {  // grey, indexed
      let raw = try withDecoder(bytes, file) { context, _ in
        try decoded(context, Int32(SPNG_FMT_PNG.rawValue), file)
      }
      return LabelImage(
        width: size.width, height: size.height, values: unpacked(raw, size, depth: depth))
    }
    let found =
      kind == 4
      ? "a grey PNG with opacity" : "a coloured PNG (\(kind == 6 ? "RGBA" : "RGB"), \(depth) bits)"
    if depth == 16 {
      // A table lists colours of 8 bits; rounding to them would invent matches.
      guard colors == nil, let values = try equalChannels(bytes, file) else {
        throw ImageError.notLabels(file: file, found: found)
      }
      return LabelImage(width: size.width, height: size.height, values: values)
    }
    guard kind == 2 else {
      let image = try decoded(bytes, SPNG_FMT_RGBA8, channels: 4, size, file)
      guard let image = image.opaque else {
        throw ImageError.notLabels(
          file: file, found: kind == 4 ? found : "an RGBA PNG that is not opaque")
      }
      return try LabelImage(image, colors, found: found, file)
    }
    return try LabelImage(image(bytes, size, file), colors, found: found, file)
  }

  /// The values of 16 bits in three equal channels without transparency, or nil.
  private static func equalChannels(_ bytes: [UInt8], _ file: String) throws -> [UInt16]? {
    let raw = try withDecoder(bytes, file) { context, _ in
      try decoded(context, Int32(SPNG_FMT_RGBA16.rawValue), file)
    }
    let samples = raw.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) }
    guard stride(from: 3, to: samples.count, by: 4).allSatisfy({ samples[$0] == 65_535 }) else {
      return nil
    }
    return LabelImage.values(ofEqual: samples, channels: 4)
  }

  /// Rows of 1, 2, 4, 8 or 16 bits a value, each row beginning at a byte, as one value each.
  private static func unpacked(_ raw: [UInt8], _ size: Size, depth: Int) -> [UInt16] {
    let stride = (size.width * depth + 7) / 8
    guard raw.count >= stride * size.height else {
      return [UInt16](repeating: 0, count: size.width * size.height)
    }
    return Destination.array(of: size.width * size.height, isWrittenWhole: true) { out in
      raw.withUnsafeBytes { raw in
        for y in 0..<size.height {
          let row = y * stride
          for x in 0..<size.width {
            let value: UInt16
            switch depth {
            case 8: value = UInt16(raw[row + x])
            case 16: value = raw.loadUnaligned(fromByteOffset: row + 2 * x, as: UInt16.self)
            default:
              let bit = x * depth
              let shift = 8 - depth - bit % 8
              value = UInt16(raw[row + bit / 8] >> UInt8(shift)) & ((1 << UInt16(depth)) - 1)
            }
            out[y * size.width + x] = value
          }
        }
      }
    }
  }

  static func withDecoder<R>(
    _ bytes: [UInt8], _ file: String, _ body: (OpaquePointer, spng_ihdr) throws -> R
  ) throws -> R {
    guard let context = spng_ctx_new(0) else {
      throw ImageError.damaged(file: file, format: "PNG", reason: "not enough memory")
    }
    defer { spng_ctx_free(context) }
    return try bytes.withUnsafeBytes { buffer in
      try check(spng_set_png_buffer(context, buffer.baseAddress, buffer.count), file)
      var header = spng_ihdr()
      try check(spng_get_ihdr(context, &header), file)
      return try body(context, header)
    }
  }

  /// The pixels in one of libspng's formats of 8 bits.
  private static func decoded(
    _ bytes: [UInt8], _ format: spng_format, channels: Int, _ size: Size, _ file: String
  ) throws -> Image {
    let pixels = try withDecoder(bytes, file) { context, _ in
      try decoded(context, Int32(format.rawValue), file)
    }
    guard pixels.count == size.width * size.height * channels else {
      throw ImageError.damaged(file: file, format: "PNG", reason: "its size does not fit")
    }
    return Image(width: size.width, height: size.height, channels: channels, pixels: pixels)
  }

  /// The pixels in one of libspng's formats.
  ///
  /// libspng adds the bits of interlaced samples below 8 bits to what stands in the memory, so that
  /// it has to be clear.
  static func decoded(
    _ context: OpaquePointer, _ format: Int32, _ file: String
  ) throws -> [UInt8] {
    var count = 0
    try check(spng_decoded_image_size(context, format, &count), file)
    return try Destination.array(of: count) {
      try check(spng_decode_image(context, $0.baseAddress, $0.count, format, 0), file)
    }
  }

  private static func check(_ status: Int32, _ file: String) throws {
    guard status == 0 else {
      throw ImageError.damaged(
        file: file, format: "PNG", reason: String(cString: spng_strerror(status)))
    }
  }
}

extension PNG {
  /// The version of libspng.
  static var version: String { String(cString: spng_version_string()) }
}
