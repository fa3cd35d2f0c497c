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

  let graph: Graph, opset: Int
  private(set) var nodes: [Onnx_NodeProto] = []
  private(set) var initializers: [Onnx_TensorProto] = []
  private var names: [Graph.ValueID: String] = [:]
  private var taken: Set<String> = []
  /// Constants of the rules' own, and transposed matrices, by what they are.
  private var known: [String: String] = [:]
  /// What the names of nodes begin with.
  private var layer = ""

  init(_ graph: Graph, opset: Int) { (self.graph, self.opset) = (graph, opset) }

  /// Keeps others from using these names, and those of the initializers.
  func take(_ names: [String]) {
    taken.formUnion(names)
    taken.formUnion(graph.initializers.values.map(\.name))
  }

  /// Calls a value so.
  func bind(_ value: Graph.ValueID, to name: String) { names[value] = name }

  /// Adds what an operator is in ONNX.
  func add(_ node: Graph.Node) throws {
    layer = node.layer
    let call = ONNXCall(node, self)
    guard let rule = ONNXRules.all[node.kind] else { throw call.unsupported("it has no rule") }
    for input in node.inputs { try addInitializer(input.value) }
    for (value, name) in zip(node.outputs, try rule(call)) { bind(value, to: name) }
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
    var node = Onnx_NodeProto()
    node.name = unique(layer.isEmpty ? type : "\(layer)/\(type)")
    node.opType = type
    node.input = inputs
    node.output = count == 1 ? [node.name] : (0..<count).map { unique("\(node.name).\($0)") }
    node.attribute = attributes.map { Self.message($0.key, $0.value) }
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

  private func constant(_ key: String, _ name: String, _ tensor: Torch.Tensor) -> String {
    shared(key) {
      let name = unique(name)
      initializers.append(Self.message(tensor, name))
      return name
    }
  }

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
    initializers.append(Self.message(initializer.tensor, initializer.name))
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

  /// A tensor with its elements.
  static func message(_ tensor: Torch.Tensor, _ name: String) -> Onnx_TensorProto {
    var message = Onnx_TensorProto()
    message.name = name
    message.dims = tensor.shape.map(Int64.init)
    message.dataType = code(of: tensor.dtype)
    var data = Data(count: tensor.count * tensor.dtype.byteCount)
    data.withUnsafeMutableBytes { tensor.read(into: $0) }
    message.rawData = data
    return message
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

/// An operator of a graph as the rules see it.
struct ONNXCall {
  let node: Graph.Node, builder: ONNXBuilder

  init(_ node: Graph.Node, _ builder: ONNXBuilder) { (self.node, self.builder) = (node, builder) }

  var opset: Int { builder.opset }
  /// The first result, and the first value that is taken.
  var output: Graph.Value { builder.graph.values[node.outputs[0]] }
  var first: Graph.Value { builder.graph.values[node.inputs[0].value] }
  /// The names of all values that are taken, in their order.
  var names: [String] { node.inputs.map { builder.name($0.value) } }
  var x: String { names[0] }

  func value(_ name: String) -> Graph.Value? { node.input(name).map { builder.graph.values[$0] } }
  /// A value's name, empty for one that was not given.
  func name(_ input: String) -> String { node.input(input).map(builder.name) ?? "" }

  func ints(_ name: String) -> [Int] {
    switch node.attributes[name] {
    case .ints(let list): list
    case .int(let value): [value]
    default: []
    }
  }
  /// Two numbers for rows and columns.
  func pair(_ name: String) -> [Int] {
    let list = ints(name)
    return list.count == 1 ? list + list : list
  }
  func int(_ name: String) -> Int { ints(name).first ?? 0 }
  func bool(_ name: String) -> Bool {
    if case .bool(true)? = node.attributes[name] { true } else { false }
  }
  /// A number of any kind; nil where there is none.
  func number(_ name: String) -> Double? {
    switch node.attributes[name] {
    case .int(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }
  /// A number as an initializer of the first value's type.
  func scalar(_ name: String) -> String { builder.constant(number(name) ?? 0, first.dtype) }
  /// A dimension counted from the first one.
  func axis(_ name: String, rank: Int? = nil) -> Int {
    let axis = int(name)
    return axis < 0 ? axis + (rank ?? first.shape.count) : axis
  }

  func emit(
    _ type: String, _ inputs: [String],
    _ attributes: KeyValuePairs<String, ONNXBuilder.Attribute> = [:]
  ) -> String { builder.emit(type, inputs, attributes) }

  /// A reduction along axes, which newer versions take as an input; ReduceSum does in all.
  func reduce(_ type: String, _ x: String, _ axes: [Int], keep: Bool) -> String {
    let keeps = ONNXBuilder.Attribute.int(keep ? 1 : 0)
    return opset >= 18 || type == "ReduceSum"
      ? emit(type, [x, builder.constant(axes)], ["keepdims": keeps])
      : emit(type, [x], ["axes": .ints(axes), "keepdims": keeps])
  }

  /// The same elements in the shape of the result, or another.
  func reshape(_ x: String, to shape: [Int]? = nil) -> String {
    emit("Reshape", [x, builder.constant(shape ?? output.shape)])
  }

  /// The error for what a rule does not cover.
  func unsupported(_ reason: String) -> GraphError {
    let place = node.layer.isEmpty ? "at the beginning" : "of \(node.layer)"
    return .unsupported(
      kind: node.kind,
      layer: node.isAfterLayer && !node.layer.isEmpty ? "after \(node.layer)" : place,
      reason: reason)
  }
}
