// The conformances below say nothing that the protocols do not.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CTorch

/// A boxed argument or result of an operator.
public enum Value {
  case none
  case tensor(Tensor)
  case int(Int)
  case double(Double)
  case bool(Bool)
  case string(String)
  case device(Device)
  case ints([Int])
  case doubles([Double])
  case bools([Bool])
  case tensors([Tensor?])
}

/// A Swift value that operators take.
public protocol OperatorArgument {
  /// The value as the door takes it.
  var boxed: Value { get }
}

/// A Swift value that operators take lists of.
public protocol ListElement {
  /// The list as the door takes it.
  static func box(_ list: [Self]) -> Value
}

extension Value: OperatorArgument { public var boxed: Value { self } }
extension Tensor: OperatorArgument { public final var boxed: Value { .tensor(self) } }
extension Int: OperatorArgument { public var boxed: Value { .int(self) } }
extension Double: OperatorArgument { public var boxed: Value { .double(self) } }
extension Float: OperatorArgument { public var boxed: Value { .double(Double(self)) } }
extension Bool: OperatorArgument { public var boxed: Value { .bool(self) } }
extension String: OperatorArgument { public var boxed: Value { .string(self) } }
extension Device: OperatorArgument { public var boxed: Value { .device(self) } }
extension DType: OperatorArgument { public var boxed: Value { .int(Int(rawValue)) } }
extension MemoryFormat: OperatorArgument { public var boxed: Value { .int(rawValue) } }
extension Optional: OperatorArgument where Wrapped: OperatorArgument {
  public var boxed: Value { self?.boxed ?? .none }
}
extension Array: OperatorArgument where Element: ListElement {
  public var boxed: Value { Element.box(self) }
}

extension Int: ListElement { public static func box(_ list: [Int]) -> Value { .ints(list) } }
extension Double: ListElement {
  public static func box(_ list: [Double]) -> Value { .doubles(list) }
}
extension Bool: ListElement { public static func box(_ list: [Bool]) -> Value { .bools(list) } }
extension Tensor: ListElement {
  public static func box(_ list: [Tensor]) -> Value { .tensors(list) }
}
extension Optional: ListElement where Wrapped == Tensor {
  public static func box(_ list: [Tensor?]) -> Value { .tensors(list) }
}

extension Value {
  /// The value for an error message: shapes of tensors, numbers as they are.
  var summary: String {
    switch self {
    case .none: "none"
    case .tensor(let tensor): "\(tensor.shape)"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .string(let value): value
    case .device(let value): value.name
    case .ints(let list): "\(list)"
    case .doubles(let list): "\(list)"
    case .bools(let list): "\(list)"
    case .tensors(let list): "[" + list.map { "\($0?.shape ?? [])" }.joined(separator: ", ") + "]"
    }
  }

  /// The arguments of a call for an error message.
  static func summary(_ arguments: [Value]) -> String {
    arguments.map(\.summary).joined(separator: ", ")
  }

  init(result: ct_value) {
    switch result.kind {
    case CT_TENSOR: self = result.tensor.map { .tensor(Tensor(adopting: $0)) } ?? .none
    case CT_INT: self = .int(Int(result.integer))
    case CT_DOUBLE: self = .double(result.real)
    case CT_BOOL: self = .bool(result.integer != 0)
    case CT_INTS:
      self = .ints(UnsafeBufferPointer(start: result.ints, count: Int(result.count)).map(Int.init))
    case CT_STRING: self = .string(String(cString: result.string))
    default: self = .none
    }
  }

  /// Lends C the memory of a call's arguments.
  static func lend<R>(
    _ values: [Value], _ body: (UnsafeBufferPointer<ct_value>) -> R
  ) -> R {
    // All lists lie in one buffer of eight-byte words, so that one allocation lends them all.
    var words = 0
    for value in values { words += value.wordCount }
    return withUnsafeTemporaryAllocation(of: UInt64.self, capacity: words) { pool in
      withUnsafeTemporaryAllocation(of: ct_value.self, capacity: values.count) { boxed in
        var free = 0
        for (index, value) in values.enumerated() {
          boxed.initializeElement(at: index, to: value.lowered(pool, &free))
        }
        return body(UnsafeBufferPointer(boxed))
      }
    }
  }

  private var wordCount: Int {
    switch self {
    case .ints(let list): list.count
    case .doubles(let list): list.count
    case .bools(let list): (list.count + 7) / 8
    case .tensors(let list): list.count
    case .string(let text): text.utf8.count / 8 + 1
    case .device(let device): device.name.utf8.count / 8 + 1
    default: 0
    }
  }

  private func lowered(_ pool: UnsafeMutableBufferPointer<UInt64>, _ free: inout Int) -> ct_value {
    var out = ct_value()
    out.count = 0
    /// Copies a list to the pool and returns where it begins.
    func place<C: Collection>(_ list: C) -> UnsafeRawPointer? where C.Element: BitwiseCopyable {
      out.count = Int64(list.count)
      guard let base = pool.baseAddress, !list.isEmpty else { return nil }
      let start = UnsafeMutableRawPointer(base + free)
      start.initializeMemory(as: C.Element.self, from: Array(list), count: list.count)
      free += (list.count * MemoryLayout<C.Element>.stride + 7) / 8
      return UnsafeRawPointer(start)
    }
    switch self {
    case .none: out.kind = CT_NONE
    case .tensor(let tensor):
      out.kind = CT_TENSOR
      out.tensor = tensor.handle
    case .int(let value):
      out.kind = CT_INT
      out.integer = Int64(value)
    case .double(let value):
      out.kind = CT_DOUBLE
      out.real = value
    case .bool(let value):
      out.kind = CT_BOOL
      out.integer = value ? 1 : 0
    case .string(let text):
      out.kind = CT_STRING
      out.string = place(Array(text.utf8) + [0])?.assumingMemoryBound(to: CChar.self)
    case .device(let device):
      out.kind = CT_DEVICE
      out.string = place(Array(device.name.utf8) + [0])?.assumingMemoryBound(to: CChar.self)
    case .ints(let list):
      out.kind = CT_INTS
      out.ints = place(list.lazy.map(Int64.init))?.assumingMemoryBound(to: Int64.self)
    case .doubles(let list):
      out.kind = CT_DOUBLES
      out.doubles = place(list)?.assumingMemoryBound(to: Double.self)
    case .bools(let list):
      out.kind = CT_BOOLS
      out.bools = place(list.map { UInt8($0 ? 1 : 0) })?.assumingMemoryBound(to: UInt8.self)
    case .tensors(let list):
      out.kind = CT_TENSORS
      out.tensors = place(list.map { $0?.handle })?.assumingMemoryBound(to: ct_tensor?.self)
    }
    return out
  }
}
