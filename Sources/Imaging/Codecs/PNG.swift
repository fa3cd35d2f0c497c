import CSPNG
import Foundation

/// PNG by libspng.
enum PNG: Codec {
  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    try withDecoder(bytes, file) { _, header in
      Size(width: Int(header.width), height: Int(header.height))
    }
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    if let picture = plainPicture(bytes) { return picture }
    return try withDecoder(bytes, file) { context, _ in
      let pixels = try decoded(context, Int32(SPNG_FMT_RGB8.rawValue), file)
      guard pixels.count == size.width * size.height * 3 else {
        throw ImageError.damaged(file: file, format: "PNG", reason: "its size does not fit")
      }
      return Image(width: size.width, height: size.height, pixels: pixels)
    }
  }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    if let labels = plainLabels(bytes) { return labels }
    return try withDecoder(bytes, file) { context, header in
      let depth = Int(header.bit_depth)
      switch Int(header.color_type) {
      case 0, 3:  // grey, indexed
        let raw = try decoded(context, Int32(SPNG_FMT_PNG.rawValue), file)
        return LabelImage(
          width: size.width, height: size.height, values: unpacked(raw, size, depth: depth))
      case 4:
        throw ImageError.notLabels(file: file, found: "a grey PNG with opacity")
      case let kind:
        // A table lists colours of 8 bits; rounding to them would invent matches.
        guard let colors, depth == 8 else {
          throw ImageError.notLabels(
            file: file, found: "a coloured PNG (\(kind == 6 ? "RGBA" : "RGB"), \(depth) bits)")
        }
        if kind == 6 {
          let raw = try decoded(context, Int32(SPNG_FMT_RGBA8.rawValue), file)
          guard stride(from: 3, to: raw.count, by: 4).allSatisfy({ raw[$0] == 255 }) else {
            throw ImageError.notLabels(file: file, found: "an RGBA PNG that is not opaque")
          }
          var pixels = [UInt8]()
          pixels.reserveCapacity(raw.count / 4 * 3)
          for index in stride(from: 0, to: raw.count, by: 4) { pixels += raw[index..<index + 3] }
          let image = Image(width: size.width, height: size.height, pixels: pixels)
          return try LabelImage(image, colors, file)
        }
        return try LabelImage(image(bytes, size, file), colors, file)
      }
    }
  }

  /// Rows of 1, 2, 4, 8 or 16 bits a value, each row beginning at a byte, as one value each.
  private static func unpacked(_ raw: [UInt8], _ size: Size, depth: Int) -> [UInt16] {
    let stride = (size.width * depth + 7) / 8
    guard raw.count >= stride * size.height else {
      return [UInt16](repeating: 0, count: size.width * size.height)
    }
    return [UInt16](unsafeUninitializedCapacity: size.width * size.height) { out, count in
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
      count = size.width * size.height
    }
  }

  private static func withDecoder<R>(
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

  private static func decoded(
    _ context: OpaquePointer, _ format: Int32, _ file: String
  ) throws -> [UInt8] {
    var count = 0
    try check(spng_decoded_image_size(context, format, &count), file)
    var status: Int32 = 0
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      status = spng_decode_image(context, buffer.baseAddress, count, format, 0)
      written = status == 0 ? count : 0
    }
    try check(status, file)
    return pixels
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
