import Files

/// Grey pictures of 16 bits, of which all come some rows at a time, and which become PNG files when the last is there.
///
/// Rows wait packed in one file, so that a process that was stopped goes on with them; a PNG is written row by row, as
/// nothing of it can be written before what is above.
package final class PNGPlanes {
  private let paths: [String], size: Size
  private let spool: TileSpool

  /// The rows that come at once, but for the last.
  package static let side = TiledResult.side
  /// How many times ``side`` rows of all pictures are there.
  package var finishedRows: Int { spool.count / paths.count }

  /// Pictures that become the files `paths`, whose rows wait in `part`.
  ///
  /// - Parameters:
  ///   - subject: What the pixels follow from; rows of another subject are not gone on with.
  ///   - isResumed: Whether whole rows that are there stay.
  /// - Throws: ``WriteError``.
  package init(
    _ paths: [String], part: String, size: Size, subject: String, isResumed: Bool
  ) throws {
    precondition(!paths.isEmpty, "there are no pictures")
    (self.paths, self.size) = (paths, size)
    spool = try TileSpool(
      part, subject: "\(paths.count)x\(size.height)x\(size.width) \(subject)", isResumed: isResumed)
    try keep(rows: finishedRows)
  }

  /// Lets go of all but `count` times ``side`` rows.
  ///
  /// - Throws: ``WriteError``.
  package func keep(rows count: Int) throws { try spool.keep(count * paths.count) }

  /// Appends the next rows.
  ///
  /// - Parameters:
  ///   - rows: How many: ``side``, or those that are left at the end.
  ///   - plane: The pixels of a picture's rows, (rows, W).
  /// - Throws: ``WriteError``.
  package func append(rows: Int, _ plane: (Int) -> ArraySlice<UInt16>) throws {
    for index in paths.indices {
      let values = plane(index)
      precondition(values.count == rows * size.width, "pixels do not fill the rows")
      // Bytes of one weight beside each other are packed better.
      try spool.append(
        TiledResult.packed(
          values.map { UInt8($0 >> 8) } + values.map { UInt8(truncatingIfNeeded: $0) }))
    }
  }

  /// Writes the files and removes what waited for them.
  ///
  /// - Throws: ``WriteError``, ``ImageError``.
  package func finish() throws {
    for (index, path) in paths.enumerated() {
      try PNG.writeGray(path, size) { add in
        for block in 0..<finishedRows {
          let rows = min(Self.side, size.height - block * Self.side)
          let pixels = rows * size.width
          let bytes = try TiledResult.unpacked(
            spool.block(block * paths.count + index), count: 2 * pixels, path)
          for row in 0..<rows {
            let own = row * size.width..<(row + 1) * size.width
            try add(own.map { UInt16(bytes[$0]) << 8 | UInt16(bytes[pixels + $0]) })
          }
        }
      }
    }
    spool.remove()
  }
}
