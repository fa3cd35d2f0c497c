import Torch

/// Runs the program that a pickle is, for what it says and without doing anything.
///
/// All opcodes of Python's protocols 0 to 5 are known; the program has a stack, a memo and a heap of
/// bounded size, and every opcode takes constant time for each byte or value that it reads.
struct Unpickler {
  /// What the pickle made.
  var heap = PickleHeap()
  private(set) var reader: ByteReader
  private var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo = PickleMemo()
  private var opcode: UInt8 = 0
  private var made = 0
  private let limit: Int
  /// The numbers of the storages, and of the names that are not known here.
  var storages: [String: Int] = [:]
  private var names: [String: Int] = [:]

  /// A machine for the pickles in `range`, the first of which begins there.
  init(_ file: MappedFile, _ range: Range<Int>) {
    reader = ByteReader(file, range)
    // As much memory as the pickle itself takes, or so little that it does not matter.
    limit = max(Pickle.maximumValues, range.count / MemoryLayout<PickleValue>.stride)
  }

  /// Where the last pickle ended.
  var position: Int { reader.position }

  func fault(_ reason: String) -> WeightFileError {
    .malformed(
      file: reader.file.path,
      reason: "at byte \(reader.position), opcode 0x\(String(opcode, radix: 16)), its pickle "
        + reason)
  }

  /// Runs one pickle and returns its result.
  mutating func run() throws -> PickleValue {
    stack = []
    marks = []
    memo = PickleMemo()
    while true {
      opcode = try reader.next(UInt8.self)
      if opcode == UInt8(ascii: ".") {
        guard marks.isEmpty, stack.count == 1 else {
          throw fault("ends with \(stack.count) values")
        }
        return try pop()
      }
      try step(opcode)
    }
  }

  private mutating func step(_ code: UInt8) throws {
    switch code {
    // The version, and the length of what follows: nothing depends on them.
    case 0x80: _ = try reader.next(UInt8.self)
    case 0x95: _ = try reader.next(UInt64.self)
    // Buffers beside the pickle, of which the second says that it may not be changed.
    case 0x97: throw fault("refers to a buffer outside of itself")
    case 0x98: _ = try top()

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

    case UInt8(ascii: "F"): try push(.float(Double(try line()) ?? .nan))

    case UInt8(ascii: "X"): try pushText(try reader.nextLength(UInt32.self))
    case 0x8c: try pushText(try reader.nextLength(UInt8.self))
    case 0x8d: try pushText(try reader.nextLength(UInt64.self))
    case UInt8(ascii: "V"): try push(.text(.init(range: try lineRange(), coding: .unicodeEscape)))
    // Texts of Python 2, which are bytes as well.
    case UInt8(ascii: "U"): try pushText(try reader.nextLength(UInt8.self))
    case UInt8(ascii: "T"): try pushText(try reader.nextLength(Int32.self))
    case UInt8(ascii: "S"): try push(.text(.init(range: try lineRange(), coding: .quoted)))
    case UInt8(ascii: "C"): try pushBytes(try reader.nextLength(UInt8.self))
    case UInt8(ascii: "B"): try pushBytes(try reader.nextLength(UInt32.self))
    case 0x8e, 0x96: try pushBytes(try reader.nextLength(UInt64.self))

    case UInt8(ascii: "("):
      try spend()
      marks.append(stack.count)
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
    case 0x8f: try push(object(nil))
    case 0x90: try addItems(popToMark())
    case 0x91:
      let items = try popToMark()
      try pushList(items)
      try push(object(nil, pop()))

    case UInt8(ascii: "q"): try put(Int(try reader.next(UInt8.self)))
    case UInt8(ascii: "r"): try put(Int(try reader.next(UInt32.self)))
    case 0x94: try put(memo.count)
    case UInt8(ascii: "h"): try get(Int(try reader.next(UInt8.self)))
    case UInt8(ascii: "j"): try get(Int(try reader.next(UInt32.self)))

    case UInt8(ascii: "p"): try put(memoNumber())
    case UInt8(ascii: "g"): try get(memoNumber())

    case UInt8(ascii: "c"):
      let module = try line()
      try push(.global(global(module, try line())))
    case 0x93:
      let (name, module) = (try name(pop()), try name(pop()))
      try push(.global(global(module, name)))
    // What programs register under numbers.
    case 0x82: try push(.global(global("extension", String(try reader.next(UInt8.self)))))
    case 0x83: try push(.global(global("extension", String(try reader.next(UInt16.self)))))
    case 0x84: try push(.global(global("extension", String(try reader.next(Int32.self)))))
    case UInt8(ascii: "R"):
      let (arguments, callee) = (try pop(), try pop())
      try push(call(callee, arguments))
    case 0x81:
      let (arguments, callee) = (try pop(), try pop())
      try push(instance(callee, arguments))
    case 0x92:
      let (_, arguments, callee) = (try pop(), try pop(), try pop())
      try push(instance(callee, arguments))
    case UInt8(ascii: "o"):
      let items = try popToMark()
      guard let callee = items.first else { throw fault("makes an object of nothing") }
      try push(instance(callee, tuple(Array(items.dropFirst()))))
    case UInt8(ascii: "i"):
      let module = try line()
      let callee = PickleValue.global(try global(module, try line()))
      try push(instance(callee, tuple(popToMark())))
    case UInt8(ascii: "b"): try build(pop())
    case UInt8(ascii: "Q"): try push(persistent(pop()))
    case UInt8(ascii: "P"): throw fault("refers to '\(try line().printable)' outside of itself")

    default:
      throw fault("has the opcode 0x\(String(code, radix: 16)), which weights do not need")
    }
  }

  // MARK: The stack

  /// Counts values that stay.
  mutating func spend(_ values: Int = 1) throws {
    made += values
    guard made <= limit else { throw fault("makes more than \(limit) values") }
  }

  private mutating func push(_ value: PickleValue) throws {
    guard stack.count < limit else { throw fault("makes more than \(limit) values") }
    stack.append(value)
  }

  /// The lowest place on the stack that an opcode may take a value from.
  private var floor: Int { marks.last ?? 0 }

  func top() throws -> PickleValue {
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

  private mutating func memoNumber() throws -> Int {
    guard let number = Int(try line()), number >= 0 else {
      throw fault("keeps a value under no number")
    }
    return number
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

  private mutating func pushText(_ length: Int) throws {
    try push(.text(.init(range: try reader.take(length))))
  }

  private mutating func pushBytes(_ length: Int) throws {
    try push(.bytes(.init(range: try reader.take(length))))
  }

  private mutating func pushTuple(of count: Int) throws {
    guard stack.count - count >= floor else { throw fault("lacks a value") }
    let items = Array(stack.suffix(count))
    stack.removeLast(count)
    try push(tuple(items))
  }

  mutating func tuple(_ items: [PickleValue]) throws -> PickleValue {
    try spend(items.count)
    let start = heap.elements.count
    heap.elements += items
    return .tuple(start..<heap.elements.count)
  }

  private mutating func pushList(_ items: [PickleValue]) throws {
    try spend()
    heap.lists.append([])
    try push(.list(heap.lists.count - 1))
    try append(items)
  }

  private mutating func pushDictionary() throws {
    try spend()
    heap.dictionaries.append([])
    try push(.dictionary(heap.dictionaries.count - 1))
  }

  private mutating func append(_ items: [PickleValue]) throws {
    switch try top() {
    case .list(let index):
      for item in items
      where !item.isPlain || heap.lists[index].count < Pickle.maximumPlain.list {
        try spend()
        heap.lists[index].append(item)
      }
    // What other classes make of it is not known.
    case .object, .other: break
    case let value: throw fault("appends to \(value.kind)")
    }
  }

  private mutating func setItems(_ items: [PickleValue]) throws {
    guard items.count.isMultiple(of: 2) else { throw fault("has a key without a value") }
    let target: Int
    switch try top() {
    case .dictionary(let index): target = index
    case .object(let index):
      if heap.objects[index].items == nil {
        heap.objects[index].items = heap.dictionaries.count
        heap.dictionaries.append([])
      }
      target = heap.objects[index].items ?? 0
    case let value: throw fault("sets items of \(value.kind)")
    }
    for at in stride(from: 0, to: items.count, by: 2)
    where !items[at + 1].isPlain
      || heap.dictionaries[target].count < Pickle.maximumPlain.dictionary
    {
      try spend(2)
      heap.dictionaries[target].append((items[at], items[at + 1]))
    }
  }

  /// Elements of a set, which are kept as a list that it could have been made with.
  private mutating func addItems(_ items: [PickleValue]) throws {
    guard case .object(let index) = try top() else {
      throw fault("adds elements to \(try top().kind)")
    }
    try pushList(items)
    heap.objects[index].arguments = try tuple([pop()])
  }

  /// The text up to the end of the line.
  private mutating func line() throws -> String {
    let range = try lineRange(atMost: Pickle.maximumName)
    guard let text = reader.file.text(range) else { throw fault("has a name that is no text") }
    return text
  }

  private mutating func lineRange(atMost limit: Int = .max) throws -> Range<Int> {
    let rest = reader.file.bytes(reader.position..<reader.end).prefix(limit)
    guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
      throw fault("has a name that does not end")
    }
    let range = try reader.take(end)
    _ = try reader.take(1)
    return range
  }

  func name(_ value: PickleValue) throws -> String {
    guard case .text(let text) = value,
      let name = text.text(in: reader.file, atMost: Pickle.maximumName)
    else { throw fault("has \(value.kind) for a name") }
    return name
  }

  /// What a name stands for.
  private mutating func global(_ module: String, _ name: String) throws -> PickleGlobal {
    if let known = try PickleGlobal.known(module, name, file: reader.file.path) { return known }
    let full = "\(module).\(name)"
    if let number = names[full] { return .named(number) }
    try spend(32)
    names[full] = heap.names.count
    heap.names.append(full)
    return .named(heap.names.count - 1)
  }
}
