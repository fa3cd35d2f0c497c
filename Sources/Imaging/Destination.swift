/// The memory that decoders write pixels and values into.
///
/// All of it is made here. It is cleared before a decoder writes, because some only add to what is
/// there; a decoder that provably writes every byte says so and is spared the time.
enum Destination {
  /// What tests leave in the memory before it is cleared, so that what nobody writes shows.
  @TaskLocal static var leftover: UInt8?

  /// An array of `count` elements of any bits, which `body` writes.
  ///
  /// - Parameter isWrittenWhole: Whether `body` writes every element, so that clearing is idle.
  static func array<Element: FixedWidthInteger>(
    of count: Int, isWrittenWhole: Bool = false,
    _ body: (UnsafeMutableBufferPointer<Element>) throws -> Void
  ) rethrows -> [Element] {
    try [Element](unsafeUninitializedCapacity: count) { buffer, written in
      let whole = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
      if let leftover {
        UnsafeMutableRawBufferPointer(whole).initializeMemory(as: UInt8.self, repeating: leftover)
      }
      if !isWrittenWhole { whole.initialize(repeating: 0) }
      try body(whole)
      written = count
    }
  }
}
