import Torch

/// What passes made of convolutions and matrices: those of a file whose products are of whole numbers.
extension ONNXRules {
  static let units: [String: Rule] = [
    Unit.convolution: { call in [try convolution(call, "Conv", outputs: 0)] },
    Unit.transposed: { call in [try convolution(call, "ConvTranspose", outputs: 1)] },
    Unit.matrix: { call in
      guard let rule = products["linear"] else { throw call.unsupported("it has no rule") }
      return try rule(call)
    },
  ]

  /// A convolution with the normalization after it.
  ///
  /// - Parameter axis: The dimension of the weights that is the outputs'.
  private static func convolution(
    _ call: ONNXCall, _ type: String, outputs axis: Int
  ) throws -> String {
    let padding = call.pair("padding"), end = call.has("end_padding") ? call.int("end_padding") : 0
    guard padding.count == 2 else { throw call.unsupported("its padding") }
    let kernels = try FoldedKernels(call, axis: axis)
    var attributes: [(String, ONNXBuilder.Attribute)] = [
      ("strides", .ints(call.pair("stride"))),
      ("pads", .ints(padding + padding.map { $0 + end })),
      ("dilations", .ints(call.pair("dilation"))), ("group", .int(call.int("groups"))),
    ]
    if type == "ConvTranspose" {
      attributes.append(("output_padding", .ints(call.pair("output_padding"))))
    }
    let input = call.name("input")
    let code = call.node.input("input").flatMap { call.builder.quantization?.codes[$0] }
    let isWhole = call.builder.quantization?.products.contains(call.place) ?? false
    let operands =
      if let code, isWhole {
        call.builder.quantized(kernels, input: code)
      } else {
        call.builder.written(kernels)
      }
    return call.builder.emit(type, [input] + operands, attributes, count: 1)[0]
  }
}

/// A convolution's kernels with the normalization after it folded in.
struct FoldedKernels {
  /// The name of the weights in the state dictionary, and of what is added.
  let name, biasName: String
  /// The weights, and what is added to each output, both of type float64.
  let weight: Torch.Tensor
  let bias: Torch.Tensor?
  /// The dimension of the weights that is the outputs'.
  let axis: Int
  /// Whether they are other numbers than the state dictionary's.
  let isFolded: Bool

  init(_ call: ONNXCall, axis: Int) throws {
    func constant(_ name: String) throws -> (name: String, tensor: Torch.Tensor)? {
      guard let value = call.node.input(name) else { return nil }
      guard let initializer = call.builder.graph.initializers[value] else {
        throw call.unsupported("'\(name)' is no constant")
      }
      guard !initializer.tensor.isWithoutMemory else {
        throw GraphError.withoutNumbers(name: initializer.name)
      }
      return (initializer.name, initializer.tensor.detached().to(.float64))
    }
    guard let weight = try constant("weight") else { throw call.unsupported("it has no weights") }
    let bias = try constant("bias")
    (name, self.axis) = (weight.name, axis)
    biasName = bias?.name ?? "\(call.node.layer).bias"
    guard let mean = try constant("norm.running_mean"),
      let variance = try constant("norm.running_var")
    else {
      (self.weight, self.bias, isFolded) = (weight.tensor, bias?.tensor, false)
      return
    }
    let deviation = (variance.tensor + (call.number("norm_eps") ?? 1e-5)).sqrt()
    let gain = try constant("norm.weight")?.tensor
    let factor = (gain ?? deviation.onesLike()) / deviation
    var shape = [Int](repeating: 1, count: weight.tensor.rank)
    shape[axis] = factor.count
    self.weight = weight.tensor * factor.reshaped(shape)
    let centre = (bias?.tensor ?? mean.tensor.zerosLike()) - mean.tensor
    let shift = try constant("norm.bias")?.tensor
    self.bias = shift.map { centre * factor + $0 } ?? centre * factor
    isFolded = true
  }
}

extension ONNXBuilder {
  /// A value in eight bits and back, the name of what that leaves of it.
  func rounded(_ name: String, _ code: Code) -> String {
    let operands = [
      constant([Float(code.step)], []), constant(Double(code.zero), .uint8),
    ]
    let whole = emit("QuantizeLinear", [name] + operands)
    return emit("DequantizeLinear", [whole] + operands)
  }

  /// Weights and what is added, as they are.
  func written(_ kernels: FoldedKernels) -> [String] {
    let suffix = kernels.isFolded ? "_folded" : ""
    let bias = kernels.bias.map { bias in
      shared("\(kernels.biasName) \(kernels.name)\(suffix)") {
        initializer(bias.to(.float32), kernels.biasName + suffix)
      }
    }
    let weight = shared("\(kernels.name)\(suffix)") {
      initializer(kernels.weight.to(.float32), kernels.name + suffix)
    }
    return [weight] + (bias.map { [$0] } ?? [])
  }

  /// Weights in steps of each output's own from -127 to 127, and what is added in those steps times the input's, in
  /// 32 bits.
  func quantized(_ kernels: FoldedKernels, input: Code) -> [String] {
    let weight = kernels.weight, rank = weight.rank, axis = kernels.axis
    let others = (0..<rank).filter { $0 != axis }
    var steps = weight.abs().maximum(along: others) / 127
    if let bias = kernels.bias {
      // What is added has to find room in 32 bits.
      steps = steps.maximum(bias.abs() / (input.step * Double(1 << 30)))
    }
    // The steps are rounded as the file has them, and an output without weights has any.
    steps = steps.clamped(1e-30).to(.float32).to(.float64)
    var shape = [Int](repeating: 1, count: rank)
    shape[axis] = steps.count
    let codes = Operator.round(weight / steps.reshaped(shape)).clamped(-127, 127).to(.int8)
    let restored = restored(codes, steps.to(.float32), axis: axis, kernels.name)
    guard let bias = kernels.bias else { return [restored] }
    let biasSteps = (steps * Double(Float(input.step))).to(.float32)
    let sums = Operator.round(bias / biasSteps.to(.float64)).to(.int32)
    return [restored, self.restored(sums, biasSteps, axis: 0, kernels.biasName)]
  }

  /// Whole numbers times a step for each position of a dimension.
  private func restored(
    _ codes: Torch.Tensor, _ steps: Torch.Tensor, axis: Int, _ name: String
  ) -> String {
    let zeros = constant(
      "zeros \(codes.dtype) \(steps.count)", "zeros", steps.zerosLike().to(codes.dtype))
    return emit(
      "DequantizeLinear",
      [initializer(codes, "\(name)_quantized"), initializer(steps, "\(name)_scale"), zeros],
      ["axis": .int(axis)])
  }
}
