import Files
import Foundation
import Torch

/// Named tensors in a file, read from the disk where they are used.
///
/// A file is opened by its content, whatever its name. Everything in it is checked when it is
/// opened, so that tensors of an open checkpoint can be read without further surprises; it must
/// not be shortened while it is open.
public struct WeightFile: Sendable {
  /// How a file holds its tensors.
  public enum Format: String, Sendable, CaseIterable {
    /// Hugging Face's format: a JSON header and plain bytes.
    case safetensors
    /// What `torch.save` writes since PyTorch 1.6: a zip archive with a pickle.
    case pytorch
    /// What `torch.save` wrote before: pickles, then the elements.
    case legacyPyTorch = "pytorch-legacy"
    /// What `torch.jit.save` writes: a program with its weights.
    case torchScript = "torchscript"
    /// What `torch.export.save` writes: a program with its weights.
    case exportedProgram = "torch-export"
    /// A Python pickle with NumPy's arrays.
    case pickle
    /// NumPy's own files: an array, or an archive of named ones.
    case numpy
    /// TensorFlow Lite's flatbuffer.
    case tensorFlowLite = "tflite"

    /// Whether files of the format are written here, too.
    public var isWritten: Bool { self == .safetensors || self == .pytorch }
  }

  /// One tensor of a checkpoint: what it is called and where it lies.
  public struct Entry: Sendable, Equatable {
    /// The name in the file.
    public var name: String
    /// The type of the elements.
    public let dtype: DType
    /// The length of each dimension; empty for a single number.
    public let shape: [Int]
    /// The distance in elements between neighbours along each dimension.
    public let strides: [Int]
    /// The bytes from the first element to the last: of the file, or of what is unpacked from it.
    public let bytes: Range<Int>
    /// How the file codes the elements.
    public let coding: Coding
    /// Which of the file's blocks has the bytes.
    var block: Int

    /// The number of elements.
    public var count: Int { shape.reduce(1, *) }

    /// The type of the elements in the file, which numbers of eight bits have not when they are read.
    public var typeName: String { coding.isFloat8 ? coding.rawValue : "\(dtype)" }

    /// The number of bytes of an element in the file.
    var elementByteCount: Int { coding.isFloat8 ? 1 : dtype.byteCount }

    /// Whether the elements lie in row-major order without gaps.
    public var isContiguous: Bool {
      // A dimension of length 1 may have any stride.
      guard count > 0, let dense = Self.rowMajor(shape) else { return true }
      return shape.indices.allSatisfy { shape[$0] == 1 || strides[$0] == dense[$0] }
    }
  }

  /// The file.
  public let path: String
  /// How the file holds its tensors.
  public let format: Format
  /// The tensors in the file's order.
  public let entries: [Entry]
  /// The texts beside the tensors.
  public let metadata: [String: String]
  /// What a person should know: what was chosen among several dictionaries, what was passed over.
  public internal(set) var notes: [String]
  /// The other dictionaries with weights that the file has, as `part` names them.
  public internal(set) var alternatives: [String] = []
  /// What the program that trained the network wrote beside the weights under `meta`, as plain data.
  package internal(set) var meta: JSON?
  let blocks: [ByteBlock]
  private let index: [String: Int]

  init(
    _ path: String, _ blocks: [ByteBlock], _ format: Format, _ entries: [Entry],
    metadata: [String: String] = [:], notes: [String] = []
  ) {
    self.path = path
    self.blocks = blocks
    self.format = format
    self.entries = entries
    self.metadata = metadata
    self.notes = notes
    index = Dictionary(
      entries.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// The same file with other entries of it.
  package init(_ other: WeightFile, entries: [Entry]) {
    self.init(
      other.path, other.blocks, other.format, entries, metadata: other.metadata,
      notes: other.notes)
    alternatives = other.alternatives
    meta = other.meta
  }

  /// The shape of every tensor by name.
  public var shapes: [String: [Int]] { index.mapValues { entries[$0].shape } }

  /// The tensor called `name`, or `nil`.
  public func entry(_ name: String) -> Entry? { index[name].map { entries[$0] } }

  /// The tensor called `name`.
  ///
  /// Its memory is the file's where that is possible, and changing it does not change the file.
  /// - Throws: ``WeightFileError/noTensor(file:name:)``; `TorchError` if memory is short.
  public func tensor(_ name: String) throws -> Tensor {
    guard let entry = entry(name) else {
      throw WeightFileError.noTensor(file: path, name: name)
    }
    return try tensor(entry)
  }

  /// Every tensor by name, as ``tensor(_:)`` gives them.
  ///
  /// - Throws: `TorchError` if memory is short.
  public var tensors: [String: Tensor] {
    get throws {
      var result: [String: Tensor] = [:]
      result.reserveCapacity(entries.count)
      for entry in entries { result[entry.name] = try tensor(entry) }
      return result
    }
  }

  /// Whether a name is one of weights that are the average of others.
  package static func isAverage(_ name: String) -> Bool {
    name.lowercased().split { "._-".contains($0) }
      .contains { ["ema", "averaged", "average", "swa"].contains($0) }
  }

  /// The same file with other names; tensors for which `rename` gives `nil` are left out.
  ///
  /// Of tensors that come to the same name the first stays.
  public func renamed(_ rename: (String) throws -> String?) rethrows -> WeightFile {
    var seen: Set<String> = []
    let renamed = try entries.compactMap { entry -> Entry? in
      guard let name = try rename(entry.name), seen.insert(name).inserted else { return nil }
      var entry = entry
      entry.name = name
      return entry
    }
    return WeightFile(self, entries: renamed)
  }
}

extension WeightFile.Entry {
  /// The entry with dimensions of length 1 put in or left out, or nil if that does not give `shape`.
  package func reshaped(_ shape: [Int]) -> WeightFile.Entry? {
    if shape == self.shape { return self }
    guard isContiguous, shape.filter({ $0 != 1 }) == self.shape.filter({ $0 != 1 }) else {
      return nil
    }
    return WeightFile.Entry(name, dtype, coding, shape, start: bytes.lowerBound, block: block)
  }

  /// An entry whose first element lies at `start`, or `nil` if numbers overflow.
  init?(
    _ name: String, _ dtype: DType, _ coding: Coding = .plain, _ shape: [Int],
    strides: [Int]? = nil, start: Int, block: Int = 0
  ) {
    guard let count = Self.count(shape), let dense = Self.rowMajor(shape) else { return nil }
    let strides = strides ?? dense
    guard strides.count == shape.count, strides.allSatisfy({ $0 >= 0 }) else { return nil }
    var last = 0
    for (length, stride) in zip(shape, strides) where count > 0 {
      let (reach, a) = (length - 1).multipliedReportingOverflow(by: stride)
      let (sum, b) = last.addingReportingOverflow(reach)
      guard !a, !b else { return nil }
      last = sum
    }
    let elements = count == 0 ? 0 : last + 1
    let (length, a) = elements.multipliedReportingOverflow(
      by: coding.isFloat8 ? 1 : dtype.byteCount)
    let (end, b) = start.addingReportingOverflow(length)
    guard !a, !b, start >= 0 else { return nil }
    self.init(
      name: name, dtype: dtype, shape: shape, strides: strides, bytes: start..<end, coding: coding,
      block: block)
  }

  /// The number of elements of `shape` if their bytes can be counted.
  static func count(_ shape: [Int]) -> Int? {
    guard shape.allSatisfy({ $0 >= 0 }) else { return nil }
    // A zero anywhere makes the product zero, but libtorch multiplies the other lengths too.
    var product = 8
    for length in shape where length > 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      guard !overflow else { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product / 8
  }

  /// The strides of `shape` in row-major order.
  static func rowMajor(_ shape: [Int]) -> [Int]? {
    var stride = 1
    var strides = shape
    for index in shape.indices.reversed() {
      strides[index] = stride
      let (next, overflow) = stride.multipliedReportingOverflow(by: max(shape[index], 1))
      guard !overflow else { return nil }
      stride = next
    }
    return strides
  }
}
