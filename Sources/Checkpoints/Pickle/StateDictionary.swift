import Torch

/// The tensors of what a pickle made, and where their elements lie.
struct StateDictionary {
  /// A file's tensors may take this many times its size, since they can share memory.
  private static let maximumSharing = 4
  /// A file's tensors may take this many bytes more.
  private static let slack = 16 << 20

  /// The file that the pickle is in, or what was unpacked of it.
  private let file: MappedFile
  private let heap: PickleHeap
  private let part: String?
  private let memory = UnpackedMemory()

  /// What the pickle in `file` made; `part` names the dictionary, with dots between those it lies in.
  init(_ file: MappedFile, _ heap: PickleHeap, part: String?) {
    self.file = file
    self.heap = heap
    self.part = part
  }

  /// The weights in `root`.
  ///
  /// - Parameters:
  ///   - capacity: The bytes that the file can hold, packed ones unpacked.
  ///   - locate: Gives the place of a storage that is not a part of another.
  func open(
    _ root: PickleValue, _ format: WeightFile.Format, capacity: Int,
    _ locate: (PickleHeap.Storage) throws -> Place?
  ) throws -> WeightFile {
    var search = WeightSearch(file, heap)
    let fields = try search.weights(root, part: part)
    let own = ByteBlock(file)
    var table = BlockTable()
    var places: [Int: Place] = [:]
    var entries: [WeightFile.Entry] = []
    var total = 0
    for (name, value) in fields {
      let entry: WeightFile.Entry
      switch value {
      case .tensor(let index):
        let tensor = heap.tensors[index]
        // What is refused may have no storage.
        _ = try read(tensor.type, name)
        let place = try places[tensor.storage] ?? place(heap.storages[tensor.storage], locate)
        places[tensor.storage] = place
        entry = try self.entry(name, tensor, in: place, &table)
      case .array(let index): entry = try self.entry(name, heap.arrays[index], own, &table)
      default: continue
      }
      total += min(entry.count * entry.elementByteCount, Int.max - total)
      entries.append(entry)
    }
    guard total <= Self.slack || (total - Self.slack) / Self.maximumSharing <= capacity else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "its tensors have \(total) bytes, far more than its own \(file.count)")
    }
    var result = WeightFile(file.path, table.blocks, format, entries, notes: search.notes)
    result.alternatives = part == nil ? search.alternatives : []
    result.meta = heap.described("meta", of: root, in: file)
    return result
  }

  /// The type of elements that are read.
  private func read(_ type: ElementType, _ name: String) throws -> (DType, Coding) {
    switch type {
    case .read(let dtype, let coding): return (dtype, coding)
    case .refused(let kind, _):
      throw WeightFileError.unsupported(
        file: file.path, found: "\(kind.rawValue) in '\(name.printable)'")
    }
  }

  /// The bytes of a storage or of a part of one.
  private func place(
    _ storage: PickleHeap.Storage, _ locate: (PickleHeap.Storage) throws -> Place?
  ) throws -> Place {
    guard let place = try locate(storage) else {
      throw WeightFileError.malformed(
        file: file.path, reason: "the elements of storage '\(storage.key.printable)' are missing")
    }
    let whole = place.bytes
    let size = storage.type?.byteCount ?? 1
    guard storage.offset <= whole.count / size,
      storage.count <= whole.count / size - storage.offset
    else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "the storage '\(storage.key.printable)' has \(whole.count) bytes for "
          + "\(storage.count) elements of \(size)")
    }
    let start = whole.lowerBound + storage.offset * size
    return Place(block: place.block, bytes: start..<start + storage.count * size)
  }

  private func entry(
    _ name: String, _ tensor: PickleHeap.Tensor, in place: Place, _ table: inout BlockTable
  ) throws -> WeightFile.Entry {
    let (dtype, coding) = try read(tensor.type, name)
    guard
      let entry = WeightFile.Entry(
        name, dtype, coding, tensor.shape, strides: tensor.strides, offset: tensor.offset,
        in: place,
        &table)
    else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "the tensor '\(name.printable)' of shape \(tensor.shape), strides "
          + "\(tensor.strides) and offset \(tensor.offset) reaches beyond its storage of "
          + "\(place.bytes.count) bytes")
    }
    return entry
  }

  private func entry(
    _ name: String, _ array: PickleHeap.Array, _ own: ByteBlock, _ table: inout BlockTable
  ) throws -> WeightFile.Entry {
    guard let type = array.type, let bytes = array.bytes else {
      throw WeightFileError.malformed(
        file: file.path, reason: "the array '\(name.printable)' has no bytes")
    }
    let (dtype, coding) = try read(type, name)
    var place = Place(block: own, bytes: bytes.range)
    if bytes.coding != .plain {
      let size = WeightFile.Entry.count(array.shape).map {
        $0.multipliedReportingOverflow(by: type.byteCount)
      }
      guard let size, !size.overflow else { throw fault(name, array) }
      place = Place(
        block: try ByteBlock(
          file, bytes.range, size: size.partialValue, .text(bytes.coding), name: name, memory),
        bytes: 0..<size.partialValue)
    }
    let strides =
      array.isColumnMajor
      ? WeightFile.Entry.rowMajor(array.shape.reversed()).map { Swift.Array($0.reversed()) } : nil
    guard
      let entry = WeightFile.Entry(
        name, dtype, coding, array.shape, strides: strides, in: place, &table)
    else { throw fault(name, array) }
    return entry
  }

  private func fault(_ name: String, _ array: PickleHeap.Array) -> WeightFileError {
    .malformed(
      file: file.path,
      reason:
        "the array '\(name.printable)' of shape \(array.shape) has \(array.bytes?.range.count ?? 0) bytes"
    )
  }
}

extension WeightFile.Entry {
  /// An entry whose first element is the one with the number `offset` in a place, or nil if it reaches
  /// beyond it.
  init?(
    _ name: String, _ dtype: DType, _ coding: Coding, _ shape: [Int], strides: [Int]? = nil,
    offset: Int = 0, in place: Place, _ table: inout BlockTable
  ) {
    let size = ElementType.read(dtype, coding).byteCount
    let (start, overflow) = offset.multipliedReportingOverflow(by: size)
    let isEmpty = shape.contains(0)
    guard !overflow, start >= 0, isEmpty || start <= place.bytes.count,
      let entry = WeightFile.Entry(
        name, dtype, coding, shape, strides: strides,
        start: place.bytes.lowerBound + (isEmpty ? 0 : start), block: table.number(of: place.block)),
      entry.bytes.upperBound <= place.bytes.upperBound
    else { return nil }
    self = entry
  }
}
