import Configuration
import Foundation
import Segmentation
import Testing
import Torch

@testable import Training

@Suite("Parameter groups")
struct ParameterGroupTests {
  /// The rate's factor and the decay of each parameter.
  private func groups(
    _ optimizer: String, of model: String
  ) throws -> [String: (rate: Double, decay: Double?)] {
    let settings = try OptimizerSettings(Section(yaml: optimizer, named: "test"))
    let network = try ModelBuilder.build(Section(yaml: model, named: "test"))
    var result: [String: (rate: Double, decay: Double?)] = [:]
    for group in settings.groups(of: network) {
      for entry in group.parameters {
        #expect(result[entry.name] == nil, "\(entry.name) is in two groups")
        result[entry.name] = (group.rateFactor, group.weightDecay)
      }
    }
    #expect(result.count == network.parameters.count)
    return result
  }

  private let tiny = """
    {backbone: {name: densenet, blocks: [2, 2], growth: 8, stem: 16}, head: {name: linear}, classes: 3}
    """

  @Test("backbone and head have rates of their own; norms and biases may be kept from decaying")
  func rates() throws {
    let groups = try groups(
      """
      {name: sgd, learningRate: 0.01, weightDecay: 1e-4, backboneRate: 0.1, headRate: 10,
       decayNorms: false}
      """, of: tiny)
    for (name, group) in groups {
      #expect(group.rate == (name.hasPrefix("backbone.") ? 0.1 : 10), "\(name)")
    }
    #expect(groups["backbone.conv0.weight"]?.decay == nil)
    #expect(groups["backbone.norm0.weight"]?.decay == 0)
    #expect(groups["backbone.norm0.bias"]?.decay == 0)
    let head = groups.filter { $0.key.hasPrefix("classifier.") && $0.key.hasSuffix("bias") }
    #expect(!head.isEmpty && head.allSatisfy { $0.value.decay == 0 })
  }

  @Test("rates fall layer by layer as in MMSegmentation's recipes of ConvNeXt")
  func convNeXt() throws {
    let network = "{backbone: {name: convnext_tiny}, head: {name: linear}, classes: 3}"
    // get_layer_id_for_convnext with num_layers 6: exponents are 7 less the identifier.
    let layers = try groups(
      "{name: adamW, learningRate: 1e-4, weightDecay: 0.05, decayNorms: false, layerDecay: 0.9}",
      of: network)
    let exponents = [
      "backbone.0.0.weight": 7, "backbone.1.0.block.0.weight": 6, "backbone.2.1.weight": 5,
      "backbone.3.2.block.3.weight": 5, "backbone.4.1.weight": 4, "backbone.5.2.block.5.bias": 4,
      "backbone.5.3.block.5.bias": 3, "backbone.5.8.block.5.weight": 2, "backbone.6.1.weight": 1,
      "backbone.7.2.layer_scale": 1,
    ]
    for (name, exponent) in exponents {
      let rate = try #require(layers[name], "\(name)").rate
      #expect(abs(rate - pow(0.9, Double(exponent))) < 1e-12, "\(name)")
    }
    #expect(layers.filter { $0.key.hasPrefix("classifier.") }.allSatisfy { $0.value.rate == 1 })
    #expect(layers["backbone.7.2.layer_scale"]?.decay == 0)
    // get_stage_id_for_convnext with num_layers 12: exponents are 13 less the identifier.
    let stages = try groups(
      "{name: adamW, learningRate: 1e-4, layerDecay: {rate: 0.9, by: stage, layers: 12}}",
      of: network)
    for (name, exponent) in [
      "backbone.0.0.weight": 13, "backbone.6.1.weight": 13, "backbone.1.0.block.0.weight": 12,
      "backbone.7.2.block.0.weight": 9,
    ] {
      let rate = try #require(stages[name], "\(name)").rate
      #expect(abs(rate - pow(0.9, Double(exponent))) < 1e-12, "\(name)")
    }
  }

  @Test("rates fall block by block as in the recipes of BEiT and MAE")
  func vit() throws {
    let groups = try groups(
      """
      {name: adamW, learningRate: 1e-4, weightDecay: 0.05, decayNorms: false,
       layerDecay: {rate: 0.5, by: layer}}
      """,
      of: """
        {backbone: {name: vit, depth: 4, width: 24, heads: 2, imageSize: 64}, head: {name: linear},
         classes: 3}
        """)
    // get_layer_id_for_vit with num_layers 4: exponents are 5 less the identifier.
    for (name, exponent) in [
      "backbone.class_token": 5, "backbone.encoder.pos_embedding": 5,
      "backbone.conv_proj.weight": 5, "backbone.encoder.layers.encoder_layer_0.ln_1.weight": 4,
      "backbone.encoder.layers.encoder_layer_3.mlp.0.weight": 1, "backbone.encoder.ln.weight": 0,
    ] {
      let rate = try #require(groups[name], "\(name)").rate
      #expect(abs(rate - pow(0.5, Double(exponent))) < 1e-12, "\(name)")
    }
    #expect(groups["backbone.encoder.pos_embedding"]?.decay == 0)
    #expect(groups["backbone.class_token"]?.decay == 0)
    #expect(groups["backbone.conv_proj.weight"]?.decay == nil)
  }

  @Test(
    "what cannot be meant is refused by name",
    arguments: [
      ("layerDecay: 2", "'layerDecay' is 2.0, expected a number from 0.0 to 1.0"),
      ("layerDecay: {rate: 0.9, by: block}", "layerDecay: 'by' is 'block', expected one of layer"),
      ("layerDecay: {by: stage}", "'rate' is missing"),
      ("headRate: -1", "'headRate' is -1.0"),
      ("nesterov: true", "'nesterov' is true, expected false, or a momentum above 0"),
    ])
  func refused(_ line: String, message: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try OptimizerSettings(
        Section(yaml: "{name: sgd, learningRate: 1, \(line)}", named: "c.yaml"))
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains(message), "\(String(describing: error))")
  }
}
