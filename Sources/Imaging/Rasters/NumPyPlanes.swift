import CDeflate
import Files
import Foundation

/// An array of NumPy of type float16, (planes, H, W), of which all planes come some rows at a time: each goes to its
/// place in a file that has its whole length from the beginning.
///
/// The file takes its name when it is whole. Until then a second one keeps the check sums of the rows that are there,
/// so that a process that was stopped goes on with them, and with no others.
package final class NumPyPlanes {
  /// The file that is made.
  package let path: String
  private let planes: Int, size: Size
  private let descriptor: Int32
  private let header: [UInt8]
  private let sums: TileSpool

  /// The rows that come at once, but for the last.
  package static let side = TiledResult.side
  /// How many times ``side`` rows are there.
  package var finishedRows: Int { sums.count }

  private var partial: String { "\(path).part" }

  /// The header of an array of numbers of type float16.
  ///
  /// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
  package static func header(planes: Int, _ size: Size) -> [UInt8] {
    var text =
      "{'descr': '<f2', 'fortran_order': False, 'shape': (\(planes), \(size.height), \(size.width)), }"
    // Data begins at a multiple of 64 bytes.
    text += String(repeating: " ", count: 63 - (10 + text.utf8.count) % 64) + "\n"
    let length = text.utf8.count
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
      + Array(text.utf8)
  }

  /// An array that becomes the file `path`.
  ///
  /// - Parameters:
  ///   - subject: What the numbers follow from; rows of another subject are not gone on with.
  ///   - isResumed: Whether whole rows that are there stay.
  /// - Throws: ``WriteError``.
  package init(
    _ path: String, planes: Int, size: Size, subject: String, isResumed: Bool
  ) throws {
    (self.path, self.planes, self.size) = (path, planes, size)
    header = Self.header(planes: planes, size)
    let row = (2 * planes).multipliedReportingOverflow(by: size.width)
    let all = row.partialValue.multipliedReportingOverflow(by: size.height)
    guard !row.overflow, !all.overflow, all.partialValue < Int.max - header.count else {
      throw WriteError(path, reason: "\(planes)×\(size.height)×\(size.width) numbers are too many")
    }
    // Locked before anything is changed.
    sums = try TileSpool(
      "\(path).rows.part", subject: "\(planes)x\(size.height)x\(size.width) \(subject)",
      isResumed: isResumed)
    descriptor = FileSystem.open(
      "\(path).part", O_RDWR | O_CREAT | (sums.count == 0 ? O_TRUNC : 0))
    guard descriptor >= 0, ftruncate(descriptor, off_t(header.count + all.partialValue)) == 0
    else { throw WriteError(path) }
    try write(header, at: 0)
    let blocks = (size.height + Self.side - 1) / Self.side
    var whole = 0
    while whole < min(sums.count, blocks), try isWhole(whole) { whole += 1 }
    try sums.keep(whole)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Lets go of all but `count` times ``side`` rows.
  ///
  /// - Throws: ``WriteError``.
  package func keep(rows count: Int) throws { try sums.keep(count) }

  /// Writes the next rows.
  ///
  /// - Parameters:
  ///   - rows: How many: ``side``, or those that are left at the end.
  ///   - plane: The bits of the numbers of a plane's rows, (rows, W).
  /// - Throws: ``WriteError``.
  package func append(rows: Int, _ plane: (Int) -> ArraySlice<UInt16>) throws {
    let first = finishedRows * Self.side
    precondition(rows == min(Self.side, size.height - first), "rows do not follow the last")
    var sum: UInt32 = 0
    for index in 0..<planes {
      let values = plane(index)
      precondition(values.count == rows * size.width, "numbers do not fill the rows")
      let bytes = [UInt8](unsafeUninitializedCapacity: 2 * values.count) { out, count in
        for (i, value) in values.enumerated() {
          out[2 * i] = UInt8(truncatingIfNeeded: value)
          out[2 * i + 1] = UInt8(value >> 8)
        }
        count = 2 * values.count
      }
      sum = Self.sum(sum, bytes)
      try write(bytes, at: offset(index, first))
    }
    try sums.append((0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) })
  }

  /// Gives the file its name and removes what else was kept.
  ///
  /// - Throws: ``WriteError``.
  package func finish() throws {
    precondition(finishedRows * Self.side >= size.height, "rows are missing")
    guard fsync(descriptor) == 0, FileSystem.rename(partial, to: path) == 0 else {
      throw WriteError(path)
    }
    AtomicFile.synchronize(path.parentFolder)
    sums.remove()
  }

  private func offset(_ plane: Int, _ row: Int) -> Int {
    header.count + 2 * (plane * size.height + row) * size.width
  }

  /// Whether rows are what was written.
  private func isWhole(_ block: Int) throws -> Bool {
    let first = block * Self.side
    let count = 2 * size.width * min(Self.side, size.height - first)
    var sum: UInt32 = 0
    for plane in 0..<planes {
      let bytes = try read(offset(plane, first), count)
      guard bytes.count == count else { return false }
      sum = Self.sum(sum, bytes)
    }
    return try sums.block(block) == (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) }
  }

  private static func sum(_ sum: UInt32, _ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { libdeflate_crc32(sum, $0.baseAddress, $0.count) }
  }

  private func write(_ bytes: [UInt8], at offset: Int) throws {
    try FilePlaces.write(bytes, to: descriptor, at: offset, path)
  }

  private func read(_ offset: Int, _ count: Int) throws -> [UInt8] {
    try FilePlaces.read(descriptor, offset, count, path)
  }
}
