import Torch

extension Pass {
  /// Convolutions and matrices whose weights are known become units that kernels are packed for.
  static let pack = Pass(
    name: "pack",
    summary: "convolutions and matrices with kernels in the order in which they are read"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], let weight = node.input("weight"),
          graph.initializers[weight]?.tensor.dtype == .float32,
          graph.values[node.inputs[0].value].dtype == .float32,
          node.input("bias").map({ graph.initializers[$0] != nil }) ?? true
        else { continue }
        switch node.kind {
        case "conv2d" where graph.shape(node.inputs[0].value).count == 4:
          graph.replace([place], by: node.becoming(Unit.convolution))
        case "linear": graph.replace([place], by: node.becoming(Unit.matrix))
        case "conv_transpose2d" where isApart(node, graph.shape(weight)):
          graph.replace([place], by: node.becoming(Unit.transposed))
        default: break
        }
      }
    }
  }

  /// Whether the kernels of a transposed convolution neither overlap nor leave gaps.
  private static func isApart(_ node: Graph.Node, _ weight: [Int]) -> Bool {
    node.int("groups") == 1 && weight[2] == weight[3] && weight[2] <= 32
      && node.pair("stride") == [weight[2], weight[2]] && node.pair("padding") == [0, 0]
      && node.pair("output_padding") == [0, 0] && node.pair("dilation") == [1, 1]
  }

  /// Zeros around a map become the padding of the convolution that reads it.
  static let padding = Pass(
    name: "padding", summary: "zeros around a map as the padding of the convolution after them"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], node.kind == "constant_pad_nd", node.double("value") == 0,
          case let pad = node.ints("pad"), pad.count == 4, pad.allSatisfy({ $0 >= 0 }),
          pad[0] == pad[2], pad[1] == pad[3], pad[1] >= pad[0],
          let (after, conv) = graph.reader(node.outputs[0]), conv.kind == Unit.convolution,
          conv.input("input") == node.outputs[0], Unit.addsNothing(conv),
          case let own = conv.pair("padding"), own[0] == own[1],
          pad[1] == pad[0] || graph.unit(conv).isDepthwise
        else { continue }
        let start = own[0] + pad[0]
        graph.replace(
          [place, after],
          by: conv.becoming(
            Unit.convolution, inputs: conv.inputs(reading: node.inputs[0].value),
            ["padding": .ints([start, start]), "end_padding": .int(pad[1] - pad[0])]))
      }
    }
  }

  /// A normalization by running statistics becomes part of the convolution before it.
  static let norm = Pass(
    name: "norm", summary: "a normalization as part of the convolution before it"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let conv = graph[place], conv.kind == Unit.convolution, Unit.addsNothing(conv),
          conv.input("norm.running_mean") == nil, conv.fileCode == nil,
          let (after, norm) = graph.reader(conv.outputs[0]),
          let inputs = Unit.statistics(of: norm, as: "norm", graph)
        else { continue }
        graph.replace(
          [place, after],
          by: conv.becoming(
            Unit.convolution, inputs: conv.inputs + inputs, outputs: norm.outputs,
            ["norm_eps": norm.attributes["eps"] ?? .double(1e-5)]))
      }
    }
  }

  /// What is added to the result of a convolution or a matrix becomes part of it.
  static let sum = Pass(
    name: "sum", summary: "a sum as part of the convolution or the matrix before it"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let add = graph[place], add.kind == "add", add.inputs.count == 2,
          add.double("alpha") ?? 1 == 1
        else { continue }
        let shape = graph.shape(add.outputs[0])
        // Of two the later one, as the other's result is there then.
        let makers = add.inputs.enumerated().compactMap { index, input in
          graph.maker(input.value).map { (index, $0.place, $0.node) }
        }.sorted { $0.1 > $1.1 }
        for (index, before, unit) in makers {
          let other = add.inputs[1 - index].value
          guard [Unit.convolution, Unit.matrix].contains(unit.kind), Unit.addsNothing(unit),
            graph.reader(unit.outputs[0]) != nil, graph.shape(unit.outputs[0]) == shape,
            graph.shape(other) == shape, graph.values[other].dtype == .float32
          else { continue }
          graph.replace(
            [before, place],
            by: unit.becoming(
              unit.kind, inputs: unit.inputs + [.init(name: "addend", value: other)],
              outputs: add.outputs))
          break
        }
      }
    }
  }

  /// A function of each number becomes part of the convolution or the matrix before it.
  static let activation = Pass(
    name: "activation", summary: "an activation as part of the convolution or the matrix before it"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let unit = graph[place], [Unit.convolution, Unit.matrix].contains(unit.kind),
          unit.string("activation").isEmpty,
          let (after, function) = graph.reader(unit.outputs[0]),
          let activation = Unit.activation(function), activation.isKnownToKernels
        else { continue }
        graph.replace(
          [place, after],
          by: unit.becoming(
            unit.kind, outputs: function.outputs, ["activation": .string(activation.rawValue)]))
      }
    }
  }

  /// A normalization with a ReLU becomes part of the convolution after it.
  static let prenorm = Pass(
    name: "prenorm", summary: "a normalization and a ReLU as part of the convolution after them"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let conv = graph[place], conv.kind == Unit.convolution,
          let input = conv.input("input"),
          graph.unit(conv).isPacked,
          let (functionPlace, function) = graph.maker(input), Unit.activation(function) == .relu,
          graph.reader(input) != nil,
          let (normPlace, norm) = graph.maker(function.inputs[0].value),
          graph.reader(function.inputs[0].value) != nil,
          let statistics = Unit.statistics(of: norm, as: "before", graph)
        else { continue }
        let inputs = conv.inputs(reading: norm.inputs[0].value)
        graph.replace(
          [place, functionPlace, normPlace],
          by: conv.becoming(
            Unit.convolution, inputs: inputs + statistics,
            ["before_eps": norm.attributes["eps"] ?? .double(1e-5)]))
      }
    }
  }

  /// A factor of each channel becomes part of the 1×1 convolution after it.
  static let scale = Pass(
    name: "scale", summary: "a factor of each channel as part of the 1×1 convolution after it"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let conv = graph[place], conv.kind == Unit.convolution,
          let input = conv.input("input"), graph.shape(input)[0] == 1,
          conv.input("before.weight") == nil, conv.input("before.running_mean") == nil,
          case let unit = graph.unit(conv), unit.isPointwise,
          let (before, product) = graph.maker(input), product.kind == "mul",
          graph.reader(input) != nil, product.inputs.count == 2,
          let index = product.inputs.firstIndex(where: {
            graph.shape($0.value) == [1, graph.shape(input)[1], 1, 1]
          }), graph.shape(product.inputs[1 - index].value) == graph.shape(input)
        else { continue }
        let inputs = conv.inputs(reading: product.inputs[1 - index].value)
        graph.replace(
          [place, before],
          by: conv.becoming(
            Unit.convolution,
            inputs: inputs + [.init(name: "scale", value: product.inputs[index].value)]))
      }
    }
  }
}
