import Torch

/// What looks at windows, and what normalizes and multiplies.
extension ONNXRules {
  static let maps: [String: Rule] = [
    "conv2d": { call in
      let padding = call.pair("padding")
      guard padding.count == 2 else { throw call.unsupported("its padding") }
      return [
        call.emit(
          "Conv", operands(call),
          [
            "strides": .ints(call.pair("stride")), "pads": .ints(padding + padding),
            "dilations": .ints(call.pair("dilation")), "group": .int(call.int("groups")),
          ])
      ]
    },
    "conv_transpose2d": { call in
      let padding = call.pair("padding")
      return [
        call.emit(
          "ConvTranspose", operands(call),
          [
            "strides": .ints(call.pair("stride")), "pads": .ints(padding + padding),
            "dilations": .ints(call.pair("dilation")), "group": .int(call.int("groups")),
            "output_padding": .ints(call.pair("output_padding")),
          ])
      ]
    },
    "max_pool2d": { call in
      let window = try Window(call)
      return [
        call.emit(
          "MaxPool", [call.x],
          [
            "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride),
            "pads": .ints(window.padding + window.end), "dilations": .ints(window.dilation),
            "ceil_mode": .int(window.isCut ? 1 : 0),
          ])
      ]
    },
    "avg_pool2d": { call in
      let window = try Window(call)
      let isPadded = window.padding != [0, 0]
      guard !isPadded || window.end == window.padding, call.number("divisor_override") == nil else {
        throw call.unsupported("padding together with windows that the map's end cuts short")
      }
      // Without a padding of its own, what lies beyond the map counts for nothing.
      let counts = isPadded && call.bool("count_include_pad")
      return [
        call.emit(
          "AveragePool", [call.x],
          [
            "kernel_shape": .ints(window.kernel), "strides": .ints(window.stride),
            "pads": .ints(window.padding + window.end),
            "count_include_pad": .int(counts ? 1 : 0), "ceil_mode": .int(window.isCut ? 1 : 0),
          ])
      ]
    },
    "adaptive_avg_pool2d": { call in [adaptivePooling(call)] },
    "upsample_bilinear2d": { try resize($0, "linear") },
    "upsample_bicubic2d": { try resize($0, "cubic") },
    "upsample_nearest2d": { try resize($0, "nearest") },
  ]

  /// A map, kernels and the bias if there is one.
  private static func operands(_ call: ONNXCall) -> [String] {
    ["input", "weight", "bias"].map(call.name).filter { !$0.isEmpty }
  }

  /// A pooling's windows, with the margin that all of them need at the end of the map.
  ///
  /// Programs count windows that the end cuts short in several ways; with a margin there are none. Only where
  /// the margin depends on the size, and in the case in which all count alike, the rounding rule is named.
  private struct Window {
    let kernel, stride, padding, dilation, end: [Int]
    let isCut: Bool

    init(_ call: ONNXCall) throws {
      let kernel = call.pair("kernel_size"), padding = call.pair("padding")
      let stride = call.ints("stride").isEmpty ? kernel : call.pair("stride")
      let dilation = call.ints("dilation").isEmpty ? [1, 1] : call.pair("dilation")
      let sides = call.sides.suffix(2), results = call.results.suffix(2)
      let ends = zip(zip(sides, results), 0..<2).map { lengths, axis in
        let extent = dilation[axis] * (kernel[axis] - 1) + 1
        let last = (lengths.1 + -1) * stride[axis] + (extent - padding[axis])
        return Length((last - lengths.0).values.map { max(padding[axis], $0) })
      }
      isCut = ends.contains { $0.fixed == nil }
      let isPlain = padding == [0, 0] && dilation == [1, 1] && zip(stride, kernel).allSatisfy(<=)
      guard !isCut || isPlain else {
        throw call.unsupported("padding together with windows that the map's end cuts short")
      }
      end = isCut ? [0, 0] : ends.map { $0.values[0] }
      (self.kernel, self.stride, self.padding, self.dilation) = (kernel, stride, padding, dilation)
    }
  }

  private static func resize(_ call: ONNXCall, _ mode: String) throws -> [String] {
    let isNearest = mode == "nearest"
    let place =
      isNearest ? "asymmetric" : call.bool("align_corners") ? "align_corners" : "half_pixel"
    let results = call.results
    // Scales that are given count even where they leave a rest.
    let scales = ["scales_h", "scales_w"].compactMap(call.number)
    let sides = zip(call.sides.suffix(2), scales).map { side, scale in
      Length(side.values.map { Int(Double($0) * scale) })
    }
    let b = call.builder
    guard scales.isEmpty || sides == Array(results.suffix(2)) else {
      throw call.unsupported(
        "scales \(scales) that do not lead to the size \(call.output.shape.suffix(2))")
    }
    let factors =
      scales.isEmpty ? "" : b.constant([1, 1] + scales.map { Float($0) }, [results.count])
    let inputs =
      [call.x, "", factors] + (scales.isEmpty ? [call.ints(results, "the size")] : [])
    return [
      isNearest
        ? call.emit(
          "Resize", inputs,
          [
            "mode": .string(mode), "coordinate_transformation_mode": .string(place),
            "nearest_mode": .string("floor"),
          ])
        : call.emit(
          "Resize", inputs,
          [
            "mode": .string(mode), "coordinate_transformation_mode": .string(place),
            "cubic_coeff_a": .float(-0.75),
          ])
    ]
  }

  // MARK: Normalizations

  static let normalizations: [String: Rule] = [
    "softmax": { call in [call.emit("Softmax", [call.x], ["axis": .int(call.int("dim"))])] },
    "log_softmax": { call in [call.emit("LogSoftmax", [call.x], ["axis": .int(call.int("dim"))])] },
    "batch_norm": { call in
      let channels = call.fixed(call.sides[1], "the number of channels")
      guard !call.bool("training"), call.node.input("running_mean") != nil else {
        throw call.unsupported("it takes the batch's own statistics")
      }
      func filled(_ name: String, _ value: Float) -> String {
        let given = call.name(name)
        guard given.isEmpty else { return given }
        return call.builder.constant([Float](repeating: value, count: channels), [channels])
      }
      return [
        call.emit(
          "BatchNormalization",
          [call.x, filled("weight", 1), filled("bias", 0)]
            + ["running_mean", "running_var"].map(call.name),
          ["epsilon": .float(call.number("eps") ?? 1e-5)])
      ]
    },
    "layer_norm": { call in
      let count = call.ints("normalized_shape").count, eps = call.number("eps") ?? 1e-5
      let affine = ["weight", "bias"].map(call.name)
      guard call.opset < 17 || affine[0].isEmpty else {
        return [
          call.emit(
            "LayerNormalization", [call.x] + affine.filter { !$0.isEmpty },
            ["axis": .int(-count), "epsilon": .float(eps)])
        ]
      }
      let axes = Array(-count..<0), b = call.builder
      let centred = call.emit(
        "Sub", [call.x, call.reduce("ReduceMean", call.x, axes, keep: true)])
      let square = call.emit("Mul", [centred, centred])
      let variance = call.reduce("ReduceMean", square, axes, keep: true)
      let deviation = call.emit(
        "Sqrt", [call.emit("Add", [variance, b.constant(eps, call.first.dtype)])])
      var y = call.emit("Div", [centred, deviation])
      if !affine[0].isEmpty { y = call.emit("Mul", [y, affine[0]]) }
      if !affine[1].isEmpty { y = call.emit("Add", [y, affine[1]]) }
      return [y]
    },
    "group_norm": { call in
      let sides = call.sides, groups = call.int("num_groups"), b = call.builder
      let grouped = call.emit("Reshape", [call.x, b.constant([0, groups, -1])])
      let normal = call.emit(
        "InstanceNormalization",
        [
          grouped, b.constant([Float](repeating: 1, count: groups), [groups]),
          b.constant([Float](repeating: 0, count: groups), [groups]),
        ], ["epsilon": .float(call.number("eps") ?? 1e-5)])
      var y = call.reshape(normal, from: [])
      let channels = [1, call.fixed(sides[1], "the number of channels")]
      let affine = b.constant(channels + sides.dropFirst(2).map { _ in 1 })
      for (name, type) in [("weight", "Mul"), ("bias", "Add")] where !call.name(name).isEmpty {
        y = call.emit(type, [y, call.emit("Reshape", [call.name(name), affine])])
      }
      return [y]
    },
  ]

  // MARK: Products

  static let products: [String: Rule] = [
    "matmul": { call in [call.emit("MatMul", call.names)] },
    "linear": { call in
      let weight = call.name("weight"), bias = call.name("bias")
      if call.first.shape.count == 2 {
        return [
          call.emit(
            "Gemm", [call.x, weight] + (bias.isEmpty ? [] : [bias]), ["transB": .int(1)])
        ]
      }
      // Programs do this once, when they open the file; the weights keep the shape of their name.
      let matrix = call.builder.shared("transposed \(weight)") {
        call.emit("Transpose", [weight], ["perm": .ints([1, 0])])
      }
      let product = call.emit("MatMul", [call.x, matrix])
      return [bias.isEmpty ? product : call.emit("Add", [product, bias])]
    },
    "scaled_dot_product_attention": { call in
      guard let query = call.value("query"), let key = call.value("key"), !call.bool("is_causal")
      else { throw call.unsupported("a causal mask") }
      let width = call.fixed(call.sides[query.shape.count - 1], "the width of a query")
      let scale = call.number("scale") ?? 1 / Double(width).squareRoot()
      var order = Array(key.shape.indices)
      order.swapAt(order.count - 1, order.count - 2)
      let queries = call.emit(
        "Mul", [call.name("query"), call.builder.constant(scale, query.dtype)])
      let keys = call.emit("Transpose", [call.name("key")], ["perm": .ints(order)])
      var scores = call.emit("MatMul", [queries, keys])
      if !call.name("attn_mask").isEmpty {
        scores = call.emit("Add", [scores, call.name("attn_mask")])
      }
      let shares = call.emit("Softmax", [scores], ["axis": .int(-1)])
      return [call.emit("MatMul", [shares, call.name("value")])]
    },
  ]
}
