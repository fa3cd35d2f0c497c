import CTorch

/// A handle to a libtorch tensor.
///
/// Like PyTorch's, a tensor is a reference: what an in-place operator changes is seen through every
/// handle. ARC frees the memory when the last handle goes.
open class Tensor: @unchecked Sendable {
  /// The tensor of libtorch; `nil` after an operator failed inside ``attempt(_:)``.
  package let handle: ct_tensor?

  package init(adopting handle: ct_tensor?) { self.handle = handle }

  deinit { if let handle { ct_free(handle) } }

  /// The length of each dimension; empty for a single number.
  public final var shape: [Int] {
    guard let handle else { return [] }
    return UnsafeBufferPointer(start: ct_shape(handle), count: Int(ct_rank(handle))).map(Int.init)
  }

  /// The distance in elements between neighbours along each dimension.
  public final var strides: [Int] {
    guard let handle else { return [] }
    return UnsafeBufferPointer(start: ct_strides(handle), count: Int(ct_rank(handle)))
      .map(Int.init)
  }

  /// The number of dimensions.
  public final var rank: Int { handle.map { Int(ct_rank($0)) } ?? 0 }

  /// The length of one dimension, counted from the end if negative.
  ///
  /// Of a dimension that is not there it is 0, so that code after a failed operator, whose result
  /// has no shape, goes on to the end of its ``attempt(_:)``.
  public final func size(_ dimension: Int) -> Int {
    guard let handle else { return 0 }
    let rank = Int(ct_rank(handle))
    let index = dimension < 0 ? rank + dimension : dimension
    return index >= 0 && index < rank ? Int(ct_shape(handle)[index]) : 0
  }

  /// The number of rows of images (…, H, W).
  public final var height: Int { size(-2) }
  /// The number of columns of images (…, H, W).
  public final var width: Int { size(-1) }

  /// The number of elements.
  public final var count: Int { handle == nil ? 0 : shape.reduce(1, *) }

  /// The type of the elements.
  public final var dtype: DType { handle.flatMap { DType(rawValue: ct_dtype($0)) } ?? .float32 }

  /// Where the elements lie.
  public final var device: Device {
    guard let handle else { return .cpu }
    var name = [CChar](repeating: 0, count: 32)
    ct_device(handle, &name, name.count)
    return Device(name: String(decoding: name.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self))
  }

  /// Whether the elements lie in memory in this order without gaps.
  public final func isContiguous(_ format: MemoryFormat = .contiguous) -> Bool {
    handle.map { ct_is_contiguous($0, Int32(format.rawValue)) != 0 } ?? true
  }
}

extension Tensor {
  /// A tensor of `shape` that holds a copy of `values` in row-major order.
  ///
  /// `values` must fill the shape.
  public convenience init<S: Scalar>(_ values: [S], _ shape: [Int]? = nil) {
    let shape = shape ?? [values.count]
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.init(
      adopting: values.withUnsafeBytes { bytes in
        Tensor.allocated(bytes.baseAddress, shape, S.dtype)
      })
  }

  /// A tensor of `shape` and type whose elements are the bytes given, in row-major order.
  ///
  /// `bytes` must fill the shape.
  public convenience init(bytes: UnsafeRawBufferPointer, _ shape: [Int], _ dtype: DType) {
    precondition(bytes.count == shape.reduce(1, *) * dtype.byteCount, "bytes do not fill \(shape)")
    self.init(adopting: Tensor.allocated(bytes.baseAddress, shape, dtype))
  }

  /// A tensor without dimensions: one number.
  public convenience init(_ value: Float) { self.init([value], []) }

  /// A tensor of `shape` filled with `value`.
  public convenience init(filledWith value: Float, _ shape: [Int]) {
    self.init([Float](repeating: value, count: shape.reduce(1, *)), shape)
  }

  /// A tensor of `shape` whose elements are not set.
  public convenience init(uninitialized shape: [Int], _ dtype: DType = .float32) {
    self.init(adopting: Tensor.allocated(nil, shape, dtype))
  }

  /// A tensor over memory that `owner` keeps; nothing is copied.
  ///
  /// The memory must hold the shape's elements in row-major order and stay while `owner` lives.
  public convenience init(
    sharing memory: UnsafeMutableRawPointer, _ shape: [Int], _ dtype: DType, owner: AnyObject
  ) {
    let wide = shape.map(Int64.init)
    self.init(
      adopting: Tensor.checked(
        "from_blob",
        ct_from_blob(
          memory, wide, Int32(wide.count), dtype.rawValue,
          { context in context.map { Unmanaged<AnyObject>.fromOpaque($0).release() } },
          Unmanaged.passRetained(owner).toOpaque())))
  }

  private static func allocated(
    _ bytes: UnsafeRawPointer?, _ shape: [Int], _ dtype: DType
  ) -> ct_tensor? {
    if DoorScope.current?.isShapesOnly == true {
      let tensor = Operator.shape(shape, dtype)
      return withExtendedLifetime(tensor) { tensor.handle.map { ct_alias($0) } }
    }
    let wide = shape.map(Int64.init)
    return checked("empty\(shape)", ct_from_bytes(bytes, wide, Int32(wide.count), dtype.rawValue))
  }

  private static func checked(_ name: String, _ handle: ct_tensor?) -> ct_tensor? {
    if handle == nil { Door.fail(name, Door.message) }
    return handle
  }

  /// The elements in row-major order; the element type must be that of `S`.
  public final func values<S: Scalar>(_ type: S.Type = S.self) -> [S] {
    guard let handle else { return [] }
    precondition(dtype == S.dtype, "a tensor of \(dtype) read as \(S.dtype)")
    let count = self.count
    return [S](unsafeUninitializedCapacity: count) { buffer, written in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      if let base = bytes.baseAddress, ct_read(handle, base, bytes.count) != 0 {
        Door.fail("read\(shape)", Door.message)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
      }
      written = count
    }
  }

  /// The elements as single-precision numbers, in row-major order.
  public final var floats: [Float] { (dtype == .float32 ? self : to(.float32)).values() }

  /// The value of a tensor with one element.
  public final var item: Double { to(.float64).values(Double.self).first ?? .nan }

  /// Copies the elements in row-major order to `buffer`, which must be exactly as large.
  public final func read(into buffer: UnsafeMutableRawBufferPointer) {
    guard let handle, let base = buffer.baseAddress else { return }
    if ct_read(handle, base, buffer.count) != 0 { Door.fail("read\(shape)", Door.message) }
  }

  /// Lends the memory of a tensor on the CPU, in whatever order it lies.
  public final func withMemory<R>(_ body: (UnsafeMutableRawPointer) throws -> R) rethrows -> R? {
    guard let handle, let data = ct_data(handle) else { return nil }
    defer { withExtendedLifetime(self) {} }
    return try body(data)
  }
}

/// Where tensors lie and operators run.
public struct Device: Sendable, Hashable, CustomStringConvertible {
  /// libtorch's name: `cpu`, `cuda` or `cuda:1`.
  public let name: String

  /// The device that libtorch calls `name`.
  public init(name: String) { self.name = name }

  /// The processor.
  public static let cpu = Device(name: "cpu")
  /// The first graphics processor of NVIDIA.
  public static let cuda = Device(name: "cuda:0")

  /// Whether this is the processor.
  public var isCPU: Bool { name == "cpu" }

  /// libtorch's name.
  public var description: String { name }
}
