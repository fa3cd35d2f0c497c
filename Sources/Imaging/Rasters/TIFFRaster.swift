import CTIFF

/// A page of a TIFF, read strip by strip or tile by tile as windows ask for them.
final class TIFFRaster: RasterReader {
  let size: Size, bands: Int, kind: RasterFile.Kind
  let place: GeoReference?
  let noData: Double?
  let opacity: Int?
  let isWindowed = true, isPicture: Bool, isLabels: Bool

  private let tiff: TIFFFile
  private let layout: TIFFLayout
  private let isTiled: Bool
  private let chunk: Size
  /// The bytes of a strip or tile, and of one of its rows.
  private let capacity: Int, stride: Int
  /// The samples that lie side by side in a strip or tile.
  private let inner: Int
  private var cache: ChunkCache

  init(_ tiff: TIFFFile, page: Int, cacheBytes: Int) throws {
    self.tiff = tiff
    try tiff.select(page: page)
    var layout = try TIFFLayout(tiff)
    if Int32(layout.compression) == COMPRESSION_JPEG, !layout.isPlanar,
      Int32(layout.photometric) == PHOTOMETRIC_YCBCR
    {
      // libtiff's JPEG decoder turns these into red, green and blue.
      _ = withVaList([JPEGCOLORMODE_RGB]) {
        TIFFVSetField(tiff.handle, UInt32(TIFFTAG_JPEGCOLORMODE), $0)
      }
      layout.photometric = Int(PHOTOMETRIC_RGB)
    }
    self.layout = layout
    guard
      layout.format == 3
        ? [16, 32, 64].contains(layout.bits)
        : (1...2).contains(layout.format) && (1...32).contains(layout.bits)
          && (layout.format == 1 || [8, 16, 32].contains(layout.bits)),
      Int32(layout.compression) != COMPRESSION_OJPEG, Int32(layout.photometric) != PHOTOMETRIC_YCBCR
    else {
      throw ImageError.unsupported(
        file: tiff.file, found: "a TIFF of \(layout.kind), which is not read by bands")
    }
    size = layout.size
    bands = layout.bands
    kind =
      layout.format != 1 || layout.bits > 16 ? .float : layout.bits <= 8 ? .uint8 : .uint16
    isPicture =
      layout.format == 1 && [8, 16].contains(layout.bits) && layout.bands >= layout.colors
      && [PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_RGB].contains(Int32(layout.photometric))
      && Orientation(tiff.number(TIFFTAG_ORIENTATION)).value == 1
    isLabels =
      layout.format == 1 && layout.bits <= 16 && layout.bands == 1
      && Int32(layout.compression) != COMPRESSION_JPEG
    place = GeoReference(tiff)
    noData = tiff.noData
    opacity =
      isPicture && layout.bands > layout.colors && (tiff.extraBands.first ?? 0) > 0
      ? layout.colors : nil
    isTiled = TIFFIsTiled(tiff.handle) != 0
    let height = min(tiff.number(TIFFTAG_ROWSPERSTRIP), size.height)
    chunk =
      isTiled
      ? Size(width: tiff.number(TIFFTAG_TILEWIDTH), height: tiff.number(TIFFTAG_TILELENGTH))
      : Size(width: size.width, height: height)
    capacity = Int(isTiled ? TIFFTileSize(tiff.handle) : TIFFStripSize(tiff.handle))
    stride = Int(isTiled ? TIFFTileRowSize(tiff.handle) : TIFFScanlineSize(tiff.handle))
    inner = layout.isPlanar ? 1 : layout.bands
    let bits = chunk.width.multipliedReportingOverflow(by: inner * layout.bits)
    guard chunk.width > 0, chunk.height > 0, capacity > 0, !bits.overflow,
      stride >= (bits.partialValue + 7) / 8, capacity / stride >= min(chunk.height, size.height)
    else { throw tiff.damaged(tiff.reason ?? "the size of its strips or tiles is not valid") }
    guard capacity <= defaultImageBudget else {
      throw ImageError.tooLarge(
        file: tiff.file, width: chunk.width, height: chunk.height, needed: capacity,
        budget: defaultImageBudget)
    }
    cache = ChunkCache(bytes: cacheBytes)
  }

  func samples(_ window: PixelWindow, _ chosen: [Int]) throws -> Raster.Samples {
    let count = window.size.width * window.size.height * chosen.count
    switch kind {
    case .uint8:
      return .uint8(
        try Destination.array(of: count, isWrittenWhole: true) { out in
          try fill(window, chosen) { line, from, step, to, pixels in
            if layout.bits == 8 {
              for i in 0..<pixels { out[to + i * chosen.count] = line[from + i * step] }
            } else {
              try narrow(line, from, step, pixels) {
                out[to + $0 * chosen.count] = UInt8(truncatingIfNeeded: $1)
              }
            }
          }
        })
    case .uint16:
      return .uint16(
        try Destination.array(of: count, isWrittenWhole: true) { out in
          try fill(window, chosen) { line, from, step, to, pixels in
            if layout.bits == 16 {
              for i in 0..<pixels {
                out[to + i * chosen.count] = line.loadUnaligned(
                  fromByteOffset: 2 * (from + i * step), as: UInt16.self)
              }
            } else {
              try narrow(line, from, step, pixels) {
                out[to + $0 * chosen.count] = UInt16(truncatingIfNeeded: $1)
              }
            }
          }
        })
    case .float:
      var out = [Float](repeating: 0, count: count)
      try out.withUnsafeMutableBufferPointer { out in
        try fill(window, chosen) { line, from, step, to, pixels in
          for i in 0..<pixels { out[to + i * chosen.count] = number(line, from + i * step) }
        }
      }
      return .float(out)
    }
  }

  /// Hands on each row of each chunk that the window meets: its bytes, the first sample's place among the
  /// row's samples, the samples to the next pixel, and the place of the first pixel in the result.
  private func fill(
    _ window: PixelWindow, _ chosen: [Int],
    _ body: (
      _ line: UnsafeRawBufferPointer, _ from: Int, _ step: Int, _ to: Int, _ pixels: Int
    ) throws -> Void
  ) throws {
    let (right, bottom) = (window.x + window.size.width, window.y + window.size.height)
    for top in Swift.stride(
      from: window.y / chunk.height * chunk.height, to: bottom, by: chunk.height)
    {
      for left in Swift.stride(
        from: window.x / chunk.width * chunk.width, to: right, by: chunk.width)
      {
        let (x0, x1) = (max(left, window.x), min(left + chunk.width, right))
        let (y0, y1) = (max(top, window.y), min(top + chunk.height, bottom))
        for (place, band) in chosen.enumerated() {
          let bytes = try decoded(layout.isPlanar ? band : 0, top, left)
          try bytes.withUnsafeBytes { bytes in
            for y in y0..<y1 {
              let line = UnsafeRawBufferPointer(rebasing: bytes[((y - top) * stride)...])
              let from = (x0 - left) * inner + (layout.isPlanar ? 0 : band)
              let to = ((y - window.y) * window.size.width + x0 - window.x) * chosen.count + place
              try body(line, from, inner, to, x1 - x0)
            }
          }
        }
      }
    }
  }

  /// The bytes of a strip or tile, as libtiff gives them.
  private func decoded(_ plane: Int, _ top: Int, _ left: Int) throws -> [UInt8] {
    let key = ChunkCache.Key(plane: plane, top: top, left: left)
    if let bytes = cache[key] { return bytes }
    var buffer = [UInt8](repeating: 0, count: capacity)
    let needed = isTiled ? capacity : min(chunk.height, size.height - top) * stride
    if try !tiff.decode(&buffer, plane, top, left, needed, isTiled), let noData {
      fill(&buffer, with: noData)
    }
    cache.insert(buffer, at: key)
    return buffer
  }

  /// What the file leaves out is what it notes as standing for nothing.
  private func fill(_ buffer: inout [UInt8], with value: Double) {
    func put<Sample>(_ sample: Sample) {
      buffer.withUnsafeMutableBytes { bytes in
        let size = MemoryLayout<Sample>.size
        for at in Swift.stride(from: 0, through: bytes.count - size, by: size) {
          bytes.storeBytes(of: sample, toByteOffset: at, as: Sample.self)
        }
      }
    }
    switch (layout.format, layout.bits) {
    case (1, 8): UInt8(exactly: value).map(put)
    case (1, 16): UInt16(exactly: value).map(put)
    case (1, 32): UInt32(exactly: value).map(put)
    case (2, 8): Int8(exactly: value).map(put)
    case (2, 16): Int16(exactly: value).map(put)
    case (2, 32): Int32(exactly: value).map(put)
    case (3, 32): put(Float(value))
    case (3, 64): put(value)
    default: break
    }
  }

  /// Samples of an odd number of bits.
  private func narrow(
    _ line: UnsafeRawBufferPointer, _ from: Int, _ step: Int, _ pixels: Int,
    _ body: (Int, Int) -> Void
  ) throws {
    for i in 0..<pixels {
      var value = 0
      let first = (from + i * step) * layout.bits
      for bit in first..<first + layout.bits {
        value = value << 1 | Int(line[bit / 8] >> UInt8(7 - bit % 8) & 1)
      }
      body(i, value)
    }
  }

  /// A sample that is no number of up to 16 bits without a sign.
  private func number(_ line: UnsafeRawBufferPointer, _ index: Int) -> Float {
    func load<Sample: BitwiseCopyable>(_ type: Sample.Type) -> Sample {
      line.loadUnaligned(fromByteOffset: index * MemoryLayout<Sample>.size, as: type)
    }
    switch (layout.format, layout.bits) {
    case (3, 16): return Float(Float16(bitPattern: load(UInt16.self)))
    case (3, 32): return load(Float.self)
    case (3, _): return Float(load(Double.self))
    case (2, 8): return Float(load(Int8.self))
    case (2, 16): return Float(load(Int16.self))
    case (2, _): return Float(load(Int32.self))
    case (1, 32): return Float(load(UInt32.self))
    case (1, 24):
      // libtiff has put these bytes into the machine's order.
      return Float((0..<3).reduce(0) { $0 | Int(line[3 * index + $1]) << (8 * $1) })
    default:
      var value = 0
      for bit in index * layout.bits..<(index + 1) * layout.bits {
        value = value << 1 | Int(line[bit / 8] >> UInt8(7 - bit % 8) & 1)
      }
      return Float(value)
    }
  }
}

/// Decoded strips and tiles that neighbouring windows share; the longest unused give way.
struct ChunkCache {
  struct Key: Hashable { let plane: Int, top: Int, left: Int }

  private let limit: Int
  private var held = 0
  private var clock = 0
  private var entries: [Key: (bytes: [UInt8], used: Int)] = [:]

  init(bytes limit: Int) { self.limit = limit }

  subscript(key: Key) -> [UInt8]? {
    mutating get {
      guard let found = entries[key] else { return nil }
      clock += 1
      entries[key]?.used = clock
      return found.bytes
    }
  }

  mutating func insert(_ bytes: [UInt8], at key: Key) {
    clock += 1
    entries[key] = (bytes, clock)
    held += bytes.count
    guard held > limit else { return }
    // An eighth at a time, so that the oldest are not looked for with each.
    for (key, entry) in entries.sorted(by: { $0.value.used < $1.value.used }) {
      guard held > limit - limit / 8, entries.count > 1 else { break }
      entries[key] = nil
      held -= entry.bytes.count
    }
  }
}
