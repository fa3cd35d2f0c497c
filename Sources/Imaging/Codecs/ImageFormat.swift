/// The formats that are read.
public enum ImageFormat: String, Sendable, CaseIterable {
  case png = "PNG"
  case jpeg = "JPEG"
  case tiff = "TIFF"
  case webp = "WebP"
  case pnm = "PNM"
  case gif = "GIF"
  case bmp = "BMP"

  /// The format that the first bytes of a file announce, whatever the file is called.
  init?(_ bytes: [UInt8]) {
    if bytes.has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if bytes.has([0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if ["II*\0", "MM\0*", "II+\0", "MM\0+"].contains(where: { bytes.has($0) }) {
      self = .tiff
    } else if bytes.has("RIFF"), bytes.has("WEBP", at: 8) {
      self = .webp
    } else if bytes.count > 2, bytes[0] == 0x50, (0x31...0x36).contains(bytes[1]),
      [9, 10, 11, 12, 13, 32, 0x23].contains(bytes[2])
    {
      self = .pnm
    } else if bytes.has("GIF87a") || bytes.has("GIF89a") {
      self = .gif
    } else if BMP.begins(bytes) {
      self = .bmp
    } else {
      return nil
    }
  }

  /// The name of a format that the first bytes announce and that is not read.
  static func unreadName(_ bytes: [UInt8]) -> String? {
    if bytes.has("ftyp", at: 4), bytes.count >= 12 {
      // Brands of ISO's container of media (ISO/IEC 14496-12).
      switch String(decoding: bytes[8..<12], as: UTF8.self) {
      case "avif", "avis": return "AVIF"
      case "heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1":
        return "HEIC"
      case "crx ": return "CR3 of a camera"
      default: return "a video or another medium in ISO's container"
      }
    }
    return unread.first { bytes.has($0.magic, at: $0.offset) }?.name
  }

  private static let unread: [(magic: [UInt8], offset: Int, name: String)] = [
    ([0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20], 0, "JPEG 2000"),
    ([0xFF, 0x4F, 0xFF, 0x51], 0, "JPEG 2000"),
    ([0, 0, 0, 12, 0x4A, 0x58, 0x4C, 0x20], 0, "JPEG XL"), ([0xFF, 0x0A], 0, "JPEG XL"),
    ([0x49, 0x49, 0xBC], 0, "JPEG XR"), (Array("8BPS".utf8), 0, "PSD of Photoshop"),
    ([0x76, 0x2F, 0x31, 0x01], 0, "OpenEXR"), (Array("#?RADIANCE".utf8), 0, "Radiance HDR"),
    (Array("DDS ".utf8), 0, "DDS"), (Array("qoif".utf8), 0, "QOI"),
    (Array("%PDF".utf8), 0, "PDF"), (Array("gimp xcf".utf8), 0, "XCF of GIMP"),
    (Array("SIMPLE  =".utf8), 0, "FITS"), (Array("DICM".utf8), 128, "DICOM"),
    ([0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59], 0, "an array of NumPy"),
    ([0x89, 0x48, 0x44, 0x46], 0, "HDF5"), ([0x50, 0x4B, 3, 4], 0, "a zip archive"),
    ([0, 0, 1, 0, 1], 0, "ICO"), (Array("P7\n".utf8), 0, "PAM"),
    (Array("PF".utf8) + [10], 0, "PFM"), (Array("Pf".utf8) + [10], 0, "PFM"),
    (Array("BPG".utf8) + [0xFB], 0, "BPG"), ([0x8A, 0x4D, 0x4E, 0x47], 0, "MNG"),
    (Array("<svg".utf8), 0, "SVG"), (Array("BA".utf8) + [0, 0], 0, "an array of bitmaps"),
  ]
}

extension [UInt8] {
  /// Whether these bytes stand at an offset.
  func has(_ magic: [UInt8], at offset: Int = 0) -> Bool {
    count >= offset + magic.count && self[offset...].starts(with: magic)
  }

  /// Whether this text stands at an offset.
  func has(_ magic: String, at offset: Int = 0) -> Bool { has(Array(magic.utf8), at: offset) }
}

extension Image {
  /// The format of a file's bytes.
  ///
  /// - Throws: ``ImageError/notAnImage(file:found:)``, which names what the bytes announce instead.
  static func format(of bytes: [UInt8], _ file: String) throws -> ImageFormat {
    if let format = ImageFormat(bytes) { return format }
    if let name = ImageFormat.unreadName(bytes) {
      throw ImageError.notAnImage(file: file, found: "\(name), which is not read")
    }
    let isText = bytes.prefix(512).allSatisfy { $0 == 9 || $0 == 10 || $0 == 13 || $0 >= 32 }
    throw ImageError.notAnImage(
      file: file, found: bytes.isEmpty ? "empty" : isText ? "a text file" : "of an unknown format")
  }
}
