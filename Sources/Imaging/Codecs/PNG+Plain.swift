import CDeflate

// The common kinds of PNG, decoded without libspng.

extension PNG {
  /// The values of a grey or indexed PNG of 8 or 16 bits, decoded several times faster than by libspng.
  ///
  /// Label files are the same few values over long stretches, so that nearly all time goes into
  /// inflating and filters; libdeflate inflates a whole file at once. Nil for other kinds of PNG and
  /// for anything that is not in order, which libspng then reads or names.
  static func plainLabels(_ bytes: [UInt8]) -> LabelImage? {
    guard let parts = Parts(bytes), parts.depth == 8 || parts.depth == 16,
      parts.colorType == 0 || parts.colorType == 3
    else { return nil }
    let step = parts.depth / 8
    guard let raw = parts.rows(step: step) else { return nil }
    let (width, height) = (parts.width, parts.height)
    let values = [UInt16](unsafeUninitializedCapacity: width * height) { out, count in
      raw.withUnsafeBytes { raw in
        for y in 0..<height {
          let from = y * (width * step + 1) + 1
          if step == 1 {
            for x in 0..<width { out[y * width + x] = UInt16(raw[from + x]) }
          } else {
            for x in 0..<width {
              out[y * width + x] = UInt16(
                bigEndian: raw.loadUnaligned(fromByteOffset: from + 2 * x, as: UInt16.self))
            }
          }
        }
      }
      count = width * height
    }
    return LabelImage(width: width, height: height, values: values)
  }

  /// The picture in an RGB PNG of 8 bits, decoded about twice as fast as by libspng; nil for other
  /// kinds of PNG and for anything that is not in order.
  static func plainPicture(_ bytes: [UInt8]) -> Image? {
    guard let parts = Parts(bytes), parts.depth == 8, parts.colorType == 2,
      let raw = parts.rows(step: 3)
    else { return nil }
    let (width, height) = (parts.width, parts.height)
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, count in
      count = width * height * 3
      guard let out = out.baseAddress else { return }
      raw.withUnsafeBufferPointer { raw in
        guard let raw = raw.baseAddress else { return }
        for y in 0..<height {
          (out + y * width * 3).update(from: raw + y * (width * 3 + 1) + 1, count: width * 3)
        }
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  /// What a PNG without interlacing says and holds; each chunk's check sum is right.
  private struct Parts {
    var width = 0, height = 0, depth = 0, colorType = -1
    var data: [UInt8] = []

    init?(_ bytes: [UInt8]) {
      var at = 8
      var isEnded = false
      func word(_ at: Int) -> Int { (0..<4).reduce(0) { $0 << 8 | Int(bytes[at + $1]) } }
      while !isEnded {
        guard at + 12 <= bytes.count else { return nil }
        let length = word(at)
        guard length <= bytes.count - at - 12 else { return nil }
        let body = at + 8..<at + 8 + length
        let sum = bytes.withUnsafeBytes {
          libdeflate_crc32(0, $0.baseAddress.map { $0 + at + 4 }, length + 4)
        }
        guard Int(sum) == word(body.upperBound) else { return nil }
        switch word(at + 4) {
        case 0x4948_4452:  // IHDR
          guard length == 13, bytes[body.lowerBound + 12] == 0, at == 8 else { return nil }
          (width, height) = (word(body.lowerBound), word(body.lowerBound + 4))
          (depth, colorType) = (Int(bytes[body.lowerBound + 8]), Int(bytes[body.lowerBound + 9]))
        case 0x4944_4154: data += bytes[body]  // IDAT
        case 0x4945_4E44: isEnded = true  // IEND
        default: break
        }
        at = body.upperBound + 4
      }
      guard width > 0, height > 0, width < 1 << 24, height < 1 << 24, !data.isEmpty else {
        return nil
      }
    }

    /// The rows, each after the number of its filter, with filters undone; `step` is the bytes of a
    /// pixel.
    func rows(step: Int) -> [UInt8]? {
      let (size, overflow) = (width * step + 1).multipliedReportingOverflow(by: height)
      guard !overflow, let decompressor = libdeflate_alloc_decompressor() else { return nil }
      defer { libdeflate_free_decompressor(decompressor) }
      var isWhole = false
      var raw = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
        var written = 0
        let status = data.withUnsafeBytes { data in
          libdeflate_zlib_decompress(
            decompressor, data.baseAddress, data.count, buffer.baseAddress, size, &written)
        }
        isWhole = status == LIBDEFLATE_SUCCESS && written == size
        count = isWhole ? size : 0
      }
      guard isWhole, PNG.unfilter(&raw, stride: width * step + 1, step: step) else { return nil }
      return raw
    }
  }

  /// Undoes the Paeth filter of a row of colours; the three do not wait on each other.
  private static func unfilterPaeth(
    _ row: UnsafeMutablePointer<UInt8>, _ above: UnsafePointer<UInt8>, _ count: Int
  ) {
    var (a0, a1, a2): (Int32, Int32, Int32) = (0, 0, 0)
    var (c0, c1, c2): (Int32, Int32, Int32) = (0, 0, 0)
    for i in Swift.stride(from: 0, to: count, by: 3) {
      let (b0, b1, b2) = (Int32(above[i]), Int32(above[i + 1]), Int32(above[i + 2]))
      a0 = (Int32(row[i]) &+ nearest(a0, b0, c0)) & 255
      a1 = (Int32(row[i + 1]) &+ nearest(a1, b1, c1)) & 255
      a2 = (Int32(row[i + 2]) &+ nearest(a2, b2, c2)) & 255
      (c0, c1, c2) = (b0, b1, b2)
      row[i] = UInt8(truncatingIfNeeded: a0)
      row[i + 1] = UInt8(truncatingIfNeeded: a1)
      row[i + 2] = UInt8(truncatingIfNeeded: a2)
    }
  }

  /// Which of left, above and left above is nearest to left + above - left above, in this order.
  @inline(__always)
  private static func nearest(_ a: Int32, _ b: Int32, _ c: Int32) -> Int32 {
    let (p, q) = (b &- c, a &- c)
    let (fromA, fromB, fromC) = (abs(p), abs(q), abs(p &+ q))
    let other = fromB <= fromC ? b : c
    return fromA <= min(fromB, fromC) ? a : other
  }

  /// Undoes the filters of rows of `stride` bytes, whose first is the filter's number; false for a
  /// filter that does not exist.
  fileprivate static func unfilter(_ raw: inout [UInt8], stride: Int, step: Int) -> Bool {
    let rows = raw.count / stride
    let zeros = [UInt8](repeating: 0, count: stride)
    return raw.withUnsafeMutableBufferPointer { raw in
      zeros.withUnsafeBufferPointer { zeros in
        guard let start = raw.baseAddress, let none = zeros.baseAddress else { return false }
        for y in 0..<rows {
          let row = start + y * stride + 1
          let above = y == 0 ? none : UnsafePointer(row - stride)
          let count = stride - 1
          switch row[-1] {
          case 0: break
          case 1:
            for i in Swift.stride(from: step, to: count, by: 1) { row[i] &+= row[i - step] }
          case 2:
            for i in 0..<count { row[i] &+= above[i] }
          case 3:
            for i in 0..<count {
              let left = i < step ? 0 : Int(row[i - step])
              row[i] &+= UInt8(truncatingIfNeeded: (left + Int(above[i])) >> 1)
            }
          case 4 where step == 3: unfilterPaeth(row, above, count)
          case 4:
            for i in 0..<count {
              // Nothing was added: the neighbours decide, and mostly they are equal.
              let (a, b, c) =
                i < step
                ? (0, Int16(above[i]), 0)
                : (Int16(row[i - step]), Int16(above[i]), Int16(above[i - step]))
              let (p, q) = (b - c, a - c)
              let (fromA, fromB, fromC) = (abs(p), abs(q), abs(p + q))
              let best = fromA <= fromB && fromA <= fromC ? a : fromB <= fromC ? b : c
              row[i] &+= UInt8(truncatingIfNeeded: best)
            }
          default: return false
          }
        }
        return true
      }
    }
  }
}
