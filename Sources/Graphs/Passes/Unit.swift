import Torch

/// A convolution or a matrix as the kernels compute it, with what stands before and after it: what passes
/// make of `conv2d` and `linear`.
///
/// Inputs are `input`, `weight`, `bias`; `norm.…` and `before.…` of normalizations after and before it,
/// `scale` of each channel before it, and `addend`. Attributes are those of the operator, and `norm_eps`,
/// `before_eps`, `end_padding` and `activation`.
struct Unit {
  static let convolution = "fused::convolution", matrix = "fused::matrix"
  static let transposed = "fused::transposed", chain = "fused::chain"
  static let byRows = "fused::depthwise_by_rows"

  let node: Graph.Node
  /// The shape of the weights (outputs, inputs / groups, rows, columns).
  let weight: [Int]

  init(_ node: Graph.Node, weight: [Int]) { (self.node, self.weight) = (node, weight) }

  var outputs: Int { weight[0] }
  var kernel: Int { weight[2] }
  var groups: Int { node.int("groups") }
  var endPadding: Int { node.int("end_padding") }
  var activation: Activation { Activation(rawValue: node.string("activation")) ?? .none }

  /// Whether rows and columns are treated alike.
  var isSquare: Bool {
    weight[2] == weight[3]
      && ["stride", "padding", "dilation"].allSatisfy { Set(node.pair($0)).count == 1 }
  }
  var stride: Int { node.pair("stride")[0] }
  var padding: Int { node.pair("padding")[0] }
  var dilation: Int { node.pair("dilation")[0] }

  /// Whether it is a product of each pixel.
  var isPointwise: Bool {
    isSquare && kernel == 1 && padding == 0 && groups == 1 && endPadding == 0
  }
  /// Whether the package's kernels for sizes of 1 and 3 compute it.
  var isPacked: Bool {
    guard isSquare, groups == 1, endPadding == 0 else { return false }
    if kernel == 1 { return padding == 0 }
    // With few channels the transforms cost more than they save.
    return kernel == 3 && stride == 1 && padding == dilation && min(weight[0], weight[1]) >= 16
  }
  /// Whether each channel is convolved by itself.
  var isDepthwise: Bool {
    isSquare && groups > 1 && groups == outputs && weight[1] == 1 && kernel > 1 && kernel <= 32
  }
  /// Whether each channel is convolved by itself, with nothing that is added or multiplied, and a function that kernels know.
  var isDepthwiseAlone: Bool {
    isDepthwise && activation.isKnownToKernels && !followsNorm
      && node.input("addend") == nil && node.input("scale") == nil
  }
  /// Whether a normalization stands before it or after it.
  var isNormalized: Bool { followsNorm || precedesNorm }
  var precedesNorm: Bool { node.input("norm.running_mean") != nil }
  var followsNorm: Bool { node.input("before.running_mean") != nil }

  /// Whether neither a sum nor a function follows the product.
  static func addsNothing(_ node: Graph.Node) -> Bool {
    node.input("addend") == nil && node.string("activation").isEmpty
  }

  /// The function that an operator applies to each number; nil for others.
  static func activation(_ node: Graph.Node) -> Activation? {
    switch node.kind {
    case "relu": .relu
    case "hardtanh" where node.double("min_val") == 0 && node.double("max_val") == 6: .relu6
    case "hardswish": .hardswish
    case "hardsigmoid": .hardsigmoid
    case "gelu" where ["none", ""].contains(node.string("approximate")): .gelu
    case "sigmoid": .sigmoid
    case "silu": .silu
    default: nil
    }
  }

  /// The numbers of a normalization by running statistics as inputs called `prefix.…`; nil for other
  /// operators.
  static func statistics(
    of node: Graph.Node, as prefix: String, _ graph: Rewriting
  ) -> [Graph.Node.Input]? {
    guard node.kind == "batch_norm", !node.bool("training"),
      graph.shape(node.inputs[0].value).count == 4,
      graph.values[node.inputs[0].value].dtype == .float32, node.input("running_mean") != nil,
      node.input("running_var") != nil,
      node.inputs.dropFirst().allSatisfy({ graph.initializers[$0.value] != nil })
    else { return nil }
    return node.inputs.dropFirst().map { .init(name: "\(prefix).\($0.name)", value: $0.value) }
  }
}
