import CDeflate

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
    let (row, overflow) = (parts.width * step + 1).multipliedReportingOverflow(by: parts.height)
    guard !overflow, let decompressor = libdeflate_alloc_decompressor() else { return nil }
    defer { libdeflate_free_decompressor(decompressor) }
    var isWhole = false
    var raw = [UInt8](unsafeUninitializedCapacity: row) { buffer, count in
      var written = 0
      let status = parts.data.withUnsafeBytes { data in
        libdeflate_zlib_decompress(
          decompressor, data.baseAddress, data.count, buffer.baseAddress, row, &written)
      }
      isWhole = status == LIBDEFLATE_SUCCESS && written == row
      count = isWhole ? row : 0
    }
    guard isWhole, unfilter(&raw, stride: parts.width * step + 1, step: step) else { return nil }
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
  }

  /// Undoes the filters of rows of `stride` bytes, whose first is the filter's number; false for a
  /// filter that does not exist.
  private static func unfilter(_ raw: inout [UInt8], stride: Int, step: Int) -> Bool {
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
