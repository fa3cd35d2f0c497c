import Foundation
import Graphs
import SwiftProtobuf
import TestSupport
import Testing
import Torch

/// `ATROUS_MUTATIONS=10000` tries more.
@Suite("Damaged ONNX files")
struct ONNXDamageTests {
  private static let extremes: [Int64] = [
    0, 1, -1, 2, -2, 3, 7, 16, 255, -128, 1 << 31, -(1 << 31), 1 << 40, .max, .min, 1 << 53,
  ]

  /// A network with most kinds of operators.
  private func base() throws -> Onnx_ModelProto {
    var graph = TestGraph(opset: 18, input: [1, 3, nil, nil])
    let map = graph.add(
      "Conv", ["x", graph.noise([8, 3, 3, 3]), graph.noise([8])],
      ["pads": .ints([0, 0, 2, 2]), "strides": .ints([2, 2]), "group": .int(1)])
    let four = (0..<4).map { _ in graph.floats([Float](repeating: 0.5, count: 8)) }
    let normal = graph.add("BatchNormalization", [map] + four, ["epsilon": .float(1e-5)])
    let active = graph.add("Clip", [normal, graph.floats([0], []), graph.floats([6], [])])
    let pooled = graph.add(
      "MaxPool", [active],
      ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "ceil_mode": .int(1)])
    let mean = graph.add(
      "AveragePool", [pooled],
      ["kernel_shape": .ints([2, 2]), "strides": .ints([1, 1]), "pads": .ints([0, 0, 1, 1])])
    let shape = graph.add("Shape", [mean])
    let parts = graph.node("Split", [mean, graph.ints([3, 5])], ["axis": .int(1)], results: 2)
    let joined = graph.add("Concat", [parts[1], parts[0]], ["axis": .int(1)])
    let padded = graph.add(
      "Pad", [joined, graph.ints([0, 0, 1, 1, 0, 0, 1, 1])], ["mode": .string("reflect")])
    let cut = graph.add(
      "Slice",
      [
        padded, graph.ints([1, 1]), graph.ints([-1, -1]), graph.ints([2, 3]), graph.ints([1, 1]),
      ])
    let rows = graph.add("Reshape", [cut, graph.ints([1, 2, 4, -1])])
    let turned = graph.add("Transpose", [rows], ["perm": .ints([0, 1, 3, 2])])
    let product = graph.add("MatMul", [turned, rows])
    let weights = graph.add(
      "Softmax", [graph.add("Mul", [product, graph.floats([0.5], [])])], ["axis": .int(-1)])
    let seen = graph.add("MatMul", [weights, turned])
    let back = graph.add(
      "Reshape", [graph.add("Transpose", [seen], ["perm": .ints([0, 1, 3, 2])]), shape])
    let count = graph.add("Gather", [shape, graph.ints([2], [])], ["axis": .int(0)])
    let range = graph.add("Range", [graph.ints([0], []), count, graph.ints([1], [])])
    let level = graph.add(
      "Cast", [graph.add("Unsqueeze", [range, graph.ints([1])])], ["to": .int(1)])
    let sum = graph.add("Add", [back, level])
    let transposed = graph.add(
      "ConvTranspose", [sum, graph.noise([8, 2, 2, 2])],
      ["strides": .ints([2, 2]), "output_padding": .ints([0, 0])])
    let mask = graph.add("Greater", [transposed, graph.floats([0], [])])
    let filled = graph.add("ConstantOfShape", [graph.add("Shape", [transposed])])
    let chosen = graph.add("Where", [mask, transposed, filled])
    let tiled = graph.add("Tile", [chosen, graph.ints([1, 2, 1, 1])])
    let gathered = graph.add("Gather", [tiled, graph.ints([0, 3, -1])], ["axis": .int(1)])
    let large = graph.add(
      "Resize", [gathered, "", graph.floats([1, 1, 1.5, 1.5])],
      ["mode": .string("linear"), "coordinate_transformation_mode": .string("half_pixel")])
    let reduced = graph.add("ReduceMean", [large, graph.ints([2, 3])], ["keepdims": .int(1)])
    let last = graph.add("Mul", [large, reduced])
    return try Onnx_ModelProto(serializedBytes: graph.data(last))
  }

  @Test("are refused or run, and nothing crashes or hangs")
  func mutations() throws {
    let model = try base()
    let bytes = try [UInt8](model.serializedData())
    var limits = ONNXLimits()
    (limits.elements, limits.numbers, limits.operations) = (1 << 18, 1 << 14, 1 << 24)
    let sound = try ONNXNetwork(Data(bytes), named: "sound.onnx", limits: limits)
    #expect(try sound.run(fixedNoise([1, 3, 18, 18])).rank == 4)
    let tries = ProcessInfo.processInfo.environment["ATROUS_MUTATIONS"].flatMap(Int.init) ?? 300
    var refused = 0, ran = 0
    for seed in 0..<tries {
      var draw = SeededNumbers(seed)
      let data =
        seed % 3 == 0
        ? Data(damaged(bytes, &draw)) : try changed(model, &draw).serializedData()
      do {
        let network = try ONNXNetwork(
          data, named: "damaged.onnx", giving: seed % 2 == 0 ? .whole : .scores, limits: limits)
        let shape = network.input.shape.map { $0 ?? 18 }
        guard (shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }) == 972
        else {
          refused += 1
          continue
        }
        do {
          _ = try Graph(recording: network, input: shape, network.input.dtype) { network($0) }
        } catch is GraphError, is TorchError {
          // What a recording refuses may still be run.
        }
        _ = try inferenceMode { try network.run(fixedNoise(shape).to(network.input.dtype)) }
        ran += 1
      } catch is ONNXError {
        refused += 1
      }
    }
    #expect(refused > tries / 10 && refused + ran == tries)
  }

  /// Bytes changed, left out or doubled in a few places.
  private func damaged(_ bytes: [UInt8], _ draw: inout SeededNumbers) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &draw) {
      let place = Int.random(in: 0..<bytes.count, using: &draw)
      switch Int.random(in: 0..<5, using: &draw) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &draw)
      case 1: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &draw)
      case 2: bytes.remove(at: place)
      case 3: bytes.insert(bytes[place], at: place)
      default: bytes = Array(bytes.prefix(max(place, bytes.count / 2)))
      }
    }
    return bytes
  }

  /// Numbers, names and operators of the message changed.
  private func changed(_ model: Onnx_ModelProto, _ draw: inout SeededNumbers) -> Onnx_ModelProto {
    var model = model
    func extreme() -> Int64 { Self.extremes.randomElement(using: &draw) ?? 0 }
    for _ in 0..<Int.random(in: 1...3, using: &draw) {
      let index = Int.random(in: 0..<model.graph.node.count, using: &draw)
      switch Int.random(in: 0..<7, using: &draw) {
      case 0, 1:
        guard !model.graph.node[index].attribute.isEmpty else { continue }
        var attribute = model.graph.node[index].attribute[0]
        if attribute.ints.isEmpty {
          attribute.i = extreme()
        } else {
          attribute.ints[Int.random(in: 0..<attribute.ints.count, using: &draw)] = extreme()
        }
        model.graph.node[index].attribute[0] = attribute
      case 2, 3:
        let whole = model.graph.initializer.indices.filter {
          model.graph.initializer[$0].dataType == 7
        }
        guard let place = whole.randomElement(using: &draw) else { continue }
        let count = model.graph.initializer[place].rawData.count / 8
        let entry = Int.random(in: 0..<max(1, count), using: &draw), number = extreme()
        withUnsafeBytes(of: number) { bytes in
          model.graph.initializer[place].rawData.replaceSubrange(
            entry * 8..<entry * 8 + 8, with: bytes)
        }
      case 4:
        let other = Int.random(in: 0..<model.graph.node.count, using: &draw)
        model.graph.node[index].opType = model.graph.node[other].opType
      case 5:
        let other = Int.random(in: 0..<model.graph.node.count, using: &draw)
        guard let name = model.graph.node[other].input.first, !model.graph.node[index].input.isEmpty
        else { continue }
        let place = Int.random(in: 0..<model.graph.node[index].input.count, using: &draw)
        model.graph.node[index].input[place] = name
      default:
        let place = Int.random(in: 0..<model.graph.initializer.count, using: &draw)
        model.graph.initializer[place].dims = model.graph.initializer[place].dims.reversed() + [1]
      }
    }
    return model
  }
}
