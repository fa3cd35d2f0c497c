import Imaging

/// Polygons and runs in little memory: a coordinate takes two bytes where a list of places takes eight, and
/// nothing stands around them.
///
/// Coordinates are decimals in files and are kept as whole numbers of their last digit, each as its difference
/// to the corner before. What comes out is equal to what went in.
struct PackedForms: Sendable {
  private var bytes: [UInt8] = []

  /// How a ring's coordinates are kept where they are no decimals of at most this many digits.
  private static let mostDigits = 6, singles: UInt8 = 8, doubles: UInt8 = 9
  private static let powers: [Double] = [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6]

  /// Adds polygons, at least one, and tells their place.
  mutating func append(_ rings: [[Point]]) -> Int {
    let place = bytes.count
    append(UInt64(rings.count))
    for ring in rings { append(ring) }
    return place
  }

  /// Adds runs of an image, and tells their place.
  mutating func append(_ runs: [UInt32], _ size: Size) -> Int {
    let place = bytes.count
    append(0)
    for number in [size.width, size.height, runs.count] { append(UInt64(number)) }
    for run in runs { append(UInt64(run)) }
    return place
  }

  /// What was added at a place.
  subscript(place: Int) -> Shape.Form {
    bytes.withUnsafeBytes { bytes in
      var reading = Reading(bytes: bytes, at: place)
      let rings = Int(reading.number())
      guard rings == 0 else { return .rings((0..<rings).map { _ in reading.ring() }) }
      let (width, height) = (Int(reading.number()), Int(reading.number()))
      let count = Int(reading.number())
      return .runs(
        (0..<count).map { _ in UInt32(truncatingIfNeeded: reading.number()) },
        Size(width: width, height: height))
    }
  }

  // MARK: Writing

  /// Seven bits a byte, the lowest first; the highest bit says that more follow.
  private mutating func append(_ number: UInt64) {
    var rest = number
    while rest > 127 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 128)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  private mutating func append(_ ring: [Point]) {
    append(UInt64(ring.count))
    var digits = 0
    for corner in ring {
      digits = Self.digits(corner.x, digits)
      digits = Self.digits(corner.y, digits)
    }
    if digits <= Self.mostDigits {
      bytes.append(UInt8(digits))
      let power = Self.powers[digits]
      var (x, y) = (0, 0)
      for corner in ring {
        let scaled = (corner * power).rounded(.toNearestOrAwayFromZero)
        let (nextX, nextY) = (Int(scaled.x), Int(scaled.y))
        append(Self.folded(nextX - x))
        append(Self.folded(nextY - y))
        (x, y) = (nextX, nextY)
      }
    } else if ring.allSatisfy({ Self.isSingle($0.x) && Self.isSingle($0.y) }) {
      bytes.append(Self.singles)
      for corner in ring {
        withUnsafeBytes(of: SIMD2<Float>(corner)) { bytes.append(contentsOf: $0) }
      }
    } else {
      bytes.append(Self.doubles)
      for corner in ring { withUnsafeBytes(of: corner) { bytes.append(contentsOf: $0) } }
    }
  }

  /// The digits after the point that a number has, at least `least`; more than ``mostDigits`` for no decimal.
  ///
  /// Numbers so large that a whole number of their last digit would not be exact count as no decimals.
  private static func digits(_ value: Double, _ least: Int) -> Int {
    guard abs(value) < 1e9 else { return mostDigits + 1 }
    var digits = least
    while digits <= mostDigits,
      (value * powers[digits]).rounded(.toNearestOrAwayFromZero) / powers[digits] != value
    { digits += 1 }
    return digits
  }

  private static func isSingle(_ value: Double) -> Bool { Double(Float(value)) == value }

  /// Numbers around 0 as small ones from 0: 0, -1, 1, -2 and so on.
  private static func folded(_ value: Int) -> UInt64 {
    UInt64(bitPattern: Int64(value << 1 ^ value >> 63))
  }

  // MARK: Reading

  private struct Reading {
    let bytes: UnsafeRawBufferPointer
    var at: Int

    mutating func number() -> UInt64 {
      var (value, shift) = (UInt64(0), UInt64(0))
      while true {
        let byte = bytes[at]
        at += 1
        value |= UInt64(byte & 127) << shift
        if byte < 128 { return value }
        shift += 7
      }
    }

    private mutating func unfolded() -> Int {
      let value = number()
      return Int(bitPattern: UInt(value >> 1)) ^ -Int(value & 1)
    }

    mutating func ring() -> [Point] {
      let count = Int(number())
      let coding = bytes[at]
      at += 1
      switch coding {
      case PackedForms.singles:
        return (0..<count).map { _ in Point(loaded(SIMD2<Float>.self)) }
      case PackedForms.doubles: return (0..<count).map { _ in loaded(Point.self) }
      default:
        let power = PackedForms.powers[Int(coding)]
        var (x, y) = (0, 0)
        return (0..<count).map { _ in
          x += unfolded()
          y += unfolded()
          return Point(Double(x) / power, Double(y) / power)
        }
      }
    }

    private mutating func loaded<Value: BitwiseCopyable>(_ type: Value.Type) -> Value {
      defer { at += MemoryLayout<Value>.size }
      return bytes.loadUnaligned(fromByteOffset: at, as: type)
    }
  }
}
