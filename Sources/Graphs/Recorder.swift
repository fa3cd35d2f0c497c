import Torch

extension Graph {
  /// Records `body`, the forward pass of a network in evaluation mode, in its plain form.
  ///
  /// Maps have no memory and nothing is computed for them; what does not depend on the input is computed,
  /// so that initializers have their numbers. Inside of `shapesOnly` they have shapes only.
  /// - Parameters:
  ///   - module: The network, whose state dictionary names the initializers.
  ///   - shape: The input's shape, usually (1, C, H, W).
  ///   - dtype: The input's type.
  ///   - body: What is made of the input.
  /// - Throws: `TorchError` for a network that cannot take the input, ``GraphError``.
  package init(
    recording module: Module, input shape: [Int], _ dtype: DType = .float32,
    _ body: (Tensor) -> Tensor
  ) throws {
    let recorder = Recorder(module)
    let wasTraining = module.isTraining
    module.train(false)
    defer { module.train(wasTraining) }
    let image = Tensor(withoutMemory: shape, dtype)
    recorder.begin(image)
    let result = try attempt {
      withoutGradients { shapesOfMaps { observing(recorder) { body(image) } } }
    }
    self = try recorder.graph(of: result)
  }
}

/// Follows a forward pass and keeps its operators, values and constants.
final class Recorder: OperatorObserver {
  private var graph = Graph()
  /// The values of tensors.
  private var ids: [ObjectIdentifier: Graph.ValueID] = [:]
  /// The names of the state dictionary, and of what was computed from it.
  private var names: [ObjectIdentifier: String] = [:]
  private var takenNames: Set<String> = []
  /// All tensors of the pass are kept, so that none of them takes another's identity.
  private var kept: [Tensor] = []
  /// For each value the first one whose memory it shares.
  private var owners: [Graph.ValueID: Graph.ValueID] = [:]
  /// Values whose memory was written over.
  private var stale: Set<Graph.ValueID> = []
  private var layer = ""
  private var error: GraphError?

  init(_ module: Module) {
    for (name, tensor) in module.state where names[ObjectIdentifier(tensor)] == nil {
      names[ObjectIdentifier(tensor)] = name
      takenNames.insert(name)
      kept.append(tensor)
    }
  }

  /// Takes `image` for the next input.
  func begin(_ image: Tensor) { graph.inputs.append(add(image)) }

  /// What was recorded, with `result` as its output.
  func graph(of result: Tensor) throws -> Graph {
    if let error { throw error }
    guard let output = ids[ObjectIdentifier(result)], graph.initializers[output] == nil else {
      throw GraphError.constant
    }
    graph.outputs = [output]
    return graph.pruned
  }

  func observe(_ call: OperatorCall) {
    kept += call.results
    kept += call.tensors
    let isOfMaps = call.tensors.contains { tensor in
      ids[ObjectIdentifier(tensor)].map { graph.initializers[$0] == nil } ?? false
    }
    guard isOfMaps else { return nameConstants(call) }

    let schema = call.operation.schema.arguments
    let used = call.tensors.compactMap { names[ObjectIdentifier($0)] }
    let own = used.first.map { $0.split(separator: ".").dropLast().joined(separator: ".") }
    layer = own ?? layer
    let kind =
      call.operation.namespace == "aten"
      ? call.name : "\(call.operation.namespace)::\(call.name)"
    var inputs: [Graph.Node.Input] = [], attributes: [String: Torch.Value] = [:]
    var lists: [String: [Bool]] = [:]
    for argument in schema {
      guard let value = call[argument.name] else { continue }
      if value.tensors.isEmpty {
        attributes[argument.name] = value
      } else {
        inputs += value.tensors.map { .init(name: argument.name, value: id(of: $0)) }
        if case .tensors(let list) = value { lists[argument.name] = list.map { $0 != nil } }
      }
    }
    let isReadable = inputs.allSatisfy { !stale.contains($0.value) }
    if !isReadable && error == nil {
      error = .overwritten(kind: kind, layer: own == nil ? "after \(layer)" : "of \(layer)")
    }

    let results = call.results.isEmpty ? call.output.map { [$0] } ?? [] : call.results
    let outputs = results.enumerated().map { index, result in
      let output = add(result)
      guard let source = call.source(of: call.results.isEmpty ? 0 : index),
        let given = call.arguments[source.argument].tensors.first
      else { return output }
      let before = id(of: given), owner = owners[before] ?? before
      if source.isWritten {
        let sharing = owners.filter { $0.value == owner }.map(\.key)
        stale.formUnion(sharing + [owner, before])
        // From now on the tensor that was given stands for what was written.
        ids[ObjectIdentifier(given)] = output
      } else {
        owners[output] = owner
      }
      return output
    }
    graph.nodes.append(
      Graph.Node(
        kind: kind, call: (call.operation, call.arguments.count), inputs: inputs, lists: lists,
        attributes: attributes, outputs: outputs, layer: layer, isAfterLayer: own == nil))
  }

  /// Names what was computed from constants alone.
  private func nameConstants(_ call: OperatorCall) {
    guard let source = call.tensors.lazy.compactMap({ self.names[ObjectIdentifier($0)] }).first
    else { return }
    for result in call.results where names[ObjectIdentifier(result)] == nil {
      names[ObjectIdentifier(result)] = unique("\(source).\(call.name)")
    }
  }

  private func unique(_ name: String) -> String {
    var candidate = name, number = 1
    while !takenNames.insert(candidate).inserted {
      number += 1
      candidate = "\(name)\(number)"
    }
    return candidate
  }

  private func add(_ tensor: Tensor) -> Graph.ValueID {
    kept.append(tensor)
    graph.values.append(Graph.Value(shape: tensor.shape, dtype: tensor.dtype))
    ids[ObjectIdentifier(tensor)] = graph.values.count - 1
    return graph.values.count - 1
  }

  /// The value of a tensor; a new constant for one that no operator of the pass made.
  private func id(of tensor: Tensor) -> Graph.ValueID {
    if let known = ids[ObjectIdentifier(tensor)] { return known }
    let name = names[ObjectIdentifier(tensor)] ?? unique("constant")
    let id = add(tensor)
    graph.initializers[id] = Graph.Initializer(name: name, tensor: tensor)
    return id
  }
}
