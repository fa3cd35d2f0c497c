import CDeflate
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
