import Torch

/// What is made of a network's weights: packed kernels, scales and shifts, once for all sizes of images.
final class KernelStore {
  /// The type in which products are multiplied.
  let precision: InferencePrecision
  /// Between what numbers the inputs of layers lie, for products of whole numbers.
  let ranges: InputRanges?
  /// Whether weights are given back once they are packed.
  let releasesWeights: Bool

  /// The weights that something was made of, and what.
  private struct Key: Hashable {
    let weights: [ObjectIdentifier]
    let form: String
  }
  private var kept: [Key: Any] = [:]
  /// So that no other tensor takes the identity of one that a key names.
  private var named: [Tensor] = []
  /// Constants that were computed from weights, by their names; the same ones serve all sizes.
  private var derived: [String: [Tensor]] = [:]

  init(precision: InferencePrecision, ranges: InputRanges?, releasesWeights: Bool) {
    (self.precision, self.ranges) = (precision, ranges)
    self.releasesWeights = releasesWeights
  }

  /// Makes something of weights; what was kept meanwhile is forgotten where it fails.
  func transaction<Made>(_ make: () throws -> Made) throws -> Made {
    let before = (kept, derived)
    do {
      return try make()
    } catch {
      (kept, derived) = before
      throw error
    }
  }

  /// The graph with the constants of graphs before it wherever the numbers are the same.
  func sharing(_ graph: Graph) -> Graph {
    var graph = graph
    for (value, initializer) in graph.initializers
    where !(initializer.tensor is Parameter || initializer.tensor is Buffer) {
      let tensor = initializer.tensor
      let known = derived[initializer.name]?.first {
        $0.shape == tensor.shape && $0.dtype == tensor.dtype && Operator.isEqual($0, tensor)
      }
      if let known {
        graph.initializers[value] = Graph.Initializer(name: initializer.name, tensor: known)
      } else {
        derived[initializer.name, default: []].append(tensor)
      }
    }
    return graph
  }

  /// What `make` gives, kept for the next time.
  func kept<Made>(_ form: String, of weights: [Tensor], _ make: () -> Made) -> Made {
    let key = Key(weights: weights.map(ObjectIdentifier.init), form: form)
    if let known = kept[key], let made = known as? Made { return made }
    let made = make()
    kept[key] = made
    named += weights
    return made
  }
}

extension Operator {
  fileprivate static let equal = Operator("equal")
  /// Whether all numbers of two tensors are the same.
  fileprivate static func isEqual(_ a: Tensor, _ b: Tensor) -> Bool { equal.number(a, b) == 1 }
}

/// A node with the numbers of its constants.
struct Constants {
  let node: Graph.Node
  let graph: Graph
  let store: KernelStore
  /// What stands before the names of the node's inputs and attributes.
  var prefix = ""

  /// The constant of this name; nil if the node has none.
  subscript(name: String) -> Tensor? {
    node.input(prefix + name).flatMap { graph.initializers[$0]?.tensor }
  }

  /// The scale and the shift of each channel of the normalization of this name; nil without one.
  func affine(_ name: String) -> (scale: Tensor, shift: Tensor)? {
    let parts = ["weight", "bias", "running_mean", "running_var"].map { self["\(name).\($0)"] }
    guard let mean = parts[2], let variance = parts[3] else { return nil }
    let eps = node.double(prefix + name + "_eps") ?? 1e-5
    return store.kept("affine \(eps)", of: parts.compactMap { $0 }) {
      let deviation = (variance + eps).sqrt()
      let scale = parts[0].map { $0.detached() / deviation } ?? deviation.onesLike() / deviation
      let shift = parts[1].map { $0.detached() - mean * scale } ?? (mean * scale) * -1
      return (scale.contiguous(), shift.contiguous())
    }
  }

  /// The constants that kernels are made of, for a key: the same ones whatever else a node does.
  private var all: [Tensor] {
    let norm = ["weight", "bias", "running_mean", "running_var"].map { "norm.\($0)" }
    return (["weight", "bias"] + norm).compactMap { self[$0] }
  }

  /// What `make` gives, kept for all nodes with the same constants.
  func kept<Made>(_ form: String, _ make: () -> Made) -> Made {
    let eps = node.double(prefix + "norm_eps") ?? 0
    return store.kept("\(form) \(eps)", of: all, make)
  }

  /// The weights with the normalization after them, and the numbers that are added to outputs.
  func folded() -> (weight: Tensor, bias: Tensor?) {
    guard let parameter = self["weight"] else { return (Tensor(0), nil) }
    // A form that another size did not need.
    (parameter as? Parameter)?.check(for: "prepare \(node.layer)")
    let weight = parameter.detached(), bias = self["bias"]?.detached()
    guard let (scale, shift) = affine("norm") else { return (weight, bias?.contiguous()) }
    let others = Array(repeating: 1, count: max(0, weight.rank - 1))
    let factors = scale.reshaped([scale.count] + others)
    // Weights that nobody needs afterwards are changed where they are.
    let scaled = isReleased ? weight.multiply(by: factors) : weight * factors
    return (scaled, (bias.map { $0 * scale + shift } ?? shift).contiguous())
  }

  /// Whether the weights are given back once they are packed: those of a layer that nothing else reads.
  var isReleased: Bool {
    guard store.releasesWeights, let value = node.input(prefix + "weight"),
      graph.initializers[value]?.tensor is Parameter
    else { return false }
    return graph.isReadOnce(value) && !isOfJoin
  }

  /// Whether it is a 1×1 convolution of a join, which at some sizes is split into its parts.
  private var isOfJoin: Bool {
    guard graph.values[node.input(prefix + "weight") ?? 0].shape.suffix(2) == [1, 1],
      let input = node.input("input")
    else { return node.kind == Unit.chain && node.attributes[prefix + "channels"] != nil }
    return node.input(prefix + "before.running_mean") == nil
      && graph.nodes.contains { $0.kind == "cat" && $0.outputs.contains(input) }
  }

  /// The weights of those inputs that the node names, if it names any, one after the other.
  func parts(_ weight: Tensor) -> Tensor {
    let bounds = node.ints(prefix + "channels")
    guard !bounds.isEmpty else { return weight }
    return concatenate(
      stride(from: 0, to: bounds.count, by: 2).map { weight.sliced(1, bounds[$0], bounds[$0 + 1]) },
      along: 1)
  }

  /// The numbers that are added to outputs, with what rounding `weight` to eight bits takes from the mean of each
  /// output: the weights' rounding errors times the means of what they are multiplied with (Nagel et al., 2019).
  func corrected(_ bias: Tensor?, for weight: Tensor) -> Tensor? {
    guard node.ints(prefix + "channels").isEmpty, weight.rank == 4,
      let means = store.ranges?.means?[node.layer], means.count == weight.size(1)
    else { return bias }
    // Each output's weights lie evenly between minus and plus its largest.
    let step = weight.abs().maximum(along: [1, 2, 3], keep: true).maximum(Tensor(1e-30)) / 127
    let lost = (weight - Operator.round(weight / step) * step).sum([2, 3])
    let correction = (lost * Tensor(means, [1, means.count])).sum([1])
    return (bias.map { $0 + correction } ?? correction).contiguous()
  }

  /// Gives the weights back.
  func release() {
    if isReleased { (self["weight"] as? Parameter)?.release() }
  }
}

extension Graph {
  /// Whether one node alone reads a value.
  func isReadOnce(_ value: ValueID) -> Bool {
    var count = 0
    for node in nodes {
      for input in node.inputs where input.value == value { count += 1 }
    }
    return count == 1
  }
}
