/// The bytes of an array in NumPy's format (NEP 1).
enum NumPyArray {
  /// The media type.
  static let type = "application/x-npy"

  /// An array of numbers in the order of C.
  ///
  /// - Parameter kind: NumPy's name of the numbers' type, such as `<f4`.
  static func bytes(_ numbers: [some Any], kind: String, shape: [Int]) -> [UInt8] {
    let sides = shape.map { "\($0)," }.joined(separator: " ")
    var header = "{'descr': '\(kind)', 'fortran_order': False, 'shape': (\(sides)), }"
    // The numbers begin at a multiple of 64.
    header += String(repeating: " ", count: 63 - (10 + header.utf8.count) % 64) + "\n"
    let length = UInt16(header.utf8.count)
    return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(length & 255), UInt8(length >> 8)]
      + Array(header.utf8) + numbers.withUnsafeBytes(Array.init)
  }
}
