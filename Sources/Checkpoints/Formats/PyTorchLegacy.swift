import Torch

/// What `torch.save` wrote before PyTorch 1.6: pickles of a number, of the version, of the machine,
/// of the object and of the storages' names, and then each storage's length and elements.
enum PyTorchLegacy {
  /// The number that files begin with, 0x1950a86a20f9469cfc6c.
  private static let magic: [UInt8] = [
    0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
  ]

  /// Whether a file begins as one of the format does.
  static func recognises(_ file: MappedFile) -> Bool {
    guard file.begins(with: [0x80]) else { return false }
    // Newer protocols say a length before the number.
    return [2, 11].contains { file.begins(with: magic, at: $0) }
  }

  /// Reads the pickles and finds the storages.
  static func open(_ file: MappedFile, part: String?) throws -> WeightFile {
    func fault(_ reason: String) -> WeightFileError {
      .malformed(file: file.path, reason: reason)
    }
    var machine = Unpickler(file, 0..<file.count)
    _ = try machine.run()
    guard case .int(1001) = try machine.run() else {
      throw WeightFileError.unsupported(
        file: file.path, found: "another version of PyTorch's old format than 1001")
    }
    guard case .dictionary(let system) = try machine.run() else {
      throw fault("it does not say what machine wrote it")
    }
    for (key, value) in machine.heap.dictionaries[system] {
      if case .text(let text) = key, text.text(in: file) == "little_endian",
        case .bool(false) = value
      {
        throw WeightFileError.unsupported(
          file: file.path, found: "elements in the byte order 'big'")
      }
    }
    let root = try machine.run()
    let names = try machine.run()
    guard let keys = machine.heap.items(names) else { throw fault("it does not list its storages") }

    let heap = machine.heap
    // A storage and its parts have one key; the whole says how long it is.
    let wholes = Dictionary(
      heap.storages.filter { $0.offset == 0 }.map { ($0.key, $0) },
      uniquingKeysWith: { $0.count >= $1.count ? $0 : $1 })
    var places: [String: Range<Int>] = [:]
    var reader = ByteReader(file, machine.position..<file.count)
    for value in keys {
      guard case .text(let text) = value,
        let key = text.text(in: file, atMost: Pickle.maximumName), let storage = wholes[key]
      else { throw fault("it lists a storage that no tensor has") }
      let count = try reader.nextLength(Int64.self)
      guard count == storage.count else {
        throw fault("the storage '\(key.printable)' has \(count) elements, not \(storage.count)")
      }
      let (length, overflow) = count.multipliedReportingOverflow(
        by: storage.type?.byteCount ?? 1)
      guard !overflow else { throw fault("the storage '\(key.printable)' is beyond all files") }
      guard places.updateValue(try reader.take(length), forKey: key) == nil else {
        throw fault("it lists the storage '\(key.printable)' twice")
      }
    }
    let whole = ByteBlock(file)
    return try StateDictionary(file, heap, part: part).open(
      root, .legacyPyTorch, capacity: file.count
    ) { storage in places[storage.key].map { Place(block: whole, bytes: $0) } }
  }
}
