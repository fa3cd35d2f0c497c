import Torch

/// A node with what it is given, as the rules see it: attributes and numbers are checked where a rule asks
/// for them, so that nothing that a file says reaches an operator unchecked.
struct ONNXStep {
  let node: ONNXNode
  /// What it takes; nil for what is left out.
  let inputs: [ONNXValue?]
  let opset: Int
  let limits: ONNXLimits
  /// Where the network runs.
  let device: Device

  /// The largest length, position or distance that is taken from a file.
  static let longest = 1 << 31

  // MARK: Inputs

  func has(_ index: Int) -> Bool { index < inputs.count && inputs[index] != nil }

  func value(_ index: Int) throws -> ONNXValue {
    guard index < inputs.count, let value = inputs[index] else {
      throw ONNXRefusal("its input \(index + 1) is missing")
    }
    return value
  }

  func optional(_ index: Int) -> ONNXValue? { index < inputs.count ? inputs[index] : nil }

  /// A tensor on the device where the network runs.
  func tensor(_ index: Int) throws -> Tensor { tensor(of: try value(index)) }

  func tensor(of value: ONNXValue) -> Tensor {
    value.isKnown ? value.tensor.to(device) : value.tensor
  }

  var x: Tensor { get throws { try tensor(0) } }

  /// Numbers that have to be known before the network runs.
  func array(_ index: Int, _ what: String) throws -> ONNXArray {
    guard let array = try value(index).array else {
      throw ONNXRefusal(
        "\(what) depend on the image's pixels, expected numbers that are known before")
    }
    return array
  }

  /// Whole numbers that have to be known; nil for an input that is left out.
  func list(_ index: Int, _ what: String) throws -> [Int]? {
    guard has(index) else { return nil }
    return try array(index, what).ints
  }

  // MARK: Attributes

  func int(_ name: String, or standard: Int, in range: ClosedRange<Int>) throws -> Int {
    let value = node.int(name) ?? standard
    guard range.contains(value) else {
      throw ONNXRefusal(
        "\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  func flag(_ name: String, or standard: Bool = false) throws -> Bool {
    try int(name, or: standard ? 1 : 0, in: 0...1) == 1
  }

  func float(_ name: String, or standard: Double) -> Double { node.float(name) ?? standard }

  func string(_ name: String, or standard: String) -> String { node.string(name) ?? standard }

  /// So many numbers, or as many times `standard`.
  func ints(_ name: String, _ count: Int, or standard: Int, in range: ClosedRange<Int>) throws
    -> [Int]
  {
    guard let list = node.ints(name), !list.isEmpty else {
      return [Int](repeating: standard, count: count)
    }
    guard list.count == count, list.allSatisfy(range.contains) else {
      throw ONNXRefusal(
        "\(name) is \(list), expected \(count) numbers from \(range.lowerBound) to \(range.upperBound)"
      )
    }
    return list
  }

  /// A dimension counted from the first one.
  func axis(_ value: Int, rank: Int) throws -> Int {
    guard value >= -rank, value < rank else {
      throw ONNXRefusal("there is no dimension \(value) among \(rank)")
    }
    return value < 0 ? value + rank : value
  }

  func axis(_ name: String, or standard: Int, rank: Int) throws -> Int {
    try axis(node.int(name) ?? standard, rank: rank)
  }

  /// Dimensions of the attribute `axes`, or of an input where newer versions have them; nil where all are
  /// meant.
  func axes(input index: Int, rank: Int) throws -> [Int]? {
    let list = try node.ints("axes") ?? list(index, "its axes")
    let axes = try list?.map { try axis($0, rank: rank) }
    guard let axes, Set(axes).count == axes.count else {
      if axes == nil { return nil }
      throw ONNXRefusal("a dimension stands twice in its axes")
    }
    return axes
  }

  // MARK: Sizes

  /// Refuses a result of this shape if it would take too much memory.
  @discardableResult
  func admit(_ shape: [Int]) throws -> [Int] {
    guard let count = elementCount(shape), shape.count <= 16 else {
      throw ONNXRefusal("its result would be of shape \(shape)")
    }
    guard count <= limits.elements else {
      throw ONNXRefusal(
        "its result of \(shape) would have \(count) elements, expected \(limits.elements) at most")
    }
    return shape
  }

  /// Refuses to work out so many numbers beforehand.
  func admitNumbers(_ shape: [Int]) throws {
    guard let count = elementCount(shape), count <= limits.numbers else {
      throw ONNXRefusal(
        "numbers of shape \(shape) would be worked out, expected \(limits.numbers) at most")
    }
  }

  /// The shape that both are broadcast to.
  func broadcast(_ a: [Int], _ b: [Int]) throws -> [Int] {
    let rank = max(a.count, b.count)
    let (left, right) = (
      [Int](repeating: 1, count: rank - a.count) + a, [Int](repeating: 1, count: rank - b.count) + b
    )
    return try admit(
      zip(left, right).map { left, right in
        guard left == right || left == 1 || right == 1 else {
          throw ONNXRefusal("\(a) and \(b) do not fit each other")
        }
        return left == 1 ? right : left
      })
  }

  /// The rank of an input, which has to be one of these.
  func rank(_ x: Tensor, in range: ClosedRange<Int>) throws -> Int {
    let rank = x.rank
    guard range.contains(rank) else {
      let ranks =
        range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw ONNXRefusal("its input has \(rank) dimensions, expected \(ranks)")
    }
    return rank
  }
}
