import Torch

/// Runs the program that a pickle is, for what it says and without doing anything.
///
/// Opcodes of protocols 2 to 5 that Python writes for weights are known; the program has a stack, a
/// memo and a heap of bounded size, and every opcode takes constant time for each byte or value that
/// it reads.
struct Unpickler {
  /// What the pickle made.
  private(set) var heap = PickleHeap()
  private var reader: ByteReader
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [Int: PickleValue] = [:]
  private var made = 0
  private var storages: [String: Int] = [:]

  /// A machine for the pickles in `range`, the first of which begins there.
  init(_ file: MappedFile, _ range: Range<Int>) { reader = ByteReader(file, range) }

  /// Where the last pickle ended.
  var position: Int { reader.position }

  private func fault(_ reason: String) -> WeightFileError {
    .malformed(file: reader.file.path, reason: "at byte \(reader.position) its pickle \(reason)")
  }

  /// Runs one pickle and returns its result.
  mutating func run() throws -> PickleValue {
    stack = []
    marks = []
    memo = [:]
    while true {
      let code = try reader.next(UInt8.self)
      if code == UInt8(ascii: ".") {
        guard marks.isEmpty, stack.count == 1 else {
          throw fault("ends with \(stack.count) values")
        }
        return try pop()
      }
      try step(code)
    }
  }

  private mutating func step(_ code: UInt8) throws {
    switch code {
    // The version, and the length of what follows: nothing depends on them.
    case 0x80: _ = try reader.next(UInt8.self)
    case 0x95: _ = try reader.next(UInt64.self)

    case UInt8(ascii: "N"): try push(.none)
    case 0x88: try push(.bool(true))
    case 0x89: try push(.bool(false))
    case UInt8(ascii: "J"): try push(.int(Int(try reader.next(Int32.self))))
    case UInt8(ascii: "K"): try push(.int(Int(try reader.next(UInt8.self))))
    case UInt8(ascii: "M"): try push(.int(Int(try reader.next(UInt16.self))))
    case 0x8a: try pushInteger(try reader.nextLength(UInt8.self))
    case 0x8b: try pushInteger(try reader.nextLength(Int32.self))
    case UInt8(ascii: "I"), UInt8(ascii: "L"): try pushDigits()
    case UInt8(ascii: "G"):
      try push(.float(Double(bitPattern: UInt64(bigEndian: try reader.next()))))

    case UInt8(ascii: "X"): try push(.text(try reader.take(reader.nextLength(UInt32.self))))
    case 0x8c: try push(.text(try reader.take(reader.nextLength(UInt8.self))))
    case 0x8d: try push(.text(try reader.take(reader.nextLength(UInt64.self))))
    // Texts of Python 2.
    case UInt8(ascii: "U"): try push(.text(try reader.take(reader.nextLength(UInt8.self))))
    case UInt8(ascii: "T"): try push(.text(try reader.take(reader.nextLength(Int32.self))))
    case UInt8(ascii: "C"): try pushBytes(try reader.nextLength(UInt8.self))
    case UInt8(ascii: "B"): try pushBytes(try reader.nextLength(UInt32.self))
    case 0x8e, 0x96: try pushBytes(try reader.nextLength(UInt64.self))

    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"): _ = try pop()
    case UInt8(ascii: "1"): try dropToMark()
    case UInt8(ascii: "2"): try push(try top())

    case UInt8(ascii: ")"): try pushTuple(of: 0)
    case 0x85: try pushTuple(of: 1)
    case 0x86: try pushTuple(of: 2)
    case 0x87: try pushTuple(of: 3)
    case UInt8(ascii: "t"): try pushTuple(of: stack.count - popMark())
    case UInt8(ascii: "]"): try pushList([])
    case UInt8(ascii: "l"): try pushList(popToMark())
    case UInt8(ascii: "a"): try append([pop()])
    case UInt8(ascii: "e"): try append(popToMark())
    case UInt8(ascii: "}"): try pushDictionary()
    case UInt8(ascii: "d"):
      let items = try popToMark()
      try pushDictionary()
      try setItems(items)
    case UInt8(ascii: "s"): try setItems([pop(), pop()].reversed())
    case UInt8(ascii: "u"): try setItems(popToMark())
    case 0x8f: try push(.other)
    case 0x90:
      try dropToMark()
      _ = try top()
    case 0x91:
      try dropToMark()
      try push(.other)

    case UInt8(ascii: "q"): try put(Int(try reader.next(UInt8.self)))
    case UInt8(ascii: "r"): try put(Int(try reader.next(UInt32.self)))
    case 0x94: try put(memo.count)
    case UInt8(ascii: "h"): try get(Int(try reader.next(UInt8.self)))
    case UInt8(ascii: "j"): try get(Int(try reader.next(UInt32.self)))

    case UInt8(ascii: "c"):
      let module = try line()
      try push(.global(.named(module, try line(), file: reader.file.path)))
    case 0x93:
      let (name, module) = (try name(pop()), try name(pop()))
      try push(.global(.named(module, name, file: reader.file.path)))
    case UInt8(ascii: "R"):
      let (arguments, callee) = (try pop(), try pop())
      try push(call(callee, arguments))
    case 0x81:
      let (arguments, callee) = (try pop(), try pop())
      guard [.global(.orderedDictionary), .global(.record)].contains(callee) else {
        throw fault("makes an object of \(callee.kind)")
      }
      try push(call(callee, arguments))
    // What an object has beside its contents, such as a state dictionary's version.
    case UInt8(ascii: "b"):
      _ = try pop()
      _ = try top()
    case UInt8(ascii: "Q"): try push(storage(pop()))

    default:
      throw fault("has the opcode 0x\(String(code, radix: 16)), which weights do not need")
    }
  }

  // MARK: The stack

  private mutating func spend(_ values: Int = 1) throws {
    made += values
    guard made <= Pickle.maximumValues else {
      throw fault("makes more than \(Pickle.maximumValues) values")
    }
  }

  private mutating func push(_ value: PickleValue) throws {
    try spend()
    stack.append(value)
  }

  /// The lowest place on the stack that an opcode may take a value from.
  private var floor: Int { marks.last ?? 0 }

  private func top() throws -> PickleValue {
    guard stack.count > floor, let value = stack.last else { throw fault("lacks a value") }
    return value
  }

  private mutating func pop() throws -> PickleValue {
    let value = try top()
    stack.removeLast()
    return value
  }

  private mutating func popMark() throws -> Int {
    guard let mark = marks.popLast() else { throw fault("lacks a mark") }
    return mark
  }

  private mutating func dropToMark() throws {
    stack.removeLast(stack.count - (try popMark()))
  }

  private mutating func popToMark() throws -> [PickleValue] {
    let mark = try popMark()
    defer { stack.removeLast(stack.count - mark) }
    return Array(stack[mark...])
  }

  private mutating func put(_ index: Int) throws {
    try spend()
    memo[index] = try top()
  }

  private mutating func get(_ index: Int) throws {
    guard let value = memo[index] else { throw fault("asks for \(index), which it did not keep") }
    try push(value)
  }

  // MARK: Values

  /// A whole number of any length, of which only those that fit are of use.
  private mutating func pushInteger(_ length: Int) throws {
    let range = try reader.take(length)
    let bytes = reader.file.bytes(range)
    guard length <= 8 else { return try push(.other) }
    var bits = bytes.last.map { $0 >= 0x80 ? UInt64.max : 0 } ?? 0
    for byte in bytes.reversed() { bits = bits << 8 | UInt64(byte) }
    try push(.int(Int(Int64(bitPattern: bits))))
  }

  /// A whole number in digits; `I01` is true.
  private mutating func pushDigits() throws {
    let text = try line()
    if text == "00" || text == "01" { return try push(.bool(text == "01")) }
    guard let number = Int(text.hasSuffix("L") ? String(text.dropLast()) : text) else {
      return try push(.other)
    }
    try push(.int(number))
  }

  private mutating func pushBytes(_ length: Int) throws {
    _ = try reader.take(length)
    try push(.other)
  }

  private mutating func pushTuple(of count: Int) throws {
    guard stack.count - count >= floor else { throw fault("lacks a value") }
    try spend(count)
    let start = heap.elements.count
    heap.elements += stack.suffix(count)
    stack.removeLast(count)
    try push(.tuple(start..<heap.elements.count))
  }

  private mutating func pushList(_ items: [PickleValue]) throws {
    try spend(items.count)
    heap.lists.append(items)
    try push(.list(heap.lists.count - 1))
  }

  private mutating func pushDictionary() throws {
    heap.dictionaries.append([])
    try push(.dictionary(heap.dictionaries.count - 1))
  }

  private mutating func append(_ items: [PickleValue]) throws {
    try spend(items.count)
    switch try top() {
    case .list(let index): heap.lists[index] += items
    case .other: break
    case let value: throw fault("appends to \(value.kind)")
    }
  }

  private mutating func setItems(_ items: [PickleValue]) throws {
    guard items.count.isMultiple(of: 2) else { throw fault("has a key without a value") }
    try spend(items.count)
    guard case .dictionary(let index) = try top() else {
      throw fault("sets items of \(try top().kind)")
    }
    for at in stride(from: 0, to: items.count, by: 2) {
      heap.dictionaries[index].append((items[at], items[at + 1]))
    }
  }

  /// The text up to the end of the line.
  private mutating func line() throws -> String {
    let rest = reader.file.bytes(reader.position..<reader.end).prefix(Pickle.maximumName)
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
      throw fault("has a name that does not end")
    }
    let range = try reader.take(end)
    _ = try reader.take(1)
    guard let text = reader.file.text(range) else { throw fault("has a name that is no text") }
    return text
  }

  private func name(_ value: PickleValue) throws -> String {
    guard case .text(let range) = value, range.count <= Pickle.maximumName,
      let text = reader.file.text(range)
    else { throw fault("has \(value.kind) for a name") }
    return text
  }

  // MARK: Calls

  private mutating func call(
    _ callee: PickleValue, _ arguments: PickleValue
  ) throws -> PickleValue {
    guard case .global(let global) = callee else { throw fault("calls \(callee.kind)") }
    guard case .tuple(let range) = arguments else { throw fault("calls with \(arguments.kind)") }
    let arguments = heap.elements[range]
    let first = arguments.first ?? .none
    switch global {
    case .orderedDictionary: return try dictionary(first)
    case .size: return heap.items(first) == nil ? .other : first
    case .rebuildTensor, .rebuildTypedTensor: return try tensor(global, Array(arguments))
    case .rebuildParameter:
      guard case .tensor = first else { throw fault("makes a parameter of \(first.kind)") }
      return first
    case .rebuildFromType:
      guard arguments.count >= 3, case .global(let inner) = first, inner != .rebuildFromType else {
        throw fault("rebuilds \(first.kind)")
      }
      return try call(first, arguments[arguments.startIndex + 2])
    case .other, .record: return .other
    case .attribute:
      guard case .global(.record) = first else {
        throw WeightFileError.forbidden(file: reader.file.path, name: "builtins.getattr")
      }
      return .other
    case .storage, .dtype, .tensorClass: throw fault("calls a class")
    }
  }

  /// An ordered dictionary, empty or of a list of pairs as Python 2 wrote it.
  private mutating func dictionary(_ pairs: PickleValue) throws -> PickleValue {
    var entries: [(PickleValue, PickleValue)] = []
    let list = heap.items(pairs) ?? []
    try spend(2 * list.count)
    for pair in list {
      guard let items = heap.items(pair), items.count == 2, let key = items.first,
        let value = items.last
      else { throw fault("makes a dictionary of \(pair.kind)") }
      entries.append((key, value))
    }
    heap.dictionaries.append(entries)
    return .dictionary(heap.dictionaries.count - 1)
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
    if arguments.count > (typed ? 7 : 6), case .dictionary(let extra) = arguments[typed ? 7 : 6],
      !heap.dictionaries[extra].isEmpty
    {
      throw WeightFileError.unsupported(
        file: reader.file.path, found: "a tensor that is conjugated or negated")
    }
    var dtype = heap.storages[index].dtype
    if typed {
      guard arguments.count > 6, case .global(.dtype(let type)) = arguments[6] else {
        throw fault("makes a tensor without a type")
      }
      dtype = type
    }
    guard let dtype else { throw fault("makes a tensor without a type") }
    try spend(2 * shape.count)
    heap.tensors.append(
      .init(storage: index, dtype: dtype, offset: offset, shape: shape, strides: strides))
    return .tensor(heap.tensors.count - 1)
  }

  /// `("storage", type, key, device, count)`, before PyTorch 1.6 with the part of the storage that
  /// is meant.
  private mutating func storage(_ value: PickleValue) throws -> PickleValue {
    guard let fields = heap.items(value).map(Array.init), let kind = fields.first else {
      throw fault("refers to \(value.kind)")
    }
    guard try name(kind) == "storage" else {
      throw WeightFileError.forbidden(
        file: reader.file.path, name: "an outside '\(try name(kind).printable)'")
    }
    guard fields.count >= 5, case .global(.storage(let dtype)) = fields[1],
      case .int(let count) = fields[4], count >= 0
    else { throw fault("refers to a storage without its type, key or length") }
    let key = try name(fields[2])
    guard fields.count >= 6, let part = heap.items(fields[5]).map(Array.init) else {
      return try storage(.init(key: key, dtype: dtype, count: count), as: key)
    }
    guard part.count == 3, case .int(let offset) = part[1], case .int(let length) = part[2],
      offset >= 0, length >= 0, offset <= count, length <= count - offset
    else { throw fault("refers to a part of a storage that is not in it") }
    // The whole must be known where its length is checked.
    _ = try storage(.init(key: key, dtype: dtype, count: count), as: key)
    return try storage(
      .init(key: key, dtype: dtype, count: length, offset: offset), as: "\(key)/\(name(part[0]))")
  }

  private mutating func storage(
    _ storage: PickleHeap.Storage, as name: String
  ) throws -> PickleValue {
    if let index = storages[name] {
      let known = heap.storages[index]
      guard known.dtype == storage.dtype, known.count == storage.count,
        known.offset == storage.offset
      else { throw fault("says two things of the storage '\(name.printable)'") }
      return .storage(index)
    }
    storages[name] = heap.storages.count
    heap.storages.append(storage)
    return .storage(heap.storages.count - 1)
  }
}
