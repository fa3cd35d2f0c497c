import Files
import Torch

/// NumPy's own files: `.npy`, an array with a header in Python's words, and `.npz`, an archive of such.
///
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
enum NumPyFile {
  private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The longest header that is read.
  private static let maximumHeader = 1 << 16

  /// Whether a file begins as an array does.
  static func recognises(_ file: MappedFile) -> Bool { file.begins(with: magic) }

  /// Whether an archive is one of arrays.
  static func recognises(_ archive: ZipArchive) -> Bool {
    archive.names.contains { $0.hasSuffix(".npy") }
      && archive.names.allSatisfy { $0.hasSuffix(".npy") || $0.hasSuffix("/") }
  }

  /// Reads an array, which is called as the file is.
  static func open(_ file: MappedFile) throws -> WeightFile {
    let name = file.path.fileName
    var table = BlockTable()
    let entry = try entry(
      name.hasSuffix(".npy") ? String(name.dropLast(4)) : name, file, 0..<file.count,
      ByteBlock(file), &table)
    return WeightFile(file.path, table.blocks, .numpy, [entry])
  }

  /// Reads an archive of arrays.
  static func open(_ archive: ZipArchive) throws -> WeightFile {
    var table = BlockTable()
    var entries: [WeightFile.Entry] = []
    for name in archive.names where name.hasSuffix(".npy") {
      guard let place = try archive.place(name) else { continue }
      let file = try place.block.bytes()
      entries.append(
        try entry(String(name.dropLast(4)), file, place.bytes, place.block, &table))
    }
    return WeightFile(archive.file.path, table.blocks, .numpy, entries)
  }

  private static func entry(
    _ name: String, _ file: MappedFile, _ range: Range<Int>, _ block: ByteBlock,
    _ table: inout BlockTable
  ) throws -> WeightFile.Entry {
    func fault(_ reason: String) -> WeightFileError {
      .malformed(file: file.path, reason: "the array '\(name.printable)' \(reason)")
    }
    var reader = ByteReader(file, range)
    guard file.bytes(try reader.take(6)).elementsEqual(magic) else {
      throw fault("does not begin as arrays do")
    }
    let version = try reader.next(UInt8.self)
    _ = try reader.take(1)
    let length =
      version == 1 ? Int(try reader.next(UInt16.self)) : try reader.nextLength(UInt32.self)
    guard length <= maximumHeader, let header = file.text(try reader.take(length)) else {
      throw fault("has no header of at most \(maximumHeader) bytes")
    }
    guard let type = quoted("descr", in: header), let order = value("fortran_order", in: header),
      let lengths = value("shape", in: header), let open = lengths.firstIndex(of: "("),
      let close = lengths.firstIndex(of: ")"), open < close
    else { throw fault("does not say its descr, fortran_order and shape") }
    let numbers = lengths[lengths.index(after: open)..<close].split(separator: ",")
      .map { $0.filter { $0 != " " } }.filter { !$0.isEmpty }
    let shape = numbers.compactMap { Int($0) }
    guard shape.count == numbers.count, shape.count <= Pickle.maximumRank else {
      throw fault("has the shape '\(String(lengths.prefix(100)).printable)'")
    }
    let element = ElementType.numpy(
      type.drop { "<>|=".contains($0) }, bigEndian: type.hasPrefix(">"))
    guard case .read(let dtype, let coding) = element else {
      throw WeightFileError.unsupported(
        file: file.path, found: "elements of type '\(type.printable)' in '\(name.printable)'")
    }
    let isColumnMajor = order.drop { $0 == " " }.hasPrefix("True")
    let strides =
      isColumnMajor
      ? WeightFile.Entry.rowMajor(shape.reversed()).map { Array($0.reversed()) } : nil
    let place = Place(block: block, bytes: reader.position..<range.upperBound)
    guard
      let entry = WeightFile.Entry(
        name, dtype, coding, shape, strides: strides, in: place, &table)
    else { throw fault("of shape \(shape) has \(place.bytes.count) bytes") }
    return entry
  }

  /// What stands after a key of the header.
  private static func value(_ key: String, in header: String) -> Substring? {
    guard let range = header.firstRange(of: "'\(key)':") else { return nil }
    return header[range.upperBound...]
  }

  /// The text in quotation marks after a key of the header.
  private static func quoted(_ key: String, in header: String) -> String? {
    guard let rest = value(key, in: header)?.drop(while: { $0 == " " }), rest.first == "'" else {
      return nil
    }
    return String(rest.dropFirst().prefix { $0 != "'" })
  }
}
