import Torch

/// How a file codes the elements of a tensor.
public enum Coding: String, Sendable, CaseIterable {
  /// As memory has them, the lowest byte first.
  case plain
  /// The highest byte first.
  case bigEndian
  /// Eight bits: a sign, four of exponent, three of fraction; no infinities.
  case float8E4M3FN = "float8_e4m3fn"
  /// Eight bits: a sign, five of exponent, two of fraction.
  case float8E5M2 = "float8_e5m2"
  /// As ``float8E4M3FN`` with another bias, one zero and one NaN.
  case float8E4M3FNUZ = "float8_e4m3fnuz"
  /// As ``float8E5M2`` with another bias, one zero, one NaN and no infinities.
  case float8E5M2FNUZ = "float8_e5m2fnuz"
  /// Eight bits of exponent and nothing else: powers of two.
  case float8E8M0FNU = "float8_e8m0fnu"

  /// Whether elements are floating-point numbers of eight bits, which are widened to 32.
  var isFloat8: Bool { self != .plain && self != .bigEndian }

  /// What each byte stands for, for numbers of eight bits.
  private static let tables: [Coding: [Float]] = Dictionary(
    uniqueKeysWithValues: allCases.filter(\.isFloat8).map { coding in
      (coding, (0...255).map { coding.number(UInt8($0)) })
    })

  /// The number that a byte stands for (OCP's OFP8, and Graphcore's and AMD's variants of it).
  private func number(_ byte: UInt8) -> Float {
    let (fraction, bias): (Int, Int) =
      switch self {
      case .float8E4M3FN: (3, 7)
      case .float8E4M3FNUZ: (3, 8)
      case .float8E5M2: (2, 15)
      case .float8E5M2FNUZ: (2, 16)
      default: (0, 127)
      }
    let isUnsigned = self == .float8E8M0FNU
    let magnitude = isUnsigned ? byte : byte & 0x7f
    let isNegative = !isUnsigned && byte >= 0x80
    switch self {
    case .float8E8M0FNU where byte == 0xff: return .nan
    // 2⁻¹²⁷, which a thread that takes such small numbers as zero could not compute.
    case .float8E8M0FNU where byte == 0: return Float(bitPattern: 0x0040_0000)
    case .float8E4M3FN where magnitude == 0x7f: return .nan
    case .float8E4M3FNUZ where byte == 0x80, .float8E5M2FNUZ where byte == 0x80: return .nan
    case .float8E5M2 where magnitude > 0x7c: return .nan
    case .float8E5M2 where magnitude == 0x7c: return isNegative ? -.infinity : .infinity
    default: break
    }
    let exponent = Int(magnitude) >> fraction
    let rest = Float(Int(magnitude) & (1 << fraction - 1)) / Float(1 << fraction)
    // Below the smallest exponent numbers have no leading one; powers of two always have it.
    let isSmall = exponent == 0 && !isUnsigned
    let value =
      isSmall
      ? rest * Float(sign: .plus, exponent: 1 - bias, significand: 1)
      : (1 + rest) * Float(sign: .plus, exponent: exponent - bias, significand: 1)
    return isNegative ? -value : value
  }

  /// The elements in `bytes` as memory has them: wider ones for numbers of eight bits.
  func decoded(_ bytes: UnsafeRawBufferPointer, _ dtype: DType) -> [UInt8] {
    if let table = Self.tables[self] {
      return [UInt8](unsafeUninitializedCapacity: 4 * bytes.count) { target, count in
        let raw = UnsafeMutableRawBufferPointer(target)
        for (index, byte) in bytes.enumerated() {
          raw.storeBytes(of: table[Int(byte)], toByteOffset: 4 * index, as: Float.self)
        }
        count = 4 * bytes.count
      }
    }
    let size = dtype.byteCount
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { target, count in
      for at in stride(from: 0, to: bytes.count, by: size) {
        for byte in 0..<size { target[at + byte] = bytes[at + size - 1 - byte] }
      }
      count = bytes.count
    }
  }
}

/// A kind of tensor that is not read.
enum RefusedKind: String {
  case complex = "complex numbers"
  case quantized = "quantized weights"
  case small = "numbers of less than eight bits"
  case sparse = "a sparse tensor"
  case nested = "a nested tensor"
  case meta = "a tensor of the device 'meta', which has no elements"
  case wrapper = "a tensor that wraps others"
  case mirrored = "a tensor that is conjugated or negated"
  case texts = "texts or objects"
}

/// The type of a tensor's elements as a file names it.
enum ElementType: Equatable {
  /// A type that is read, and how it is coded.
  case read(DType, Coding = .plain)
  /// A type that is not read: what it is, and the bytes of an element.
  case refused(RefusedKind, byteCount: Int)

  /// The number of bytes of an element in the file.
  var byteCount: Int {
    switch self {
    case .read(let dtype, let coding): coding.isFloat8 ? 1 : dtype.byteCount
    case .refused(_, let byteCount): byteCount
    }
  }

  /// The eight-bit floating-point type that PyTorch calls `name`, without its module.
  static func float8(_ name: String) -> ElementType? {
    Coding(rawValue: name).flatMap { $0.isFloat8 ? .read(.float32, $0) : nil }
  }

  /// The type that NumPy calls `kind` followed by the bytes of an element, such as `f4`.
  static func numpy(_ name: some StringProtocol, bigEndian: Bool) -> ElementType? {
    let types: [String: DType] = [
      "f8": .float64, "f4": .float32, "f2": .float16, "i8": .int64, "i4": .int32, "i2": .int16,
      "i1": .int8, "u8": .uint64, "u4": .uint32, "u2": .uint16, "u1": .uint8, "b1": .bool,
      "?": .bool,
    ]
    if let dtype = types[String(name)] {
      return .read(dtype, bigEndian && dtype.byteCount > 1 ? .bigEndian : .plain)
    }
    if name == "c8" || name == "c16" {
      return .refused(.complex, byteCount: name == "c8" ? 8 : 16)
    }
    return name.first.map { "OSUVMm".contains($0) } == true ? .refused(.texts, byteCount: 1) : nil
  }
}
