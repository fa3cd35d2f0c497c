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
  /// What is added to each output channel.
  let bias: Tensor?
  /// The normalization that is folded in.
  private let norm: BatchNorm2d?

  init(_ conv: Conv2d, _ norm: BatchNorm2d?, for x: Tensor) {
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
    form = Self.form(conv, weight, x)
  }

  /// Whether this was made for the convolution before `norm`.
  func serves(_ norm: BatchNorm2d?) -> Bool { self.norm === norm }

  private static func form(_ conv: Conv2d, _ weight: Tensor, _ x: Tensor) -> Form {
    let isSquare = weight.size(2) == weight.size(3) && conv.groups == 1 && conv.endPadding == 0
    let isPointwise = conv.kernel == 1 && conv.padding == 0
    let isWinograd = conv.kernel == 3 && conv.stride == 1 && conv.padding == conv.dilation
    // With few channels the transforms cost more than they save.
    let isWide = isPointwise || min(weight.size(0), weight.size(1)) >= 16
    if isSquare, isPointwise || isWinograd, isWide { return .packed(Operator.pack(weight)) }
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

  /// The function by its name where `fuses`, and what is left to do afterwards.
  func split(fuses: Bool) -> (name: String, after: Activation) {
    fuses && isFused ? (rawValue, .none) : ("none", self)
  }
}

extension Conv2d {
  /// What is kept of the convolution with the normalization after it, made at the first use.
  fileprivate func prepared(with norm: BatchNorm2d?, for x: Tensor) -> PreparedConvolution {
    if let preparation, preparation.serves(norm) { return preparation }
    let made = PreparedConvolution(self, norm, for: x)
    preparation = made
    if releasesWeights { weight.release() }
    return made
  }

  /// The unit of ``callAsFunction(_:after:scaledBy:_:adding:_:into:)`` in a prepared network.
  func prepared(
    _ x: Tensor, after before: BatchNorm2d?, scaledBy scale: Tensor?, _ norm: BatchNorm2d?,
    adding shortcut: Tensor?, _ activation: Activation, into destination: Tensor? = nil
  ) -> Tensor {
    let preparation = prepared(with: norm, for: x)
    let bias = preparation.bias
    /// What goes into the convolution alone.
    var scaled: Tensor {
      let x = before.map { Activation.relu.fresh($0(x)) } ?? x
      return scale.map { $0 * x } ?? x
    }
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
      let isFused = shortcut == nil && activation == .relu
      let x = scaled
      let y =
        Operator.ordered?(
          x.contiguous(.channelsLast), kernels, bias, [padding, padding], [stride, stride],
          [dilation, dilation], groups, isFused ? "relu" : "none", [Double](), "") ?? x
      return finished(y, isFused ? .none : activation)
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
    guard before.runsPrepared(x), conv.runsPrepared(x), before.stride == 1, x.rank == 4,
      let norm = norm as? BatchNorm2d, let first = expansion.norm as? BatchNorm2d,
      x.size(0) * x.size(2) * x.size(3) * before.outputs > Self.close,
      case (let name, .none) = activation.split(fuses: true),
      case (let firstName, .none) = expansion.activation.split(fuses: true)
    else { return nil }
    let outer = conv.prepared(with: norm, for: x), inner = before.prepared(with: first, for: x)
    guard case .depthwise(let taps) = outer.form, case .packed(let kernels) = inner.form,
      before.kernel == 1
    else { return nil }
    return Operator.expandedDepthwise(
      x, kernels, before.outputs, inner.bias, firstName, taps, conv.kernel, conv.stride,
      conv.padding, conv.endPadding, conv.dilation, outer.bias, name)
  }
}
