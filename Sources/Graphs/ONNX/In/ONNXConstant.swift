import Dispatch
import Files
import Foundation
import Synchronization
import Torch

/// A tensor of a file.
struct ONNXConstant {
  /// Where the elements are.
  enum Place {
    /// Here, row by row and little-endian.
    case bytes(Data)
    /// In another file beside the network's, from this byte on.
    case file(String, offset: Int)
    /// Nowhere: they are worked out.
    case array(ONNXArray)
  }

  var name: String
  var shape: [Int]
  /// The type of the numbers as the network has them, and as they lie: see ``DType/widened``.
  let dtype: DType, stored: DType
  var place: Place
  /// Whether the two dimensions of a matrix are to change places where it becomes a tensor.
  var isTransposed = false

  /// The number of elements.
  var count: Int { shape.reduce(1, *) }

  /// A constant of known numbers.
  init(_ name: String, _ array: ONNXArray) {
    (self.name, shape, dtype, place) = (name, array.shape, array.dtype, .array(array))
    stored = dtype
  }

  /// A constant whose elements lie somewhere as `stored`.
  init(_ name: String, _ shape: [Int], _ stored: DType, _ place: Place) {
    (self.name, self.shape, self.stored, self.place) = (name, shape, stored, place)
    dtype = stored.widened
  }

  /// The most elements whose numbers are looked at while a network is read.
  private static let knownCount = 4096

  /// The numbers, of lists of whole numbers and short ones of others; nil for what is a weight.
  func array() throws -> ONNXArray? {
    if case .array(let array) = place { return array }
    let limit = dtype.isFloatingPoint ? 16 : Self.knownCount
    guard count <= limit, !isTransposed else { return nil }
    let data = try bytes()
    func list<T: BitwiseCopyable>(_ type: T.Type, _ number: (T) -> Double) -> [Double] {
      data.withUnsafeBytes { bytes in
        (0..<count).map { index in
          number(
            bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.size, as: T.self))
        }
      }
    }
    let values: [Double] =
      switch stored {
      case .float32: list(Float.self) { Double($0) }
      case .float64: list(Double.self) { $0 }
      case .int64: list(Int64.self) { Double($0) }
      case .int32: list(Int32.self) { Double($0) }
      case .int16: list(Int16.self) { Double($0) }
      case .int8: list(Int8.self) { Double($0) }
      case .uint8: list(UInt8.self) { Double($0) }
      case .bool: list(UInt8.self) { $0 == 0 ? 0 : 1 }
      case .uint16: list(UInt16.self) { Double($0) }
      case .uint32: list(UInt32.self) { Double($0) }
      case .uint64: list(UInt64.self) { Double($0) }
      case .float16: list(Float16.self) { Double($0) }
      case .bfloat16: list(UInt16.self) { Double(Float(bitPattern: UInt32($0) << 16)) }
      }
    return ONNXArray(shape, values, dtype)
  }

  /// The elements as a tensor; one with shape and type only inside of `shapesOnly`.
  func tensor() throws -> Tensor { try Self.tensors([self])[0] }

  /// The elements of several constants as tensors; those in files are read by as many threads as operators
  /// have.
  static func tensors(_ constants: [ONNXConstant]) throws -> [Tensor] {
    var reads: [Read] = []
    let tensors = try constants.map { constant in
      switch constant.place {
      case .array(let array): return array.tensor
      case .bytes(let data): return constant.tensor(of: data)
      case .file(let path, let offset):
        let tensor = Tensor(uninitialized: constant.shape, constant.stored)
        let size = constant.count * constant.stored.byteCount
        guard !tensor.isWithoutMemory, size > 0 else { return tensor }
        guard let memory = tensor.withMemory({ $0 }) else {
          throw ONNXError.unreadable(
            file: path, reason: "there is no memory for \(constant.name)")
        }
        reads.append(
          Read(path: path, offset: offset, buffer: .init(start: memory, count: size)))
        return tensor
      }
    }
    try withExtendedLifetime(tensors) { try Read.all(reads) }
    return zip(constants, tensors).map { constant, tensor in
      constant.turned(tensor.dtype == constant.dtype ? tensor : tensor.to(constant.dtype))
    }
  }

  private func turned(_ tensor: Tensor) -> Tensor {
    isTransposed ? tensor.transposed(0, 1).contiguous() : tensor
  }

  private func tensor(of data: Data) -> Tensor {
    if stored == .bool { return Tensor(data.map { $0 != 0 }, shape) }
    return data.withUnsafeBytes { Tensor(bytes: $0, shape, stored) }
  }

  private func bytes() throws -> Data {
    switch place {
    case .bytes(let data): return data
    case .array: return Data()
    case .file(let path, let offset):
      var data = Data(count: count * stored.byteCount)
      try data.withUnsafeMutableBytes {
        try Read(path: path, offset: offset, buffer: $0).run()
      }
      return data
    }
  }
}

/// Memory that a part of a file's bytes is to fill.
private struct Read: @unchecked Sendable {
  let path: String, offset: Int
  let buffer: UnsafeMutableRawBufferPointer

  /// Fills the memory.
  func run() throws {
    let descriptor = FileSystem.open(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw ONNXError.unreadable(file: path, reason: FileSystem.reason(errno))
    }
    defer { close(descriptor) }
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = pread(descriptor, base + done, buffer.count - done, off_t(offset + done))
      guard count > 0 else {
        let reason = count < 0 ? FileSystem.reason(errno) : "it ends before byte \(offset + done)"
        throw ONNXError.unreadable(file: path, reason: reason)
      }
      done += count
    }
  }

  /// Fills the memory of all, one after another on each thread.
  static func all(_ reads: [Read]) throws {
    let first = Mutex<(any Error)?>(nil), next = Atomic(0)
    let threads = min(Engine.threads, reads.count)
    guard threads > 0 else { return }
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      while true {
        let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
        guard index < reads.count else { return }
        do { try reads[index].run() } catch {
          return first.withLock { if $0 == nil { $0 = error } }
        }
      }
    }
    if let error = first.withLock({ $0 }) { throw error }
  }
}
