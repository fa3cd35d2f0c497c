/// What a prepared network keeps of a convolution: its kernels with the normalization after it folded
/// into them, in the order in which they are read.
final class PreparedConvolution {
  /// How the convolution is computed.
  enum Form {
    /// By the package's own kernels; see `CAtrous`.
    case packed(Tensor)
    /// By those for channels that are convolved by themselves.
    case depthwise(Tensor)
    /// By oneDNN, with the kernels in its own order.
    case ordered(Tensor)
    /// As libtorch does it for everybody.
    case plain(Tensor)
  }

  let form: Form
  /// Whether it multiplies in another type than float32.
  let isReduced: Bool
  /// What is added to each output channel.
  let bias: Tensor?
  /// The normalization that is folded in.
  private let norm: BatchNorm2d?

  /// The form of `conv` before `norm`; with `isNormalized` another comes before it.
  init(_ conv: Conv2d, _ norm: BatchNorm2d?, isNormalized: Bool, for x: Tensor) {
    conv.weight.check(for: "pack")
    var weight = conv.weight.detached()
    var bias = conv.bias?.detached()
    if let norm {
      let (scale, shift) = norm.inference
      let factors = scale.reshaped(-1, 1, 1, 1)
      // Weights that nobody needs afterwards are changed where they are.
      weight = conv.releasesWeights ? weight.multiply(by: factors) : weight * factors
      bias = bias.map { $0 * scale + shift } ?? shift
    }
    self.norm = norm
    self.bias = bias
    (form, isReduced) = Self.form(conv, weight, x, follows: norm != nil, isNormalized)
  }

  /// Whether this was made for the convolution before `norm`.
  func serves(_ norm: BatchNorm2d?) -> Bool { self.norm === norm }

  /// The form, and whether it is one of reduced precision.
  ///
  /// With `follows` a normalization is after the convolution, with `isNormalized` before it; without either
  /// it is a classifier, mostly.
  private static func form(
    _ conv: Conv2d, _ weight: Tensor, _ x: Tensor, follows: Bool, _ isNormalized: Bool
  ) -> (Form, isReduced: Bool) {
    let isSquare = weight.size(2) == weight.size(3) && conv.groups == 1 && conv.endPadding == 0
    if isSquare, conv.kernel == 1, conv.padding == 0 {
      guard follows || isNormalized else { return (.packed(Operator.pack(weight)), false) }
      if conv.precision == .int8, let range = conv.inputRange {
        let packed = Operator.packWhole(
          weight, Double(range[0]), Double(range[1]), InferencePrecision.wholeBuild)
        return (.packed(packed), true)
      }
      let build = conv.precision.build(inputs: weight.size(1), isNormalized: isNormalized)
      return (.packed(Operator.pack(weight, build)), !build.isEmpty)
    }
    return (spatial(conv, weight, x, isSquare: isSquare), false)
  }

  /// The form of a convolution of larger kernels.
  private static func spatial(_ conv: Conv2d, _ weight: Tensor, _ x: Tensor, isSquare: Bool) -> Form
  {
    let isWinograd = conv.kernel == 3 && conv.stride == 1 && conv.padding == conv.dilation
    // With few channels the transforms cost more than they save.
    let isWide = min(weight.size(0), weight.size(1)) >= 16
    if isSquare, isWinograd, isWide { return .packed(Operator.pack(weight)) }
    if conv.isDepthwise { return .depthwise(Operator.packDepthwise(weight)) }
    guard conv.endPadding == 0, let order = Operator.order, Operator.ordered != nil else {
      return .plain(weight)
    }
    return .ordered(
      order(
        weight, [conv.padding, conv.padding], [conv.stride, conv.stride],
        [conv.dilation, conv.dilation], conv.groups, x.shape))
  }
}

extension Operator {
  fileprivate static let pack = Operator("pack", namespace: "atrous")
  fileprivate static let packWhole = Operator("pack_whole", namespace: "atrous")
  fileprivate static let convolution = Operator("convolution", namespace: "atrous")
  fileprivate static let convolutionInto = Operator("convolution_into", namespace: "atrous")
  fileprivate static let packDepthwise = Operator("pack_depthwise", namespace: "atrous")
  fileprivate static let depthwise = Operator("prepared_depthwise", namespace: "atrous")
  fileprivate static let expandedDepthwise = Operator("expanded_depthwise", namespace: "atrous")
  fileprivate static let order = Operator.find("_reorder_convolution_weight", namespace: "mkldnn")
  fileprivate static let ordered = Operator.find("_convolution_pointwise", namespace: "mkldnn")
}

extension BatchNorm2d {
  /// The scale and the shift of each channel by the running statistics.
  var inference: (scale: Tensor, shift: Tensor) {
    if let affine { return affine }
    let scale = weight.detached() / (runningVar + eps).sqrt()
    let values = (scale, bias.detached() - runningMean * scale)
    affine = values
    return values
  }
}

extension Activation {
  /// Whether the package's kernels apply it.
  private var isFused: Bool { self != .sigmoid }

  /// What oneDNN's convolutions call the function, with its numbers; nil if they lack it.
  fileprivate var ofOneDNN: (name: String, numbers: [Double])? {
    switch self {
    case .relu, .sigmoid, .hardswish: (rawValue, [])
    case .relu6: ("hardtanh", [0, 6])
    case .silu: ("swish", [])
    case .none, .hardsigmoid, .gelu: nil
    }
  }

  /// The function by its name where `fuses`, and what is left to do afterwards.
  func split(fuses: Bool) -> (name: String, after: Activation) {
    fuses && isFused ? (rawValue, .none) : ("none", self)
  }
}

extension Conv2d {
  /// What is kept of the convolution with the normalization after it, made at the first use.
  fileprivate func prepared(
    with norm: BatchNorm2d?, isNormalized: Bool = false, for x: Tensor
  ) -> PreparedConvolution {
    if let preparation, preparation.serves(norm) { return preparation }
    let made = PreparedConvolution(self, norm, isNormalized: isNormalized, for: x)
    preparation = made
    if releasesWeights { weight.release() }
    return made
  }

  /// The unit of ``callAsFunction(_:after:scaledBy:_:adding:_:into:)`` in a prepared network.
  func prepared(
    _ x: Tensor, after before: BatchNorm2d?, scaledBy scale: Tensor?, _ norm: BatchNorm2d?,
    adding shortcut: Tensor?, _ activation: Activation, into destination: Tensor? = nil
  ) -> Tensor {
    let preparation = prepared(with: norm, isNormalized: before != nil, for: x)
    let bias = preparation.bias
    /// What goes into the convolution alone.
    var scaled: Tensor {
      let x = before.map { Activation.relu.fresh($0(x)) } ?? x
      return scale.map { $0 * x } ?? x
    }
    // What is never reduced needs no range.
    if let watch, norm != nil || before != nil { watch.see(scaled) }
    func finished(_ y: Tensor, _ activation: Activation) -> Tensor {
      activation.fresh(shortcut.map { y + $0 } ?? y)
    }
    switch preparation.form {
    case .packed(let kernels):
      let (name, after) = activation.split(fuses: true)
      var (input, rectifies) = (x, false)
      var affine: (scale: Tensor, shift: Tensor)?
      if let scale {
        // Kernels take factors of channels on the way in, those of all images alike.
        if before == nil && x.size(0) == 1 {
          affine = (scale.reshaped(-1), scale.reshaped(-1).zerosLike())
        } else {
          input = scaled
        }
      } else if let before {
        (affine, rectifies) = (before.inference, true)
      }
      let rate = kernel == 1 ? 1 : dilation
      if let destination, after == .none {
        Operator.convolutionInto(
          input, kernels, outputs, kernel, stride, rate, affine?.scale, affine?.shift, rectifies,
          bias, shortcut, name, destination)
        return destination
      }
      return after.fresh(
        Operator.convolution(
          input, kernels, outputs, kernel, stride, rate, affine?.scale, affine?.shift, rectifies,
          bias, shortcut, name))
    case .depthwise(let kernels):
      let (name, after) = activation.split(fuses: true)
      return after.fresh(
        Operator.depthwise(
          scaled, kernels, kernel, stride, padding, endPadding, dilation, bias, shortcut, name))
    case .ordered(let kernels):
      let fused = shortcut == nil ? activation.ofOneDNN : nil
      let x = scaled
      let y =
        Operator.ordered?(
          x.contiguous(.channelsLast), kernels, bias, [padding, padding], [stride, stride],
          [dilation, dilation], groups, fused?.name ?? "none", fused?.numbers ?? [], "") ?? x
      return finished(y, fused == nil ? activation : .none)
    case .plain(let weight):
      return finished(convolved(scaled, weight, bias), activation)
    }
  }
}

extension ConvNorm {
  /// This unit, a depthwise one, of what `expansion`, a 1×1 one, makes of `x`.
  ///
  /// A prepared network computes both together where the map between them is large: only the rows that
  /// are read next are kept of it.
  public func callAsFunction(_ x: Tensor, after expansion: ConvNorm) -> Tensor {
    prepared(x, after: expansion) ?? self(expansion(x))
  }

  /// How many numbers of a map stay in the caches between two layers.
  private static let close = 1 << 20

  private func prepared(_ x: Tensor, after expansion: ConvNorm) -> Tensor? {
    let before = expansion.conv
    guard before.runsPrepared(x), conv.runsPrepared(x), x.rank == 4, before.watch == nil,
      before.kernel == 1, before.stride == 1, conv.isDepthwise,
      let norm = norm as? BatchNorm2d, let first = expansion.norm as? BatchNorm2d,
      x.size(0) * x.size(2) * x.size(3) * before.outputs > Self.close,
      case (let name, .none) = activation.split(fuses: true),
      case (let firstName, .none) = expansion.activation.split(fuses: true)
    else { return nil }
    let outer = conv.prepared(with: norm, for: x), inner = before.prepared(with: first, for: x)
    guard case .depthwise(let taps) = outer.form, case .packed(let kernels) = inner.form,
      !inner.isReduced
    else { return nil }
    return Operator.expandedDepthwise(
      x, kernels, before.outputs, inner.bias, firstName, taps, conv.kernel, conv.stride,
      conv.padding, conv.endPadding, conv.dilation, outer.bias, name)
  }
}
