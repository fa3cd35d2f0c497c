import Torch

extension Pass {
  /// A 1×1 convolution of joined maps is the sum of what its parts make of each map; as enlarging is linear and
  /// the same for all channels, smaller maps go through their part at their own size.
  ///
  /// Nothing is joined or written at the larger size: a block of pixels goes through all 1×1 convolutions that
  /// follow each other, and the smaller maps are enlarged and added on the way.
  static let projection = Pass(
    name: "projection", summary: "a 1×1 convolution of joined maps as the sum of its parts"
  ) { graph, settings in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], let found = Projection(node, place, in: graph) else {
          continue
        }
        if !found.addsOnePixel(in: graph) {
          found.apply(to: &graph)
        } else if settings.precision != .float32 {
          found.applyToWhole(&graph)
        } else if !settings.isWatched {
          found.apply(to: &graph)
        }
      }
    }
  }
}

/// A 1×1 convolution of joined maps, some of which were enlarged.
private struct Projection {
  let node: Graph.Node
  /// Where the convolution is, and where the maps are joined.
  let place: Int, join: Int
  /// The maps that are there at the result's size, and the channels that they have in the join.
  var here: [(value: Graph.ValueID, channels: Range<Int>)] = []
  /// The operators that enlarge the others.
  var enlarged: [(place: Int, node: Graph.Node, channels: Range<Int>)] = []

  init?(_ node: Graph.Node, _ place: Int, in graph: Rewriting) {
    guard node.kind == Unit.convolution, case let unit = graph.unit(node), unit.isPointwise,
      unit.stride == 1, !unit.followsNorm, node.input("scale") == nil, node.input("addend") == nil,
      unit.activation.isKnownToKernels, node.fileCode == nil, let input = node.input("input"),
      let (join, cat) = graph.maker(input), cat.kind == "cat", cat.int("dim") == 1,
      graph.reader(input) != nil
    else { return nil }
    (self.node, self.place, self.join) = (node, place, join)
    var start = 0
    for part in cat.inputs {
      let shape = graph.shape(part.value)
      guard shape.count == 4, graph.values[part.value].dtype == .float32 else { return nil }
      let channels = start..<start + shape[1]
      start += shape[1]
      if let (place, resize) = graph.maker(part.value), Self.enlarges(resize, graph),
        graph.reader(part.value) != nil
      {
        enlarged.append((place, resize, channels))
      } else {
        here.append((part.value, channels))
      }
    }
    // A sum of products at one place only is what the convolution computes anyway.
    guard !here.isEmpty, !enlarged.isEmpty,
      // Those of one position are the same with corners kept or not.
      Set(enlarged.filter { Self.sides($0.node, graph) != [1, 1] }.map(\.node.corners)).count <= 1
    else { return nil }
  }

  private static func sides(_ resize: Graph.Node, _ graph: Rewriting) -> [Int] {
    Array(graph.shape(resize.inputs[0].value).suffix(2))
  }

  /// Whether an operator enlarges a map bilinearly, by the ratio of the sizes.
  static func enlarges(_ node: Graph.Node, _ graph: Rewriting) -> Bool {
    guard node.kind == "upsample_bilinear2d", node.double("scales_h") == nil,
      node.double("scales_w") == nil
    else { return false }
    let (from, to) = (graph.shape(node.inputs[0].value), graph.shape(node.outputs[0]))
    return from.count == 4 && to[2] >= from[2] && to[3] >= from[3]
  }

  /// Whether what is enlarged is one map of one pixel.
  func addsOnePixel(in graph: Rewriting) -> Bool {
    enlarged.count == 1 && Self.sides(enlarged[0].node, graph) == [1, 1]
  }

  /// Leaves one convolution of the other maps, which may lie in fewer bits, to which the pixel's part is added
  /// everywhere.
  func applyToWhole(_ graph: inout Rewriting) {
    let added = part(enlarged[0], &graph)
    var input = here[0].value
    if let cat = graph[join], here.count > 1 {
      var shape = graph.shape(input)
      shape[1] = here.reduce(0) { $0 + $1.channels.count }
      input = graph.add(shape)
      var joined = cat
      joined.inputs = here.map { .init(name: cat.inputs[0].name, value: $0.value) }
      joined.lists = joined.lists.mapValues { _ in joined.inputs.map { _ in true } }
      joined.outputs = [input]
      graph.replace([join], by: joined)
    }
    graph.replace(
      [place] + (here.count > 1 ? [] : [join]),
      by: node.becoming(
        Unit.convolution,
        inputs: node.inputs(reading: input) + [.init(name: "addend", value: added)],
        ["channels": .ints(here.flatMap { [$0.channels.lowerBound, $0.channels.upperBound] })]))
  }

  /// What the convolution makes of a map that is enlarged afterwards, at the map's own size.
  private func part(
    _ enlarged: (place: Int, node: Graph.Node, channels: Range<Int>), _ graph: inout Rewriting
  ) -> Graph.ValueID {
    let (place, resize, channels) = enlarged
    let source = resize.inputs[0].value, shape = graph.shape(source)
    var parts = [Stage(node, channels: [channels], isBare: true)], input = source
    var places = [place]
    if let before = Stage.alone(graph.maker(source), graph) {
      parts.insert(Stage(before.node), at: 0)
      input = before.node.inputs[0].value
      places.append(before.place)
    }
    let map = graph.add([shape[0], graph.shape(node.outputs[0])[1], shape[2], shape[3]])
    graph.replace(places, by: Stage.chain(parts, [input], [], 0, resize, output: map))
    return map
  }

  func apply(to graph: inout Rewriting) {
    var stages: [Stage] = [Stage(node, channels: here.map(\.channels))]
    var inputs = here.map(\.value), taken = [place, join]
    // What stands before the join may go through the same block of pixels.
    if here.count == 1, let before = Stage.alone(graph.maker(here[0].value), graph) {
      stages.insert(Stage(before.node), at: 0)
      inputs = [before.node.inputs[0].value]
      taken.append(before.place)
    }
    let position = stages.count - 1
    let maps = enlarged.map { part($0, &graph) }
    var last = node
    // And so may what stands after it.
    while let (next, after) = graph.reader(last.outputs[0]), Stage.follows(after, graph) {
      stages.append(Stage(after))
      taken.append(next)
      last = after
    }
    graph.replace(
      taken,
      by: Stage.chain(
        stages, inputs, maps, position,
        (enlarged.first { Self.sides($0.node, graph) != [1, 1] } ?? enlarged[0]).node,
        output: last.outputs[0], layer: node))
  }
}

/// A 1×1 convolution as one of several.
private struct Stage {
  let node: Graph.Node
  /// The inputs that it sees; nil for all.
  var channels: [Range<Int>]?
  /// Whether neither a bias nor a function follows.
  var isBare = false

  init(_ node: Graph.Node, channels: [Range<Int>]? = nil, isBare: Bool = false) {
    (self.node, self.channels, self.isBare) = (node, channels, isBare)
  }

  /// The convolution that makes a value, if it can be a stage and nobody else reads it.
  static func alone(
    _ maker: (place: Int, node: Graph.Node)?, _ graph: Rewriting
  ) -> (place: Int, node: Graph.Node)? {
    guard let maker, graph.reader(maker.node.outputs[0]) != nil, follows(maker.node, graph) else {
      return nil
    }
    return maker
  }

  /// Whether a node is a convolution that can be a stage.
  static func follows(_ node: Graph.Node, _ graph: Rewriting) -> Bool {
    guard node.kind == Unit.convolution, case let unit = graph.unit(node) else { return false }
    return unit.isPointwise && unit.stride == 1 && !unit.followsNorm && node.input("scale") == nil
      && node.input("addend") == nil && unit.activation.isKnownToKernels
      // Wider ones fill the caches by themselves.
      && unit.outputs <= 1024 && unit.weight[1] <= 4096
  }

  /// Several stages as one node, with `maps` added before the function of stage `position`.
  static func chain(
    _ stages: [Stage], _ inputs: [Graph.ValueID], _ maps: [Graph.ValueID], _ position: Int,
    _ resize: Graph.Node, output: Graph.ValueID, layer: Graph.Node? = nil
  ) -> Graph.Node {
    var all = inputs.map { Graph.Node.Input(name: "inputs", value: $0) }
    all += maps.map { .init(name: "maps", value: $0) }
    var attributes: [String: Torch.Value] = [
      "position": .int(position), "align_corners": .bool(resize.corners),
      "stages": .int(stages.count),
    ]
    for (index, stage) in stages.enumerated() {
      let names = stage.isBare ? stage.weightNames : stage.node.inputs.map(\.name)
      for input in stage.node.inputs where names.contains(input.name) && input.name != "input" {
        all.append(.init(name: "\(index).\(input.name)", value: input.value))
      }
      attributes["\(index).norm_eps"] = stage.node.attributes["norm_eps"]
      attributes["\(index).bare"] = .bool(stage.isBare)
      attributes["\(index).activation"] = .string(
        stage.isBare ? "none" : stage.node.activationName)
      if let channels = stage.channels {
        attributes["\(index).channels"] = .ints(
          channels.flatMap { [$0.lowerBound, $0.upperBound] })
      }
    }
    return Graph.Node(
      kind: Unit.chain, call: nil, inputs: all, attributes: attributes, outputs: [output],
      layer: (layer ?? stages[0].node).layer, isAfterLayer: false)
  }

  /// Those of the weights and of the normalization that scales them.
  private var weightNames: [String] {
    node.inputs.map(\.name).filter { $0 == "weight" || $0.hasPrefix("norm.") }
  }
}

extension Graph.Node {
  /// Whether the centres of corner pixels stay where they are.
  var corners: Bool { bool("align_corners") }
  /// The name of the function that follows, as the kernels know it.
  var activationName: String { string("activation").isEmpty ? "none" : string("activation") }
}

extension Activation {
  /// Whether the package's kernels apply it.
  var isKnownToKernels: Bool { self != .sigmoid }
}

extension Pass {
  /// A 1×1 convolution of an enlarged map is computed before it is enlarged.
  static let enlarge = Pass(
    name: "enlarge", summary: "a 1×1 convolution before its map is enlarged instead of after"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], node.kind == Unit.convolution,
          case let unit = graph.unit(node), unit.isPointwise, unit.stride == 1,
          !unit.followsNorm, node.input("scale") == nil, Unit.addsNothing(node),
          let input = node.input("input"), let (before, resize) = graph.maker(input),
          Projection.enlarges(resize, graph), graph.reader(input) != nil
        else { continue }
        let source = resize.inputs[0].value, shape = graph.shape(source)
        // Where outputs are many more than inputs, enlarging them costs more than the products save.
        guard unit.outputs <= 2 * shape[1] else { continue }
        let small = graph.add([shape[0], unit.outputs, shape[2], shape[3]])
        graph.replace(
          [before],
          by: node.becoming(
            Unit.convolution, inputs: node.inputs(reading: source), outputs: [small]))
        var later = resize
        later.inputs[0] = .init(name: resize.inputs[0].name, value: small)
        later.outputs = node.outputs
        graph.replace([place], by: later)
      }
    }
  }

  /// A depthwise convolution computes the rows of the 1×1 convolution before it that it reads next, and the row of the one
  /// after it.
  static let rows = Pass(
    name: "rows",
    summary: "1×1 convolutions around a depthwise one by the rows that this reads and makes"
  ) { graph, settings in
    // Maps of fewer bits take less memory than what is saved here, and products of them less time but of few inputs. Their
    // kernels have another form then, so that no size of images may decide.
    guard !settings.isWatched, settings.precision != .int8 else { return }
    let isSingle = settings.precision == .float32
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], leadsByRows(node, graph), node.input("addend") == nil,
          isSingle || graph.unit(node).weight[1] <= fewInputs,
          let (after, depthwise) = graph.reader(node.outputs[0]),
          depthwise.kind == Unit.convolution, depthwise.input("input") == node.outputs[0],
          graph.unit(depthwise).isDepthwiseAlone,
          !isSingle || graph.shape(node.outputs[0]).reduce(1, *) > closeNumbers
        else { continue }
        let (own, attributes) = node.renamed("expansion.")
        let input = node.inputs.filter { $0.name == "input" }
        let rest = depthwise.inputs.filter { $0.name != "input" }
        graph.replace(
          [place, after],
          by: depthwise.becoming(Unit.byRows, inputs: input + own + rest, attributes))
      }
      for place in graph.places where isSingle {
        guard let depthwise = graph[place],
          [Unit.byRows, Unit.convolution].contains(depthwise.kind),
          graph.unit(depthwise).isDepthwiseAlone,
          depthwise.input("projection.weight") == nil,
          let (after, last) = graph.reader(depthwise.outputs[0]), leadsByRows(last, graph),
          last.input("input") == depthwise.outputs[0],
          last.input("addend").map({ graph.shape($0) == graph.shape(last.outputs[0]) }) ?? true,
          isClose(depthwise, graph, outputs: graph.unit(last).outputs)
        else { continue }
        let (own, attributes) = last.renamed("projection.")
        let addend = last.inputs.filter { $0.name == "addend" }
        graph.replace(
          [place, after],
          by: depthwise.becoming(
            Unit.byRows, inputs: depthwise.inputs + own + addend, outputs: last.outputs, attributes)
        )
      }
    }
  }

  /// Whether a node is a 1×1 convolution that can be computed row by row.
  private static func leadsByRows(_ node: Graph.Node, _ graph: Rewriting) -> Bool {
    guard node.kind == Unit.convolution, case let unit = graph.unit(node) else { return false }
    return unit.isPointwise && unit.stride == 1 && !unit.followsNorm && node.input("scale") == nil
      && unit.activation.isKnownToKernels
  }

  /// Whether what is kept of a large map's rows, and the kernels, stay in the second cache.
  private static func isClose(_ depthwise: Graph.Node, _ graph: Rewriting, outputs: Int) -> Bool {
    guard let input = depthwise.input("input") else { return false }
    let unit = graph.unit(depthwise), shape = graph.shape(depthwise.outputs[0])
    let (from, channels) = (graph.shape(input), shape[1])
    guard depthwise.kind == Unit.byRows || shape.reduce(1, *) > closeNumbers else { return false }
    let rows = depthwise.kind == Unit.byRows ? (unit.kernel - 1) * unit.dilation + 1 : 0
    return channels
      * (rows * from[3] + shape[3] + outputs + (rows > 0 ? from[1] : 0)) <= keptNumbers
  }

  /// Up to so many inputs the products of single precision take less time than writing and reading a map in bfloat16.
  private static let fewInputs = 32
  /// How many numbers of a map stay in the caches between two layers.
  private static let closeNumbers = 1 << 20
  /// How many numbers a thread reads over and over again without waiting.
  private static let keptNumbers = 1 << 18
}

extension Graph.Node {
  /// What a 1×1 convolution reads besides its map, and how, as parts of another node.
  fileprivate func renamed(
    _ prefix: String
  ) -> (inputs: [Input], attributes: [String: Torch.Value]) {
    let own = inputs.filter { !["input", "addend"].contains($0.name) }.map {
      Input(name: prefix + $0.name, value: $0.value)
    }
    var attributes: [String: Torch.Value] = [prefix + "activation": .string(activationName)]
    attributes[prefix + "norm_eps"] = self.attributes["norm_eps"]
    return (own, attributes)
  }
}
