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
    func begins(_ magic: [UInt8], at offset: Int = 0) -> Bool {
      bytes.count >= offset + magic.count && bytes[offset...].starts(with: magic)
    }
    if begins([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if begins([0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if begins([0x49, 0x49, 0x2A, 0]) || begins([0x4D, 0x4D, 0, 0x2A])
      || begins([0x49, 0x49, 0x2B, 0]) || begins([0x4D, 0x4D, 0, 0x2B])
    {
      self = .tiff
    } else if begins(Array("RIFF".utf8)) && begins(Array("WEBP".utf8), at: 8) {
      self = .webp
    } else if bytes.count > 2, bytes[0] == 0x50, (0x35...0x36).contains(bytes[1]), bytes[2] <= 0x20
    {
      self = .pnm
    } else if begins(Array("GIF87a".utf8)) || begins(Array("GIF89a".utf8)) {
      self = .gif
    } else if begins(Array("BM".utf8)), begins([0, 0, 0, 0], at: 6) {
      self = .bmp
    } else {
      return nil
    }
  }
}

/// What the header of an image file says.
public struct ImageInfo: Sendable, Equatable {
  /// The format.
  public let format: ImageFormat
  /// The columns and rows, after the orientation that a camera noted.
  public let size: Size

  /// Reads the header of the file at `path`; the image is not decoded.
  ///
  /// - Throws: ``ImageError`` if it is no readable image.
  public init(contentsOf path: String) throws {
    try self.init(readImageFile(path, defaultImageBudget), named: path)
  }

  init(_ bytes: [UInt8], named file: String) throws {
    format = try Image.format(of: bytes, file)
    size = try format.codec.size(of: bytes, file)
  }
}

/// What one format's decoder does.
///
/// `file` is for messages.
protocol Codec {
  /// The columns and rows, from the header.
  static func size(of bytes: [UInt8], _ file: String) throws -> Size
  /// The picture as red, green and blue.
  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image
  /// The values exactly as they stand in the file.
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage
}

extension ImageFormat {
  var codec: any Codec.Type {
    switch self {
    case .png: PNG.self
    case .jpeg: JPEG.self
    case .tiff: TIFF.self
    case .webp: WebP.self
    case .pnm: PNM.self
    case .gif: GIF.self
    case .bmp: BMP.self
    }
  }
}

extension Codec {
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    throw ImageError.notLabels(file: file, found: "a \(Self.self) image, which alters values")
  }
}

extension Image {
  /// Decodes the file at `path` to red, green and blue.
  ///
  /// The format follows from the content, which gzip may have packed. A JPEG is turned as its EXIF orientation says. Grey and
  /// indexed images become RGB, opacity is dropped, 16 bits become 8.
  /// - Parameter budget: what the decoded pixels may take in bytes.
  /// - Throws: ``ImageError`` if the file is no whole image or passes the budget; nothing is
  ///   allocated for the pixels then.
  public init(contentsOf path: String, budget: Int = defaultImageBudget) throws {
    try self.init(decoding: readImageFile(path, budget), named: path, budget: budget)
  }

  /// Decodes the bytes of a file; `named` stands for the file in messages.
  ///
  /// - Throws: ``ImageError`` if the bytes are no whole image or pass the budget.
  public init(decoding bytes: [UInt8], named file: String, budget: Int = defaultImageBudget) throws
  {
    let format = try Self.format(of: bytes, file)
    let size = try format.codec.size(of: bytes, file)
    try size.check(3, budget, file)
    self = try format.codec.image(bytes, size, file)
  }

  static func format(of bytes: [UInt8], _ file: String) throws -> ImageFormat {
    if let format = ImageFormat(bytes) { return format }
    let isText = bytes.prefix(512).allSatisfy { $0 == 9 || $0 == 10 || $0 == 13 || $0 >= 32 }
    throw ImageError.notAnImage(
      file: file, found: bytes.isEmpty ? "empty" : isText ? "a text file" : "of an unknown format")
  }
}

extension LabelImage {
  /// Decodes the labels in the file at `path` exactly as they stand there.
  ///
  /// An indexed PNG gives its indices, a grey one (1 to 16 bits) its values. A coloured image needs
  /// the table `colors`.
  /// - Parameter budget: what the decoded values may take in bytes.
  /// - Throws: ``ImageError`` if the file has no such labels, or a colour is not in the table.
  public init(
    contentsOf path: String, colors: [Color: UInt16]? = nil, budget: Int = defaultImageBudget
  ) throws {
    try self.init(
      decoding: readImageFile(path, budget), named: path, colors: colors, budget: budget)
  }

  /// Decodes the bytes of a file; `named` stands for the file in messages.
  ///
  /// - Throws: ``ImageError`` if the bytes hold no labels, or a colour is not in the table.
  public init(
    decoding bytes: [UInt8], named file: String, colors: [Color: UInt16]? = nil,
    budget: Int = defaultImageBudget
  ) throws {
    let format = try Image.format(of: bytes, file)
    let size = try format.codec.size(of: bytes, file)
    try size.check(3, budget, file)
    self = try format.codec.labels(bytes, size, file, colors)
  }

  /// Looks the colours of a picture up in a table.
  init(_ image: Image, _ colors: [Color: UInt16], _ file: String) throws {
    var values = [UInt16](repeating: 0, count: image.width * image.height)
    var last: (color: Color, value: UInt16)?
    for index in values.indices {
      let color = Color(
        image.pixels[3 * index], image.pixels[3 * index + 1], image.pixels[3 * index + 2])
      if let last, last.color == color {
        values[index] = last.value
        continue
      }
      guard let value = colors[color] else {
        throw ImageError.unknownColor(
          file: file, x: index % image.width, y: index / image.width, color: color)
      }
      values[index] = value
      last = (color, value)
    }
    self.init(width: image.width, height: image.height, values: values)
  }
}

extension Size {
  /// Refuses sizes whose pixels pass a budget.
  func check(_ bytesPerPixel: Int, _ budget: Int, _ file: String) throws {
    guard width > 0, height > 0 else {
      throw ImageError.damaged(file: file, format: "", reason: "its size is \(width)x\(height)")
    }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    let (needed, overflow2) = pixels.multipliedReportingOverflow(by: bytesPerPixel)
    guard !overflow, !overflow2, needed <= budget else {
      throw ImageError.tooLarge(
        file: file, width: width, height: height,
        needed: overflow || overflow2 ? Int.max : needed, budget: budget)
    }
  }
}
