/// The type in which a network that runs by its graph multiplies.
public enum InferencePrecision: String, Sendable, CaseIterable {
  /// Single precision everywhere.
  case float32
  /// bfloat16, eight bits of mantissa, for the factors of convolutions and of matrices of 128 channels or more, and
  /// for the maps between convolutions; 3×3 convolutions multiply whole numbers of sixteen bits.
  ///
  /// Sums and the last convolution, a classifier mostly, stay in float32.
  case bfloat16
  /// Whole numbers of eight bits for the factors of convolutions and the maps between them: weights in equal steps
  /// between minus and plus the largest of each output, maps in equal steps of the range that a calibration
  /// found; see `InputRanges`.
  ///
  /// What else ``bfloat16`` reduces it reduces, too, where the processor can.
  case int8

  /// Whether the processor has instructions that multiply numbers of this type.
  public var isSupported: Bool {
    switch self {
    case .float32: true
    case .bfloat16: Self.hasBFloat16
    case .int8: Self.hasInt8
    }
  }

  /// Refuses a type that nothing would be gained by.
  ///
  /// - Throws: ``UnsupportedPrecision``.
  public func check() throws {
    if !isSupported { throw UnsupportedPrecision(precision: self) }
  }

  /// The build of the package's kernels that packs and multiplies 1×1 kernels of so many inputs, which may
  /// be normalized on the way in; empty for the best of float32.
  ///
  /// Those of few inputs, read where they lie, take less time than it takes to round them.
  package func build(inputs: Int, isNormalized: Bool = false) -> String {
    self != .float32 && Self.hasBFloat16 && (isNormalized || inputs >= Self.manyInputs)
      ? "avx512_bf16" : ""
  }
  /// So many inputs are rounded in less time than their products save.
  package static let manyInputs = 128
  /// That of products of sixteen bits.
  package static let halfBuild = "avx512_bf16"
  /// That of whole numbers: the best that the processor has.
  package static let wholeBuild = "int8"

  private static let hasBFloat16 =
    (try? attempt { Operator.pack(Tensor(filledWith: 1, [1, 1, 1, 1]), "avx512_bf16") }) != nil
  private static let hasInt8 =
    (try? attempt {
      Operator.packWhole(Tensor(filledWith: 1, [1, 1, 1, 1]), 0.0, 1.0, wholeBuild)
    }) != nil
}

/// A type that the processor has no instructions for.
public struct UnsupportedPrecision: Error, Sendable, Equatable, CustomStringConvertible {
  /// The type.
  public let precision: InferencePrecision

  /// The refusal of a type.
  public init(precision: InferencePrecision) { self.precision = precision }

  /// The message for a person.
  public var description: String {
    "precision \(precision): this processor has no instructions for it"
      + " (\(precision == .int8 ? Self.whole : "AVX512_BF16")), so that"
      + " nothing would be gained; expected float32"
  }

  #if arch(arm64)
    private static let whole = "I8MM or DOTPROD"
  #else
    private static let whole = "AVX512_VNNI or AVX_VNNI"
  #endif
}

extension Operator {
  fileprivate static let pack = Operator("pack", namespace: "atrous")
  fileprivate static let packWhole = Operator("pack_whole", namespace: "atrous")
}
