import Foundation
import Torch

/// Collects the nodes and the initializers of an ONNX graph.
final class ONNXBuilder {
  /// An attribute's value.
  enum Attribute {
    case int(Int)
    case float(Double)
    case ints([Int])
    case string(String)
  }

  /// An initializer: its message without elements, and the tensor that has them.
  typealias Initializer = (message: Onnx_TensorProto, tensor: Torch.Tensor)

  let graphs: SizedGraphs, opset: Int
  /// What lies in eight bits; nil for a file of float32.
  let quantization: QuantizationPlan?
  private(set) var nodes: [Onnx_NodeProto] = []
  private(set) var initializers: [Initializer] = []
  /// Why the network cannot be written for images of any size, if a rule came upon it.
  var dependence: SizeDependence?
  /// The sides of values that depend on the image's size; of equal ones the first.
  private(set) var sources: [LengthSource] = []
  /// The shapes that depend on it, and a value of each.
  private(set) var shapes: [[Length]: Graph.ValueID] = [:]
  private var knownSides: Set<Length> = []
  /// The names of values that are bound, so that what only takes another's name is not rounded again.
  private var bound: Set<String> = []
  private var names: [Graph.ValueID: String] = [:]
  private var taken: Set<String> = []
  /// Constants of the rules' own, and transposed matrices, by what they are.
  private var known: [String: String] = [:]
  /// What the names of nodes begin with.
  private var layer = ""

  init(_ graphs: SizedGraphs, opset: Int, _ ranges: ResultRanges?) {
    (self.graphs, self.opset) = (graphs, opset)
    quantization = ranges.map { QuantizationPlan(graphs.graphs[0], $0) }
  }

  /// The graph for the first of the sizes.
  var graph: Graph { graphs.graphs[0] }

  /// Keeps others from using these names, and those of the initializers.
  func take(_ names: [String]) {
    taken.formUnion(names)
    taken.formUnion(graph.initializers.values.map(\.name))
  }

  /// Calls a value so, and what is left of it where it lies in eight bits for those who take it.
  func give(_ value: Graph.ValueID, _ name: String) {
    let isNew = bound.insert(name).inserted
    guard let code = quantization?.codes[value], isNew else { return bind(value, to: name) }
    let rounded = rounded(name, code)
    bound.insert(rounded)
    bind(value, to: rounded)
  }

  /// Calls a value so.
  func bind(_ value: Graph.ValueID, to name: String) {
    names[value] = name
    let shape = graphs.sizes.isEmpty ? [] : graphs.shape(value)
    for (axis, length) in shape.enumerated()
    where length.fixed == nil && knownSides.insert(length).inserted {
      sources.append(LengthSource(length: length, formula: .side(of: value, axis: axis)))
    }
    if shape.contains(where: { $0.fixed == nil }), shapes[shape] == nil { shapes[shape] = value }
  }

  /// Adds what the operator at a place is in ONNX.
  func add(_ place: Int) throws {
    let nodes = graphs.graphs.map { $0.nodes[place] }, node = nodes[0]
    layer = node.layer
    let call = ONNXCall(nodes, self, place: place)
    guard let rule = ONNXRules.all[node.kind] else { throw call.unsupported("it has no rule") }
    // What products are made of is written as they need it.
    let own = node.kind == Unit.convolution || node.kind == Unit.transposed
    for input in node.inputs where !own { try addInitializer(input.value) }
    let results = try rule(call)
    if let dependence { throw dependence }
    for (value, name) in zip(node.outputs, results) { give(value, name) }
  }

  /// Calls the graph's result `name`.
  func finish(_ result: Graph.ValueID, as name: String) throws {
    layer = ""
    let old = self.name(result)
    guard let last = nodes.lastIndex(where: { $0.output.contains(old) }) else {
      emit("Identity", [old])
      nodes[nodes.count - 1].output = [name]
      return
    }
    nodes[last].output = nodes[last].output.map { $0 == old ? name : $0 }
    for index in nodes.indices[(last + 1)...] {
      nodes[index].input = nodes[index].input.map { $0 == old ? name : $0 }
    }
  }

  func name(_ value: Graph.ValueID) -> String { names[value] ?? "" }

  /// Adds a node and gives the name of its result.
  @discardableResult
  func emit(
    _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:]
  ) -> String {
    emit(type, inputs, attributes, count: 1)[0]
  }

  /// Adds a node and gives the names of its results.
  func emit(
    _ type: String, _ inputs: [String], _ attributes: KeyValuePairs<String, Attribute> = [:],
    count: Int
  ) -> [String] {
    emit(type, inputs, attributes.map { ($0.key, $0.value) }, count: count)
  }

  /// Adds a node and gives the names of its results.
  func emit(
    _ type: String, _ inputs: [String], _ attributes: [(String, Attribute)], count: Int
  ) -> [String] {
    var node = Onnx_NodeProto()
    node.name = unique(layer.isEmpty ? type : "\(layer)/\(type)")
    node.opType = type
    node.input = inputs
    node.output = count == 1 ? [node.name] : (0..<count).map { unique("\(node.name).\($0)") }
    node.attribute = attributes.map { Self.message($0.0, $0.1) }
    nodes.append(node)
    return node.output
  }

  /// A list of whole numbers as an initializer.
  func constant(_ list: [Int]) -> String {
    constant("ints \(list)", "ints", Torch.Tensor(list.map(Int64.init)))
  }

  /// A single whole number as an initializer without dimensions.
  func constant(_ index: Int) -> String {
    constant("int \(index)", "int", Torch.Tensor([Int64(index)], []))
  }

  /// A number of a value's type as an initializer without dimensions.
  func constant(_ number: Double, _ dtype: DType) -> String {
    constant("\(dtype) \(number)", "number", Torch.Tensor([number], []).to(dtype))
  }

  /// Numbers as an initializer of this shape.
  func constant(_ numbers: [Float], _ shape: [Int]) -> String {
    constant("floats \(shape) \(numbers)", "numbers", Torch.Tensor(numbers, shape))
  }

  func constant(_ key: String, _ name: String, _ tensor: Torch.Tensor) -> String {
    shared(key) { initializer(tensor, name) }
  }

  /// Numbers as an initializer of this name, or of one that begins so.
  func initializer(_ tensor: Torch.Tensor, _ name: String) -> String {
    let name = unique(name)
    initializers.append((Self.description(tensor, name), tensor))
    return name
  }

  /// What was made for `key` before.
  func known(_ key: String) -> String? { known[key] }

  /// What was made for `key` before, or is made now.
  func shared(_ key: String, _ make: () -> String) -> String {
    if let name = known[key] { return name }
    let name = make()
    known[key] = name
    return name
  }

  private func addInitializer(_ value: Graph.ValueID) throws {
    guard names[value] == nil, let initializer = graph.initializers[value] else { return }
    guard !initializer.tensor.isWithoutMemory else {
      throw GraphError.withoutNumbers(name: initializer.name)
    }
    initializers.append(
      (Self.description(initializer.tensor, initializer.name), initializer.tensor))
    bind(value, to: initializer.name)
  }

  private func unique(_ name: String) -> String {
    var candidate = name, number = 1
    while !taken.insert(candidate).inserted {
      number += 1
      candidate = "\(name)_\(number)"
    }
    return candidate
  }

  // MARK: Messages

  /// A tensor without its elements.
  static func description(_ tensor: Torch.Tensor, _ name: String) -> Onnx_TensorProto {
    var message = Onnx_TensorProto()
    message.name = name
    message.dims = tensor.shape.map(Int64.init)
    message.dataType = code(of: tensor.dtype)
    return message
  }

  /// A tensor's elements as files have them.
  static func elements(_ tensor: Torch.Tensor) -> Data {
    var data = Data(count: tensor.count * tensor.dtype.byteCount)
    data.withUnsafeMutableBytes { tensor.read(into: $0) }
    return data
  }

  /// The standard's number of an element type.
  static func code(of dtype: DType) -> Int32 {
    switch dtype {
    case .float32: 1
    case .uint8: 2
    case .int8: 3
    case .uint16: 4
    case .int16: 5
    case .int32: 6
    case .int64: 7
    case .bool: 9
    case .float16: 10
    case .float64: 11
    case .uint32: 12
    case .uint64: 13
    case .bfloat16: 16
    }
  }

  private static func message(_ name: String, _ value: Attribute) -> Onnx_AttributeProto {
    var message = Onnx_AttributeProto()
    message.name = name
    switch value {
    case .int(let value): (message.i, message.type) = (Int64(value), .int)
    case .float(let value): (message.f, message.type) = (Float(value), .float)
    case .ints(let list): (message.ints, message.type) = (list.map(Int64.init), .ints)
    case .string(let text): (message.s, message.type) = (Data(text.utf8), .string)
    }
    return message
  }
}
