extension OperatorMeaning {
  /// The operators that only training and prepared networks call: this package's own, and oneDNN's.
  static let fused: [String: OperatorMeaning] = [
    "mkldnn::_convolution_pointwise": convolution("W"),
    "atrous::map": OperatorMeaning(shape: { call in
      ["images", "channels", "height", "width"].map { call.int($0) }
    }),
    "atrous::convolution": packed, "atrous::convolution_into": packed,
    "atrous::trained_convolution": OperatorMeaning(
      channels: { $0.size("weight", 0) },
      operations: { 2 * $0.outputCount * $0.kernelCount("weight") },
      window: { $0.centredWindow($0.size("weight", 2)) }),
    "atrous::depthwise": OperatorMeaning(
      channels: { $0.size("x", 1) },
      operations: { 2 * $0.outputCount * $0.kernelCount("weight") },
      window: { $0.depthwiseWindow($0.size("weight", 2)) }),
    "atrous::prepared_depthwise": OperatorMeaning(
      channels: { $0.size("x", 1) },
      operations: { 2 * $0.outputCount * $0.int("size") * $0.int("size") },
      window: { $0.depthwiseWindow($0.int("size")) }),
    "atrous::depthwise_by_rows": OperatorMeaning(
      channels: { $0.int("outputs") > 0 ? $0.int("outputs") : $0.int("width") },
      operations: { call in
        let (width, outputs) = (call.int("width"), call.int("outputs"))
        let channels = outputs > 0 ? outputs : width
        let positions = call.outputCount / max(channels, 1)
        let expansion = call.tensor("expansion") == nil ? 0 : 2 * call.count("x") * width
        return expansion + 2 * positions * width * (call.int("size") * call.int("size") + outputs)
      },
      window: { $0.depthwiseWindow($0.int("size")) }),
    "atrous::enlarge": OperatorMeaning(
      channels: { $0.int("outputs") },
      operations: { 2 * $0.count("x") * $0.int("outputs") * $0.tensors("taps").count },
      window: { OperatorWindow($0.ints("scale"), .transposed, stride: $0.ints("scale")) }),
    "atrous::resize": OperatorMeaning(
      reach: { _ in .resized },
      shape: { call in
        (call.tensor("x")?.shape.prefix(2) ?? []) + ["height", "width"].map { call.int($0) }
      }),
    "atrous::linear": OperatorMeaning(
      operations: { 2 * $0.count("x") * $0.int("outputs") },
      shape: { $0.leading("x") + $0.ints("outputs") }),
    "atrous::attention": attention("queries", "keys", "values"),
    "atrous::trained_cascade": cascade, "atrous::chain": chain,
  ]

  /// 1×1 and 3×3 convolutions with what is around them; some write to a map that is given.
  private static let packed = OperatorMeaning(
    channels: { $0.int("outputs") },
    operations: { 2 * $0.outputCount * $0.size("x", 1) * $0.int("size") * $0.int("size") },
    window: { $0.centredWindow($0.int("size")) })

  /// Steps of a 1×1 and a 3×3 convolution, each of which sees the maps of all before it.
  private static let cascade = OperatorMeaning(
    channels: { call in
      let added = call.cascadeKernels.enumerated().map { $0 % 2 * $1.size(0) }
      return added.reduce(call.size("x", 1), +)
    },
    operations: { call in
      let positions = call.count("x") / max(1, call.size("x", 1))
      return 2 * positions * call.cascadeKernels.reduce(0) { $0 + $1.count }
    },
    window: { call in
      let sides = call.ints("rates").reduce(0, +)
      return OperatorWindow([2 * sides + 1], padding: [sides])
    })

  /// 1×1 convolutions one after another, with enlarged maps in between.
  private static let chain = OperatorMeaning(
    operations: { call in
      let inputs = call.tensors("inputs")
      let widths = [inputs.reduce(0) { $0 + $1.size(1) }] + call.ints("outputs")
      let positions = inputs.first.map { $0.size(0) * $0.height * $0.width } ?? 0
      return 2 * positions * zip(widths, widths.dropFirst()).reduce(0) { $0 + $1.0 * $1.1 }
    },
    reach: { _ in .resized },
    shape: { call in
      let x = call.tensors[0]
      return [x.size(0), call.ints("outputs").last ?? 0, x.height, x.width]
    })
}

extension OperatorCall {
  /// The kernels of a cascade's steps, those of the 1×1 convolution first.
  fileprivate var cascadeKernels: [Tensor] { tensors("parameters").filter { $0.rank == 4 } }

  /// The window of `size` taps whose padding keeps the size.
  fileprivate func centredWindow(_ size: Int) -> OperatorWindow {
    let rate = int("rate")
    return OperatorWindow(
      [size], stride: ints("stride"), padding: [rate * (size - 1) / 2], dilation: [rate])
  }

  /// The window of `size` taps of an operator that treats each channel by itself.
  fileprivate func depthwiseWindow(_ size: Int) -> OperatorWindow {
    OperatorWindow(
      [size], stride: ints("stride"), padding: ints("padding"), dilation: ints("rate"),
      endPadding: ints("end_padding"))
  }
}
