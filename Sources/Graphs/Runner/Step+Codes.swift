import Torch

extension Step {
  /// A convolution that multiplies codes, with what stands before and after it.
  static func coded(
    _ unit: Unit, _ constants: Constants, _ codes: CodePlan, _ products: ProductForm
  ) -> Step {
    let node = unit.node
    let input = node.input("input") ?? 0, output = node.outputs[0]
    let (addend, scale) = (node.input("addend"), node.input("scale"))
    let before = constants.affine("before")
    let rectifies = before != nil && scale == nil
    let kernels = CodedKernels.of(unit, constants, products)
    let activation = unit.activation
    // What passes made part of a convolution is one that the kernels know.
    let name = activation.isKnownToKernels ? activation.rawValue : "none"
    let (outputs, kernel, stride) = (unit.outputs, unit.kernel, unit.stride)
    let (padding, rate) = (unit.padding, unit.dilation)
    func numbers(_ value: Graph.ValueID?) -> (step: Double, zero: Int) {
      value.flatMap { codes.code($0) }.map { ($0.step, $0.zero) } ?? (0, 0)
    }
    let (own, added, result) = (numbers(input), numbers(addend), numbers(output))
    let type = codes.values[output]?.dtype ?? .float32
    let (product, word): (Code?, String) =
      switch products {
      case .bfloat16: (nil, "bfloat16")
      case .codes(let code): (code, "int8")
      }
    let isRead = codes.values[input]?.dtype == (product == nil ? .bfloat16 : .uint8)
    let way =
      "\(kernel)×\(kernel), " + (kernels.isWinograd ? "Winograd, 16 bits" : word)
      + (isRead && before == nil && scale == nil ? "" : ", rounds its input")
    let (step, zero) = (product?.step ?? 1, product?.zero ?? 0)
    let readsPlanes =
      unit.weight[1] <= 4 && kernel > 1 && !kernels.isWinograd && before == nil && scale == nil
      && addend != input && codes.values[input] == nil
    return Step(way: way, writesToPlace: true, readsPlanes: readsPlanes) { frame, target in
      var affine = before
      if let scale {
        let factors = frame[scale].reshaped(-1)
        affine = (factors, factors.zerosLike())
      }
      let y = Operator.convolution(
        frame[input], own.step, own.zero, kernels.packed, outputs, kernel, stride, padding, rate,
        step, zero, affine?.scale, affine?.shift, rectifies, kernels.bias,
        frame[addend], added.step, added.zero, name, result.step, result.zero, type, target)
      return [target ?? y]
    }
  }

  /// A transposed convolution that multiplies codes, each of its taps as a 1×1 convolution to every so many pixels.
  static func codedTransposed(_ constants: Constants, _ codes: CodePlan, _ products: Code) -> Step {
    let node = constants.node
    let input = node.inputs[0].value, output = node.outputs[0]
    let kernels = TransposedKernels.of(constants, "coded taps") {
      Operator.packCodes($0.contiguous(), InferencePrecision.wholeBuild)
    }
    let own = codes.code(input), result = codes.code(output)
    let type = codes.values[output]?.dtype ?? .float32
    let shape = constants.graph.values[output].shape
    let scale = kernels.scale
    return Step(way: "1×1, int8, to every \(scale)th pixel", writesToPlace: true) { frame, target in
      let whole = target ?? Operator.map(shape[0], shape[1], shape[2], shape[3], type)
      for (tap, packed) in kernels.taps.enumerated() {
        let part = Operator.slice(
          Operator.slice(whole, 2, tap / scale, shape[2], scale), 3, tap % scale, shape[3], scale)
        _ = Operator.convolution(
          frame[input], own?.step ?? 0, own?.zero ?? 0, packed, kernels.outputs, 1, 1, 0, 1,
          products.step, products.zero, nil as Tensor?, nil as Tensor?, false, kernels.bias,
          nil as Tensor?, 0.0, 0, "none", result?.step ?? 0, result?.zero ?? 0, type, part)
      }
      return [whole]
    }
  }

  /// A convolution of each channel of a map of codes by itself, to codes.
  static func codedDepthwise(_ unit: Unit, _ constants: Constants, _ own: Code, _ result: Code)
    -> Step?
  {
    let node = unit.node, input = node.inputs[0].value
    let kernels = ConvolutionKernels.of(unit, constants, input: [])
    guard case .depthwise(let taps) = kernels.form else { return nil }
    let (kernel, stride, padding) = (unit.kernel, unit.stride, unit.padding)
    let (end, dilation, name) = (unit.endPadding, unit.dilation, unit.activation.rawValue)
    return Step(way: "depthwise of codes") { frame, _ in
      [
        Operator.codedDepthwise(
          frame[input], own.step, own.zero, taps, kernel, stride, padding, end, dilation,
          kernels.bias, name, result.step, result.zero)
      ]
    }
  }

  /// The numbers of a map in type float32.
  static func decode(_ value: Graph.ValueID, _ form: NumberForm) -> Step {
    switch form {
    case .bfloat16:
      Step(way: "bfloat16 to float32", writesToPlace: true) { frame, target in
        [scaled(frame[value], nil, .float32, target)]
      }
    case .codes(let code):
      Step(way: "codes to float32") { frame, _ in
        [Operator.decode(frame[value], code.step, code.zero)]
      }
    }
  }

  /// A normalization of a map of type bfloat16 by itself.
  static func scaledHalves(
    _ node: Graph.Node, _ constants: Constants, _ result: NumberForm?
  ) -> Step? {
    guard result == nil || result == .bfloat16, let affine = affine(node, constants) else {
      return nil
    }
    let input = node.inputs[0].value
    return Step(way: "scaled, bfloat16", writesToPlace: true) { frame, target in
      [scaled(frame[input], affine, result?.dtype ?? .float32, target)]
    }
  }

  /// A map of type bfloat16 times a number of each channel plus another, as numbers of another type.
  private static func scaled(
    _ x: Tensor, _ affine: (scale: Tensor, shift: Tensor)?, _ type: DType, _ target: Tensor?
  ) -> Tensor {
    let y = Operator.scaledHalves(x, affine?.scale, affine?.shift, type, target)
    return target ?? y
  }

  /// The largest numbers of windows.
  static func pool(_ node: Graph.Node, _ value: Graph.ValueID, _ form: NumberForm) -> Step {
    let size = node.pair("kernel_size")[0]
    let stride = node.pair("stride").first ?? size
    let (padding, rate) = (node.pair("padding")[0], node.pair("dilation")[0])
    let way = form == .bfloat16 ? "pooling of bfloat16" : "pooling of codes"
    return Step(way: way, writesToPlace: true) { frame, target in
      let y = Operator.poolCodes(frame[value], size, stride, padding, rate, false, target)
      return [target ?? y]
    }
  }

  /// The mean of each channel of a map, in float32.
  static func mean(_ value: Graph.ValueID, _ form: NumberForm) -> Step {
    switch form {
    case .bfloat16:
      Step(way: "mean of bfloat16") { frame, _ in
        [Operator.meanOfCodes(frame[value], 0.0, 0)]
      }
    case .codes(let code):
      Step(way: "mean of codes") { frame, _ in
        [Operator.meanOfCodes(frame[value], code.step, code.zero)]
      }
    }
  }
}

/// A convolution's kernels as codes, with the normalization after them folded in.
private struct CodedKernels {
  let packed: Tensor
  let bias: Tensor?
  /// Whether products are of combinations of taps, in sixteen bits.
  let isWinograd: Bool
  /// The same kernels for direct products, where those are faster for some sizes of maps.
  var direct: Tensor?

  /// Rates from which on maps may be so small that direct products are faster.
  private static let largeRate = 24

  static func of(_ unit: Unit, _ constants: Constants, _ products: ProductForm) -> CodedKernels {
    let isHalf = products == .bfloat16
    let isPlain = !unit.followsNorm && unit.node.input("scale") == nil
    // Direct products of codes are faster than those of sixteen bits elsewhere.
    // A file's own codes are multiplied as they are.
    let isWide =
      min(unit.weight[0], unit.weight[1]) >= 256
      && unit.dilation <= (unit.weight[1] >= 1024 ? 12 : 4)
      && constants.store.precision != .float32
    let isWinograd =
      unit.kernel == 3 && unit.isPacked && isPlain && (isHalf || isWide)
      && InferencePrecision.bfloat16.isSupported
    let channels = unit.node.ints("channels")
    let form =
      (isWinograd ? "mixed" : isHalf ? "halves" : "codes")
      + (channels.isEmpty ? "" : " \(channels)")
    let kept = constants.kept(form) {
      let (all, bias) = constants.folded()
      defer { constants.release() }
      let weight = constants.parts(all)
      let packed =
        isWinograd
        ? Operator.pack(weight, InferencePrecision.halfBuild)
        : Operator.packCodes(
          weight, isHalf ? InferencePrecision.halfBuild : InferencePrecision.wholeBuild)
      // Both, whatever the first size is: what an image gives must not depend on the images before it.
      let direct =
        isWinograd && isHalf && unit.dilation >= largeRate
        ? Operator.packCodes(weight, InferencePrecision.halfBuild) : nil
      return CodedKernels(
        packed: packed, bias: isHalf || isWinograd ? bias : constants.corrected(bias, for: weight),
        isWinograd: isWinograd, direct: direct)
    }
    guard let direct = kept.direct, let input = unit.node.input("input"),
      isDirect(unit, constants.graph.values[input].shape)
    else { return kept }
    return CodedKernels(packed: direct, bias: kept.bias, isWinograd: false)
  }

  /// Whether direct products are faster than combinations of taps for a map: its sub-images have less than three rows or
  /// columns, and so many taps fall into the padding that what remains is less than the products of combinations with the
  /// work around them, which is that of some 400 products for each input of a pixel (measured on Zen 5).
  private static func isDirect(_ unit: Unit, _ map: [Int]) -> Bool {
    let (height, width, rate) = (map[2], map[3], unit.dilation)
    guard min(height, width) > 0, min(height, width) < 3 * rate else { return false }
    func met(_ length: Int) -> Double { 1 + 2 * Double(max(0, length - rate)) / Double(length) }
    let combined = Operator.products.number(height, width, rate)
    return (met(height) * met(width) - combined) * Double(unit.outputs) < 400
  }
}

extension Operator {
  fileprivate static let scaledHalves = Operator("scaled_halves", namespace: "atrous")
  fileprivate static let slice = Operator("slice", "Tensor")
  fileprivate static let packCodes = Operator("pack_codes", namespace: "atrous")
  fileprivate static let products = Operator("products", namespace: "atrous")
  fileprivate static let convolution = Operator("codes_convolution", namespace: "atrous")
  fileprivate static let codedDepthwise = Operator("codes_depthwise", namespace: "atrous")
  fileprivate static let decode = Operator("decode", namespace: "atrous")
  fileprivate static let meanOfCodes = Operator("mean_of_codes", namespace: "atrous")
  fileprivate static let poolCodes = Operator("pool_codes", namespace: "atrous")
}
