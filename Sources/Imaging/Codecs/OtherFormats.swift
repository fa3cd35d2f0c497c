import CTIFF
import CWebP
import Foundation

/// WebP by libwebp.
enum WebP: Codec {
  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    var (width, height) = (Int32(0), Int32(0))
    guard WebPGetInfo(bytes, bytes.count, &width, &height) != 0 else {
      throw ImageError.damaged(file: file, format: "WebP", reason: "its header is not valid")
    }
    return Size(width: Int(width), height: Int(height))
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let count = size.width * size.height * 3
    var isWhole = false
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
      isWhole =
        WebPDecodeRGBInto(
          bytes, bytes.count, buffer.baseAddress, count, Int32(size.width * 3)) != nil
      written = count
    }
    guard isWhole else {
      throw ImageError.damaged(file: file, format: "WebP", reason: "it cannot be decoded")
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }
}

/// Binary portable maps (P5 grey, P6 RGB; 8 and 16 bits).
enum PNM: Codec {
  private struct Header {
    var size: Size, channels: Int, maximum: Int, start: Int
  }

  private static func header(_ bytes: [UInt8], _ file: String) throws -> Header {
    var position = 2
    func number() throws -> Int {
      while position < bytes.count, bytes[position] <= 0x20 || bytes[position] == 0x23 {
        if bytes[position] == 0x23 {
          while position < bytes.count, bytes[position] != 0x0A { position += 1 }
        } else {
          position += 1
        }
      }
      var value = 0
      let start = position
      while position < bytes.count, (0x30...0x39).contains(bytes[position]), value < 1_000_000 {
        value = 10 * value + Int(bytes[position] - 0x30)
        position += 1
      }
      // A number ends at white space; one of more digits is none that an image has.
      guard position > start, position < bytes.count, bytes[position] <= 0x20 else {
        throw ImageError.damaged(file: file, format: "PNM", reason: "its header is not valid")
      }
      return value
    }
    let size = Size(width: try number(), height: try number())
    let maximum = try number()
    guard (1...65_535).contains(maximum), size.width > 0, size.height > 0 else {
      throw ImageError.damaged(file: file, format: "PNM", reason: "its header is not valid")
    }
    return Header(
      size: size, channels: bytes[1] == 0x36 ? 3 : 1, maximum: maximum, start: position + 1)
  }

  private static func samples(_ bytes: [UInt8], _ header: Header, _ file: String) throws -> [UInt16]
  {
    let count = header.size.width * header.size.height * header.channels
    let width = header.maximum > 255 ? 2 : 1
    guard bytes.count - header.start >= count * width else {
      throw ImageError.damaged(file: file, format: "PNM", reason: "the end is missing")
    }
    return (0..<count).map { index in
      let at = header.start + index * width
      return width == 2 ? UInt16(bytes[at]) << 8 | UInt16(bytes[at + 1]) : UInt16(bytes[at])
    }
  }

  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    try header(bytes, file).size
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let header = try header(bytes, file)
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
    let header = try header(bytes, file)
    if header.channels == 1 {
      return LabelImage(
        width: size.width, height: size.height, values: try samples(bytes, header, file))
    }
    guard let colors else {
      throw ImageError.notLabels(file: file, found: "a coloured PPM image")
    }
    return try LabelImage(image(bytes, size, file), colors, file)
  }
}

/// TIFF by libtiff.
enum TIFF: Codec {
  static func size(of bytes: [UInt8], _ file: String) throws -> Size {
    try withDecoder(bytes, file) { tiff in
      Size(width: number(tiff, TIFFTAG_IMAGEWIDTH), height: number(tiff, TIFFTAG_IMAGELENGTH))
    }
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    try withDecoder(bytes, file) { tiff in
      let count = size.width * size.height
      var isWhole = false
      let raster = [UInt32](unsafeUninitializedCapacity: count) { buffer, written in
        buffer.initialize(repeating: 0)
        isWhole =
          TIFFReadRGBAImageOriented(
            tiff, UInt32(size.width), UInt32(size.height), buffer.baseAddress,
            Int32(ORIENTATION_TOPLEFT), 1) != 0
        written = count
      }
      guard isWhole else {
        throw ImageError.damaged(file: file, format: "TIFF", reason: "it cannot be decoded")
      }
      var pixels = [UInt8](repeating: 0, count: 3 * count)
      for (index, value) in raster.enumerated() {
        pixels[3 * index] = UInt8(truncatingIfNeeded: value)
        pixels[3 * index + 1] = UInt8(truncatingIfNeeded: value >> 8)
        pixels[3 * index + 2] = UInt8(truncatingIfNeeded: value >> 16)
      }
      return Image(width: size.width, height: size.height, pixels: pixels)
    }
  }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    let exact: LabelImage? = try withDecoder(bytes, file) { tiff in
      let depth = number(tiff, TIFFTAG_BITSPERSAMPLE)
      guard number(tiff, TIFFTAG_SAMPLESPERPIXEL) == 1, depth == 8 || depth == 16,
        TIFFIsTiled(tiff) == 0, number(tiff, TIFFTAG_SAMPLEFORMAT) == Int(SAMPLEFORMAT_UINT)
      else { return nil }
      let line = Int(TIFFScanlineSize(tiff))
      guard line >= size.width * depth / 8 else {
        throw ImageError.damaged(file: file, format: "TIFF", reason: "its rows are too short")
      }
      var values = [UInt16]()
      values.reserveCapacity(size.width * size.height)
      var row = [UInt8](repeating: 0, count: line)
      for y in 0..<size.height {
        guard
          row.withUnsafeMutableBytes({ TIFFReadScanline(tiff, $0.baseAddress, UInt32(y), 0) }) == 1
        else {
          throw ImageError.damaged(file: file, format: "TIFF", reason: "row \(y) is missing")
        }
        row.withUnsafeBytes { row in
          for x in 0..<size.width {
            values.append(
              depth == 8
                ? UInt16(row[x]) : row.loadUnaligned(fromByteOffset: 2 * x, as: UInt16.self))
          }
        }
      }
      return LabelImage(width: size.width, height: size.height, values: values)
    }
    if let exact { return exact }
    guard let colors else {
      throw ImageError.notLabels(
        file: file, found: "a TIFF that is not 8 or 16 bits of grey or index")
    }
    return try LabelImage(image(bytes, size, file), colors, file)
  }

  private static func number(_ tiff: OpaquePointer, _ tag: Int32) -> Int {
    var value: UInt32 = 0
    withUnsafeMutablePointer(to: &value) { pointer in
      _ = withVaList([pointer]) { TIFFVGetFieldDefaulted(tiff, UInt32(tag), $0) }
    }
    return Int(value)
  }

  /// The bytes that libtiff reads through callbacks.
  private final class Source {
    let bytes: [UInt8]
    var position = 0
    init(_ bytes: [UInt8]) { self.bytes = bytes }
  }

  private static let isQuiet: Bool = {
    TIFFSetErrorHandler(nil)
    TIFFSetWarningHandler(nil)
    return true
  }()

  private static func withDecoder<R>(
    _ bytes: [UInt8], _ file: String, _ body: (OpaquePointer) throws -> R
  ) throws -> R {
    _ = isQuiet
    let source = Source(bytes)
    let client = Unmanaged.passUnretained(source).toOpaque()
    let tiff = TIFFClientOpen(
      "image", "rm", client,
      { client, buffer, count in
        guard let client, let buffer else { return 0 }
        let source = Unmanaged<Source>.fromOpaque(client).takeUnretainedValue()
        let got = max(0, min(Int(count), source.bytes.count - source.position))
        guard got > 0 else { return 0 }
        source.bytes.withUnsafeBytes { bytes in
          if let base = bytes.baseAddress {
            buffer.copyMemory(from: base + source.position, byteCount: got)
          }
        }
        source.position += got
        return tmsize_t(got)
      }, { _, _, _ in 0 },
      { client, offset, whence in
        guard let client else { return 0 }
        let source = Unmanaged<Source>.fromOpaque(client).takeUnretainedValue()
        let base =
          whence == SEEK_CUR ? source.position : whence == SEEK_END ? source.bytes.count : 0
        let limit = Int64(source.bytes.count)
        let target = Int64(base).addingReportingOverflow(Int64(truncatingIfNeeded: offset))
        source.position = target.overflow ? 0 : Int(max(0, min(limit, target.partialValue)))
        return UInt64(source.position)
      }, { _ in 0 },
      { client in
        guard let client else { return 0 }
        return UInt64(Unmanaged<Source>.fromOpaque(client).takeUnretainedValue().bytes.count)
      }, { _, _, _ in 0 }, { _, _, _ in })
    guard let tiff else {
      throw ImageError.damaged(file: file, format: "TIFF", reason: "its header is not valid")
    }
    defer { withExtendedLifetime(source) { TIFFClose(tiff) } }
    return try body(tiff)
  }
}

/// The libraries that decode and encode.
public enum Codecs {
  /// Each format's library and its version, and those for label files and drawings.
  public static var all: [(name: String, version: String)] {
    let webp = WebPGetDecoderVersion()
    let tiff = String(cString: TIFFGetVersion()).split(separator: "\n").first.map(String.init) ?? ""
    return [
      ("PNG", "libspng \(PNG.version)"), ("JPEG", "libjpeg-turbo"),
      ("labels", "libdeflate \(PNG.inflaterVersion)"), ("drawing", "Cairo \(Canvas.library)"),
      ("TIFF", tiff), ("WebP", "libwebp \(webp >> 16).\(webp >> 8 & 255).\(webp & 255)"),
    ]
  }
}
