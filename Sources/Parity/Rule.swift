import Foundation
import Torch

/// The parity kit's deterministic values: every number follows from its name and its index.
///
/// All arithmetic after `unit` is in single precision, as the kit's README fixes it.
enum Rule {
  /// 64-bit FNV-1a of the UTF-8 bytes.
  static func hash(_ name: String) -> UInt64 {
    name.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }

  /// Number `index` of the stream called by `hash`, in [0, 1).
  @inline(__always)
  static func unit(_ hash: UInt64, _ index: Int) -> Float {
    var z = hash &+ UInt64(truncatingIfNeeded: index) &* 0x9E37_79B9_7F4A_7C15
    z = z &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    z ^= z >> 31
    return Float(z >> 40) / 16_777_216
  }

  /// `count` numbers of the stream called `name`, each given to `transform`.
  static func values(_ name: String, _ count: Int, _ transform: (Float) -> Float) -> [Float] {
    let hash = hash(name)
    return [Float](unsafeUninitializedCapacity: count) { buffer, written in
      for index in 0..<count { buffer[index] = transform(unit(hash, index)) }
      written = count
    }
  }

  /// The value of the state entry called `name`, or nothing where the model's own stays.
  static func state(_ name: String, like tensor: Tensor) -> Tensor? {
    guard tensor.dtype.isFloatingPoint else { return nil }
    let shape = tensor.shape
    let last = name.split(separator: ".").last ?? ""
    let transform: (Float) -> Float
    switch last {
    case "bias" where shape.count <= 1, "running_mean" where shape.count <= 1:
      transform = { 0.1 * (2 * $0 - 1) }
    case "running_var":
      transform = { 0.5 + $0 }
    default:
      if shape.count >= 2 {
        let scale = (3 / Float(shape.dropFirst().reduce(1, *))).squareRoot()
        transform = { (2 * $0 - 1) * scale }
      } else {
        transform = { 0.5 + $0 }
      }
    }
    return Tensor(values(name, shape.reduce(1, *), transform), shape)
  }

  /// The image called `name`, between -2 and 2.
  static func image(_ name: String, _ shape: [Int]) -> Tensor {
    Tensor(values(name, shape.reduce(1, *)) { 2 * (2 * $0 - 1) }, shape)
  }

  /// Labels of `shape` below `classes`, with `ignored` in the place of one class more.
  static func labels(_ shape: [Int], classes: Int, ignored: Int) -> Tensor {
    let drawn = values("labels", shape.reduce(1, *)) { ($0 * Float(classes + 1)).rounded(.down) }
    return Tensor(drawn.map { Int64($0) == classes ? Int64(ignored) : Int64($0) }, shape)
  }

  /// Gives every parameter and buffer of `module` the value that follows from its reference name.
  static func fill(_ module: Module, named name: (String) -> String) {
    for (own, tensor) in module.state {
      if let value = state(name(own), like: tensor) { tensor.assign(value) }
    }
  }
}
