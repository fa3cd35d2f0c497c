import Torch

extension Step {
  /// A convolution with what stands before and after it.
  static func convolution(_ unit: Unit, _ constants: Constants, _ watch: InputWatches?) -> Step {
    let node = unit.node
    let inputID = node.input("input") ?? 0
    let shape = constants.graph.values[inputID].shape
    let kernels = ConvolutionKernels.of(unit, constants, input: shape)
    let before = constants.affine("before")
    let (addend, scale) = (node.input("addend"), node.input("scale"))
    let activation = unit.activation
    /// What goes into the convolution alone.
    func prepared(_ frame: Frame) -> Tensor {
      var x = frame[inputID]
      if let before {
        x = (x * before.scale.reshaped(1, -1, 1, 1) + before.shift.reshaped(1, -1, 1, 1))
          .reluInPlace()
      }
      unscaled?.see(x)
      return frame[scale].map { $0 * x } ?? x
    }
    let readsImage =
      constants.graph.inputs.contains(inputID) && before == nil && scale == nil
    let seen =
      unit.isWhole || unit.isDepthwise ? watch?[node.layer, readsImage: readsImage] : nil
    let unscaled = seen == nil || scale == nil ? nil : watch?[InputRanges.unscaled(node.layer)]
    switch kernels.form {
    case .packed(let packed):
      return Step(
        way: named(unit.kernel == 1 ? "1×1, packed" : "3×3, Winograd", kernels.reduced),
        writesToPlace: true,
        run: packedRun(
          unit, constants, kernels, packed, before, inputID,
          seen.map { watch in { watch.see(prepared($0)) } })
      )
    case .depthwise(let taps):
      let (kernel, stride, padding) = (unit.kernel, unit.stride, unit.padding)
      let (end, dilation, name) = (unit.endPadding, unit.dilation, activation.rawValue)
      return Step(way: "depthwise") { frame, _ in
        let x = prepared(frame)
        seen?.see(x)
        return [
          Operator.depthwise(
            x, taps, kernel, stride, padding, end, dilation, kernels.bias,
            frame[addend], name)
        ]
      }
    case .ordered(let ordered):
      let fused = addend == nil ? activation.ofOneDNN : nil
      let (padding, stride, dilation) = (
        node.pair("padding"), node.pair("stride"), node.pair("dilation")
      )
      let groups = unit.groups
      return Step(way: "oneDNN") { frame, _ in
        let x = prepared(frame)
        seen?.see(x)
        let y =
          Operator.ordered?(
            x.contiguous(.channelsLast), ordered, kernels.bias, padding, stride, dilation, groups,
            fused?.name ?? "none", fused?.numbers ?? [], "") ?? x
        return [finished(y, frame[addend], fused == nil ? activation : .none)]
      }
    case .plain(let weight):
      let (padding, stride, dilation) = (
        node.pair("padding"), node.pair("stride"), node.pair("dilation")
      )
      let (end, groups) = (unit.endPadding, unit.groups)
      return Step(way: "libtorch") { frame, _ in
        var x = prepared(frame)
        seen?.see(x)
        if end > 0 { x = x.padded([0, end, 0, end]) }
        let y = x.conv2d(
          weight, bias: kernels.bias, stride: stride, padding: padding, dilation: dilation,
          groups: groups)
        return [finished(y, frame[addend], activation)]
      }
    }
  }

  private static func finished(_ y: Tensor, _ addend: Tensor?, _ activation: Activation) -> Tensor {
    let sum = addend.map { y + $0 } ?? y
    return activation == .relu ? sum.reluInPlace() : activation(sum)
  }

  /// By the package's kernels for sizes of 1 and 3.
  private static func packedRun(
    _ unit: Unit, _ constants: Constants, _ kernels: ConvolutionKernels, _ packed: Tensor,
    _ before: (scale: Tensor, shift: Tensor)?, _ input: Graph.ValueID, _ watch: ((Frame) -> Void)?
  ) -> (Frame, Tensor?) -> [Tensor] {
    let node = unit.node
    let (addend, scale) = (node.input("addend"), node.input("scale"))
    let (outputs, kernel, stride) = (unit.outputs, unit.kernel, unit.stride)
    let rate = unit.kernel == 1 ? 1 : unit.dilation
    let activation = unit.activation
    let name = activation.isKnownToKernels ? activation.rawValue : "none"
    let graph = constants.graph
    let result = graph.values[node.outputs[0]].shape
    // One pixel that is added everywhere.
    let isPixel = addend.map { graph.values[$0].shape != result } ?? false
    return { frame, target in
      watch?(frame)
      let more =
        isPixel
        ? frame[addend].map { $0.expanded(result).contiguous(.channelsLast) } : frame[addend]
      var affine = before
      if let scale {
        let factors = frame[scale].reshaped(-1)
        affine = (factors, factors.zerosLike())
      }
      let rectifies = before != nil && scale == nil
      if let target {
        Operator.convolutionInto(
          frame[input], packed, outputs, kernel, stride, rate, affine?.scale, affine?.shift,
          rectifies, kernels.bias, more, name, target)
        return [target]
      }
      return [
        Operator.convolution(
          frame[input], packed, outputs, kernel, stride, rate, affine?.scale, affine?.shift,
          rectifies, kernels.bias, more, name)
      ]
    }
  }
}

extension Activation {
  /// What oneDNN's convolutions call the function, with its numbers; nil if they lack it.
  fileprivate var ofOneDNN: (name: String, numbers: [Double])? {
    switch self {
    case .relu, .sigmoid, .hardswish: (rawValue, [])
    case .relu6: ("hardtanh", [0, 6])
    case .silu: ("swish", [])
    case .none, .hardsigmoid, .gelu: nil
    }
  }
}

extension Operator {
  fileprivate static let convolution = Operator("convolution", namespace: "atrous")
  fileprivate static let convolutionInto = Operator("convolution_into", namespace: "atrous")
  fileprivate static let depthwise = Operator("prepared_depthwise", namespace: "atrous")
}
