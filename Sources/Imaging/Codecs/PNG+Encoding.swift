import CDeflate

// PNG files written with libdeflate, which compresses a whole file at once and takes a fraction of
// zlib's time.

extension PNG {
  /// A PNG file of whole rows of samples, those of 16 bits in the machine's order.
  ///
  /// - Parameter isSmooth: Whether grey samples differ little from their neighbours, as colours do and labels do
  ///   not; those of 16 bits have the larger byte first then.
  static func encoded(
    _ samples: UnsafeRawBufferPointer, _ size: Size, colorType: Int, depth: Int,
    palette: [Color] = [], isSmooth: Bool = false, isOutput: Bool = false, file: String
  ) throws -> [UInt8] {
    let channels = colorType == 2 ? 3 : colorType == 6 ? 4 : 1
    let row = size.width * channels * depth / 8
    guard size.width > 0, size.height > 0, samples.count == row * size.height else {
      throw ImageError.unwritable(
        file: file, reason: "\(samples.count) bytes are no \(size.width)×\(size.height) pixels")
    }
    // Colours differ little from their neighbours'. Labels repeat, which filters would hide.
    let rows =
      channels > 1 || isSmooth
      ? filtered(samples, row: row, step: channels * depth / 8)
      : plain(samples, row: row, isWide: depth == 16)
    var bytes: [UInt8] = [137, 80, 78, 71, 13, 10, 26, 10]
    func words(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(value >> (24 - 8 * $0) & 255) } }
    func add(_ kind: String, _ content: [UInt8]) {
      bytes += words(content.count)
      let start = bytes.count
      bytes += kind.utf8
      bytes += content
      let sum = bytes.withUnsafeBytes {
        libdeflate_crc32(0, $0.baseAddress.map { $0 + start }, $0.count - start)
      }
      bytes += words(Int(sum))
    }
    add("IHDR", words(size.width) + words(size.height) + [UInt8(depth), UInt8(colorType), 0, 0, 0])
    if isOutput { add("tEXt", Array("Software\0\(OutputMark.text)".utf8)) }
    if colorType == 3 { add("PLTE", palette.flatMap { [$0.red, $0.green, $0.blue] }) }
    add("IDAT", try compressed(rows, level: channels > 1 || isSmooth ? 3 : 6, file: file))
    add("IEND", [])
    return bytes
  }

  private static func compressed(_ rows: [UInt8], level: Int32, file: String) throws -> [UInt8] {
    guard let compressor = libdeflate_alloc_compressor(level) else {
      throw ImageError.unwritable(file: file, reason: "not enough memory")
    }
    defer { libdeflate_free_compressor(compressor) }
    let most = libdeflate_zlib_compress_bound(compressor, rows.count)
    return [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
      count = rows.withUnsafeBytes {
        libdeflate_zlib_compress(compressor, $0.baseAddress, $0.count, buffer.baseAddress, most)
      }
    }
  }

  /// Rows as they are, each after the number of no filter.
  private static func plain(
    _ samples: UnsafeRawBufferPointer, row: Int, isWide: Bool
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: samples.count / row * (row + 1)) { out, count in
      var to = 0
      for from in stride(from: 0, to: samples.count, by: row) {
        out[to] = 0
        if isWide {
          // Samples of 16 bits have the larger byte first.
          for i in stride(from: 0, to: row, by: 2) {
            let value = samples.loadUnaligned(fromByteOffset: from + i, as: UInt16.self)
            out[to + 1 + i] = UInt8(value >> 8)
            out[to + 2 + i] = UInt8(value & 255)
          }
        } else {
          for i in 0..<row { out[to &+ 1 &+ i] = samples[from &+ i] }
        }
        to += row + 1
      }
      count = to
    }
  }

  /// Rows as differences to the pixel at the left or above, whichever are smaller, each after the
  /// filter's number (specification, section 9).
  private static func filtered(
    _ samples: UnsafeRawBufferPointer, row: Int, step: Int
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: samples.count / row * (row + 1)) { out, count in
      guard let start = samples.baseAddress, let target = out.baseAddress else { return }
      let zeros = [UInt8](repeating: 0, count: row)
      zeros.withUnsafeBytes { zeros in
        guard var above = zeros.baseAddress?.assumingMemoryBound(to: UInt8.self) else { return }
        for y in 0..<samples.count / row {
          let from = (start + y * row).assumingMemoryBound(to: UInt8.self)
          let to = target + y * (row + 1)
          var (left, up) = (0, 0)
          for i in step..<max(step, row) { left &+= size(from[i] &- from[i &- step]) }
          for i in step..<max(step, row) { up &+= size(from[i] &- above[i]) }
          if left <= up {
            to[0] = 1
            for i in 0..<min(step, row) { to[1 + i] = from[i] }
            for i in step..<max(step, row) { to[1 &+ i] = from[i] &- from[i &- step] }
          } else {
            to[0] = 2
            for i in 0..<row { to[1 &+ i] = from[i] &- above[i] }
          }
          above = from
        }
      }
      count = samples.count / row * (row + 1)
    }
  }

  /// How far a difference is from none.
  @inline(__always)
  private static func size(_ difference: UInt8) -> Int {
    Int(min(difference, 0 &- difference))
  }
}
