import Testing

@testable import Torch

@Suite("What operators mean")
struct OperatorMeaningTests {
  private final class Calls: OperatorObserver {
    var all: [OperatorCall] = []
    func observe(_ call: OperatorCall) { all.append(call) }
  }

  /// The calls of `body`.
  private func calls(_ body: () -> Void) -> [OperatorCall] {
    let calls = Calls()
    observing(calls, body)
    return calls.all
  }

  /// The one call of `body`.
  private func only(_ body: () -> Void) throws -> OperatorCall {
    let all = calls(body)
    try #require(all.count == 1)
    return all[0]
  }

  private let x = Tensor(filledWith: 1, [1, 4, 9, 12])

  @Test("arguments have the schema's names, and its defaults where they are left out")
  func names() throws {
    let conv = Operator("conv2d")
    let call = try only { conv(x, Tensor(filledWith: 1, [2, 4, 3, 3]), Tensor?.none, [2, 1]) }
    #expect(
      call.operation.schema.arguments.map(\.name)
        == ["input", "weight", "bias", "stride", "padding", "dilation", "groups"])
    #expect(call.ints("stride") == [2, 1] && call.ints("padding") == [0, 0])
    #expect(call.ints("dilation") == [1, 1] && call.int("groups") == 1)
    #expect(call.tensor("weight")?.shape == [2, 4, 3, 3] && call.tensor("bias") == nil)
    #expect(call["kernel"] == nil && call.tensors.count == 2)
    let gelu = try only { _ = x.gelu() }
    guard case .string("none")? = gelu["approximate"] else {
      Issue.record("\(String(describing: gelu["approximate"]))")
      return
    }
    let pool = Operator("avg_pool2d")
    let pooling = try only { pool(x, [3, 3]) }
    #expect(pooling.ints("stride") == [] && !pooling.bool("ceil_mode"))
    guard case .window(let window) = pooling.reach else {
      Issue.record("\(pooling.reach)")
      return
    }
    #expect(window.kernel == [3, 3] && window.stride == [3, 3] && window.dilation == [1, 1])
  }

  @Test("results are new, seen otherwise or written in place as the schema says")
  func memory() {
    let target = Tensor(filledWith: 0, [1, 1, 18, 24])
    let enlarge = Operator("enlarge", namespace: "atrous")
    let pack = Operator("pack", namespace: "atrous")
    let taps = (0..<4).map { _ in pack(Tensor(filledWith: 1, [1, 4, 1, 1])) }
    let seen = calls {
      _ = x.relu()
      _ = x.reluInPlace()
      _ = x.reshaped(4, -1)
      _ = x.split(2, along: 1)
      _ = x.max(1)
      _ = x.to(.float64)
      enlarge(x, taps, 1, 2, Tensor?.none, Tensor?.none)
      enlarge(x, taps, 1, 2, Tensor?.none, target.contiguous(.channelsLast))
    }.filter { $0.name != "contiguous" }
    func text(_ call: OperatorCall, _ result: Int = 0) -> String {
      guard let source = call.source(of: result) else { return "\(call.name) new" }
      let name = call.operation.schema.arguments[source.argument].name
      return "\(call.name) \(source.isWritten ? "in" : "of") \(name)"
    }
    #expect(
      seen.map { text($0) } == [
        "relu new", "relu_ in self", "reshape of self", "split of self", "max new", "to new",
        "enlarge new", "enlarge in into",
      ])
    #expect(text(seen[3], 1) == "split of self" && text(seen[4], 1) == "max new")
  }

  @Test("the package's operators of the same name have rows of their own")
  func namespaces() throws {
    let linear = Operator("linear", namespace: "atrous")
    let packed = Operator("pack", namespace: "atrous")(Tensor(filledWith: 1, [7, 12, 1, 1]))
    let call = try only { linear(x, packed, 7, Tensor?.none, Tensor?.none, "none") }
    // Two for each product of (1, 4, 9, 12) and (12, 7), whatever the kernels are packed to.
    #expect(call.operations == 2 * 4 * 9 * 12 * 7)
  }

  @Test("a mean over the image sees all of it, one over channels does not")
  func reach() {
    func seesAll(_ body: () -> Void) -> [Bool] {
      calls(body).map { if case .everything = $0.reach { true } else { false } }
    }
    #expect(
      seesAll {
        _ = x.mean([2, 3])
        _ = x.mean([-1])
        _ = x.mean()
        _ = x.maximum(along: [2, 3])
      } == [true, true, true, true])
    #expect(
      seesAll {
        _ = x.mean([1])
        _ = x.maximum(along: [-3])
        _ = x.max(1)
      } == [false, false, false])
  }

  /// A function of maps and of kernels.
  struct Case: Sendable, CustomStringConvertible {
    let description: String
    let kernels: [Int]
    let body: @Sendable (Tensor, Tensor) -> Tensor
    init(
      _ name: String, _ kernels: [Int] = [1], _ body: @escaping @Sendable (Tensor, Tensor) -> Tensor
    ) {
      (description, self.kernels, self.body) = (name, kernels, body)
    }
  }

  static let cases: [Case] = [
    Case("conv2d", [6, 4, 3, 2]) {
      $0.conv2d($1, stride: [2, 3], padding: [1, 0], dilation: [2, 5])
    },
    Case("conv2d in groups", [6, 2, 3, 3]) { $0.conv2d($1, padding: [1, 1], groups: 2) },
    Case("conv_transpose2d", [4, 3, 2, 3]) {
      $0.convTransposed2d($1, stride: [2, 3], padding: [1, 0], outputPadding: [1, 2])
    },
    Case("conv_transpose2d in groups, dilated", [4, 3, 2, 3]) {
      $0.convTransposed2d($1, groups: 2, dilation: [3, 2])
    },
    Case("max_pool2d") { x, _ in x.maxPool2d(3, stride: 2, padding: 1) },
    Case("max_pool2d to the end") { x, _ in x.maxPool2d(2, stride: 2, ceil: true) },
    Case("max_pool2d beyond the end") { x, _ in x.maxPool2d(1, stride: 5, ceil: true) },
    Case("max_pool2d, dilated") { x, _ in x.maxPool2d(2, stride: 3, dilation: 3, ceil: true) },
    Case("avg_pool2d") { x, _ in x.avgPool2d(3, stride: 2, padding: 1, ceil: true) },
    Case("adaptive_avg_pool2d") { x, _ in x.adaptiveAvgPool2d(height: 2, width: 5) },
    Case("linear", [5, 12]) { $0.linear($1) },
    Case("attention", [1, 4, 7, 12]) { $0.attention($1, $1.sliced(3, 0, 12)) },
    Case("roll") { x, _ in x.rolled([1], [2]).hardswish() },
  ]

  @Test("shapes are those of libtorch", arguments: cases)
  func shapes(_ function: Case) {
    func shape() -> [Int] {
      function.body(
        Tensor(uninitialized: [1, 4, 9, 12]), Tensor(uninitialized: function.kernels)
      ).shape
    }
    #expect(shapesOnly { shape() } == shape())
  }

  @Test("a map that no window fits on is an error without memory, too")
  func tooSmall() {
    let error = #expect(throws: TorchError.self) {
      try attempt {
        shapesOnly {
          _ = Tensor(uninitialized: [1, 4, 2, 9]).conv2d(Tensor(uninitialized: [6, 4, 3, 3]))
        }
      }
    }
    #expect(error?.description.contains("conv2d([1, 4, 2, 9], [6, 4, 3, 3]") == true)
  }
}
