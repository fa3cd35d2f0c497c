import Files

/// What the header of an image file says.
public struct ImageInfo: Sendable, Equatable {
  /// The format.
  public let format: ImageFormat
  /// The columns and rows that an `Image` of the file has: upright unless the stored ones were
  /// asked for.
  public let size: Size
  /// The columns and rows as the file stores them.
  public let storedSize: Size
  /// How the stored pixels lie: the value 1 to 8 that EXIF or TIFF notes, 1 if none is noted.
  public let orientation: Int

  /// Reads the header of the file at `path`; the image is not decoded.
  ///
  /// - Throws: ``ImageError`` if it is no readable image.
  public init(contentsOf path: String, orientation: ImageOrientation = .applied) throws {
    // The first bytes hold the header, unless something large stands before it.
    if ImageFormat(FileSystem.beginning(path, 16)) == .tiff {
      // Directories may stand anywhere, and files be larger than memory.
      let header = try TIFF.header(TIFFFile(contentsOf: path))
      self.init(.tiff, header, orientation)
      return
    }
    let start = try readFile(path, upTo: 1 << 16)
    if start.count == 1 << 16, let format = ImageFormat(start),
      format.codec.hasHeader(inStart: start),
      let info = try? Self(start, named: path, orientation: orientation)
    {
      self = info
    } else {
      let bytes = try readImageFile(path, defaultImageBudget)
      try self.init(bytes, named: path, orientation: orientation)
    }
  }

  init(
    _ bytes: [UInt8], named file: String, orientation choice: ImageOrientation = .applied
  ) throws {
    let format = try Image.format(of: bytes, file)
    self.init(format, try format.codec.header(bytes, file), choice)
  }

  private init(_ format: ImageFormat, _ header: ImageHeader, _ choice: ImageOrientation) {
    self.format = format
    storedSize = header.size
    orientation = header.orientation
    size = choice == .applied ? Orientation(orientation).upright(storedSize) : storedSize
  }
}

/// What a codec finds in a header: the size as stored, and how the stored pixels lie.
struct ImageHeader {
  var size: Size
  var orientation = 1
}

/// What one format's decoder does.
///
/// `file` is for messages and notes. Sizes and pixels are those that are stored.
protocol Codec {
  /// Whether a file that begins with these bytes, and goes on, has its whole header there.
  static func hasHeader(inStart bytes: [UInt8]) -> Bool
  /// What the header says.
  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader
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
  static func hasHeader(inStart bytes: [UInt8]) -> Bool { true }

  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    throw ImageError.notLabels(file: file, found: "a \(Self.self) image, which alters values")
  }
}

extension Image {
  /// Decodes the file at `path` to red, green and blue.
  ///
  /// The format follows from the content, which gzip may have packed. Grey and indexed images become
  /// RGB, opacity is dropped, 16 bits become 8. What is odd about a file goes to ``ImageNotes``.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - budget: What the decoded pixels may take in bytes.
  ///   - orientation: Whether the picture is turned as its file notes.
  ///   - admit: Is given the size that the picture will have, and may refuse it.
  /// - Throws: ``ImageError`` if the file is no whole image or passes the budget, and what `admit`
  ///   throws; nothing is allocated for the pixels then.
  public init(
    contentsOf path: String, budget: Int = defaultImageBudget,
    orientation: ImageOrientation = .applied, admit: (Size) throws -> Void = { _ in }
  ) throws {
    try self.init(
      decoding: readImageFile(path, budget), named: path, budget: budget,
      orientation: orientation, admit: admit)
  }

  /// Decodes the bytes of a file; `named` stands for the file in messages.
  ///
  /// - Throws: ``ImageError`` if the bytes are no whole image or pass the budget; what `admit` throws.
  public init(
    decoding bytes: [UInt8], named file: String, budget: Int = defaultImageBudget,
    orientation choice: ImageOrientation = .applied, admit: (Size) throws -> Void = { _ in }
  ) throws {
    let format = try Self.format(of: bytes, file)
    let header = try format.codec.header(bytes, file)
    let orientation = Orientation(choice == .applied ? header.orientation : 1)
    try admit(orientation.upright(header.size))
    try header.size.check(3, budget, file)
    self = orientation.upright(try format.codec.image(bytes, header.size, file))
  }
}

extension LabelImage {
  /// Decodes the labels in the file at `path` exactly as they stand there.
  ///
  /// An indexed image gives its indices, a grey one its values, and so does one in RGB whose three
  /// channels are equal. A coloured image needs the table `colors`. Labels are never turned.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - colors: The value that each colour stands for.
  ///   - budget: What the decoded values may take in bytes.
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
    let header = try format.codec.header(bytes, file)
    try header.size.check(3, budget, file)
    if header.orientation != 1 {
      ImageNotes.post(
        "these labels note an orientation, which is not applied: labels are read as stored", file)
    }
    self = try format.codec.labels(bytes, header.size, file, colors)
  }
}

extension Size {
  /// Refuses sizes whose pixels pass a budget.
  func check(_ bytesPerPixel: Int, _ budget: Int, _ file: String) throws {
    guard width > 0, height > 0 else {
      throw ImageError.damaged(
        file: file, format: "empty", reason: "its size is \(width)x\(height)")
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
