import CTIFF

extension TIFF {
  static func labels(
    _ bytes: [UInt8], _ size: Size, _ file: String, _ colors: [Color: UInt16]?
  ) throws -> LabelImage {
    let tiff = try TIFFFile(bytes, file)
    defer { tiff.postNotes() }
    let layout = try TIFFLayout(tiff)
    if [COMPRESSION_JPEG, COMPRESSION_OJPEG].contains(Int32(layout.compression)) {
      throw ImageError.notLabels(file: file, found: "a TIFF packed as JPEG, which alters values")
    }
    let isColoured = layout.colors == 3
    let opacity = tiff.extraBands.count == 1 && tiff.extraBands[0] > 0
    guard layout.bands == layout.colors || opacity && layout.bands == layout.colors + 1,
      layout.colors != 4, Int32(layout.photometric) != PHOTOMETRIC_YCBCR
    else {
      throw ImageError.notLabels(file: file, found: "a TIFF of \(layout.bands) bands")
    }
    guard !isColoured || colors == nil else {
      guard try layout.bands == 3 || isOpaque(tiff, layout) else {
        throw ImageError.notLabels(file: file, found: "a TIFF that is not opaque")
      }
      guard layout.bits == 8 else {
        throw ImageError.notLabels(file: file, found: "a coloured TIFF (\(layout.bits) bits)")
      }
      return try LabelImage(image(tiff, layout), colors, found: "", file)
    }
    if Int32(layout.photometric) == PHOTOMETRIC_MINISWHITE {
      ImageNotes.post(
        "this TIFF calls 0 white; its labels are the values that stand in the file", file)
    }
    guard let labels = try values(tiff, layout) else {
      guard isColoured else {
        throw ImageError.notLabels(file: file, found: "a TIFF that is not opaque")
      }
      let found = "a coloured TIFF (\(layout.bits) bits)"
      guard layout.bits == 8 else { throw ImageError.notLabels(file: file, found: found) }
      return try LabelImage(image(tiff, layout), nil, found: found, file)
    }
    return labels
  }

  private static func isOpaque(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> Bool {
    var isOpaque = true
    try tiff.forEachRow(layout) { band, _, _, samples in
      if layout.isPlanar {
        guard band == layout.colors else { return }
        isOpaque = isOpaque && samples.allSatisfy { $0 == 255 }
      } else {
        for i in stride(from: layout.colors, to: samples.count, by: layout.bands) {
          isOpaque = isOpaque && samples[i] == 255
        }
      }
    }
    return isOpaque
  }

  /// The values of one band, or of equal ones; nil if they differ or a pixel is not opaque.
  private static func values(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> LabelImage? {
    let width = layout.size.width
    let converter = try Converter(tiff, layout)
    // Integers are opaque with all bits set, floating-point numbers with 1.
    let opaque =
      layout.format == 3 ? converter.one : UInt64.max >> UInt64(64 - max(1, layout.bits))
    var isPlain = true
    let values: [UInt16] = try Destination.array(of: width * layout.size.height) { out in
      try tiff.forEachRow(layout) { band, y, x, samples in
        let start = y * width + x
        let step = layout.isPlanar ? 1 : layout.bands
        for i in 0..<samples.count / step {
          if band == 0 { out[start + i] = try converter.value(samples[i * step], x + i, y) }
          for other in (band == 0 ? 1 : 0)..<step {
            let sample = samples[i * step + other]
            if band + other < layout.colors {
              // In planes the first has been written, and this one is compared with it.
              let value = try converter.value(sample, x + i, y)
              isPlain = isPlain && value == out[start + i]
            } else {
              isPlain = isPlain && sample == opaque
            }
          }
        }
      }
    }
    converter.postNotes()
    guard isPlain else { return nil }
    return LabelImage(width: width, height: layout.size.height, values: values)
  }

  /// Makes values of labels from samples.
  ///
  /// The values that stand for pixels without data and fit in no 16 bits are read as 65535: -1, all
  /// bits set in 32 or 64, NaN, and the one that GDAL notes in the file.
  private final class Converter {
    private let layout: TIFFLayout, file: String
    private let noData: Double?
    private var isMissing = false

    init(_ tiff: TIFFFile, _ layout: TIFFLayout) throws {
      (self.layout, file, noData) = (layout, tiff.file, tiff.noData)
      let isKnown =
        layout.format == 3
        ? [16, 32, 64].contains(layout.bits)
        : (1...2).contains(layout.format) && (1...64).contains(layout.bits)
      guard isKnown else {
        throw ImageError.unsupported(file: file, found: "a TIFF of \(layout.kind), which is not read")
      }
    }

    /// The sample that is 1 in floating point.
    var one: UInt64 {
      switch layout.bits {
      case 16: UInt64(Float16(1).bitPattern)
      case 32: UInt64(Float(1).bitPattern)
      default: Double(1).bitPattern
      }
    }

    @inline(__always)
    func value(_ sample: UInt64, _ x: Int, _ y: Int) throws -> UInt16 {
      if layout.format == 1, sample <= 65_535 { return UInt16(truncatingIfNeeded: sample) }
      return try other(sample, x, y)
    }

    private func other(_ sample: UInt64, _ x: Int, _ y: Int) throws -> UInt16 {
      var number: Double
      switch (layout.format, layout.bits) {
      case (1, let bits):
        number = Double(sample)
        if bits >= 32, sample == UInt64.max >> UInt64(64 - bits) { return missing() }
      case (2, let bits):
        let shift = Int64(64 - bits)
        number = Double((Int64(bitPattern: sample) << shift) >> shift)
      case (_, 16): number = Double(Float16(bitPattern: UInt16(truncatingIfNeeded: sample)))
      case (_, 32): number = Double(Float(bitPattern: UInt32(truncatingIfNeeded: sample)))
      default: number = Double(bitPattern: sample)
      }
      if (0...65_535).contains(number), number == number.rounded() { return UInt16(number) }
      if number == -1 || number.isNaN || number == noData { return missing() }
      let isWhole = abs(number) < 1e15 && number == number.rounded()
      throw ImageError.notAValue(
        file: file, x: x, y: y, found: isWhole ? "\(Int(number))" : "\(number)")
    }

    private func missing() -> UInt16 {
      isMissing = true
      return 65_535
    }

    func postNotes() {
      guard isMissing else { return }
      ImageNotes.post(
        "pixels without data (-1, all bits set, NaN or GDAL's value) are read as 65535", file)
    }
  }
}
