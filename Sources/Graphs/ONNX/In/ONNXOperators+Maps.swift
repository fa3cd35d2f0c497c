import Torch

extension Operator {
  fileprivate static let maxPool = Operator("max_pool2d")
  fileprivate static let avgPool = Operator("avg_pool2d")
}

/// What looks at windows of maps.
extension ONNXOperators {
  static let maps: [String: Rule] = [
    "Conv": tensor { step in
      try convolution(step, step.x, step.tensor(1), bias: step.has(2) ? step.tensor(2) : nil)
    },
    "ConvTranspose": tensor(transposedConvolution),
    "MaxPool": { step in
      try expectResults(step, 1)
      return [
        ONNXValue(try pooled(step, takesCodes: true) { try maxPool(step, $0, $1, ceil: $2) })
      ]
    },
    "AveragePool": tensor { step in
      try pooled(step) { try averagePool(step, $0, $1, ceil: $2) }
    },
    "GlobalAveragePool": tensor { step in
      let x = try step.x, rank = try step.rank(x, in: 3...6)
      // The same call as a network's own pooling over all of a map.
      return x.mean(Array(2..<rank), keep: true)
    },
    "GlobalMaxPool": tensor { step in
      let x = try step.x, rank = try step.rank(x, in: 3...6)
      return x.maximum(along: Array(2..<rank), keep: true)
    },
    "DepthToSpace": tensor { step in
      let x = try step.x, block = try step.int("blocksize", or: 1, in: 1...4096)
      _ = try step.rank(x, in: 4...4)
      let (n, c, h, w) = (x.size(0), x.size(1), x.size(2), x.size(3))
      guard c % (block * block) == 0 else {
        throw ONNXRefusal("\(c) channels are no multiple of \(block * block)")
      }
      let channels = c / (block * block)
      let isChannelFirst = step.string("mode", or: "DCR") == "CRD"
      let cut =
        isChannelFirst
        ? x.reshaped(n, channels, block, block, h, w).permuted(0, 1, 4, 2, 5, 3)
        : x.reshaped(n, block, block, channels, h, w).permuted(0, 3, 4, 1, 5, 2)
      return cut.reshaped(n, channels, h * block, w * block)
    },
    "SpaceToDepth": tensor { step in
      let x = try step.x, block = try step.int("blocksize", or: 1, in: 1...4096)
      _ = try step.rank(x, in: 4...4)
      let (n, c, h, w) = (x.size(0), x.size(1), x.size(2), x.size(3))
      guard h % block == 0, w % block == 0 else {
        throw ONNXRefusal("the map of \(h)×\(w) is no multiple of \(block)")
      }
      return x.reshaped(n, c, h / block, block, w / block, block).permuted(0, 3, 5, 1, 2, 4)
        .reshaped(n, c * block * block, h / block, w / block)
    },
  ]

  /// A convolution; of a map with one side as one with two.
  static func convolution(
    _ step: ONNXStep, _ x: Tensor, _ weight: Tensor, bias: Tensor?
  ) throws -> Tensor {
    if try step.rank(x, in: 3...4) == 3 {
      throw ONNXRefusal("maps with one side are not supported, expected (N, C, H, W)")
    }
    guard weight.rank == 4, weight.dtype == x.dtype else {
      throw ONNXRefusal(
        "its kernels are \(weight.dtype) \(weight.shape), expected \(x.dtype) with 4 dimensions")
    }
    let groups = try step.int("group", or: 1, in: 1...ONNXStep.longest)
    let shape = weight.shape
    guard shape[0] > 0, shape[0] % groups == 0, shape[1] > 0, x.size(1) % groups == 0,
      x.size(1) / groups == shape[1]
    else {
      throw ONNXRefusal("kernels \(shape) in \(groups) groups do not fit \(x.size(1)) channels")
    }
    if let bias, bias.shape != [shape[0]] {
      throw ONNXRefusal("its bias has the shape \(bias.shape), expected [\(shape[0])]")
    }
    if let kernel = step.node.ints("kernel_shape"), kernel != Array(shape[2...]) {
      throw ONNXRefusal("kernel_shape is \(kernel), its kernels are \(shape)")
    }
    let map = Array(x.shape[2...])
    let window = try ONNXWindow(step, kernel: Array(shape[2...]), map: map)
    let result = try step.admit([x.size(0), shape[0]] + window.sides(map))
    try step.admit(padded(x.shape, window))
    guard let count = elementCount(result + shape[1...]), count <= step.limits.operations else {
      throw ONNXRefusal("its result of \(result) takes too many multiplications")
    }
    // What is more on one side than on the other is padded first, as our own networks do it.
    let common = zip(window.before, window.after).map(Swift.min)
    let source =
      window.isSymmetric
      ? x
      : x.padded(
        zip(common, zip(window.before, window.after)).reversed().flatMap { [$1.0 - $0, $1.1 - $0] })
    return source.conv2d(
      weight, bias: bias, stride: window.stride, padding: common, dilation: window.dilation,
      groups: groups)
  }

  private static func padded(_ shape: [Int], _ window: ONNXWindow) -> [Int] {
    Array(shape[..<2])
      + zip(shape[2...], zip(window.before, window.after)).map { $0 + $1.0 + $1.1 }
  }

  private static func transposedConvolution(_ step: ONNXStep) throws -> Tensor {
    let (x, weight) = (try step.x, try step.tensor(1))
    let bias = step.has(2) ? try step.tensor(2) : nil
    _ = try step.rank(x, in: 4...4)
    guard weight.rank == 4, weight.dtype == x.dtype else {
      throw ONNXRefusal("its kernels are \(weight.dtype) \(weight.shape), expected 4 dimensions")
    }
    let groups = try step.int("group", or: 1, in: 1...ONNXStep.longest)
    let shape = weight.shape, map = Array(x.shape[2...])
    guard x.size(1) == shape[0], shape[0] > 0, shape[0] % groups == 0, shape[1] > 0 else {
      throw ONNXRefusal("kernels \(shape) in \(groups) groups do not fit \(x.size(1)) channels")
    }
    let outputs = shape[1] * groups
    if let bias, bias.shape != [outputs] {
      throw ONNXRefusal("its bias has the shape \(bias.shape), expected [\(outputs)]")
    }
    let longest = ONNXStep.longest
    let kernel = Array(shape[2...])
    let stride = try step.ints("strides", 2, or: 1, in: 1...longest)
    let dilation = try step.ints("dilations", 2, or: 1, in: 1...longest)
    let extra = try step.ints("output_padding", 2, or: 0, in: 0...longest)
    guard map.allSatisfy({ $0 > 0 }),
      zip(extra, zip(stride, dilation)).allSatisfy({ $0 < Swift.max($1.0, $1.1) })
    else { throw ONNXRefusal("output_padding is \(extra), expected less than the stride") }
    func whole(_ axis: Int) throws -> Int {
      let (a, first) = (map[axis] - 1).multipliedReportingOverflow(by: stride[axis])
      let (b, second) = (kernel[axis] - 1).multipliedReportingOverflow(by: dilation[axis])
      guard !first, !second, a < longest, b < longest else {
        throw ONNXRefusal("its result is too large")
      }
      return a + b + 1 + extra[axis]
    }
    let sides = [try whole(0), try whole(1)]
    var (before, after) = ([0, 0], [0, 0])
    let kind = step.string("auto_pad", or: "NOTSET")
    let given = step.node.ints("output_shape").map { Array($0.suffix(2)) }
    if let given {
      guard given.count == 2, zip(given, sides).allSatisfy({ $0 > 0 && $0 <= $1 }) else {
        throw ONNXRefusal("output_shape is \(given), expected up to \(sides)")
      }
    }
    let wanted = given ?? (kind.hasPrefix("SAME") ? zip(map, stride).map(*) : nil)
    if let wanted {
      for axis in 0..<2 {
        let all = Swift.max(0, sides[axis] - wanted[axis])
        before[axis] = kind == "SAME_UPPER" ? all / 2 : all - all / 2
        after[axis] = all - before[axis]
      }
    } else if kind == "NOTSET" || kind.isEmpty {
      let pads = try step.ints("pads", 4, or: 0, in: 0...longest)
      (before, after) = (Array(pads[..<2]), Array(pads[2...]))
    }
    let result = zip(sides, zip(before, after)).map { $0 - $1.0 - $1.1 }
    guard result.allSatisfy({ $0 > 0 }) else {
      throw ONNXRefusal("its result has the sides \(result)")
    }
    try step.admit([x.size(0), outputs] + sides)
    guard let count = elementCount(x.shape + shape[1...]), count <= step.limits.operations else {
      throw ONNXRefusal("it takes too many multiplications")
    }
    func run(_ padding: [Int]) -> Tensor {
      x.convTransposed2d(
        weight, bias: bias, stride: stride, padding: padding, outputPadding: extra, groups: groups,
        dilation: dilation)
    }
    if before == after { return run(before) }
    return run([0, 0]).sliced(2, before[0], before[0] + result[0])
      .sliced(3, before[1], before[1] + result[1])
  }

  // MARK: Poolings

  /// A pooling of maps with two sides, to which those with one are taken.
  private static func pooled(
    _ step: ONNXStep, takesCodes: Bool = false, _ body: (Tensor, ONNXWindow, Bool) throws -> Tensor
  ) throws -> Tensor {
    let x = try step.x
    _ = try step.rank(x, in: 4...4)
    // Codes of 8 bits are numbers meanwhile.
    let isCode = takesCodes && (x.dtype == .uint8 || x.dtype == .int8)
    guard isCode || x.dtype.isFloatingPoint, let kernel = step.node.ints("kernel_shape") else {
      throw ONNXRefusal("its input is of \(x.dtype), or it has no kernel_shape")
    }
    let map = Array(x.shape[2...])
    let window = try ONNXWindow(step, kernel: kernel, map: map)
    let ceil = try step.flag("ceil_mode")
    let result = try step.admit(Array(x.shape[..<2]) + window.sides(map, ceil: ceil))
    try step.admit(padded(x.shape, window))
    guard let count = elementCount(result + kernel), count <= step.limits.operations else {
      throw ONNXRefusal("its result of \(result) takes too many steps")
    }
    return isCode ? try body(x.to(.float32), window, ceil).to(x.dtype) : try body(x, window, ceil)
  }

  /// Whether libtorch takes the window's padding: as much on both sides, half a kernel at most.
  private static func isPlain(_ window: ONNXWindow) -> Bool {
    window.isSymmetric && zip(window.before, window.kernel).allSatisfy { $0 <= $1 / 2 }
  }

  private static func maxPool(
    _ step: ONNXStep, _ x: Tensor, _ window: ONNXWindow, ceil: Bool
  ) throws -> Tensor {
    let (source, padding) =
      isPlain(window)
      ? (x, window.before) : (x.padded(window.margins, value: -.infinity), [0, 0])
    return Operator.maxPool(source, window.kernel, window.stride, padding, window.dilation, ceil)
  }

  private static func averagePool(
    _ step: ONNXStep, _ x: Tensor, _ window: ONNXWindow, ceil: Bool
  ) throws -> Tensor {
    guard window.dilation == [1, 1] else {
      throw ONNXRefusal("means of dilated windows are not supported")
    }
    let countsMargin = try step.flag("count_include_pad")
    if isPlain(window) {
      return Operator.avgPool(x, window.kernel, window.stride, window.before, ceil, countsMargin)
    }
    let sum = Operator.avgPool(
      x.padded(window.margins), window.kernel, window.stride, [0, 0], ceil, true)
    if countsMargin { return sum }
    let share = Operator.avgPool(
      x.onesLike().padded(window.margins), window.kernel, window.stride, [0, 0], ceil, true)
    return sum / share
  }
}
