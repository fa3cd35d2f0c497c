import Segmentation
import Torch

extension OptimizerSettings {
  /// An optimizer of what training changes of `model`, each parameter with its own rate and decay.
  func optimizer(of model: SegmentationModel) -> Optimizer {
    Optimizer(rule, groups(of: model), learningRate: learningRate, weightDecay: weightDecay)
  }

  /// Parameters of one rate and one decay together, in the order in which the network first has them.
  func groups(of model: SegmentationModel) -> [ParameterGroup] {
    struct Kind: Hashable {
      let rate: Double
      let decays: Bool
    }
    let depths = layerDecay.map { ParameterDepths(model.backbone, by: $0.unit) }
    var groups: [Kind: [(name: String, parameter: Parameter)]] = [:]
    var order: [Kind] = []
    for entry in model.parameters where entry.parameter.requiresGrad {
      var rate = entry.name.hasPrefix("backbone.") ? backboneRate : headRate
      if let layerDecay, let depths, let depth = depths[entry.parameter] {
        rate *= layerDecay.factor(at: depth, of: depths.count)
      }
      let kind = Kind(
        rate: rate, decays: decaysNorms || !Self.isPlain(entry.name, entry.parameter))
      if groups[kind] == nil { order.append(kind) }
      groups[kind, default: []].append(entry)
    }
    return order.map { kind in
      ParameterGroup(
        groups[kind] ?? [], rateFactor: kind.rate, weightDecay: kind.decays ? nil : 0)
    }
  }

  /// Whether a parameter is no matrix of weights: scales and shifts of normalizations, biases, tokens
  /// and tables of positions, which the recipes of Swin, BEiT and torchvision keep from decaying.
  static func isPlain(_ name: String, _ parameter: Parameter) -> Bool {
    let last = name.split(separator: ".").last.map(String.init) ?? name
    return parameter.rank <= 1
      || ["class_token", "pos_embedding", "relative_position_bias_table", "layer_scale"]
        .contains(last)
  }
}

/// How deep in a backbone each parameter stands.
private struct ParameterDepths {
  let count: Int
  private var depths: [ObjectIdentifier: Int] = [:]

  init(_ backbone: any Backbone, by unit: DepthUnit) {
    let parts = backbone.depths(by: unit)
    count = parts.count
    for (depth, modules) in parts.enumerated() {
      for entry in modules.flatMap(\.parameters) {
        depths[ObjectIdentifier(entry.parameter)] = depth
      }
    }
    // Its own tokens and tables stand beside the first part.
    let inside = Set(
      backbone.children.flatMap { $0.module.parameters.map { ObjectIdentifier($0.parameter) } })
    for entry in backbone.parameters where !inside.contains(ObjectIdentifier(entry.parameter)) {
      depths[ObjectIdentifier(entry.parameter)] = 0
    }
  }

  /// The depth; nil for what learns as the head does.
  subscript(_ parameter: Parameter) -> Int? { depths[ObjectIdentifier(parameter)] }
}
