import Foundation
import Segmentation
import SwiftProtobuf
import Testing

@testable import Graphs
@testable import Torch

@Suite("ONNX files written and read again")
struct RoundTripTests {
  @Test(
    "give the network's scores, by graphs that the same passes made",
    arguments: RunnerTests.networks)
  func networks(_ yaml: String) throws {
    let network = try RunnerTests.drawn(yaml)
    let x = noise([1, 3, 64, 96])
    let graph = try Graph(recording: network, input: x.shape) { network.output($0).logits }
    let data = try ONNXFile(graph).model.serializedData()
    let read = try ONNXNetwork(data, named: "test.onnx", giving: .whole)
    try attempt {
      try inferenceMode {
        let expected = network.output(x).logits
        #expect(RunnerTests.error(read(x), expected) < RunnerTests.bound(yaml))
        let runner = Runner(read) { read($0) }
        #expect(RunnerTests.error(runner(x), expected) < RunnerTests.bound(yaml))
        // What is fast in the network is fast in the file: as many kernels of the package or more.
        func kernels(_ graph: Graph) -> Int {
          graph.optimized(without: [], .init()).nodes.count { $0.kind.hasPrefix("fused::") }
        }
        let again = try Graph(recording: read, input: x.shape, .float32) { read($0) }
        #expect(kernels(again) >= kernels(graph))
      }
    }
  }
}
