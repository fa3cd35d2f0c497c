import CDeflate
import Dispatch
import Files

extension TiledResult {
  /// A result at one size, in tiles.
  struct Overview {
    let size: Size
    let spool: TileSpool

    /// The result at half the size, rounded up: of four labels the one that most have, of equal ones the
    /// first in reading order; of shares the mean.
    func halved(_ path: String, _ content: Content) throws -> Overview {
      // What follows is of bytes, of which samples of 16 bits have two.
      let (side, bands) = (TiledResult.side, content.bytes)
      let half = Size(width: (size.width + 1) / 2, height: (size.height + 1) / 2)
      let spool = try TileSpool(path, subject: "overview", isResumed: false)
      let columns = (size.width + side - 1) / side
      let halfColumns = (half.width + side - 1) / side
      let isLabels = if case .labels = content { true } else { false }
      for top in stride(from: 0, to: half.height, by: side) {
        let rows = min(2 * side, size.height - 2 * top)
        for column in 0..<halfColumns {
          // The four tiles, or those that there are.
          let width = min(2 * side, size.width - 2 * column * side)
          var whole = [UInt8](repeating: 0, count: width * rows * bands)
          for part in 0..<4 {
            let (x, y) = (part % 2 * side, part / 2 * side)
            guard x < width, y < rows else { continue }
            let index = (2 * top / side + part / 2) * columns + 2 * column + part % 2
            let tile = try TiledResult.unpacked(
              self.spool.block(index), count: side * side * bands, path)
            let length = min(side, width - x) * bands
            for row in 0..<min(side, rows - y) {
              let to = ((y + row) * width + x) * bands
              whole.replaceSubrange(
                to..<to + length, with: tile[row * side * bands..<row * side * bands + length])
            }
          }
          let small = Self.halved(
            whole, Size(width: width, height: rows), content.bands, content.bits,
            isLabels: isLabels)
          let tile = TiledResult.tile(
            small, Size(width: (width + 1) / 2, height: (rows + 1) / 2), at: 0, bands)
          try spool.append(TiledResult.packed(tile))
        }
      }
      return Overview(size: half, spool: spool)
    }

    private static func halved(
      _ pixels: [UInt8], _ size: Size, _ bands: Int, _ bits: Int, isLabels: Bool
    ) -> [UInt8] {
      let (width, height) = ((size.width + 1) / 2, (size.height + 1) / 2)
      var out = [UInt8](repeating: 0, count: width * height * bands * bits / 8)
      pixels.withUnsafeBufferPointer { pixels in
        for y in 0..<height {
          let (above, below) = (2 * y, min(2 * y + 1, size.height - 1))
          for x in 0..<width {
            let (left, right) = (2 * x, min(2 * x + 1, size.width - 1))
            for band in 0..<bands {
              guard bits == 8 else {
                func at(_ x: Int, _ y: Int) -> Int {
                  let byte = 2 * ((y * size.width + x) * bands + band)
                  return Int(pixels[byte]) | Int(pixels[byte + 1]) << 8
                }
                let mean =
                  (at(left, above) + at(right, above) + at(left, below) + at(right, below) + 2) / 4
                let byte = 2 * ((y * width + x) * bands + band)
                out[byte] = UInt8(truncatingIfNeeded: mean)
                out[byte + 1] = UInt8(mean >> 8)
                continue
              }
              func at(_ x: Int, _ y: Int) -> UInt8 { pixels[(y * size.width + x) * bands + band] }
              let (a, b, c, d) = (
                at(left, above), at(right, above), at(left, below), at(right, below)
              )
              let value: UInt8
              if isLabels {
                value = a == b || a == c || a == d ? a : b == c || b == d ? b : c == d ? c : a
              } else {
                value = UInt8((Int(a) + Int(b) + Int(c) + Int(d) + 2) / 4)
              }
              out[(y * width + x) * bands + band] = value
            }
          }
        }
      }
      return out
    }
  }

  /// The tile whose first column is `x` of rows of an image, filled up by 0.
  static func tile(_ pixels: [UInt8], _ size: Size, at x: Int, _ bands: Int) -> [UInt8] {
    let length = min(side, size.width - x) * bands
    var tile = [UInt8](repeating: 0, count: side * side * bands)
    for row in 0..<min(side, size.height) {
      let from = (row * size.width + x) * bands
      tile.withUnsafeMutableBufferPointer { tile in
        for i in 0..<length { tile[row * side * bands + i] = pixels[from + i] }
      }
    }
    return tile
  }

  /// Bytes packed by zlib's deflate.
  static func packed(_ bytes: [UInt8]) -> [UInt8] {
    guard let compressor = libdeflate_alloc_compressor(6) else { return [] }
    defer { libdeflate_free_compressor(compressor) }
    let bound = libdeflate_zlib_compress_bound(compressor, bytes.count)
    return [UInt8](unsafeUninitializedCapacity: bound) { out, count in
      count = bytes.withUnsafeBytes {
        libdeflate_zlib_compress(compressor, $0.baseAddress, $0.count, out.baseAddress, bound)
      }
    }
  }

  static func unpacked(_ bytes: [UInt8], count: Int, _ path: String) throws -> [UInt8] {
    guard let decompressor = libdeflate_alloc_decompressor() else {
      throw WriteError(path, reason: "there is no memory to unpack tiles")
    }
    defer { libdeflate_free_decompressor(decompressor) }
    var written = 0
    let out = [UInt8](unsafeUninitializedCapacity: count) { out, length in
      let result = bytes.withUnsafeBytes {
        libdeflate_zlib_decompress(
          decompressor, $0.baseAddress, $0.count, out.baseAddress, count, &written)
      }
      length = result == LIBDEFLATE_SUCCESS ? written : 0
    }
    guard out.count == count else { throw WriteError(path, reason: "a tile cannot be unpacked") }
    return out
  }

  static func inParallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
    DispatchQueue.concurrentPerform(iterations: count, execute: body)
  }
}
