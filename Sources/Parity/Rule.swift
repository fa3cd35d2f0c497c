import Foundation
import Segmentation
import Torch

/// The parity kit's deterministic values: every number follows from its name and its index.
///
/// All arithmetic after `unit` is in single precision, as the kit's README fixes it.
enum Rule {
  /// 64-bit FNV-1a of the UTF-8 bytes.
  static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// The first `count` numbers of the stream called `name`, in [0, 1): splitmix64 of a counter.
  ///
  /// libtorch's integers wrap around as the rule's do, and shift their sign in, which is masked out.
  static func units(_ name: String, _ count: Int) -> Tensor {
    func mixed(_ z: Tensor, _ shift: Int, _ factor: UInt64) -> Tensor {
      Operator.times(z ^ z.shifted(by: shift), Int(truncatingIfNeeded: factor))
    }
    let start = hash(name) &+ 0x9E37_79B9_7F4A_7C15
    let counter = Operator.times(Operator.range(count, DType.int64), step)
    var z = Operator.plus(counter, Int(truncatingIfNeeded: start))
    z = mixed(z, 30, 0xBF58_476D_1CE4_E5B9)
    z = mixed(z, 27, 0x94D0_49BB_1331_11EB)
    z = z ^ z.shifted(by: 31)
    return z.shifted(by: 40).to(.float32) * (1 / 16_777_216)
  }

  private static let step = Int(truncatingIfNeeded: 0x9E37_79B9_7F4A_7C15 as UInt64)

  /// The value of the state entry called `name`, or nothing where the model's own stays.
  static func state(_ name: String, like tensor: Tensor) -> Tensor? {
    tensor.dtype.isFloatingPoint ? value(name, tensor.shape) : nil
  }

  /// The value of the floating-point state entry called `name`.
  static func value(_ name: String, _ shape: [Int]) -> Tensor {
    let units = units(name, shape.reduce(1, *)).reshaped(shape)
    switch name.split(separator: ".").last ?? "" {
    case "bias" where shape.count <= 1, "running_mean" where shape.count <= 1:
      return (units * 2 - 1) * 0.1
    case "running_var":
      return units + 0.5
    case _ where shape.count >= 2:
      let fan = Float(shape.dropFirst().reduce(1, *))
      return (units * 2 - 1) * Double((3 / fan).squareRoot())
    default:
      return units + 0.5
    }
  }

  /// The image called `name`, between -2 and 2.
  static func image(_ name: String, _ shape: [Int]) -> Tensor {
    (units(name, shape.reduce(1, *)).reshaped(shape) * 2 - 1) * 2
  }

  /// Labels of `shape` below `classes`, with `ignored` in the place of one class more.
  static func labels(_ shape: [Int], classes: Int, ignored: Int) -> Tensor {
    let drawn = units("labels", shape.reduce(1, *)).reshaped(shape) * Double(classes + 1)
    let labels = drawn.to(.int64)
    return labels.filled(with: Double(ignored), where: labels.equal(to: Double(classes)))
  }

  /// Gives every parameter and buffer of `module` the value that follows from its reference name.
  static func fill(_ module: Module, named name: (String) -> String) {
    for (own, tensor) in module.state {
      if let value = state(name(own), like: tensor) { tensor.assign(value) }
    }
  }

  /// Gives every parameter and buffer of `module` what its recipe makes of the reference's values.
  static func fill(
    _ module: Module, by recipes: [String: WeightRecipe], of state: [String: [Int]]
  ) throws {
    for (own, tensor) in module.state where tensor.dtype.isFloatingPoint {
      guard let recipe = recipes[own], let shape = recipe.shape({ state[$0] }),
        shape.reduce(1, *) == tensor.count
      else { continue }
      let made = try recipe.value { value($0, state[$0] ?? []) }
      withoutGradients { tensor.assign(made.reshaped(tensor.shape)) }
    }
  }
}

extension Operator {
  fileprivate static let range = Operator("arange")
  fileprivate static let plus = Operator("add", "Scalar")
  fileprivate static let times = Operator("mul", "Scalar")
  fileprivate static let xor = Operator("bitwise_xor", "Tensor")
  fileprivate static let and = Operator("bitwise_and", "Scalar")
  fileprivate static let shiftRight = Operator("__rshift__", "Scalar")
}

extension Tensor {
  fileprivate static func ^ (a: Tensor, b: Tensor) -> Tensor { Operator.xor(a, b) }

  /// 64-bit integers shifted right with zeros coming in.
  fileprivate func shifted(by bits: Int) -> Tensor {
    Operator.and(Operator.shiftRight(self, bits), (1 << (64 - bits)) - 1)
  }
}
