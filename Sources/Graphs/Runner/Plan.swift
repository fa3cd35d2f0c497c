import Torch

/// A graph made ready to run for one size of image.
final class Plan {
  /// The nodes, in their order.
  let graph: Graph
  private let steps: [Step]
  private let memory: MemoryPlan
  private let constants: [Tensor?]
  private let codes: CodePlan
  /// Whether all that read the image read it as it usually lies, channel after channel.
  let readsPlanes: Bool

  /// The plan of `graph`, all of whose weights are packed.
  init(_ graph: Graph, _ store: KernelStore, without off: Set<String>, watch: InputWatches?) {
    var graph = graph
    codes =
      switch (store.precision, store.ranges) {
      case (.float32, _) where !graph.codes.isEmpty: CodePlan(file: &graph)
      case (.int8, let ranges?): CodePlan(&graph, ranges: ranges)
      case (.bfloat16, _): CodePlan(bfloat16: &graph)
      default: CodePlan()
      }
    self.graph = graph
    let codes = codes
    steps = graph.nodes.indices.map { Step.of($0, graph, store, codes, watch: watch) }
    memory = MemoryPlan(graph, writesToPlace: steps.map(\.writesToPlace), codes, without: off)
    // What is packed needs to be kept no longer.
    let read = Set(
      graph.nodes.flatMap { node in
        node.inputs.compactMap { node.reads($0.name) ? $0.value : nil }
      })
    constants = graph.values.indices.map { value in
      read.contains(value) ? graph.initializers[value]?.tensor : nil
    }
    let image = graph.inputs.first ?? 0
    readsPlanes =
      !graph.outputs.contains(image)
      && zip(graph.nodes, steps).allSatisfy { node, step in
        step.readsPlanes || !node.inputs.contains { $0.value == image }
      }
  }

  /// The way that was chosen for each node.
  var ways: [(node: Graph.Node, way: String)] {
    zip(graph.nodes, steps).enumerated().map { index, pair in
      let node = pair.0
      var way = pair.1.way
      if memory.isJoin(node), memory.places[node.outputs[0]] != nil {
        let copied = node.inputs.count { memory.places[$0.value] == nil }
        way = copied == 0 ? "written in place" : "written in place, \(copied) copied"
      } else if memory.places[node.outputs[0]] != nil {
        way += ", to its place in a join"
      } else if memory.overwriting[index] != nil {
        way += ", over what it adds"
      }
      return (node, way)
    }
  }

  /// What the graph gives for its inputs; `watch` is told after each node, and `seen` looks at the results by
  /// their names.
  func run(
    _ inputs: [Tensor], seeing seen: InputWatches? = nil, _ watch: ((Int) -> Void)? = nil
  ) -> [Tensor] {
    let names = seen == nil ? [:] : graph.resultNames
    var frame = Frame(values: constants)
    for (value, tensor) in zip(graph.inputs, inputs) { frame.values[value] = tensor }
    for (index, step) in steps.enumerated() {
      let node = graph.nodes[index]
      if memory.isJoin(node), let place = memory.places[node.outputs[0]] {
        frame.values[node.outputs[0]] = join(node, place, &frame)
      } else {
        let target = target(node, index, &frame)
        let results = step.run(frame, target)
        for (output, result) in zip(node.outputs, results) { frame.values[output] = result }
      }
      if let seen {
        for output in node.outputs {
          if let name = names[output] { seen[name].see(frame[output]) }
        }
      }
      for value in memory.ends[index] { frame.values[value] = nil }
      watch?(index)
    }
    return graph.outputs.map { frame[$0] }
  }

  /// The memory that a node is to write to; nil for new memory.
  private func target(_ node: Graph.Node, _ index: Int, _ frame: inout Frame) -> Tensor? {
    if let addend = memory.overwriting[index] {
      let tensor = frame[addend]
      // A map of one pixel or channel may have strides that say nothing.
      return tensor.strides.count == 4 && tensor.strides[1] == 1 ? tensor : nil
    }
    return node.outputs.first.flatMap { memory.places[$0] }.map {
      part($0, graph.values[node.outputs[0]].shape[1], &frame)
    }
  }

  /// Some channels of a larger map, which is made at its first use.
  private func part(_ place: MemoryPlan.Place, _ channels: Int, _ frame: inout Frame) -> Tensor {
    let whole =
      frame.wholes[place.whole]
      ?? {
        let shape = graph.values[place.whole].shape
        let dtype = codes.values[place.whole]?.dtype ?? .float32
        return Operator.map(shape[0], shape[1], shape[2], shape[3], dtype)
      }()
    frame.wholes[place.whole] = whole
    return whole.size(1) == channels
      ? whole : whole.sliced(1, place.start, place.start + channels)
  }

  /// Joined maps, of which those are copied that were not written to their places.
  private func join(
    _ node: Graph.Node, _ place: MemoryPlan.Place, _ frame: inout Frame
  ) -> Tensor {
    var start = place.start
    for input in node.inputs.map(\.value) {
      let channels = graph.values[input].shape[1]
      let here = MemoryPlan.Place(whole: place.whole, start: start)
      if let own = memory.places[input], own.whole == here.whole, own.start == here.start {
        // It is there already.
      } else if channels > 0 {
        part(here, channels, &frame).assign(frame[input])
      }
      start += channels
    }
    let result = part(place, graph.values[node.outputs[0]].shape[1], &frame)
    if place.whole == node.outputs[0] { frame.wholes[place.whole] = nil }
    return result
  }
}

extension Graph.Node {
  /// Whether the node reads a constant of this name while it runs, and not only what was made of it.
  fileprivate func reads(_ name: String) -> Bool {
    switch kind {
    case Unit.convolution, Unit.matrix, Unit.transposed, Unit.byRows, Unit.chain:
      ["input", "addend", "scale", "inputs", "maps"].contains(name)
    case "fused::attention": name != Pass.addedScores
    default: true
    }
  }
}

extension Operator {
  /// A map without values and with adjacent channels.
  static let map = Operator("map", namespace: "atrous")
}
