import Torch

/// How windows lie on maps, of attributes that convolutions and poolings share.
struct ONNXWindow {
  /// The taps, the positions between windows and those between taps, for each dimension of the map.
  let kernel, stride, dilation: [Int]
  /// The positions before and after the map.
  let before, after: [Int]

  /// The window of a node whose maps have sides `map`.
  init(_ step: ONNXStep, kernel: [Int], map: [Int]) throws {
    let count = map.count, longest = ONNXStep.longest
    guard kernel.count == count, kernel.allSatisfy({ (1...longest).contains($0) }) else {
      throw ONNXRefusal("its kernel is \(kernel), expected \(count) lengths")
    }
    self.kernel = kernel
    stride = try step.ints("strides", count, or: 1, in: 1...longest)
    dilation = try step.ints("dilations", count, or: 1, in: 1...longest)
    guard zip(kernel, dilation).allSatisfy({ ($0 - 1) * $1 < longest }) else {
      throw ONNXRefusal("its kernel \(kernel) with rate \(dilation) is too large")
    }
    let kind = step.string("auto_pad", or: "NOTSET")
    switch kind {
    case "NOTSET", "":
      let pads = try step.ints("pads", 2 * count, or: 0, in: 0...longest)
      (before, after) = (Array(pads[..<count]), Array(pads[count...]))
    case "VALID":
      (before, after) = ([Int](repeating: 0, count: count), [Int](repeating: 0, count: count))
    case "SAME_UPPER", "SAME_LOWER":
      var starts: [Int] = [], ends: [Int] = []
      for axis in 0..<count {
        let extent = (kernel[axis] - 1) * dilation[axis] + 1
        let windows = (map[axis] + stride[axis] - 1) / stride[axis]
        let all = max(0, (windows - 1) * stride[axis] + extent - map[axis])
        let less = all / 2
        starts.append(kind == "SAME_UPPER" ? less : all - less)
        ends.append(kind == "SAME_UPPER" ? all - less : less)
      }
      (before, after) = (starts, ends)
    default: throw ONNXRefusal("auto_pad is '\(kind)'")
    }
  }

  /// Whether there are as many positions before as after the map.
  var isSymmetric: Bool { before == after }

  /// The positions of the result along each side of a map.
  func sides(_ map: [Int], ceil: Bool = false) throws -> [Int] {
    try map.indices.map { axis in
      let extent = (kernel[axis] - 1) * dilation[axis] + 1
      let last = map[axis] + before[axis] + after[axis] - extent
      guard last >= 0 else {
        throw ONNXRefusal(
          "the map of \(map) is smaller than the kernel \(kernel) with rate \(dilation)")
      }
      return (ceil ? last + stride[axis] - 1 : last) / stride[axis] + 1
    }
  }

  /// The positions around a map as padding counts them: the last dimension first.
  var margins: [Int] { zip(before, after).reversed().flatMap { [$0, $1] } }
}
