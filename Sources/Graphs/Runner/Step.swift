import Torch

/// The values of a graph while it runs.
struct Frame {
  var values: [Tensor?]
  /// Memory that several values share, by the values that are all of it.
  var wholes: [Graph.ValueID: Tensor] = [:]

  /// A value that was made before.
  subscript(value: Graph.ValueID) -> Tensor { values[value] ?? Tensor(0) }
  /// A value that there may be.
  subscript(value: Graph.ValueID?) -> Tensor? { value.flatMap { values[$0] } }
}

/// A node ready to run.
struct Step {
  /// The way that was chosen for it, in words.
  let way: String
  /// Whether it can write its result to memory that it is given.
  var writesToPlace = false
  /// Whether it reads images whose channels lie one after another.
  var readsPlanes = false
  /// The results; the first one may be the memory that is given for it.
  let run: (_ frame: Frame, _ target: Tensor?) -> [Tensor]
}

extension Step {
  /// The step of `node`.
  static func of(
    _ place: Int, _ graph: Graph, _ store: KernelStore, _ codes: CodePlan, watch: InputWatches?
  ) -> Step {
    let node = graph.nodes[place]
    let constants = Constants(node: node, graph: graph, store: store)
    let unit = Unit(
      node, weight: node.input("weight").map { graph.values[$0].shape } ?? [0, 0, 0, 0])
    if let products = codes.products[place] {
      if node.kind == Unit.transposed, case .codes(let code) = products {
        return codedTransposed(constants, codes, code)
      }
      return coded(unit, constants, codes, products)
    }
    if let input = node.inputs.first?.value, let form = codes.values[input] {
      if node.kind == CodePlan.decoding { return decode(input, form) }
      if node.isMeanOfMap { return mean(input, form) }
      if node.isPoolingOfCodes, codes.values[node.outputs[0]] == form {
        return pool(node, input, form)
      }
      if node.isResizing, codes.values[node.outputs[0]] == form {
        return resize(node, graph.values[node.outputs[0]], in: form)
      }
      if form == .bfloat16, node.kind == "batch_norm",
        let step = scaledHalves(node, constants, codes.values[node.outputs[0]])
      {
        return step
      }
      if case .codes(let code) = form {
        if unit.isDepthwise, node.kind == Unit.convolution,
          let result = codes.code(node.outputs[0]),
          let step = codedDepthwise(unit, constants, code, result)
        {
          return step
        }
      }
    }
    return switch node.kind {
    case Unit.convolution: convolution(unit, constants, watch)
    case Unit.matrix: matrix(constants)
    case Unit.transposed: transposed(constants, watch?[node.layer])
    case Unit.byRows: depthwiseByRows(unit, constants)
    case Unit.chain: chain(constants)
    case "fused::attention": attention(constants)
    case "fused::layer_norm":
      Step(way: "layer norm") { frame, _ in
        [
          Operator.layerNorm(
            frame[node.inputs[0].value], frame[node.inputs[1].value], frame[node.inputs[2].value],
            node.double("eps") ?? 1e-5)
        ]
      }
    case "batch_norm": batchNorm(node, constants)
    case "upsample_bilinear2d": resize(node, graph.values[node.outputs[0]])
    default: plain(node)
    }
  }

  /// Attention, with what is added to its scores in the kernels' order.
  private static func attention(_ constants: Constants) -> Step {
    let node = constants.node, scale = node.double("scale")
    let added = constants[Pass.addedScores].map { added in
      constants.store.kept("scores", of: [added]) { () -> [Tensor] in
        let missing = [Int](repeating: 1, count: max(0, 4 - added.rank))
        return Operator.scoreTable.tensors([
          .tensor(added.detached().reshaped(missing + added.shape))
        ])
      }
    }
    return Step(way: added == nil ? "attention by blocks" : "attention by blocks, added scores") {
      frame, _ in
      [
        Operator.attention(
          frame[node.inputs[0].value], frame[node.inputs[1].value], frame[node.inputs[2].value],
          scale, "", added?.first, added?.last)
      ]
    }
  }

  /// A matrix along the last dimension.
  private static func matrix(_ constants: Constants) -> Step {
    let node = constants.node, matrix = PackedMatrix.of(constants)
    let name = node.activationName
    return Step(way: named("matrix, packed", matrix.reduced)) { frame, _ in
      [
        Operator.linear(
          frame[node.inputs[0].value], matrix.packed, matrix.outputs, matrix.bias,
          frame[node.input("addend")], name)
      ]
    }
  }

  private static func transposed(_ constants: Constants, _ watch: InputWatch?) -> Step {
    let node = constants.node, kernels = TransposedKernels.of(constants)
    return Step(way: "1×1, packed, to every \(kernels.scale)th pixel", writesToPlace: true) {
      frame, target in
      watch?.see(frame[node.inputs[0].value])
      let y = Operator.enlarge(
        frame[node.inputs[0].value], kernels.taps, kernels.outputs, kernels.scale, kernels.bias,
        target)
      return [target ?? y]
    }
  }

  /// A depthwise convolution with the 1×1 convolutions before and after it.
  private static func depthwiseByRows(_ unit: Unit, _ constants: Constants) -> Step {
    let node = constants.node
    func matrix(_ prefix: String) -> PackedMatrix? {
      guard node.input(prefix + "weight") != nil else { return nil }
      var own = constants
      own.prefix = prefix
      return PackedMatrix.of(own, channels: [], isBare: false, isRounded: false)
    }
    let (expansion, projection) = (matrix("expansion."), matrix("projection."))
    let kernels = ConvolutionKernels.of(unit, constants, input: [])
    guard case .depthwise(let taps) = kernels.form else { return plain(node) }
    func activation(_ name: String) -> String {
      node.attributes[name] == nil ? "none" : node.string(name)
    }
    let (first, name) = (activation("expansion.activation"), node.activationName)
    let last = activation("projection.activation")
    let (kernel, stride, padding) = (unit.kernel, unit.stride, unit.padding)
    let (end, dilation) = (unit.endPadding, unit.dilation)
    let (input, addend) = (node.inputs[0].value, node.input("addend"))
    let parts = [
      expansion.map { _ in "1×1" }, "depthwise", projection.map { _ in "1×1" },
    ].compactMap(\.self)
    return Step(
      way: parts.joined(separator: ", ") + " by rows", writesToPlace: projection != nil
    ) { frame, target in
      let y = Operator.depthwiseByRows(
        frame[input], expansion?.packed, unit.outputs, expansion?.bias, first, taps,
        kernel, stride, padding, end, dilation, kernels.bias, name, projection?.packed,
        projection?.outputs ?? 0, projection?.bias, frame[addend], last, target)
      return [target ?? y]
    }
  }

  private static func chain(_ constants: Constants) -> Step {
    let node = constants.node, count = node.int("stages")
    let matrices = (0..<count).map { index -> PackedMatrix in
      var stage = constants
      stage.prefix = "\(index)."
      let bounds = node.ints("\(index).channels")
      let channels = stride(from: 0, to: bounds.count, by: 2).map { bounds[$0]..<bounds[$0 + 1] }
      let isBare = node.bool("\(index).bare")
      return PackedMatrix.of(
        stage, channels: channels, isBare: isBare,
        isRounded: node.input("\(index).norm.running_mean") != nil)
    }
    let activations = (0..<count).map { node.string("\($0).activation") }.joined(separator: " ")
    let (position, corners) = (node.int("position"), node.bool("align_corners"))
    let (inputs, maps) = (node.inputs("inputs"), node.inputs("maps"))
    let reduced = matrices.lazy.map(\.reduced).first { !$0.isEmpty } ?? ""
    return Step(way: named("\(count) of 1×1 by blocks", reduced)) { frame, _ in
      [
        Operator.chain(
          inputs.map { frame[$0] }, matrices.map(\.packed), matrices.map(\.outputs),
          matrices.map(\.bias), activations, maps.map { frame[$0] }, position, corners)
      ]
    }
  }

  /// The scale and the shift of each channel of a normalization by itself.
  static func affine(_ node: Graph.Node, _ constants: Constants) -> (scale: Tensor, shift: Tensor)?
  {
    let mapped = Constants(
      node: node.becoming(
        node.kind,
        inputs: node.inputs.map { .init(name: "norm.\($0.name)", value: $0.value) },
        ["norm_eps": node.attributes["eps"] ?? .double(1e-5)]), graph: constants.graph,
      store: constants.store)
    guard !node.bool("training"), constants.graph.values[node.outputs[0]].shape.count == 4 else {
      return nil
    }
    return mapped.affine("norm")
  }

  /// A normalization by itself.
  private static func batchNorm(_ node: Graph.Node, _ constants: Constants) -> Step {
    let plain = plain(node)
    guard let (scale, shift) = affine(node, constants) else { return plain }
    let input = node.inputs[0].value
    return Step(way: plain.way, writesToPlace: true) { frame, target in
      guard let target else { return plain.run(frame, nil) }
      Operator.scaled(
        shift.reshaped(1, -1, 1, 1), frame[input], scale.reshaped(1, -1, 1, 1), 1, target)
      return [target]
    }
  }

  /// Bilinear resizing of a map whose numbers are of type float32, or all of one other form.
  static func resize(_ node: Graph.Node, _ result: Graph.Value, in form: NumberForm? = nil) -> Step
  {
    let plain = plain(node), input = node.inputs[0].value
    guard result.shape.count == 4, result.shape[0] * result.shape[1] > 0,
      form != nil || result.dtype == .float32
    else { return plain }
    let (height, width) = (result.shape[2], result.shape[3])
    let corners = node.bool("align_corners")
    let (down, across) = (node.double("scales_h"), node.double("scales_w"))
    let way =
      form == nil ? "by rows" : form == .bfloat16 ? "by rows of bfloat16" : "by rows of codes"
    return Step(way: way, writesToPlace: true) { frame, target in
      let x = frame[input]
      // Where channels lie one after another libtorch's threads share them.
      if form == nil, target == nil, x.strides.count == 4, x.strides[1] != 1 {
        return plain.run(frame, nil)
      }
      let y = Operator.resize(x, height, width, corners, down, across, target)
      return [target ?? y]
    }
  }

  /// An operator as it was called.
  static func plain(_ node: Graph.Node) -> Step {
    guard let (operation, count) = node.call else {
      return Step(way: "none") { _, _ in [Tensor(0)] }
    }
    let names = operation.schema.arguments.prefix(count).map(\.name)
    return Step(way: "libtorch") { frame, _ in
      operation.tensors(
        names.map { name -> Torch.Value in
          if let given = node.lists[name] {
            var values = node.inputs(name)[...]
            return .tensors(given.map { $0 ? values.popFirst().map { frame[$0] } : nil })
          }
          if let value = node.input(name) { return .tensor(frame[value]) }
          return node.attributes[name] ?? .none
        })
    }
  }

  /// A way and the type of its products.
  static func named(_ way: String, _ reduced: String) -> String {
    reduced.isEmpty ? way : "\(way), \(reduced)"
  }
}

extension Operator {
  fileprivate static let attention = Operator("attention", namespace: "atrous")
  fileprivate static let scoreTable = Operator("score_table", namespace: "atrous")
  fileprivate static let layerNorm = Operator("layer_norm", namespace: "atrous")
  fileprivate static let linear = Operator("linear", namespace: "atrous")
  fileprivate static let chain = Operator("chain", namespace: "atrous")
  fileprivate static let enlarge = Operator("enlarge", namespace: "atrous")
  fileprivate static let depthwiseByRows = Operator("depthwise_by_rows", namespace: "atrous")
  fileprivate static let scaled = Operator("addcmul", "out")
  fileprivate static let resize = Operator("resize", namespace: "atrous")
}
