import Torch

/// How a map's numbers lie in eight bits: a number is step · (code − zero), with codes from 0 to 255.
struct Code: Hashable {
  let step: Double
  let zero: Int

  /// The code of a step and the code of zero.
  init(step: Double, zero: Int) { (self.step, self.zero) = (step, zero) }

  /// The code of numbers from `low` to `high`; zero has a code of its own, so that padding and dead channels stay
  /// zero.
  init(low: Float, high: Float) {
    let low = min(Double(low), 0), high = max(Double(high), 0)
    let width = (high - low) / 255
    step = width > 1e-30 ? width : 1
    zero = Int((-low / step).rounded())
  }
}

/// How the numbers of a map lie in memory where they are not of type float32.
enum NumberForm: Hashable {
  case bfloat16
  case codes(Code)

  /// The type of the tensor.
  var dtype: DType {
    switch self {
    case .bfloat16: .bfloat16
    case .codes: .uint8
    }
  }
}

/// What a convolution multiplies where that is not float32.
enum ProductForm: Hashable {
  case bfloat16
  case codes(Code)
}

/// Which values of a graph lie in fewer bits while it runs, and what its convolutions multiply.
struct CodePlan {
  /// The forms of values; others are of type float32.
  private(set) var values: [Graph.ValueID: NumberForm] = [:]
  /// What convolutions multiply, by their places in the graph; others multiply what they do without this plan.
  private(set) var products: [Int: ProductForm] = [:]

  /// Nothing in fewer bits.
  init() {}

  /// The code of a value; nil for one of other numbers.
  func code(_ value: Graph.ValueID) -> Code? {
    if case .codes(let code) = values[value] { code } else { nil }
  }

  /// Finds what of `graph` may lie in sixteen bits, and gives readers of other numbers what they need by new nodes.
  init(bfloat16 graph: inout Graph) {
    let reading = Reading(graph)
    for (place, node) in graph.nodes.enumerated()
    where node.kind == Unit.convolution && reading.multiplies(node) && graph.leadsOn(node) {
      products[place] = .bfloat16
    }
    findHalves(graph, reading, passesOn: true)
    insertDecoding(&graph, reading)
  }

  /// Finds what of `graph` may lie in eight bits, and gives readers of other numbers what they need by new nodes.
  init(_ graph: inout Graph, ranges: InputRanges) {
    let reading = Reading(graph)
    for (place, node) in graph.nodes.enumerated() where reading.multiplies(node) {
      guard let range = ranges.layers[node.layer], range.count == 2, graph.leadsOn(node) else {
        continue
      }
      products[place] = .codes(Code(low: range[0], high: range[1]))
    }
    // Values whose numbers lie alike: joined ones, and what pooling takes and gives.
    var groups = Groups(graph.values.count)
    var isFixed = Set(graph.inputs + graph.outputs)
    for node in graph.nodes where !reading.isDepthwise(node) {
      if reading.isJoin(node) {
        for input in node.inputs { groups.unite(input.value, node.outputs[0]) }
      } else if reading.keepsCode(node) {
        groups.unite(node.inputs[0].value, node.outputs[0])
      } else if !reading.multiplies(node) {
        isFixed.formUnion(node.outputs)
      }
    }
    for (place, node) in graph.nodes.enumerated()
    where reading.multiplies(node) && products[place] == nil {
      isFixed.formUnion(node.outputs)
    }
    let fixed = Set(isFixed.map { groups.root($0) })
    var widths: [Int: (low: Float, high: Float)] = [:]
    for (place, node) in graph.nodes.enumerated()
    where products[place] != nil || reading.isDepthwise(node) {
      let name = node.input("scale") == nil ? node.layer : InputRanges.unscaled(node.layer)
      guard node.input("before.running_mean") == nil, let input = node.input("input"),
        let range = ranges.layers[name], range.count == 2
      else { continue }
      let root = groups.root(input)
      let known = widths[root] ?? (range[0], range[1])
      widths[root] = (min(known.low, range[0]), max(known.high, range[1]))
    }
    for value in graph.values.indices where graph.initializers[value] == nil {
      let root = groups.root(value)
      guard !fixed.contains(root), let width = widths[root] else { continue }
      values[value] = .codes(Code(low: width.low, high: width.high))
    }
    alignDepthwise(graph, reading, &groups)
    for (place, node) in graph.nodes.enumerated() where products[place] != nil {
      // What is multiplied as it lies.
      if node.input("scale") == nil, node.input("before.running_mean") == nil,
        let input = node.input("input"), let code = code(input)
      {
        products[place] = .codes(code)
      }
    }
    findHalves(graph, reading, passesOn: false)
    insertDecoding(&graph, reading)
  }

  /// Finds what of `graph` may lie in the codes that a file says, and gives readers of other numbers what they need
  /// by new nodes.
  ///
  /// What cannot lie so is rounded by the convolutions that read it.
  init(file graph: inout Graph) {
    let reading = Reading(graph)
    for (place, node) in graph.nodes.enumerated() where reading.multiplies(node) {
      if let code = node.fileCode { products[place] = .codes(code) }
    }
    // Readers come after what they read.
    for (place, node) in graph.nodes.enumerated() {
      let result = node.outputs[0]
      guard let code = graph.codes[result], !graph.outputs.contains(result) else { continue }
      let own = node.inputs.map { self.code($0.value) }
      let givesCodes =
        products[place] != nil
        || (reading.isDepthwise(node) && own[0] != nil)
        || (reading.keepsCode(node) && own[0] == code)
        || (reading.isJoin(node) && own.allSatisfy { $0 == code })
      if givesCodes { values[result] = .codes(code) }
    }
    for (place, node) in graph.nodes.enumerated() where products[place] != nil {
      if node.input("scale") == nil, node.input("before.running_mean") == nil,
        let input = node.input("input"), let code = code(input)
      {
        products[place] = .codes(code)
      }
    }
    insertDecoding(&graph, reading)
  }

  /// A convolution of each channel by itself gives codes only where it takes codes.
  private mutating func alignDepthwise(
    _ graph: Graph, _ reading: Reading, _ groups: inout Groups
  ) {
    var isChanged = true
    while isChanged {
      isChanged = false
      for node in graph.nodes where reading.isDepthwise(node) {
        let result = node.outputs[0]
        guard values[result] != nil, code(node.inputs[0].value) == nil else { continue }
        let root = groups.root(result)
        for value in graph.values.indices where groups.root(value) == root {
          values[value] = nil
        }
        isChanged = true
      }
    }
  }

  /// What convolutions give for others that round it lies in sixteen bits until then: what is joined for convolutions with
  /// a normalization each, and all maps between convolutions of bfloat16, which pooling and convolutions of each
  /// channel pass on.
  private mutating func findHalves(_ graph: Graph, _ reading: Reading, passesOn: Bool) {
    func passes(_ node: Graph.Node) -> Bool {
      reading.keepsCode(node) || reading.isScaling(node)
        || passesOn && (node.kind == "max_pool2d" || reading.isDepthwise(node))
    }
    var halves: Set<Graph.ValueID> = []
    for (place, node) in graph.nodes.enumerated()
    where products[place] != nil || reading.isJoin(node) || passes(node) {
      halves.formUnion(node.outputs.filter { values[$0] == nil && !graph.outputs.contains($0) })
    }
    var makers: [Graph.ValueID: Graph.Node] = [:]
    for node in graph.nodes { for output in node.outputs { makers[output] = node } }
    var isChanged = true
    while isChanged {
      isChanged = false
      var rounded: Set<Graph.ValueID> = []
      var others: Set<Graph.ValueID> = []
      for (place, node) in graph.nodes.enumerated() {
        for input in node.inputs where halves.contains(input.value) {
          let leadsOn = (reading.isJoin(node) || passes(node)) && halves.contains(node.outputs[0])
          if products[place] != nil || leadsOn {
            rounded.insert(input.value)
          } else {
            others.insert(input.value)
          }
        }
      }
      for value in halves {
        let maker = makers[value]
        let isJoin = maker.map(reading.isJoin) ?? false
        let isCut = maker.map { passes($0) && !halves.contains($0.inputs[0].value) } ?? false
        // Who reads other numbers of a join gets them once.
        if isCut || !rounded.contains(value) || (others.contains(value) && !isJoin && !passesOn) {
          halves.remove(value)
          isChanged = true
        }
      }
    }
    for value in halves { values[value] = .bfloat16 }
  }

  /// Nodes that give numbers of type float32 to whoever does not read codes.
  private mutating func insertDecoding(_ graph: inout Graph, _ reading: Reading) {
    var nodes: [Graph.Node] = []
    var places: [Int: ProductForm] = [:]
    var decoded: [Graph.ValueID: Graph.ValueID] = [:]
    for (place, node) in graph.nodes.enumerated() {
      var node = node
      let readsCodes =
        products[place] != nil || (reading.isMean(node) && values[node.inputs[0].value] != nil)
        || (reading.isScaling(node) && values[node.inputs[0].value] == .bfloat16)
        || ((reading.keepsCode(node) || reading.isDepthwise(node))
          && values[node.outputs[0]] != nil)
      let form = reading.isJoin(node) ? values[node.outputs[0]] : nil
      if !readsCodes {
        for index in node.inputs.indices {
          let value = node.inputs[index].value
          guard let own = values[value], own != form else { continue }
          if decoded[value] == nil {
            graph.values.append(graph.values[value])
            let result = graph.values.count - 1
            decoded[value] = result
            nodes.append(
              Graph.Node(
                kind: Self.decoding, call: nil, inputs: [.init(name: "input", value: value)],
                attributes: [:], outputs: [result], layer: node.layer, isAfterLayer: true))
          }
          node.inputs[index] = .init(name: node.inputs[index].name, value: decoded[value] ?? value)
        }
      }
      if let form = products[place] { places[nodes.count] = form }
      nodes.append(node)
    }
    graph.nodes = nodes
    products = places
  }

  /// The kind of a node that gives the numbers of codes.
  static let decoding = "fused::decode"
}

/// What a plan of codes asks about a graph.
private struct Reading {
  let graph: Graph
  private let pooled: Set<Graph.ValueID>
  /// The values that nobody reads but convolutions, perhaps joined.
  private var multiplied: Set<Graph.ValueID> = []

  init(_ graph: Graph) {
    (self.graph, pooled) = (graph, graph.pooledValues)
    var readers: [Graph.ValueID: [Graph.Node]] = [:]
    for node in graph.nodes {
      for input in node.inputs { readers[input.value, default: []].append(node) }
    }
    // Readers come after what they read.
    for value in graph.nodes.reversed().flatMap(\.outputs) where !graph.outputs.contains(value) {
      let isMultiplied = readers[value]?.allSatisfy {
        multiplies($0) || isDepthwise($0) || (isJoin($0) && multiplied.contains($0.outputs[0]))
      }
      if isMultiplied == true { multiplied.insert(value) }
    }
  }

  /// Whether a node gives numbers that lie as those that it takes: the largest of windows, and what is between neighbours
  /// where nobody reads it but convolutions, perhaps joined.
  func keepsCode(_ node: Graph.Node) -> Bool {
    node.isPoolingOfCodes
      || node.isResizing && graph.values[node.outputs[0]].shape.count == 4
        && multiplied.contains(node.outputs[0])
  }

  /// Whether a node is a convolution that the kernels for codes can compute.
  func multiplies(_ node: Graph.Node) -> Bool {
    if node.kind == Unit.transposed { return true }
    guard node.kind == Unit.convolution, let weight = node.input("weight") else { return false }
    let unit = Unit(node, weight: graph.values[weight].shape)
    return unit.isWhole && !pooled.contains(node.outputs[0])
  }

  /// Whether a node convolves each channel by itself, with nothing that is added or multiplied, or that of a 1×1 convolution
  /// row by row.
  func isDepthwise(_ node: Graph.Node) -> Bool {
    guard node.kind == Unit.convolution || node.kind == Unit.byRows,
      let weight = node.input("weight")
    else { return false }
    return Unit(node, weight: graph.values[weight].shape).isDepthwiseAlone
  }

  func isJoin(_ node: Graph.Node) -> Bool {
    node.kind == "cat" && node.int("dim") == 1
      && node.inputs.allSatisfy { graph.values[$0.value].shape.count == 4 }
  }

  /// Whether a node multiplies each channel by a number and adds another.
  func isScaling(_ node: Graph.Node) -> Bool {
    node.kind == "batch_norm" && !node.bool("training")
      && graph.values[node.outputs[0]].shape.count == 4
      && ["running_mean", "running_var"].allSatisfy { name in
        node.input(name).map { graph.initializers[$0] != nil } ?? false
      }
  }

  /// Whether a node gives the mean of each channel.
  func isMean(_ node: Graph.Node) -> Bool {
    node.isMeanOfMap && graph.values[node.inputs[0].value].shape.count == 4
  }
}

extension Graph.Node {
  /// Whether the kernels can take the largest codes of windows as this node does.
  var isPoolingOfCodes: Bool {
    kind == "max_pool2d" && !bool("ceil_mode")
      && ["kernel_size", "stride", "padding", "dilation"].allSatisfy { Set(pair($0)).count <= 1 }
      && pair("kernel_size")[0] <= 32
  }
  /// Whether the node resizes a map bilinearly.
  var isResizing: Bool { kind == "upsample_bilinear2d" }
  /// Whether the node gives the mean of each channel of a map, which stays one of a pixel.
  var isMeanOfMap: Bool {
    switch kind {
    case "adaptive_avg_pool2d": ints("output_size") == [1, 1]
    case "mean": Set(ints("dim").map { $0 < 0 ? $0 + 4 : $0 }) == [2, 3] && bool("keepdim")
    default: false
    }
  }
}

extension Unit {
  /// Whether the kernels for codes can compute the convolution.
  var isWhole: Bool {
    isSquare && groups == 1 && endPadding == 0 && kernel <= 8 && padding <= 1 << 20
  }
}

/// Sets of values.
struct Groups {
  private var parents: [Int]
  init(_ count: Int) { parents = Array(0..<count) }
  mutating func root(_ value: Int) -> Int {
    var value = value
    while parents[value] != value {
      parents[value] = parents[parents[value]]
      value = parents[value]
    }
    return value
  }
  mutating func unite(_ a: Int, _ b: Int) { parents[root(a)] = root(b) }
}

extension Graph {
  /// What comes of the mean of a map alone, one pixel whatever the size of the image.
  var pooledValues: Set<ValueID> {
    var pooled: Set<ValueID> = []
    for node in nodes {
      let maps = node.inputs.map(\.value).filter { initializers[$0] == nil }
      if node.isMeanOfMap || (!maps.isEmpty && maps.allSatisfy { pooled.contains($0) }) {
        pooled.formUnion(node.outputs)
      }
    }
    return pooled
  }

  /// Whether other products follow a node, so that it is no classifier.
  func leadsOn(_ node: Node) -> Bool {
    var values = Set(node.outputs)
    // Readers come after what they read.
    for reader in nodes where reader.inputs.contains(where: { values.contains($0.value) }) {
      if reader.kind.hasPrefix("fused::") { return true }
      values.formUnion(reader.outputs)
    }
    return false
  }
}
