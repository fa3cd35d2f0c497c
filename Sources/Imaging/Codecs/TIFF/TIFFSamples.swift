import CTIFF

/// How the samples of a TIFF's page are stored.
struct TIFFLayout {
  var size: Size
  /// The bands, and those of them that the photometric interpretation speaks of.
  var bands: Int, colors: Int
  var bits: Int
  /// How a sample's bits are a number: 1 unsigned, 2 signed, 3 floating point.
  var format: Int
  var photometric: Int
  var compression: Int
  var isPlanar: Bool

  init(_ tiff: TIFFFile) throws {
    size = Size(
      width: tiff.number(TIFFTAG_IMAGEWIDTH), height: tiff.number(TIFFTAG_IMAGELENGTH))
    bands = tiff.number(TIFFTAG_SAMPLESPERPIXEL)
    bits = tiff.number(TIFFTAG_BITSPERSAMPLE)
    // 4 is a kind that nobody defined, which all take for unsigned.
    format = tiff.number(TIFFTAG_SAMPLEFORMAT)
    if format == 4 { format = 1 }
    compression = tiff.number(TIFFTAG_COMPRESSION)
    photometric =
      tiff.optional(TIFFTAG_PHOTOMETRIC)
      ?? Int(bands >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK)
    isPlanar = tiff.number(TIFFTAG_PLANARCONFIG) == Int(PLANARCONFIG_SEPARATE) && bands > 1
    colors =
      switch Int32(photometric) {
      case PHOTOMETRIC_RGB, PHOTOMETRIC_YCBCR: 3
      case PHOTOMETRIC_SEPARATED: 4
      default: 1
      }
    guard TIFFIsCODECConfigured(UInt16(truncatingIfNeeded: compression)) != 0 else {
      let name = TIFFFindCODEC(UInt16(truncatingIfNeeded: compression))
        .map { String(cString: $0.pointee.name) }
      throw ImageError.unsupported(
        file: tiff.file,
        found: "a TIFF with compression \(compression)\(name.map { " (\($0))" } ?? ""), "
          + "which this libtiff does not read")
    }
  }

  /// What a sample is, for messages.
  var kind: String {
    let name = [1: "unsigned", 2: "signed", 3: "floating-point"][format] ?? "complex"
    return "\(name) samples of \(bits) bits"
  }
}

extension TIFFFile {
  /// Decodes strip after strip, or tile after tile, and hands on each of their rows that lies in the
  /// picture: the first of its bands, its place, and its samples as bits, band by band.
  ///
  /// - Throws: ``ImageError`` if pixels are missing or cannot be decoded.
  func forEachRow(
    _ layout: TIFFLayout,
    _ body: (_ band: Int, _ y: Int, _ x: Int, _ samples: UnsafeBufferPointer<UInt64>) throws -> Void
  ) throws {
    let isTiled = TIFFIsTiled(handle) != 0
    let (width, height) = (layout.size.width, layout.size.height)
    let chunkWidth = isTiled ? number(TIFFTAG_TILEWIDTH) : width
    let chunkHeight =
      isTiled ? number(TIFFTAG_TILELENGTH) : min(number(TIFFTAG_ROWSPERSTRIP), height)
    let capacity = Int(isTiled ? TIFFTileSize(handle) : TIFFStripSize(handle))
    let stride = Int(isTiled ? TIFFTileRowSize(handle) : TIFFScanlineSize(handle))
    let bands = layout.isPlanar ? 1 : layout.bands
    let bitsPerRow = chunkWidth.multipliedReportingOverflow(by: bands * layout.bits)
    guard chunkWidth > 0, chunkHeight > 0, capacity > 0, !bitsPerRow.overflow,
      stride >= (bitsPerRow.partialValue + 7) / 8,
      capacity / stride >= min(chunkHeight, height)
    else { throw damaged(reason ?? "the size of its strips or tiles is not valid") }
    guard capacity <= defaultImageBudget else {
      throw ImageError.tooLarge(
        file: file, width: chunkWidth, height: chunkHeight, needed: capacity,
        budget: defaultImageBudget)
    }
    var buffer: [UInt8] = Destination.array(of: capacity) { _ in }
    var samples = [UInt64](repeating: 0, count: min(chunkWidth, width) * bands)
    for plane in 0..<(layout.isPlanar ? layout.bands : 1) {
      for top in Swift.stride(from: 0, to: height, by: chunkHeight) {
        for left in Swift.stride(from: 0, to: width, by: chunkWidth) {
          let rows = min(chunkHeight, height - top)
          let needed = isTiled ? capacity : rows * stride
          try decode(&buffer, plane, top, left, needed, isTiled)
          let columns = min(chunkWidth, width - left)
          try buffer.withUnsafeBytes { bytes in
            for row in 0..<rows {
              let line = UnsafeRawBufferPointer(rebasing: bytes[(row * stride)...])
              try samples.withUnsafeMutableBufferPointer { samples in
                unpack(line, columns * bands, layout.bits, samples)
                let read = UnsafeBufferPointer(rebasing: samples[..<(columns * bands)])
                try body(plane, top + row, left, read)
              }
            }
          }
        }
      }
    }
  }

  /// Decodes the strip or tile at a place into `buffer`; one that the file leaves out becomes 0.
  ///
  /// - Returns: Whether the file has it.
  @discardableResult
  func decode(
    _ buffer: inout [UInt8], _ plane: Int, _ top: Int, _ left: Int, _ needed: Int, _ isTiled: Bool
  ) throws -> Bool {
    let band = UInt16(truncatingIfNeeded: plane)
    let index =
      isTiled
      ? TIFFComputeTile(handle, UInt32(left), UInt32(top), 0, band)
      : TIFFComputeStrip(handle, UInt32(top), band)
    buffer.withUnsafeMutableBytes { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
    if TIFFGetStrileOffset(handle, index) == 0, TIFFGetStrileByteCount(handle, index) == 0 {
      // GDAL leaves out what holds no data.
      ImageNotes.post("this TIFF leaves out parts, which are read as 0", file)
      return false
    }
    reason = nil
    let got = buffer.withUnsafeMutableBytes { bytes in
      isTiled
        ? TIFFReadEncodedTile(handle, index, bytes.baseAddress, tmsize_t(needed))
        : TIFFReadEncodedStrip(handle, index, bytes.baseAddress, tmsize_t(needed))
    }
    // The decoders of fax go on after an error, with what they guess.
    guard got >= needed, reason == nil else {
      throw damaged(
        "the pixels from (\(left), \(top)) on cannot be decoded" + (reason.map { ": \($0)" } ?? ""))
    }
    return true
  }

  /// Samples of any number of bits as one number each.
  func unpack(
    _ line: UnsafeRawBufferPointer, _ count: Int, _ bits: Int,
    _ samples: UnsafeMutableBufferPointer<UInt64>
  ) {
    switch bits {
    case 8: for i in 0..<count { samples[i] = UInt64(line[i]) }
    case 16:
      for i in 0..<count {
        samples[i] = UInt64(line.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self))
      }
    case 32:
      for i in 0..<count {
        samples[i] = UInt64(line.loadUnaligned(fromByteOffset: 4 * i, as: UInt32.self))
      }
    case 64:
      for i in 0..<count {
        samples[i] = line.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self)
      }
    case 24:
      // libtiff has put these bytes into the machine's order.
      for i in 0..<count {
        samples[i] = (0..<3).reduce(0) { $0 | UInt64(line[3 * i + $1]) << (8 * UInt64($1)) }
      }
    default:
      for i in 0..<count {
        var value: UInt64 = 0
        for bit in i * bits..<(i + 1) * bits {
          value = value << 1 | UInt64(line[bit / 8] >> UInt8(7 - bit % 8) & 1)
        }
        samples[i] = value
      }
    }
  }
}
