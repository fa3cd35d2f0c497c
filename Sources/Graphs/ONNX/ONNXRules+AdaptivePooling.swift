import Torch

/// The means of windows that cover a map.
extension ONNXRules {
  /// As a pooling where the windows are alike, as products with their shares otherwise.
  static func adaptivePooling(_ call: ONNXCall) -> String {
    let sides = Array(call.sides.suffix(2))
    let results = call.results.suffix(2).map { call.fixed($0, "the result's size") }
    if results == [1, 1] { return call.emit("GlobalAveragePool", [call.x]) }
    let fixed = sides.compactMap(\.fixed)
    if fixed.count == 2, fixed[0] % results[0] == 0, fixed[1] % results[1] == 0 {
      let kernel = zip(fixed, results).map { $0 / $1 }
      return call.emit(
        "AveragePool", [call.x], ["kernel_shape": .ints(kernel), "strides": .ints(kernel)])
    }
    let matrices = zip(sides, results).map { side, result in
      side.fixed.map { shares(call, $0, result) } ?? computedShares(call, side, result)
    }
    let across = call.emit("Transpose", [matrices[1]], ["perm": .ints([1, 0])])
    return call.emit("MatMul", [matrices[0], call.emit("MatMul", [call.x, across])])
  }

  /// The share that each position (side) has in each result, as a matrix (result, side).
  private static func shares(_ call: ONNXCall, _ side: Int, _ result: Int) -> String {
    let rows: [[Float]] = (0..<result).map { place in
      let low = place * side / result, high = ((place + 1) * side + result - 1) / result
      return (0..<side).map { (low..<high).contains($0) ? 1 / Float(high - low) : 0 }
    }
    return call.builder.constant(rows.flatMap { $0 }, [result, side])
  }

  /// The same for a side that the file's network sees only when it runs.
  private static func computedShares(_ call: ONNXCall, _ side: Length, _ result: Int) -> String {
    let b = call.builder
    let length = call.ints([side], "a side")
    return b.shared("shares \(length) \(result)") {
      func column(_ numbers: [Int]) -> String {
        call.emit("Unsqueeze", [b.constant(numbers), b.constant([1])])
      }
      func divided(_ x: String) -> String { call.emit("Div", [x, b.constant([result])]) }
      let places = call.emit("Mul", [column(Array(0..<result)), length])
      let low = divided(places)
      let last = call.emit("Add", [call.emit("Add", [places, length]), b.constant([result - 1])])
      let high = divided(last)
      let positions = call.emit(
        "Range", [b.constant(0), call.emit("Squeeze", [length]), b.constant(1)])
      let inside = call.emit(
        "And",
        [
          call.emit("GreaterOrEqual", [positions, low]), call.emit("Less", [positions, high]),
        ])
      func number(_ x: String) -> String {
        call.emit("Cast", [x], ["to": .int(Int(ONNXBuilder.code(of: call.first.dtype)))])
      }
      return call.emit("Div", [number(inside), number(call.emit("Sub", [high, low]))])
    }
  }
}
