import CTIFF

/// TIFF by libtiff.
enum TIFF: Codec {
  /// A directory may stand anywhere.
  static func hasHeader(inStart bytes: [UInt8]) -> Bool { false }

  static func header(_ bytes: [UInt8], _ file: String) throws -> ImageHeader {
    header(try TIFFFile(bytes, file))
  }

  static func header(_ tiff: TIFFFile) -> ImageHeader {
    ImageHeader(
      size: Size(
        width: tiff.number(TIFFTAG_IMAGEWIDTH), height: tiff.number(TIFFTAG_IMAGELENGTH)),
      orientation: Orientation(tiff.number(TIFFTAG_ORIENTATION)).value)
  }

  static func image(_ bytes: [UInt8], _ size: Size, _ file: String) throws -> Image {
    let tiff = try TIFFFile(bytes, file)
    defer { tiff.postNotes() }
    return try image(tiff, TIFFLayout(tiff))
  }

  /// The picture: our own reading for what has grey, colours, indices or inks of up to 16 bits,
  /// libtiff's for its other kinds.
  static func image(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> Image {
    var layout = layout
    let isJPEG = Int32(layout.compression) == COMPRESSION_JPEG
    if isJPEG, Int32(layout.photometric) == PHOTOMETRIC_YCBCR, !layout.isPlanar {
      // libtiff's JPEG decoder turns these into red, green and blue.
      _ = withVaList([JPEGCOLORMODE_RGB]) {
        TIFFVSetField(tiff.handle, UInt32(TIFFTAG_JPEGCOLORMODE), $0)
      }
      layout.photometric = Int(PHOTOMETRIC_RGB)
    }
    let isOwn =
      switch Int32(layout.photometric) {
      case PHOTOMETRIC_MINISWHITE, PHOTOMETRIC_MINISBLACK, PHOTOMETRIC_RGB, PHOTOMETRIC_PALETTE:
        true
      case PHOTOMETRIC_SEPARATED: tiff.number(TIFFTAG_INKSET) == Int(INKSET_CMYK)
      default: false
      }
    guard isOwn, layout.bands >= layout.colors, (1...16).contains(layout.bits),
      (1...2).contains(layout.format), Int32(layout.compression) != COMPRESSION_OJPEG
    else { return try converted(tiff, layout) }
    return try own(tiff, layout)
  }

  private static func own(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> Image {
    let size = layout.size
    if Int32(layout.photometric) == PHOTOMETRIC_PALETTE { return try indexed(tiff, layout) }
    let isInverse = Int32(layout.photometric) == PHOTOMETRIC_MINISWHITE
    let extra = tiff.extraBands
    var colors = layout.colors
    if colors == 1, layout.bands >= 3, !extra.contains(where: { $0 > 0 }) {
      colors = 3
      ImageNotes.post(
        "this TIFF does not say what its bands are; the first three are read as red, green and blue",
        tiff.file)
    }
    // An opacity that the colours are multiplied by has to be known to undo that.
    let isMultiplied = extra.first == 1 && layout.bands > colors && colors == 3
    let kept = colors + (isMultiplied ? 1 : 0)
    let further = layout.bands - colors - (extra.first.map { $0 > 0 } == true ? 1 : 0)
    if further > 0 {
      ImageNotes.post("further bands of this TIFF are not read as a part of the picture", tiff.file)
    }
    let scale = table(layout, isInverse: isInverse != (colors == 4))
    var isNegative = false
    var pixels: [UInt8] = try Destination.array(of: size.width * size.height * kept) { out in
      try scale.withUnsafeBufferPointer { scale in
        try tiff.forEachRow(layout) { band, y, x, samples in
          guard band < kept else { return }
          let step = layout.isPlanar ? 1 : layout.bands
          let last = layout.isPlanar ? 1 : kept
          for i in 0..<samples.count / step {
            let to = (y * size.width + x + i) * kept + band
            for other in 0..<last {
              let sample = Int(truncatingIfNeeded: samples[i * step + other])
              isNegative = isNegative || layout.format == 2 && sample >> (layout.bits - 1) != 0
              out[to + other] = scale[sample]
            }
          }
        }
      }
    }
    guard !isNegative else {
      throw ImageError.unsupported(
        file: tiff.file, found: "a TIFF with negative samples, which is not read as a picture")
    }
    if colors == 4 { pixels = Inks.rgb(fromInverted: pixels) }
    if isMultiplied { pixels = divided(pixels) }
    let channels = colors == 1 ? 1 : 3
    return Image(width: size.width, height: size.height, channels: channels, pixels: pixels).rgb
  }

  /// What each sample is in 8 bits.
  private static func table(_ layout: TIFFLayout, isInverse: Bool) -> [UInt8] {
    let most = 1 << layout.bits - 1
    return (0...most).map { sample in
      let value = layout.bits > 8 ? sample >> (layout.bits - 8) : sample * 255 / most
      return UInt8(isInverse ? 255 - value : value)
    }
  }

  /// The colours of a picture of indices.
  private static func indexed(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> Image {
    let palette = tiff.palette(bits: layout.bits)
    guard !palette.isEmpty else { throw tiff.damaged("its palette is missing") }
    let width = layout.size.width
    let pixels: [UInt8] = try Destination.array(of: 3 * width * layout.size.height) { out in
      try tiff.forEachRow(layout) { band, y, x, samples in
        guard band == 0 else { return }
        let step = layout.isPlanar ? 1 : layout.bands
        for i in 0..<samples.count / step {
          let color = palette[Int(truncatingIfNeeded: samples[i * step])]
          let to = 3 * (y * width + x + i)
          (out[to], out[to + 1], out[to + 2]) = (color.red, color.green, color.blue)
        }
      }
    }
    return Image(width: width, height: layout.size.height, pixels: pixels)
  }

  /// Colours that were multiplied by their opacity, as they were before: Pillow's rule.
  private static func divided(_ pixels: [UInt8]) -> [UInt8] {
    Destination.array(of: pixels.count / 4 * 3, isWrittenWhole: true) { out in
      for index in 0..<pixels.count / 4 {
        let opacity = Int(pixels[4 * index + 3])
        for channel in 0..<3 {
          let value = Int(pixels[4 * index + channel])
          out[3 * index + channel] =
            UInt8(opacity == 0 ? value : min(255, 255 * value / opacity))
        }
      }
    }
  }

  /// What libtiff itself makes a picture of: YCbCr, CIELab, LogLuv, old JPEG.
  private static func converted(_ tiff: TIFFFile, _ layout: TIFFLayout) throws -> Image {
    let size = layout.size
    var message = [CChar](repeating: 0, count: 1024)
    guard TIFFRGBAImageOK(tiff.handle, &message) != 0, layout.format != 3 else {
      let text = String(
        decoding: message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      throw ImageError.unsupported(
        file: tiff.file,
        found: "a TIFF of \(layout.kind) in \(layout.bands) bands, which is not read as a picture"
          + (text.isEmpty ? "" : " (\(text))"))
    }
    var isWhole = false
    let raster: [UInt32] = Destination.array(of: size.width * size.height) {
      // Asked for as it is stored, nothing is turned.
      isWhole =
        TIFFReadRGBAImageOriented(
          tiff.handle, UInt32(size.width), UInt32(size.height), $0.baseAddress,
          Int32(Orientation(tiff.number(TIFFTAG_ORIENTATION)).value), 1) != 0
    }
    guard isWhole else { throw tiff.damaged(tiff.reason ?? "it cannot be decoded") }
    let pixels: [UInt8] = Destination.array(of: 3 * raster.count, isWrittenWhole: true) { out in
      for (index, value) in raster.enumerated() {
        for channel in 0..<3 {
          out[3 * index + channel] = UInt8(truncatingIfNeeded: value >> UInt32(8 * channel))
        }
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }
}
