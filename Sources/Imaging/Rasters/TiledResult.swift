import CDeflate
import Files

/// A result of an image that is written tile by tile, in constant memory, and becomes a cloud-optimized
/// GeoTIFF: tiled, compressed, with reduced copies inside.
///
/// Tiles wait in a file `NAME.part` until all are there, so that a process that was stopped goes on where it
/// was. The file takes its name when it is whole.
package final class TiledResult {
  /// What is in a result's pixels.
  package enum Content: Sendable, Equatable {
    /// A class of 8 bits, with colours and the value of pixels that were not measured.
    case labels(palette: [Color], missing: UInt8)
    /// Shares of 255, or of 65,535 in 16 bits, for each of so many classes; 0 in all of them where nothing was
    /// measured.
    case shares(bands: Int, bits: Int = 8)

    var bands: Int { if case .shares(let bands, _) = self { bands } else { 1 } }
    var bits: Int { if case .shares(_, let bits) = self { bits } else { 8 } }
    /// The bytes of a pixel.
    var bytes: Int { bands * bits / 8 }
  }

  /// The side of tiles.
  package static let side = 256

  /// The file that is made.
  package let path: String
  /// The columns and rows.
  package let size: Size
  let content: Content
  let place: GeoReference?
  private let spool: TileSpool

  /// The tiles side by side, and below each other.
  let columns: Int, rows: Int
  /// The rows of tiles that are there.
  package var finishedRows: Int { spool.count / columns }

  /// A result of `size` pixels that becomes the file `path`.
  ///
  /// - Parameters:
  ///   - subject: What the pixels follow from; tiles of another subject are not gone on with.
  ///   - isResumed: Whether whole rows of tiles that are there stay.
  /// - Throws: ``WriteError``.
  package init(
    _ path: String, size: Size, content: Content, place: GeoReference?, subject: String,
    isResumed: Bool
  ) throws {
    (self.path, self.size, self.content, self.place) = (path, size, content, place)
    columns = (size.width + Self.side - 1) / Self.side
    rows = (size.height + Self.side - 1) / Self.side
    spool = try TileSpool(
      "\(path).part",
      subject:
        "\(size.width)x\(size.height) \(content.bands)\(content.bits > 8 ? "x16" : "") \(subject)",
      isResumed: isResumed)
    try spool.keep(min(spool.count / columns, rows) * columns)
  }

  /// Lets go of all rows of tiles but the first `count`.
  ///
  /// - Throws: ``WriteError``.
  package func keep(rows count: Int) throws { try spool.keep(count * columns) }

  /// Appends the next row of tiles.
  ///
  /// - Parameter pixels: The rows of the image, (rows, width, bands): as many as a tile has, or those that
  ///   are left at the image's end; samples of 16 bits with the smaller byte first.
  /// - Throws: ``WriteError``.
  package func append(_ pixels: [UInt8]) throws {
    let bands = content.bytes
    let height = min(Self.side, size.height - finishedRows * Self.side)
    precondition(pixels.count == size.width * height * bands, "pixels do not fill a row of tiles")
    let row = Size(width: size.width, height: height)
    var packed = [[UInt8]](repeating: [], count: columns)
    packed.withUnsafeMutableBufferPointer { packed in
      nonisolated(unsafe) let packed = packed
      Self.inParallel(columns) { column in
        packed[column] = Self.packed(Self.tile(pixels, row, at: column * Self.side, bands))
      }
    }
    for block in packed { try spool.append(block) }
  }

  /// The same of samples of 16 bits.
  ///
  /// - Throws: ``WriteError``.
  package func append(_ pixels: [UInt16]) throws {
    try append(
      [UInt8](unsafeUninitializedCapacity: 2 * pixels.count) { out, count in
        for (i, value) in pixels.enumerated() {
          out[2 * i] = UInt8(truncatingIfNeeded: value)
          out[2 * i + 1] = UInt8(value >> 8)
        }
        count = 2 * pixels.count
      })
  }

  /// Writes the file and removes what waited for it.
  ///
  /// - Throws: ``WriteError``.
  package func finish() throws {
    var levels = [Overview(size: size, spool: spool)]
    defer { for level in levels.dropFirst() { level.spool.remove() } }
    while let last = levels.last, max(last.size.width, last.size.height) > Self.side {
      levels.append(
        try last.halved("\(path).\(levels.count).part", content))
    }
    try CloudTIFF(levels.map { ($0.size, $0.spool) }, content, place).write(to: path)
    spool.remove()
  }

  /// Removes what was written so far.
  package func discard() { spool.remove() }
}
