/// The filters of PNG (specification, section 9) for values of one or two bytes.
///
/// Eight bytes are undone at once wherever that is possible. What a filter leaves of label files is
/// mostly zeros: there the guess itself is the value.
enum Filters {
  /// Undoes the filters of rows of `stride` bytes, whose first is the filter's number.
  ///
  /// - Parameter step: The bytes of a value, 1 or 2.
  /// - Returns: Whether all filters exist.
  static func undo(_ raw: inout [UInt8], stride: Int, step: Int) -> Bool {
    let rows = raw.count / stride
    let zeros = [UInt8](repeating: 0, count: stride)
    return raw.withUnsafeMutableBytes { raw in
      zeros.withUnsafeBytes { zeros in
        guard let start = raw.baseAddress, let none = zeros.baseAddress else { return false }
        for y in 0..<rows {
          let row = start + y * stride + 1
          let above = y == 0 ? none : UnsafeRawPointer(row - stride)
          let count = stride - 1
          switch row.load(fromByteOffset: -1, as: UInt8.self) {
          case 0: break
          case 1: left(row, count, step)
          case 2: up(row, above, count)
          case 3: average(row, above, count, step)
          case 4: paeth(row, above, count, step)
          default: return false
          }
        }
        return true
      }
    }
  }

  private static let ones: UInt64 = 0x0101_0101_0101_0101
  private static let evenBytes: UInt64 = 0x00FF_00FF_00FF_00FF
  private static let pairs: UInt64 = 0x0001_0001_0001_0001

  @inline(__always)
  private static func word(_ bytes: UnsafeRawPointer, _ i: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: i, as: UInt64.self))
  }

  @inline(__always)
  private static func byte(_ bytes: UnsafeRawPointer, _ i: Int) -> UInt8 {
    bytes.load(fromByteOffset: i, as: UInt8.self)
  }

  @inline(__always)
  private static func put(_ word: UInt64, _ bytes: UnsafeMutableRawPointer, _ i: Int) {
    bytes.storeBytes(of: word.littleEndian, toByteOffset: i, as: UInt64.self)
  }

  @inline(__always)
  private static func add(_ value: UInt8, _ bytes: UnsafeMutableRawPointer, _ i: Int) {
    bytes.storeBytes(of: byte(bytes, i) &+ value, toByteOffset: i, as: UInt8.self)
  }

  /// The value left of byte `i`, over and over: what eight bytes are if nothing is added to it.
  @inline(__always)
  private static func repeated(_ bytes: UnsafeRawPointer, before i: Int, _ step: Int) -> UInt64 {
    step == 1
      ? UInt64(byte(bytes, i &- 1)) &* ones
      : UInt64(UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: i &- 2, as: UInt16.self)))
        &* pairs
  }

  private static func left(_ row: UnsafeMutableRawPointer, _ count: Int, _ step: Int) {
    var i = step
    while i &+ 8 <= count {
      // Sums along four lanes of 16 bits, in which none of up to four bytes and a start overflows.
      let added = word(row, i)
      let before = repeated(row, before: i, step)
      let even = (added & evenBytes) &* pairs
      let odd = (added >> 8 & evenBytes) &* pairs
      let firsts = step == 1 ? even &+ odd << 16 : even
      let seconds = step == 1 ? even &+ odd : odd
      let low = (firsts &+ (before & evenBytes)) & evenBytes
      let high = (seconds &+ (before >> 8 & evenBytes)) & evenBytes
      put(low | high << 8, row, i)
      i &+= 8
    }
    while i < count {
      add(byte(row, i &- step), row, i)
      i &+= 1
    }
  }

  private static func up(
    _ row: UnsafeMutableRawPointer, _ above: UnsafeRawPointer, _ count: Int
  ) {
    var i = 0
    while i &+ 32 <= count {
      let sum =
        row.loadUnaligned(fromByteOffset: i, as: SIMD32<UInt8>.self)
        &+ above.loadUnaligned(fromByteOffset: i, as: SIMD32<UInt8>.self)
      row.storeBytes(of: sum, toByteOffset: i, as: SIMD32<UInt8>.self)
      i &+= 32
    }
    while i < count {
      add(byte(above, i), row, i)
      i &+= 1
    }
  }

  private static func average(
    _ row: UnsafeMutableRawPointer, _ above: UnsafeRawPointer, _ count: Int, _ step: Int
  ) {
    for i in 0..<min(step, count) { add(byte(above, i) >> 1, row, i) }
    var i = step
    while i < count {
      let sum = UInt16(byte(row, i &- step)) &+ UInt16(byte(above, i))
      add(UInt8(truncatingIfNeeded: sum >> 1), row, i)
      i &+= 1
    }
  }

  /// The guess is the neighbour left, above or above left that is nearest to left + above - above
  /// left.
  private static func paeth(
    _ row: UnsafeMutableRawPointer, _ above: UnsafeRawPointer, _ count: Int, _ step: Int
  ) {
    for i in 0..<min(step, count) { add(byte(above, i), row, i) }
    var i = step
    while i < count {
      let end = min(i &+ 8, count)
      if end &- i == 8, word(row, i) == 0 {
        let guess = word(above, i)
        let before = repeated(row, before: i, step)
        // Left as above left: the guess is the value above, and the next ones find the same. Above
        // as above left: it is the value left.
        if before == repeated(above, before: i, step) {
          put(guess, row, i)
          i = end
          continue
        }
        if guess == word(above, i &- step) {
          put(before, row, i)
          i = end
          continue
        }
      }
      while i < end {
        let (a, b) = (Int32(byte(row, i &- step)), Int32(byte(above, i)))
        let c = Int32(byte(above, i &- step))
        let (p, q) = (b &- c, a &- c)
        let (fromA, fromB, fromC) = (abs(p), abs(q), abs(p &+ q))
        let best = fromA <= fromB && fromA <= fromC ? a : fromB <= fromC ? b : c
        add(UInt8(truncatingIfNeeded: best), row, i)
        i &+= 1
      }
    }
  }
}
