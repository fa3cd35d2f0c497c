/// A matrix of a prepared network and its bias, in the order of the products of the package's kernels.
package final class PreparedMatrix {
  /// The number of outputs.
  package let outputs: Int
  private let packed: Tensor, bias: Tensor?

  /// The matrix `weight` (outputs, inputs), which multiplies in `precision`.
  package init(_ weight: Tensor, bias: Tensor?, precision: InferencePrecision = .float32) {
    let weight = weight.detached()
    outputs = weight.size(0)
    packed = Operator.pack(
      weight.reshaped(outputs, -1, 1, 1), precision.build(inputs: weight.count / max(outputs, 1)))
    self.bias = bias?.detached().contiguous()
  }

  /// The 1×1 convolution of `unit` with its normalization folded in, of some of its inputs if told so,
  /// and without what is added to the outputs unless it `isShifted`; nil for other units.
  package convenience init?(
    _ unit: ConvNorm, inputs: [Range<Int>]? = nil, isShifted: Bool = true
  ) {
    let conv = unit.conv
    guard let norm = unit.norm as? BatchNorm2d, conv.kernel == 1, conv.stride == 1,
      conv.padding == 0, conv.groups == 1
    else { return nil }
    conv.weight.check(for: "pack")
    let (scale, shift) = norm.inference
    let weight = conv.weight.detached().flattened(from: 1) * scale.reshaped(-1, 1)
    self.init(
      inputs.map { ranges in
        concatenate(ranges.map { weight.sliced(1, $0.lowerBound, $0.upperBound) })
      } ?? weight,
      bias: isShifted ? conv.bias.map { $0 * scale + shift } ?? shift : nil,
      precision: unit.precision)
  }

  /// The product along the last dimension of `x`, plus `shortcut`, and a function of that.
  package func callAsFunction(
    _ x: Tensor, adding shortcut: Tensor? = nil, _ activation: Activation = .none
  ) -> Tensor {
    let (name, after) = activation.split(fuses: true)
    return after.fresh(Operator.linear(x, packed, outputs, bias, shortcut, name))
  }

  /// The channels of all `inputs` (N, any, H, W) through several matrices of the channels with a function after each, which is
  /// one of those that the kernels know, without a map in between.
  ///
  /// - Parameters:
  ///   - maps: maps (N, outputs, any, any), enlarged bilinearly to (H, W) and added.
  ///   - place: before which matrix's function they are added.
  package static func chain(
    _ inputs: [Tensor], _ steps: [(matrix: PreparedMatrix, activation: Activation)],
    adding maps: [Tensor] = [], at place: Int = 0, alignCorners: Bool = false
  ) -> Tensor {
    Operator.chain(
      inputs, steps.map(\.matrix.packed), steps.map(\.matrix.outputs), steps.map(\.matrix.bias),
      steps.map(\.activation.rawValue).joined(separator: " "), maps, place, alignCorners)
  }
}

extension Operator {
  fileprivate static let pack = Operator("pack", namespace: "atrous")
  fileprivate static let linear = Operator("linear", namespace: "atrous")
  fileprivate static let chain = Operator("chain", namespace: "atrous")
}

extension Linear {
  /// The product, the sum with a shortcut and an activation, as one call so that a prepared network
  /// computes it as one.
  public func callAsFunction(
    _ x: Tensor, adding shortcut: Tensor? = nil, _ activation: Activation = .none
  ) -> Tensor {
    if runsPrepared(x) {
      let matrix = preparation ?? prepare()
      return matrix(x, adding: shortcut, activation)
    }
    weight.check(for: "linear")
    var y = x.linear(weight, bias: bias)
    if let shortcut { y = shortcut + y }
    return activation.fresh(y)
  }

  private func prepare() -> PreparedMatrix {
    let matrix = PreparedMatrix(weight, bias: bias, precision: precision)
    preparation = matrix
    if releasesWeights { weight.release() }
    return matrix
  }
}
