/// A two-dimensional convolution whose padding keeps the size where the stride is 1.
///
/// It maps (N, C, H, W) to (N, outputs, H / stride, W / stride).
public final class Conv2d: Layer {
  /// The kernels (outputs, inputs / groups, kernel, kernel).
  public let weight: Parameter
  /// What is added to each output channel.
  public let bias: Parameter?
  /// The step between outputs in pixels.
  public let stride: Int
  /// The zeros around the image.
  public let padding: Int
  /// Further zeros at the right and at the bottom, as in TensorFlow's padding of even sizes.
  public let endPadding: Int
  /// Whether strides have TensorFlow's padding instead, which follows the size of each map: so many zeros
  /// that ⌈size / stride⌉ outputs fit, the odd one at the end.
  public let padsBySize: Bool
  /// The distance between the kernel's taps, the atrous rate.
  public let dilation: Int
  /// The number of independent groups of channels.
  public let groups: Int

  /// The size of the kernel.
  public var kernel: Int { weight.size(2) }
  /// The number of output channels.
  public var outputs: Int { weight.size(0) }

  /// A convolution from `input` to `output` channels, drawn as PyTorch draws it:
  /// uniformly within ±1/√(inputs · kernel² / groups).
  public init(
    _ input: Int, _ output: Int, kernel: Int = 1, stride: Int = 1, padding: Int? = nil,
    endPadding: Int = 0, padsBySize: Bool = false, dilation: Int = 1, groups: Int = 1,
    bias: Bool = true
  ) {
    weight = Parameter(Tensor(uninitialized: [output, input / groups, kernel, kernel]))
    self.bias = bias ? Parameter(0, [output]) : nil
    self.stride = stride
    self.padding = padding ?? dilation * (kernel - 1) / 2
    self.endPadding = endPadding
    self.padsBySize = padsBySize
    self.dilation = dilation
    self.groups = groups
    super.init()
    Initialization.uniform(weight, bias: self.bias)
  }

  public override func forward(_ x: Tensor) -> Tensor {
    weight.check(for: "conv2d")
    let (map, padding) = padsBySize && stride > 1 ? paddedBySize(x) : (x, padding)
    if trainsDepthwise(map) {
      return Operator.depthwise(map, weight, bias, stride, padding, endPadding, dilation)
    }
    if isTraining, isTrainable, map.size(1) == weight.size(1), map.trainsOnOwnKernels {
      return Operator.convolution(map, weight, bias, stride, kernel == 1 ? 1 : dilation)
    }
    let x = endPadding == 0 ? map : map.padded([0, endPadding, 0, endPadding])
    func convolved(_ x: Tensor) -> Tensor {
      x.conv2d(
        weight, bias: bias, stride: [stride, stride], padding: [padding, padding],
        dilation: [dilation, dilation], groups: groups)
    }
    // oneDNN's gradient of dilated kernels of many groups, channels last and in bfloat16, is memory that
    // it never wrote (libtorch 2.11: values to 1e29, NaN, others in each run).
    if groups > 1, dilation > 1, x.device.isCPU, isGradientEnabled,
      autocastType(on: .cpu) == .bfloat16
    {
      return withoutAutocast(on: .cpu) { convolved(x.to(.float32)) }.to(.bfloat16)
    }
    return convolved(x)
  }

  /// The map with the zeros that its size asks for, and how many are still needed on all sides.
  private func paddedBySize(_ x: Tensor) -> (Tensor, Int) {
    let reach = dilation * (kernel - 1) + 1
    func zeros(_ size: Int) -> (before: Int, after: Int) {
      let rest = size % stride == 0 ? stride : size % stride
      let total = max(0, reach - rest)
      return (total / 2, total - total / 2)
    }
    let (rows, columns) = (zeros(x.height), zeros(x.width))
    if rows.before == rows.after, rows == columns { return (x, rows.before) }
    return (x.padded([columns.before, columns.after, rows.before, rows.after]), 0)
  }

  /// Whether the package's kernels for training compute the convolution: of size 1, or 3 with stride 1,
  /// with a padding that keeps the size and enough channels for the transforms to pay.
  var isTrainable: Bool {
    let isSquare = weight.size(3) == kernel && groups == 1 && endPadding == 0
    let isPointwise = kernel == 1 && padding == 0
    let isWinograd = kernel == 3 && stride == 1 && padding == dilation
    return isSquare && (isPointwise || isWinograd) && min(weight.size(0), weight.size(1)) >= 16
  }

  /// Whether each channel is convolved by itself.
  var isDepthwise: Bool {
    groups > 1 && groups == outputs && weight.size(1) == 1 && kernel > 1 && kernel <= 32
      && weight.size(3) == kernel
  }

  /// Whether the package's own kernels take part in training, in a pass without gradients too that
  /// runs again later.
  private func trainsDepthwise(_ x: Tensor) -> Bool {
    guard isDepthwise, isTraining || isGradientEnabled, x.device.isCPU, x.rank == 4,
      DoorScope.current?.isShapesOnly != true
    else { return false }
    let types: [DType] = [.float32, .bfloat16]
    return types.contains(autocastType(on: .cpu) ?? x.dtype) && types.contains(x.dtype)
  }
}

extension Operator {
  fileprivate static let depthwise = Operator("depthwise", namespace: "atrous")
  fileprivate static let convolution = Operator("trained_convolution", namespace: "atrous")
}

extension Tensor {
  /// Whether the package's kernels for training take this tensor: a map of type float32 on the CPU, where
  /// nothing is to be computed in another type.
  final var trainsOnOwnKernels: Bool {
    rank == 4 && dtype == .float32 && device.isCPU && count > 0 && autocastType(on: .cpu) == nil
      && DoorScope.current?.isShapesOnly != true
  }
}

/// The transpose of a convolution, which enlarges the image by its stride.
///
/// It maps (N, C, H, W) to (N, outputs, H', W') with H' = (H − 1) · stride − 2 · padding + kernel.
public final class ConvTranspose2d: Layer {
  /// The kernels (inputs, outputs, kernel, kernel).
  public let weight: Parameter
  /// What is added to each output channel.
  public let bias: Parameter?
  let stride: Int, padding: Int

  /// A transposed convolution from `input` to `output` channels.
  public init(
    _ input: Int, _ output: Int, kernel: Int, stride: Int, padding: Int = 0, bias: Bool = true
  ) {
    weight = Parameter(Tensor(uninitialized: [input, output, kernel, kernel]))
    self.bias = bias ? Parameter(0, [output]) : nil
    self.stride = stride
    self.padding = padding
    super.init()
    Initialization.uniform(weight, bias: self.bias)
  }

  public override func forward(_ x: Tensor) -> Tensor {
    weight.check(for: "conv_transpose2d")
    return x.convTransposed2d(
      weight, bias: bias, stride: [stride, stride], padding: [padding, padding])
  }
}

/// A matrix product and a bias along the last dimension.
public final class Linear: Layer {
  /// The matrix (outputs, inputs).
  public let weight: Parameter
  /// What is added to each output.
  public let bias: Parameter?

  /// A product from `input` to `output` features.
  public init(_ input: Int, _ output: Int, bias: Bool = true) {
    weight = Parameter(Tensor(uninitialized: [output, input]))
    self.bias = bias ? Parameter(0, [output]) : nil
    super.init()
    Initialization.uniform(weight, bias: self.bias)
  }

  public override func forward(_ x: Tensor) -> Tensor {
    weight.check(for: "linear")
    return x.linear(weight, bias: bias)
  }
}

/// How weights are drawn before training.
public enum Initialization {
  /// Draws uniformly within ±1/√fan-in, PyTorch's own rule for convolutions and linear layers.
  public static func uniform(_ weight: Parameter, bias: Parameter?) {
    guard !isSkipped else { return weight.fill(0) }
    let bound = 1 / Double(max(1, fanIn(weight))).squareRoot()
    weight.drawUniform(-bound, bound)
    bias?.drawUniform(-bound, bound)
  }

  /// Draws every convolution in `module` from a normal distribution of variance 2 / fan.
  ///
  /// This is the rule of He et al. (2015) for rectified units. Biases become 0.
  public static func kaimingNormal(_ module: Module, fanOut: Bool = false) {
    guard !isSkipped else { return }
    for case let conv as Conv2d in module.modules.map(\.module) {
      let fan = fanOut ? conv.outputs * conv.kernel * conv.kernel : fanIn(conv.weight)
      conv.weight.drawNormal(deviation: (2 / Double(max(1, fan))).squareRoot())
      conv.bias?.fill(0)
    }
  }

  /// Draws every convolution and matrix in `module` from a normal distribution; biases become 0.
  public static func normal(_ module: Module, deviation: Double) {
    guard !isSkipped else { return }
    for module in module.modules.map(\.module) where module is Conv2d || module is Linear {
      for (name, parameter) in module.parameters {
        if name == "bias" { parameter.fill(0) } else { parameter.drawNormal(deviation: deviation) }
      }
    }
  }

  /// Draws `parameter` from a normal distribution of mean 0.
  public static func normal(_ parameter: Parameter, deviation: Double) {
    if isSkipped { parameter.fill(0) } else { parameter.drawNormal(deviation: deviation) }
  }

  /// The number of inputs that one output is computed from.
  static func fanIn(_ weight: Tensor) -> Int { weight.shape.dropFirst().reduce(1, *) }

  @TaskLocal private static var isSkipped = false

  /// Builds networks whose weights are about to be loaded: they are zero, not drawn.
  public static func skipped<R>(_ body: () throws -> R) rethrows -> R {
    try $isSkipped.withValue(true, operation: body)
  }
}
