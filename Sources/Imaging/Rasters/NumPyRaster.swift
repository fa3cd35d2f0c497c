import Files
import Foundation

/// An array in a `.npy` file: (H, W), (H, W, bands), (bands, H, W), or pages of the latter two.
///
/// Of three dimensions the smaller of the first and the last is that of the bands, the last if they are
/// equal. NumPy's format is described in NEP 1.
final class NumPyRaster: RasterReader {
  static let magic: [UInt8] = [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]

  let size: Size, bands: Int, kind: RasterFile.Kind
  let isWindowed: Bool, isPicture = false, isLabels = false

  private let file: String
  private let source: Source
  private let element: Element
  private let isSwapped: Bool
  /// Where the page's samples begin, and the elements to the next row, column and band.
  private let start: Int
  private let row: Int, column: Int, band: Int

  private enum Element: String {
    case bool = "b1"
    case int8 = "i1", int16 = "i2", int32 = "i4", int64 = "i8"
    case uint8 = "u1", uint16 = "u2", uint32 = "u4", uint64 = "u8"
    case half = "f2", single = "f4", double = "f8"

    var bytes: Int {
      switch self {
      case .bool, .int8, .uint8: 1
      case .int16, .uint16, .half: 2
      case .int32, .uint32, .single: 4
      case .int64, .uint64, .double: 8
      }
    }
  }

  /// Where the bytes are.
  private enum Source {
    case disk(OpenFile)
    case memory([UInt8])
  }

  /// An open file, which is closed with it.
  private final class OpenFile {
    let descriptor: Int32
    init(_ descriptor: Int32) { self.descriptor = descriptor }
    deinit { close(descriptor) }
  }

  /// The array in a file.
  convenience init(_ path: String, page: Int) throws {
    let descriptor = FileSystem.open(path, O_RDONLY)
    guard descriptor >= 0 else {
      throw ImageError.unreadable(file: path, reason: FileSystem.reason(errno))
    }
    try self.init(
      path, .disk(OpenFile(descriptor)), beginning: FileSystem.beginning(path, 1 << 16),
      count: FileSystem.status(path).map { Int($0.st_size) } ?? 0, page: page)
  }

  /// The array in the bytes of a file.
  convenience init(_ bytes: [UInt8], _ name: String, page: Int) throws {
    try self.init(
      name, .memory(bytes), beginning: Array(bytes.prefix(1 << 16)), count: bytes.count, page: page)
  }

  private init(
    _ path: String, _ source: Source, beginning: [UInt8], count length: Int, page: Int
  ) throws {
    (file, self.source) = (path, source)
    func damaged(_ reason: String) -> ImageError {
      .damaged(file: path, format: "NumPy", reason: reason)
    }
    let header = try Header(path, beginning)
    guard let element = Element(rawValue: header.type) else {
      throw ImageError.unsupported(
        file: path,
        found:
          "an array of type '\(header.type)', expected numbers (bool, integers, floating point)")
    }
    self.element = element
    isSwapped = header.isBigEndian && element.bytes > 1
    kind =
      switch element {
      case .uint8, .bool: .uint8
      case .uint16: .uint16
      default: .float
      }
    var shape = header.shape
    guard (2...4).contains(shape.count), shape.allSatisfy({ $0 > 0 }) else {
      throw ImageError.unsupported(
        file: path,
        found: "an array of the shape \(shape), expected (H, W), (H, W, bands) or (bands, H, W), or"
          + " pages of those")
    }
    // Elements from one index to the next, in either order.
    var strides = [Int](repeating: 1, count: shape.count)
    var count = 1
    for axis in header.isFortran ? Array(shape.indices) : shape.indices.reversed() {
      strides[axis] = count
      let (product, overflow) = count.multipliedReportingOverflow(by: shape[axis])
      guard !overflow, product <= 1 << 56 else { throw damaged("its shape \(shape) is too large") }
      count = product
    }
    guard length - header.end >= count * element.bytes else {
      throw damaged("it ends before its last number")
    }
    var first = 0
    if shape.count == 4 {
      guard (1...shape[0]).contains(page) else {
        throw ImageError.unsupported(
          file: path, found: "an array of \(shape[0]) pages, expected a page \(page)")
      }
      first = (page - 1) * strides[0]
      shape.removeFirst()
      strides.removeFirst()
    } else if page != 1 {
      throw ImageError.unsupported(
        file: path, found: "an array of one page, expected a page \(page)")
    }
    if shape.count == 2 {
      size = Size(width: shape[1], height: shape[0])
      (bands, row, column, band) = (1, strides[0], strides[1], 0)
    } else if shape[0] < shape[2] {
      size = Size(width: shape[2], height: shape[1])
      (bands, row, column, band) = (shape[0], strides[1], strides[2], strides[0])
    } else {
      size = Size(width: shape[1], height: shape[0])
      (bands, row, column, band) = (shape[2], strides[0], strides[1], strides[2])
    }
    start = header.end + first * element.bytes
    // In Fortran's order the numbers of a row lie all over the file.
    isWindowed = !header.isFortran
  }

  func samples(_ window: PixelWindow, _ chosen: [Int]) throws -> Raster.Samples {
    let count = window.size.width * window.size.height * chosen.count
    switch element {
    case .uint8, .bool:
      return .uint8(try gathered(window, chosen, count, UInt8.self) { $0 })
    case .uint16:
      let swaps = isSwapped
      return .uint16(
        try gathered(window, chosen, count, UInt16.self) { swaps ? $0.byteSwapped : $0 })
    case .int8: return .float(try gathered(window, chosen, count, Int8.self) { Float($0) })
    case .int16: return try integers(window, chosen, count, Int16.self)
    case .int32: return try integers(window, chosen, count, Int32.self)
    case .int64: return try integers(window, chosen, count, Int64.self)
    case .uint32: return try integers(window, chosen, count, UInt32.self)
    case .uint64: return try integers(window, chosen, count, UInt64.self)
    case .half:
      return try reals(window, chosen, count, UInt16.self) { Float(Float16(bitPattern: $0)) }
    case .single: return try reals(window, chosen, count, UInt32.self) { Float(bitPattern: $0) }
    case .double:
      return try reals(window, chosen, count, UInt64.self) { Float(Double(bitPattern: $0)) }
    }
  }

  private func integers<Number: FixedWidthInteger & BitwiseCopyable>(
    _ window: PixelWindow, _ chosen: [Int], _ count: Int, _ type: Number.Type
  ) throws -> Raster.Samples {
    let swaps = isSwapped
    return .float(
      try gathered(window, chosen, count, type) { Float(swaps ? $0.byteSwapped : $0) })
  }

  private func reals<Bits: FixedWidthInteger & BitwiseCopyable>(
    _ window: PixelWindow, _ chosen: [Int], _ count: Int, _ type: Bits.Type,
    _ value: @escaping (Bits) -> Float
  ) throws -> Raster.Samples {
    let swaps = isSwapped
    return .float(
      try gathered(window, chosen, count, type) { value(swaps ? $0.byteSwapped : $0) })
  }

  /// The numbers of a window, read run by run: what lies between the first and the last of a row.
  private func gathered<Stored: BitwiseCopyable, Result>(
    _ window: PixelWindow, _ chosen: [Int], _ count: Int, _ type: Stored.Type,
    _ convert: (Stored) -> Result
  ) throws -> [Result] {
    var out: [Result] = []
    out.reserveCapacity(count)
    let bytes = element.bytes
    // Bands side by side are read with their pixels, bands apart one after the other.
    let runs: [[Int]] = band == 1 && column >= bands ? [chosen] : chosen.map { [$0] }
    let lines = runs.map { _ in [UInt8]() }
    for y in window.y..<window.y + window.size.height {
      var lines = lines
      var firsts: [Int] = []
      for (index, run) in runs.enumerated() {
        let low = (run.min() ?? 0) * band, high = (run.max() ?? 0) * band
        let first = y * row + window.x * column + low
        let length = (window.size.width - 1) * column + high - low + 1
        lines[index] = try read(start + first * bytes, length * bytes)
        firsts.append(low)
      }
      for x in 0..<window.size.width {
        for (index, run) in runs.enumerated() {
          for band in run {
            let at = x * column + band * self.band - firsts[index]
            out.append(
              convert(
                lines[index].withUnsafeBytes {
                  $0.loadUnaligned(fromByteOffset: at * bytes, as: type)
                }))
          }
        }
      }
    }
    return out
  }

  private func read(_ offset: Int, _ count: Int) throws -> [UInt8] {
    let descriptor: Int32
    switch source {
    case .memory(let bytes): return Array(bytes[offset..<offset + count])
    case .disk(let file): descriptor = file.descriptor
    }
    var done = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
      while done < count, let base = buffer.baseAddress {
        let got = pread(descriptor, base + done, count - done, off_t(offset + done))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else { break }
        done += got
      }
      length = done
    }
    guard done == count else {
      throw ImageError.damaged(
        file: file, format: "NumPy", reason: "it ends before its last number")
    }
    return bytes
  }
}

extension NumPyRaster {
  /// What the text before the numbers says.
  private struct Header {
    var type = "", shape: [Int] = []
    var isBigEndian = false, isFortran = false
    /// Where the numbers begin.
    var end = 0

    init(_ path: String, _ bytes: [UInt8]) throws {
      func damaged(_ reason: String) -> ImageError {
        .damaged(file: path, format: "NumPy", reason: reason)
      }
      guard bytes.count >= 12, bytes.starts(with: NumPyRaster.magic) else {
        throw damaged("its header is cut short")
      }
      let isShort = bytes[6] == 1
      let length = (0..<(isShort ? 2 : 4)).reduce(0) { $0 | Int(bytes[8 + $1]) << (8 * $1) }
      end = (isShort ? 10 : 12) + length
      guard end <= bytes.count else { throw damaged("its header is cut short") }
      let text = String(decoding: bytes[(isShort ? 10 : 12)..<end], as: UTF8.self)
      guard let type = text.firstMatch(of: /'descr'\s*:\s*'([<>|=]?)([a-z]\d{1,3})'/),
        let order = text.firstMatch(of: /'fortran_order'\s*:\s*(True|False)/),
        let shape = text.firstMatch(of: /'shape'\s*:\s*\(([\d,\s]*)\)/)
      else { throw damaged("its header is not one of plain numbers") }
      isBigEndian = type.1 == ">"
      self.type = String(type.2)
      isFortran = order.1 == "True"
      let numbers = shape.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        .filter { !$0.isEmpty }
      self.shape = try numbers.map {
        guard let number = Int($0) else { throw damaged("its shape is (\(shape.1))") }
        return number
      }
    }
  }
}
