import CDeflate
import Files
import Foundation
import Torch

extension Module {
  /// A number that tells networks with other weights apart: the CRC-32 of the names and the elements of all of its
  /// tensors.
  package final var weightChecksum: UInt32 {
    var sum: UInt32 = 0
    for (name, tensor) in state {
      var data = Data("\(name) \(tensor.dtype) \(tensor.shape)".utf8)
      sum = data.withUnsafeBytes { libdeflate_crc32(sum, $0.baseAddress, $0.count) }
      data = Data(count: tensor.count * tensor.dtype.byteCount)
      data.withUnsafeMutableBytes { tensor.read(into: $0) }
      sum = data.withUnsafeBytes { libdeflate_crc32(sum, $0.baseAddress, $0.count) }
    }
    return sum
  }
}

/// Short texts that are equal for equal contents.
package enum Fingerprint {
  /// That of bytes: FNV-1a of 64 bits.
  package static func text(_ bytes: some Sequence<UInt8>) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// That of a file: its length and the CRC-32 of its bytes; of one that cannot be read `none`.
  package static func file(_ path: String) -> String {
    let descriptor = FileSystem.open(path, O_RDONLY)
    guard descriptor >= 0 else { return "none" }
    defer { close(descriptor) }
    var (sum, length) = (UInt32(0), 0)
    var buffer = [UInt8](repeating: 0, count: 1 << 20)
    while true {
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      length += count
      sum = buffer.withUnsafeBytes { libdeflate_crc32(sum, $0.baseAddress, count) }
    }
    return "\(length)-\(String(sum, radix: 16))"
  }
}

/// A number that tells contents apart which come one after the other: Fowler, Noll and Vo's FNV-1a, by words of 64 bits.
package struct RunningFingerprint {
  private var value: UInt64 = 0xCBF2_9CE4_8422_2325

  /// That of nothing yet.
  package init() {}

  /// The number as text.
  package var text: String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  /// Takes in a word.
  package mutating func add(_ word: UInt64) {
    value = (value ^ word) &* 0x100_0000_01B3
    // A product's low bits depend on low bits only.
    value ^= value >> 32
  }

  /// Takes in a text.
  package mutating func add(_ text: String) {
    for byte in text.utf8 { add(UInt64(byte)) }
    add(UInt64(text.utf8.count) | 1 << 63)
  }
}
