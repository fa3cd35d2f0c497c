import Graphs
import Segmentation
import Testing

@testable import Torch

@Suite("Recorded graphs")
struct RecorderTests {
  private final class Small: Layer {
    let unit = ConvNorm(3, 4, kernel: 3, stride: 2, dilation: 2)
    let matrix = Linear(4, 2)

    override func forward(_ x: Tensor) -> Tensor {
      let y = unit(x)
      let joined = concatenate([y, y * 2], along: 1).sliced(1, 0, 4)
      return matrix(joined.permuted(0, 2, 3, 1))
    }
  }

  @Test("have an operator's attributes by name, its defaults too, and values with their shapes")
  func nodes() throws {
    let graph = try Graph(recording: Small(), input: [1, 3, 8, 10]) { Small()($0) }
    #expect(
      graph.nodes.map(\.kind)
        == ["conv2d", "batch_norm", "relu_", "mul", "cat", "slice", "permute", "linear"])
    let conv = graph.nodes[0]
    #expect(conv.attributes["dilation"]?.ints == [2, 2])
    #expect(conv.attributes["stride"]?.ints == [2, 2])
    #expect(graph.values[conv.outputs[0]].shape == [1, 4, 4, 5])
    #expect(conv.inputs.map(\.name) == ["input", "weight"])
    // The call left `step` to its default or gave it; either way it is there.
    #expect(graph.nodes[5].attributes["step"]?.ints == [1])
    #expect(graph.nodes[4].inputs.map(\.name) == ["tensors", "tensors"])
    #expect(graph.outputs.map { graph.values[$0].shape } == [[1, 4, 5, 2]])
  }

  @Test("name constants as the state dictionary does, and operators by their layers")
  func names() throws {
    let network = Small()
    let graph = try Graph(recording: network, input: [1, 3, 8, 10]) { network($0) }
    let names = Set(graph.initializers.values.map(\.name))
    let expected = Set(network.state.map(\.name)).subtracting(["unit.1.num_batches_tracked"])
    #expect(names == expected)
    #expect(graph.nodes.map(\.layer).prefix(4) == ["unit.0", "unit.1", "unit.1", "unit.1"])
    #expect(graph.nodes.map(\.isAfterLayer).prefix(4) == [false, false, true, true])
    let weight = try #require(graph.initializers.values.first { $0.name == "unit.0.weight" })
    #expect(weight.tensor.floats == network.unit.conv.weight.floats)
  }

  @Test("compute what does not depend on the image, with a name that says of what")
  func constants() throws {
    let network = Small()
    let graph = try Graph(recording: network, input: [1, 3, 8, 10]) {
      $0 + network.unit.norm.parameters[0].parameter.sliced(0, 0, 3).reshaped(1, 3, 1, 1)
    }
    #expect(graph.nodes.map(\.kind) == ["add"])
    let constant = try #require(graph.initializers.values.first)
    #expect(constant.name == "unit.1.weight.slice.reshape")
    #expect(constant.tensor.floats == [1, 1, 1])
  }

  @Test("leave out what no result needs, and take no memory for maps")
  func pruned() throws {
    let network = Small()
    let graph = try Graph(recording: network, input: [1, 3, 40_000, 40_000]) {
      _ = network($0)
      return $0.relu()
    }
    #expect(graph.nodes.map(\.kind) == ["relu"] && graph.initializers.isEmpty)
  }

  @Test("refuse an operator that reads what another one wrote over, and results without an image")
  func refusals() throws {
    let network = Small()
    let overwritten = #expect(throws: GraphError.self) {
      try Graph(recording: network, input: [1, 3, 8, 10]) { x in
        let y = x * 2
        let view = y.reshaped(3, 80)
        y.reluInPlace()
        return view * 2
      }
    }
    #expect(overwritten == .overwritten(kind: "mul", layer: "after "))
    #expect(throws: GraphError.constant) {
      try Graph(recording: network, input: [1, 3, 8, 10]) { _ in Tensor(1) }
    }
  }
}

extension Torch.Value {
  /// The integers, a single one as a list.
  fileprivate var ints: [Int] {
    switch self {
    case .ints(let list): list
    case .int(let value): [value]
    default: []
    }
  }
}
