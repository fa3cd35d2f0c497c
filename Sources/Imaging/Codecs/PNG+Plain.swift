import CDeflate

// The common kinds of PNG, decoded without libspng.

extension PNG {
  /// The version of libdeflate that was found.
  static var inflaterVersion: String { LIBDEFLATE_VERSION_STRING }

  /// The values of a grey or indexed PNG of 8 or 16 bits, decoded several times faster than by libspng.
  ///
  /// Label files are the same few values over long stretches, so that nearly all time goes into
  /// inflating and filters; libdeflate inflates a whole file at once. Nil for other kinds of PNG and
  /// for anything that is not in order, which libspng then reads or names.
  static func plainLabels(_ bytes: [UInt8]) -> LabelImage? {
    guard let rows = Rows(bytes), rows.step < 3 else { return nil }
    let (width, height) = (rows.width, rows.height)
    let values: [UInt16] = Destination.array(of: width * height, isWrittenWhole: true) { out in
      rows.raw.withUnsafeBytes { raw in
        for y in 0..<height {
          let (from, to) = (y * rows.stride + 1, y * width)
          if rows.step == 1 {
            for x in 0..<width { out[to &+ x] = UInt16(raw[from &+ x]) }
          } else {
            for x in 0..<width {
              out[to &+ x] = UInt16(
                bigEndian: raw.loadUnaligned(fromByteOffset: from &+ 2 &* x, as: UInt16.self))
            }
          }
        }
      }
    }
    return LabelImage(width: width, height: height, values: values)
  }

  /// The values of a grey or indexed PNG of 8 bits; nil for other kinds and what is not in order.
  static func byteLabels(_ bytes: [UInt8]) -> ByteLabels? {
    guard let rows = Rows(bytes), rows.step == 1 else { return nil }
    return ByteLabels(size: Size(width: rows.width, height: rows.height), values: rows.bytes)
  }

  /// The picture in an RGB PNG of 8 bits, decoded about twice as fast as by libspng; nil for other
  /// kinds of PNG and for anything that is not in order.
  static func plainPicture(_ bytes: [UInt8]) -> Image? {
    guard let rows = Rows(bytes), rows.step == 3 else { return nil }
    return Image(width: rows.width, height: rows.height, pixels: rows.bytes)
  }

  /// The rows of a PNG without filters, each after one byte that means nothing any more: grey or
  /// indexed of 8 or 16 bits, or RGB of 8.
  private struct Rows {
    let width: Int, height: Int
    /// The bytes of a pixel and of a row.
    let step: Int, stride: Int
    let raw: [UInt8]

    /// The rows without the byte before each.
    var bytes: [UInt8] {
      let row = stride - 1
      return Destination.array(of: row * height, isWrittenWhole: true) { out in
        raw.withUnsafeBufferPointer { raw in
          guard let to = out.baseAddress, let from = raw.baseAddress else { return }
          for y in 0..<height {
            (to + y * row).initialize(from: from + y * stride + 1, count: row)
          }
        }
      }
    }

    init?(_ bytes: [UInt8]) {
      guard let parts = Parts(bytes) else { return nil }
      switch (parts.colorType, parts.depth) {
      case (0, 8), (3, 8): step = 1
      case (0, 16), (3, 16): step = 2
      case (2, 8): step = 3
      default: return nil
      }
      (width, height) = (parts.width, parts.height)
      stride = width * step + 1
      let (size, overflow) = stride.multipliedReportingOverflow(by: height)
      guard !overflow, let decompressor = libdeflate_alloc_decompressor() else { return nil }
      defer { libdeflate_free_decompressor(decompressor) }
      var isWhole = false
      // libdeflate fills all of it, or the file is read in another way.
      var raw: [UInt8] = Destination.array(of: size, isWrittenWhole: true) { buffer in
        var written = 0
        let status = parts.data.withUnsafeBytes { data in
          libdeflate_zlib_decompress(
            decompressor, data.baseAddress, data.count, buffer.baseAddress, size, &written)
        }
        isWhole = status == LIBDEFLATE_SUCCESS && written == size
      }
      guard isWhole, Filters.undo(&raw, stride: stride, step: step) else { return nil }
      self.raw = raw
    }
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
}
