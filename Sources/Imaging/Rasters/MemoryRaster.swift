import CSPNG

/// An image that is decoded whole: PNG as it stands in the file, other pictures as red, green and blue.
final class MemoryRaster: RasterReader {
  let size: Size, bands: Int, kind: RasterFile.Kind
  let isWindowed = false, isPicture = true, isLabels = false
  private let whole: Raster.Samples

  init(_ bytes: [UInt8], _ file: String, _ budget: Int, _ orientation: ImageOrientation) throws {
    if ImageFormat(bytes) == .png, let deep = try PNG.deepSamples(bytes, file, budget) {
      (size, bands, kind, whole) = (deep.size, deep.bands, .uint16, .uint16(deep.samples))
    } else {
      let image = try Image(
        decoding: bytes, named: file, budget: budget, orientation: orientation)
      (size, bands, kind, whole) = (image.size, image.channels, .uint8, .uint8(image.pixels))
    }
  }

  func samples(_ window: PixelWindow, _ chosen: [Int]) -> Raster.Samples {
    func part<Sample>(_ samples: [Sample]) -> [Sample] {
      var out: [Sample] = []
      out.reserveCapacity(window.size.width * window.size.height * chosen.count)
      for y in window.y..<window.y + window.size.height {
        for x in window.x..<window.x + window.size.width {
          let at = (y * size.width + x) * bands
          for band in chosen { out.append(samples[at + band]) }
        }
      }
      return out
    }
    switch whole {
    case .uint8(let samples): return .uint8(part(samples))
    case .uint16(let samples): return .uint16(part(samples))
    case .float(let samples): return .float(part(samples))
    }
  }
}

extension PNG {
  /// The samples of a PNG of 16 bits as they stand in the file; nil for other PNG files.
  static func deepSamples(
    _ bytes: [UInt8], _ file: String, _ budget: Int
  ) throws -> (size: Size, bands: Int, samples: [UInt16])? {
    try withDecoder(bytes, file) { context, header in
      guard header.bit_depth == 16 else { return nil }
      let size = Size(width: Int(header.width), height: Int(header.height))
      let bands = [0: 1, 2: 3, 4: 2, 6: 4][Int(header.color_type)] ?? 1
      try size.check(2 * bands, budget, file)
      let raw = try decoded(context, Int32(SPNG_FMT_PNG.rawValue), file)
      guard raw.count == size.width * size.height * bands * 2 else {
        throw ImageError.damaged(file: file, format: "PNG", reason: "its size does not fit")
      }
      return (size, bands, raw.withUnsafeBytes { Array($0.bindMemory(to: UInt16.self)) })
    }
  }
}
