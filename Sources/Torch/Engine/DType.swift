/// The type of a tensor's elements.
///
/// Raw values are libtorch's scalar types.
public enum DType: Int32, Sendable, CaseIterable {
  case uint8 = 0
  case int8 = 1
  case int16 = 2
  case int32 = 3
  case int64 = 4
  case float16 = 5
  case float32 = 6
  case float64 = 7
  case bool = 11
  case bfloat16 = 15
  case uint16 = 27
  case uint32 = 28
  case uint64 = 29

  /// The number of bytes of an element.
  public var byteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .int16, .float16, .bfloat16, .uint16: 2
    case .int32, .float32, .uint32: 4
    case .int64, .float64, .uint64: 8
    }
  }

  /// Whether elements are floating-point numbers.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }
}

/// A Swift type that tensors can be made from and read into.
public protocol Scalar: Sendable, BitwiseCopyable {
  /// The element type of a tensor of these.
  static var dtype: DType { get }
}

extension Float: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .float32 }
}
extension Double: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .float64 }
}
extension UInt8: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .uint8 }
}
extension Int8: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .int8 }
}
extension Int16: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .int16 }
}
extension UInt16: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .uint16 }
}
extension Int32: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .int32 }
}
extension Int64: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .int64 }
}
extension Int: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .int64 }
}
extension Bool: Scalar {
  /// libtorch's type of the same width.
  public static var dtype: DType { .bool }
}

/// How a four-dimensional tensor lies in memory.
public enum MemoryFormat: Int, Sendable {
  /// Row-major in the order of the dimensions (N, C, H, W).
  case contiguous = 0
  /// Channels of a pixel side by side (N, H, W, C), which the convolutions here run fastest on.
  case channelsLast = 2
}
