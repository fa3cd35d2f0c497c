import CWebP

/// WebP by libwebp; of an animation the first picture.
enum WebP: Codec {
  /// The chunks of a file: what they are called, and their content.
  private static func chunks(
    _ bytes: [UInt8], in range: Range<Int>
  ) -> [(name: String, content: Range<Int>)] {
    var chunks: [(String, Range<Int>)] = []
    var at = range.lowerBound
    while at + 8 <= range.upperBound {
      let length = (0..<4).reduce(0) { $0 | Int(bytes[at + 4 + $1]) << (8 * $1) }
      let end = min(at + 8 + length, range.upperBound)
      chunks.append((String(decoding: bytes[at..<at + 4], as: UTF8.self), at + 8..<end))
      at = end + length % 2
    }
    return chunks
  }

  /// An extended header tells whether EXIF stands behind the pixels.
  static func hasHeader(inStart bytes: [UInt8]) -> Bool {
    !(bytes.has("VP8X", at: 12) && bytes.count > 20 && bytes[20] & 0x08 != 0)
  }

  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    let features = try features(bytes[...], file)
    let size = Size(width: Int(features.width), height: Int(features.height))
    guard bytes.has("VP8X", at: 12) else { return ImageHeader(size: size) }
    let exif = chunks(bytes, in: 12..<bytes.count).first { $0.name == "EXIF" }
    return ImageHeader(
      size: size, orientation: exif.flatMap { Orientation.value(exif: bytes[$0.content]) } ?? 1)
  }

  private static func features(
    _ bytes: ArraySlice<UInt8>, _ file: String
  ) throws -> WebPBitstreamFeatures {
    var features = WebPBitstreamFeatures()
    let status = bytes.withUnsafeBufferPointer {
      WebPGetFeatures($0.baseAddress, $0.count, &features)
    }
    guard status == VP8_STATUS_OK, features.width > 0, features.height > 0 else {
      throw ImageError.damaged(file: file, format: "WebP", reason: "its header is not valid")
    }
    return features
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    guard try features(bytes[...], file).has_animation != 0 else {
      return try decoded(bytes[...], channels: 3, size, file)
    }
    return try firstFrame(bytes, channels: 3, size, file).rgb
  }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    let features = try features(bytes[...], file)
    // 2 is a file without loss, 1 one with loss, 0 an animation.
    guard features.format == 2 else {
      throw ImageError.notLabels(file: file, found: "a WebP image, which alters values")
    }
    guard let image = try decoded(bytes[...], channels: 4, size, file).opaque else {
      throw ImageError.notLabels(file: file, found: "a WebP image that is not opaque")
    }
    return try LabelImage(image, colors, found: "a WebP image, which alters values", file)
  }

  private static func decoded(
    _ bytes: ArraySlice<UInt8>, channels: Int, _ size: Size, _ file: String
  ) throws -> Image {
    var isWhole = false
    let pixels: [UInt8] = Destination.array(of: size.width * size.height * channels) { buffer in
      isWhole = bytes.withUnsafeBufferPointer { bytes in
        let decode = channels == 3 ? WebPDecodeRGBInto : WebPDecodeRGBAInto
        return decode(
          bytes.baseAddress, bytes.count, buffer.baseAddress, buffer.count,
          Int32(size.width * channels)) != nil
      }
    }
    guard isWhole else {
      throw ImageError.damaged(file: file, format: "WebP", reason: "it cannot be decoded")
    }
    return Image(width: size.width, height: size.height, channels: channels, pixels: pixels)
  }

  /// The first picture of an animation on its canvas, which is black where that does not reach.
  private static func firstFrame(
    _ bytes: [UInt8], channels: Int, _ canvas: Size, _ file: String
  ) throws -> Image {
    ImageNotes.post("this WebP is an animation, of which the first picture is read", file)
    guard let frame = chunks(bytes, in: 12..<bytes.count).first(where: { $0.name == "ANMF" }),
      frame.content.count > 16,
      let data = chunks(bytes, in: frame.content.lowerBound + 16..<frame.content.upperBound)
        .first(where: { $0.name.hasPrefix("VP8") })
    else {
      throw ImageError.damaged(file: file, format: "WebP", reason: "it holds no picture")
    }
    func number(_ at: Int) -> Int {
      (0..<3).reduce(0) { $0 | Int(bytes[frame.content.lowerBound + at + $1]) << (8 * $1) }
    }
    let (x, y) = (2 * number(0), 2 * number(3))
    let size = Size(width: number(6) + 1, height: number(9) + 1)
    let stored = bytes[data.content.lowerBound - 8..<data.content.upperBound]
    let features = try features(stored, file)
    guard Int(features.width) == size.width, Int(features.height) == size.height,
      x + size.width <= canvas.width, y + size.height <= canvas.height
    else {
      throw ImageError.damaged(
        file: file, format: "WebP", reason: "its first picture does not fit the canvas")
    }
    let picture = try decoded(stored, channels: channels, size, file)
    guard size != canvas else { return picture }
    var pixels = [UInt8](repeating: 0, count: canvas.width * canvas.height * channels)
    for row in 0..<size.height {
      let to = ((y + row) * canvas.width + x) * channels
      let from = row * size.width * channels
      pixels.replaceSubrange(
        to..<to + size.width * channels,
        with: picture.pixels[from..<from + size.width * channels])
    }
    return Image(width: canvas.width, height: canvas.height, channels: channels, pixels: pixels)
  }
}
