import Torch

/// What calls of functions and classes make: tensors, arrays, and objects of which only the name of
/// the class, the attributes and the items are known. Nothing is called.
extension Unpickler {
  /// What a call gives.
  mutating func call(_ callee: PickleValue, _ arguments: PickleValue) throws -> PickleValue {
    // A method, or a class inside of another.
    if case .object(let index) = callee { return try object(heap.objects[index].name, arguments) }
    guard case .global(let global) = callee else { throw fault("calls \(callee.kind)") }
    guard case .tuple(let range) = arguments else { throw fault("calls with \(arguments.kind)") }
    let items = heap.elements[range]
    let first = items.first ?? .none
    switch global {
    case .orderedDictionary: return try dictionary(first)
    case .first: return first
    case .rebuildTensor, .rebuildTypedTensor: return try tensor(global, Array(items.prefix(8)))
    case .rebuildParameter:
      switch first {
      case .tensor, .array, .object: return first
      default: throw fault("makes a parameter of \(first.kind)")
      }
    case .rebuildFromType:
      guard items.count >= 3, case .global(let inner) = first, inner != .rebuildFromType else {
        throw fault("rebuilds \(first.kind)")
      }
      return try call(first, items[items.startIndex + 2])
    case .refusedTensor(let kind):
      try spend()
      heap.tensors.append(.init(kind))
      return .tensor(heap.tensors.count - 1)
    case .encode, .bytes: return bytes(first)
    case .array:
      try spend(4)
      heap.arrays.append(.init())
      return .array(heap.arrays.count - 1)
    case .arrayOverBytes: return try array(Array(items.prefix(8)))
    case .arrayType:
      try spend(4)
      let name = if case .text = first { try name(first) } else { "" }
      heap.arrayTypes.append(.init(name: name, type: .numpy(name, bigEndian: false)))
      return .arrayType(heap.arrayTypes.count - 1)
    case .reconstruct:
      if first == .global(.orderedDictionary) { return try dictionary(.none) }
      guard case .global(.named(let name)) = first else { return try object(nil) }
      return try object(name, arguments)
    case .attribute:
      switch first {
      case .object(let index): return try object(heap.objects[index].name)
      case .global(.named(let name)): return try object(name)
      default:
        throw WeightFileError.forbidden(file: reader.file.path, name: "builtins.getattr")
      }
    case .named(let name): return try object(name, arguments)
    case .storage, .dtype: throw fault("calls a class")
    }
  }

  /// An object of a class.
  mutating func instance(_ callee: PickleValue, _ arguments: PickleValue) throws -> PickleValue {
    switch callee {
    case .global(.storage), .global(.dtype): throw fault("makes an object of \(callee.kind)")
    case .global, .object: try call(callee, arguments)
    default: throw fault("makes an object of \(callee.kind)")
    }
  }

  /// An object of the class with a number.
  mutating func object(
    _ name: Int?, _ arguments: PickleValue = .none
  ) throws -> PickleValue {
    try spend(4)
    heap.objects.append(.init(name: name, arguments: arguments))
    return .object(heap.objects.count - 1)
  }

  /// Gives what an object has beside its contents.
  mutating func build(_ state: PickleValue) throws {
    switch try top() {
    case .object(let index):
      // Attributes only add to one another.
      if heap.objects[index].state == .none { heap.objects[index].state = state }
    case .array(let index):
      guard let fields = heap.first(state), fields.count >= 5,
        let shape = heap.integers(fields[1]), case .arrayType(let type) = fields[2],
        case .bool(let isColumnMajor) = fields[3]
      else { throw fault("makes an array of something else than shape, type, order and bytes") }
      try spend(shape.count)
      heap.arrays[index] = .init(
        type: heap.arrayTypes[type].type, shape: shape, isColumnMajor: isColumnMajor)
      switch fields[4] {
      case .bytes(let bytes): heap.arrays[index].bytes = bytes
      // Bytes of Python 2.
      case .text(let text): heap.arrays[index].bytes = text
      default: heap.arrays[index].type = .refused(.texts, byteCount: 1)
      }
    case .arrayType(let index):
      guard let fields = heap.first(state), fields.count >= 2 else { return }
      guard case .text = fields[1], try name(fields[1]) == ">" else { return }
      heap.arrayTypes[index].type = .numpy(heap.arrayTypes[index].name, bigEndian: true)
    // Such as a state dictionary's version, or the attributes of a tensor.
    default: break
    }
  }

  /// The bytes that a text, or bytes, stand for.
  private func bytes(_ value: PickleValue) -> PickleValue {
    switch value {
    case .bytes: value
    case .text(let text):
      .bytes(.init(range: text.range, coding: text.coding == .plain ? .latin1 : text.coding))
    default: .bytes(.init(range: reader.position..<reader.position))
    }
  }

  /// An ordered dictionary, empty or of a list of pairs as Python 2 wrote it.
  private mutating func dictionary(_ pairs: PickleValue) throws -> PickleValue {
    var entries: [(PickleValue, PickleValue)] = []
    let list = heap.items(pairs) ?? []
    try spend(2 * list.count + 1)
    for pair in list {
      guard let items = heap.items(pair), items.count == 2, let key = items.first,
        let value = items.last
      else { throw fault("makes a dictionary of \(pair.kind)") }
      entries.append((key, value))
    }
    heap.dictionaries.append(entries)
    return .dictionary(heap.dictionaries.count - 1)
  }

  /// `(bytes, type, shape, order)`.
  private mutating func array(_ arguments: [PickleValue]) throws -> PickleValue {
    guard arguments.count >= 4, case .bytes(let bytes) = arguments[0],
      case .arrayType(let type) = arguments[1], let shape = heap.integers(arguments[2])
    else { throw fault("makes an array of something else than bytes, type, shape and order") }
    try spend(shape.count + 4)
    heap.arrays.append(
      .init(
        type: heap.arrayTypes[type].type, shape: shape,
        isColumnMajor: try name(arguments[3]) == "F", bytes: bytes))
    return .array(heap.arrays.count - 1)
  }

  /// `(storage, offset, shape, strides, requires_grad, hooks, metadata)`, or with the type of the
  /// elements before the metadata.
  private mutating func tensor(
    _ global: PickleGlobal, _ arguments: [PickleValue]
  ) throws -> PickleValue {
    guard arguments.count >= 4, case .storage(let index) = arguments[0],
      case .int(let offset) = arguments[1], let shape = heap.integers(arguments[2]),
      let strides = heap.integers(arguments[3])
    else { throw fault("makes a tensor of something else than storage, offset, shape and strides") }
    let typed = global == .rebuildTypedTensor
    var type = heap.storages[index].type
    if typed {
      guard arguments.count > 6, case .global(.dtype(let given)) = arguments[6] else {
        throw fault("makes a tensor without a type")
      }
      type = given
    }
    guard var type else { throw fault("makes a tensor without a type") }
    if arguments.count > (typed ? 7 : 6), case .dictionary(let extra) = arguments[typed ? 7 : 6],
      !heap.dictionaries[extra].isEmpty
    {
      type = .refused(.mirrored, byteCount: type.byteCount)
    }
    try spend(2 * shape.count + 4)
    heap.tensors.append(
      .init(storage: index, type: type, offset: offset, shape: shape, strides: strides))
    return .tensor(heap.tensors.count - 1)
  }

  /// What stands outside of the pickle: `("storage", type, key, device, count)`, before PyTorch 1.6
  /// with the part of the storage that is meant, and `("module", class, file, source)`.
  mutating func persistent(_ value: PickleValue) throws -> PickleValue {
    guard let fields = heap.first(value), let kind = fields.first else {
      throw fault("refers to \(value.kind)")
    }
    if try name(kind) == "module" {
      guard fields.count >= 2, case .global(.named) = fields[1] else {
        throw fault("refers to a module without its class")
      }
      return fields[1]
    }
    guard try name(kind) == "storage" else {
      throw WeightFileError.forbidden(
        file: reader.file.path, name: "an outside '\(try name(kind).printable)'")
    }
    guard fields.count >= 5, case .global(.storage(let type)) = fields[1],
      case .int(let count) = fields[4], count >= 0
    else { throw fault("refers to a storage without its type, key or length") }
    let key = try name(fields[2])
    guard fields.count >= 6, let part = heap.first(fields[5]) else {
      return try storage(.init(key: key, type: type, count: count), as: key)
    }
    guard part.count == 3, case .int(let offset) = part[1], case .int(let length) = part[2],
      offset >= 0, length >= 0, offset <= count, length <= count - offset
    else { throw fault("refers to a part of a storage that is not in it") }
    // The whole must be known where its length is checked.
    _ = try storage(.init(key: key, type: type, count: count), as: key)
    return try storage(
      .init(key: key, type: type, count: length, offset: offset), as: "\(key)/\(name(part[0]))")
  }

  private mutating func storage(
    _ storage: PickleHeap.Storage, as name: String
  ) throws -> PickleValue {
    if let index = storages[name] {
      let known = heap.storages[index]
      guard known.type == storage.type, known.count == storage.count,
        known.offset == storage.offset
      else { throw fault("says two things of the storage '\(name.printable)'") }
      return .storage(index)
    }
    try spend(8)
    storages[name] = heap.storages.count
    heap.storages.append(storage)
    return .storage(heap.storages.count - 1)
  }
}
