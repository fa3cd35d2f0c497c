import Torch

/// A convolution's kernels, with the normalization after them folded in, in the order in which they are read.
struct ConvolutionKernels {
  /// How the convolution is computed.
  enum Form {
    /// By the package's own kernels for sizes of 1 and 3; see `CAtrous`.
    case packed(Tensor)
    /// By those for channels that are convolved by themselves.
    case depthwise(Tensor)
    /// By oneDNN, with the kernels in its own order.
    case ordered(Tensor)
    /// As libtorch does it for everybody.
    case plain(Tensor)
  }

  let form: Form
  /// The type in which products are multiplied, in words; empty for float32.
  let reduced: String
  /// What is added to each output channel.
  let bias: Tensor?

  /// The kernels of a convolution of maps of shape `input`.
  static func of(_ unit: Unit, _ constants: Constants, input: [Int]) -> ConvolutionKernels {
    if unit.isPointwise { return pointwise(build(unit, constants), constants) }
    // oneDNN's order is for the size seen first, and serves the others.
    return constants.kept("kernels \(unit.node.ints("stride"))") {
      let (weight, bias) = constants.folded()
      defer { constants.release() }
      let build =
        unit.isPacked && constants.graph.leadsOn(unit.node)
        ? constants.store.precision.build(inputs: unit.weight[1], isNormalized: true) : ""
      return ConvolutionKernels(
        form: spatial(unit, weight, build, input: input),
        reduced: build.isEmpty ? "" : "16 bits", bias: bias)
    }
  }

  /// Those of a 1×1 convolution, by itself or as one of several.
  static func pointwise(_ build: Build, _ constants: Constants) -> ConvolutionKernels {
    let channels = constants.node.ints(constants.prefix + "channels")
    return constants.kept("pointwise \(build) \(channels)") {
      let (weight, bias) = constants.folded()
      defer { constants.release() }
      let isWhole = if case .whole = build { true } else { false }
      return ConvolutionKernels(
        form: .packed(build.packed(constants.parts(weight))), reduced: build.name,
        bias: isWhole ? constants.corrected(bias, for: weight) : bias)
    }
  }

  /// How products of a 1×1 convolution are computed.
  enum Build: Hashable {
    /// By the best instructions for float32, or by those of this name.
    case float32(String)
    case whole(low: Float, high: Float)

    /// The type, in words.
    var name: String {
      switch self {
      case .float32(""): ""
      case .float32: "bfloat16"
      case .whole: "int8"
      }
    }

    func packed(_ weight: Tensor) -> Tensor {
      switch self {
      case .float32(let name): Operator.pack(weight, name)
      case .whole(let low, let high):
        Operator.packWhole(
          weight, Double(low), Double(high), InferencePrecision.wholeBuild)
      }
    }
  }

  /// The way of a 1×1 convolution; one without a normalization is a classifier, mostly, and is not rounded.
  static func build(_ unit: Unit, _ constants: Constants) -> Build {
    let store = constants.store
    guard unit.isNormalized else { return .float32("") }
    if store.precision == .int8, unit.gainsFromWholeNumbers,
      let range = store.ranges?.layers[unit.node.layer], range.count == 2
    {
      return .whole(low: range[0], high: range[1])
    }
    return .float32(
      store.precision.build(inputs: unit.weight[1], isNormalized: unit.followsNorm))
  }

  /// The form of a convolution of larger kernels.
  private static func spatial(
    _ unit: Unit, _ weight: Tensor, _ build: String, input: [Int]
  ) -> Form {
    if unit.isPacked { return .packed(Operator.pack(weight, build)) }
    if unit.isDepthwise { return .depthwise(Operator.packDepthwise(weight)) }
    guard unit.endPadding == 0, let order = Operator.order, Operator.ordered != nil else {
      return .plain(weight)
    }
    let node = unit.node
    return .ordered(
      order(
        weight, node.pair("padding"), node.pair("stride"), node.pair("dilation"), unit.groups,
        input))
  }
}

extension Unit {
  /// Whether the products of whole numbers save more time than rounding the inputs takes.
  var gainsFromWholeNumbers: Bool { isPointwise && weight[1] >= InferencePrecision.manyInputs }
}

/// A matrix and what is added to its outputs, in the order of the products of the package's kernels.
struct PackedMatrix {
  let outputs: Int
  let packed: Tensor
  let bias: Tensor?
  let reduced: String

  /// A whole 1×1 convolution.
  static func pointwise(_ build: ConvolutionKernels.Build, _ constants: Constants) -> PackedMatrix {
    let kernels = ConvolutionKernels.pointwise(build, constants)
    let outputs = constants["weight"]?.size(0) ?? 0
    guard case .packed(let packed) = kernels.form else { return of(constants) }
    return PackedMatrix(
      outputs: outputs, packed: packed, bias: kernels.bias, reduced: kernels.reduced)
  }

  private init(outputs: Int, packed: Tensor, bias: Tensor?, reduced: String) {
    (self.outputs, self.packed, self.bias, self.reduced) = (outputs, packed, bias, reduced)
  }

  /// The matrix of a linear layer.
  static func of(_ constants: Constants) -> PackedMatrix {
    constants.kept("matrix") {
      let (weight, bias) = constants.folded()
      defer { constants.release() }
      return PackedMatrix(weight, bias: bias, constants.store.precision)
    }
  }

  /// The 1×1 convolution of a stage of a chain: of some of its inputs if `channels` says so, and without what
  /// is added to outputs if it `isBare`.
  static func of(
    _ constants: Constants, channels: [Range<Int>], isBare: Bool, isRounded: Bool
  ) -> PackedMatrix {
    // A part without a bias is always one of some inputs.
    if channels.isEmpty {
      let inputs = constants["weight"]?.size(1) ?? 0
      let precision = isRounded ? constants.store.precision : .float32
      return pointwise(.float32(precision.build(inputs: inputs)), constants)
    }
    return constants.kept("stage \(channels) \(isBare) \(isRounded)") {
      let (all, bias) = constants.folded()
      let weight = all.flattened(from: 1)
      return PackedMatrix(
        concatenate(channels.map { weight.sliced(1, $0.lowerBound, $0.upperBound) }, along: 1),
        bias: isBare ? nil : bias, isRounded ? constants.store.precision : .float32)
    }
  }

  private init(_ weight: Tensor, bias: Tensor?, _ precision: InferencePrecision) {
    let weight = weight.detached()
    outputs = weight.size(0)
    let build = precision.build(inputs: weight.count / max(outputs, 1))
    packed = Operator.pack(weight.reshaped(outputs, -1, 1, 1), build)
    reduced = build.isEmpty ? "" : "bfloat16"
    self.bias = bias?.contiguous()
  }
}

/// The taps of a transposed convolution, each as a 1×1 convolution.
struct TransposedKernels {
  let taps: [Tensor]
  let outputs: Int, scale: Int
  let bias: Tensor?

  /// Those of a node, each packed by `pack`, kept as `form`.
  static func of(
    _ constants: Constants, _ form: String = "taps",
    pack: (Tensor) -> Tensor = { Operator.pack($0) }
  ) -> TransposedKernels {
    constants.kept(form) {
      let (weight, bias) = constants.folded()
      defer { constants.release() }
      let kernel = weight.size(2)
      let taps = (0..<kernel * kernel).map { tap in
        let (row, column) = (tap / kernel, tap % kernel)
        let part = weight.sliced(2, row, row + 1).sliced(3, column, column + 1)
        return pack(part.transposed(0, 1))
      }
      return TransposedKernels(
        taps: taps, outputs: weight.size(1), scale: kernel, bias: bias?.contiguous())
    }
  }
}

extension Operator {
  static let pack = Operator("pack", namespace: "atrous")
  static let packWhole = Operator("pack_whole", namespace: "atrous")
  static let packDepthwise = Operator("pack_depthwise", namespace: "atrous")
  static let order = Operator.find("_reorder_convolution_weight", namespace: "mkldnn")
  static let ordered = Operator.find("_convolution_pointwise", namespace: "mkldnn")
}
