import Analysis
import Files
import Foundation
import Segmentation
import Torch

/// What came of comparing a model with one file of the kit.
package struct ParityResult: Sendable {
  /// The file.
  package let file: String
  /// The model's name.
  package let model: String
  /// What was compared, in short: `32 values, 727 names`.
  package let checked: String
  /// What disagrees; nothing if all is well.
  package let disagreements: [String]
  /// The largest difference in units of what the kit tolerates.
  package let worst: Double

  /// Whether everything agrees.
  package var agrees: Bool { disagreements.isEmpty }
}

/// Compares models built here with reference results.
package enum Parity {
  /// Builds the model that `file` names, applies the kit's rule and compares every probe and count.
  ///
  /// - Throws: ``ParityError`` if the file or its model cannot be used, `TorchError` if the network
  ///   cannot run.
  package static func check(_ path: String) throws -> ParityResult {
    let file = try ParityFile(contentsOf: path)
    let model = try Initialization.skipped { try ReferenceModel.build(file) }
    var comparison = Comparison()
    try attempt {
      if let recipes = model.recipes {
        let state = try file.state()
        try Rule.fill(model.module, by: recipes, of: state)
        checkRecipes(recipes, of: state, file, model, &comparison)
      } else {
        Rule.fill(model.module, named: model.name)
        checkState(file, model, &comparison)
      }
      if file.json["optimizers"] != nil {
        try checkTraining(file, model, &comparison)
      } else if let inputs = file.json["inputs"]?.list?.compactMap(\.string) {
        try checkReceptiveField(file, model, inputs, &comparison)
      } else {
        try checkOutputs(file, model, &comparison)
      }
    }
    return ParityResult(
      file: path, model: file.model, checked: comparison.summary,
      disagreements: comparison.disagreements, worst: comparison.worst)
  }

  /// Whether a file holds a receptive field, which depends on the last bits of features.
  ///
  /// They decide which of the rectified features near 0 pass a gradient. Such files agree where
  /// convolutions use the kit's instruction set, AVX2.
  package static func dependsOnLastBits(_ path: String) -> Bool {
    (try? ParityFile(contentsOf: path))?.json["inputs"]?.list != nil
  }

  private static func checkState(
    _ file: ParityFile, _ model: ReferenceModel, _ comparison: inout Comparison
  ) {
    if let parameters = file.json["parameters"]?.int {
      let own = model.module.parameters.reduce(0) { $0 + $1.parameter.count }
      comparison.counts += 1
      if own != parameters {
        comparison.disagree("parameters: \(own), the reference has \(parameters)")
      }
    }
    guard let state = file.json["state"]?.object else { return }
    var own: [String: [Int]] = [:]
    for (name, tensor) in model.module.state { own[model.name(name)] = tensor.shape }
    for (name, shape) in state.sorted(by: { $0.key < $1.key }) {
      comparison.names += 1
      guard let shape = shape.ints else { continue }
      switch own[name] {
      case nil: comparison.disagree("\(name) \(shape) is missing here")
      case shape: break
      case .some(let other): comparison.disagree("\(name) is \(other), the reference's \(shape)")
      }
    }
    for name in own.keys.sorted() where state[name] == nil {
      comparison.disagree("\(name) is not in the reference")
    }
  }

  /// That all tensors there are, and no others, become ours of the right shape; and how many values they
  /// have.
  private static func checkRecipes(
    _ recipes: [String: WeightRecipe], of state: [String: [Int]], _ file: ParityFile,
    _ model: ReferenceModel, _ comparison: inout Comparison
  ) {
    var used: Set<String> = []
    for (name, tensor) in model.module.state where (tensor as? Buffer)?.isConstant != true {
      comparison.names += 1
      guard let recipe = recipes[name] else {
        comparison.disagree("\(name) has no name there")
        continue
      }
      used.formUnion(recipe.names)
      guard let shape = recipe.shape({ state[$0] }) else {
        comparison.disagree("\(name): the reference has no \(recipe), or not of such shapes")
        continue
      }
      guard shape.filter({ $0 != 1 }) == tensor.shape.filter({ $0 != 1 }) else {
        comparison.disagree("\(name) is \(tensor.shape), the reference's \(recipe) \(shape)")
        continue
      }
    }
    for name in state.keys.sorted() where !used.contains(name) && !model.isUnused(name) {
      comparison.disagree("\(name) is not read here")
    }
    guard let parameters = file.json["parameters"]?.int else { return }
    comparison.counts += 1
    let buffers = ["running_mean", "running_var", "num_batches_tracked"]
    let own = state.filter { entry in !buffers.contains { entry.key.hasSuffix($0) } }
      .reduce(0) { $0 + $1.value.reduce(1, *) }
    if own != parameters {
      comparison.disagree("parameters: \(own), the reference has \(parameters)")
    }
  }

  private static func checkOutputs(
    _ file: ParityFile, _ model: ReferenceModel, _ comparison: inout Comparison
  ) throws {
    model.module.train(false)
    let image = Rule.image("input", try file.inputShape())
    let probes = try file.probes("outputs")
    try withoutGradients {
      let outputs = model.outputs(image)
      for (name, probe) in probes {
        guard let output = outputs[name] else {
          comparison.disagree("the output '\(name)' is not known here")
          continue
        }
        comparison.compare(name, output, probe)
      }
      if let stages = file.json["backbone"]?.list, !stages.isEmpty {
        guard let maps = model.stages?(image), maps.count == stages.count else {
          comparison.disagree("the backbone has not \(stages.count) stages here")
          return
        }
        for (index, (map, json)) in zip(maps, stages).enumerated() {
          guard let probe = Probe(json) else {
            throw ParityError.malformed(
              file: file.path, key: "backbone[\(index)]", expected: "a probe")
          }
          comparison.compare("backbone[\(index)]", map, probe)
        }
      }
    }
  }

  /// The kit's rule for effective receptive fields: over all inputs, what of the gradient of the
  /// scores at the centre is positive.
  private static func checkReceptiveField(
    _ file: ParityFile, _ model: ReferenceModel, _ inputs: [String], _ comparison: inout Comparison
  ) throws {
    guard let centre = file.json["centre"]?.ints, centre.count == 2 else {
      throw ParityError.malformed(file: file.path, key: "centre", expected: "a row and a column")
    }
    let shape = try file.inputShape()
    model.module.train(false)
    for (_, parameter) in model.module.parameters { parameter.requiresGrad = false }
    var field = EffectiveReceptiveField(
      height: shape[2], width: shape[3], target: .position(row: centre[0], column: centre[1]))
    for name in inputs {
      field.add(Rule.image(name, shape)) { image in
        let outputs = model.outputs(image)
        return outputs["upsampled"] ?? outputs["out"] ?? image
      }
    }
    for (name, probe) in try file.probes("outputs") { comparison.compare(name, field.map, probe) }
    if let sum = file.json["sum"]?.number {
      comparison.compare("sum", field.map.sum().item, sum, tolerance: 1e-3 * abs(sum))
    }
  }

  private static func checkTraining(
    _ file: ParityFile, _ model: ReferenceModel, _ comparison: inout Comparison
  ) throws {
    guard let lossFunction = model.loss else {
      return comparison.disagree("the model's training loss is not known here")
    }
    let shape = try file.inputShape()
    let image = Rule.image("input", shape)
    guard let classes = file.json["classes"]?.int else {
      throw ParityError.malformed(file: file.path, key: "classes", expected: "a number")
    }
    let ignored = file.json["ignore"]?.int ?? 255
    let labels = Rule.labels([shape[0], shape[2], shape[3]], classes: classes, ignored: ignored)
    model.module.train()
    withoutRandomness(model.module)
    let start = model.module.state.map { $0.tensor.detached().cloned() }

    for (index, run) in (file.json["optimizers"]?.object ?? [:]).sorted(by: { $0.key < $1.key })
      .enumerated()
    {
      guard let wanted = run.value["losses"]?.numbers, let rule = rules[run.key] else {
        comparison.disagree("the optimizer '\(run.key)' is not known here")
        continue
      }
      for (entry, value) in zip(model.module.state, start) { entry.tensor.assign(value) }
      let optimizer = Optimizer(
        rule.rule, model.module, learningRate: rule.rate, weightDecay: rule.decay)
      for (step, expected) in wanted.enumerated() {
        optimizer.clearGradients()
        let loss = lossFunction(image, labels, ignored)
        loss.backward()
        comparison.compare(
          "\(run.key) loss \(step)", loss.item, expected,
          tolerance: (step == 0 ? 1e-3 : 1e-2) * abs(expected))
        if step == 0 && index == 0 { try checkFirstStep(file, model, &comparison) }
        optimizer.step()
      }
    }
  }

  /// The kit trains without what drops values at random.
  private static func withoutRandomness(_ module: Module) {
    for module in module.modules.map(\.module) {
      (module as? Dropout)?.probability = 0
      (module as? StochasticDepth)?.probability = 0
    }
  }

  /// The gradients and the running statistics after the first forward and backward pass.
  private static func checkFirstStep(
    _ file: ParityFile, _ model: ReferenceModel, _ comparison: inout Comparison
  ) throws {
    var gradients: [String: Double] = [:]
    for (name, parameter) in model.module.parameters {
      gradients[model.name(name)] = parameter.gradient?.norm().item
    }
    let expected = (file.json["gradients"]?.object ?? [:]).compactMapValues(\.number)
    // A scale that a later normalization undoes has a gradient of rounding errors only.
    let floor = 1e-5 * (expected.values.max() ?? 0)
    for (name, norm) in expected.sorted(by: { $0.key < $1.key }) {
      guard let own = gradients[name] else {
        comparison.disagree("\(name) has no gradient here")
        continue
      }
      comparison.compare("gradient of \(name)", own, norm, tolerance: 1e-2 * norm + floor)
    }
    var state: [String: Tensor] = [:]
    for (name, tensor) in model.module.state { state[model.name(name)] = tensor }
    for (name, value) in (file.json["running"]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      guard let tensor = state[name]?.to(.float64), let mean = value["mean"]?.number,
        let std = value["std"]?.number
      else {
        comparison.disagree("\(name) is missing here")
        continue
      }
      let own = tensor.mean().item
      let spread = tensor.standardDeviation(correction: 0).item
      comparison.compare("mean of \(name)", own, mean, tolerance: 1e-3 * std + 1e-4 * abs(mean))
      // The kit does not say which of both definitions; they differ by less than 1 / count.
      comparison.compare(
        "deviation of \(name)", spread, std,
        tolerance: std * (2e-3 + 1 / Double(max(1, tensor.count))) + 1e-7)
    }
  }

  private static let rules: [String: (rule: OptimizerRule, rate: Double, decay: Double)] = [
    "sgd": (.sgd(momentum: 0.9), 0.01, 5e-4),
    "adam": (.adam(), 3e-4, 1e-5),
    "adamw": (.adamW(), 6e-5, 0.01),
    "rmsprop": (.rmsProp(momentum: 0.9), 1e-4, 1e-8),
  ]
}

/// Collects differences, in units of what is tolerated.
struct Comparison {
  var disagreements: [String] = []
  var worst = 0.0
  var values = 0, counts = 0, names = 0

  var summary: String {
    var parts: [String] = []
    if names > 0 { parts.append("\(names) names") }
    if counts > 0 { parts.append("parameter count") }
    parts.append("\(values) values")
    return parts.joined(separator: ", ")
  }

  mutating func disagree(_ text: String) { disagreements.append(text) }

  mutating func compare(_ name: String, _ own: Double, _ expected: Double, tolerance: Double) {
    values += 1
    let difference = abs(own - expected)
    // A number that is not one compares as unequal.
    guard difference <= tolerance else {
      worst = tolerance > 0 ? max(worst, difference / tolerance) : .infinity
      return disagree("\(name): \(own), the reference gives \(expected)")
    }
    if tolerance > 0 { worst = max(worst, difference / tolerance) }
  }

  /// Compares a tensor with its probe: values within 1e-3 · std + 1e-4 · |value|.
  mutating func compare(_ name: String, _ tensor: Tensor, _ probe: Probe) {
    guard tensor.shape == probe.shape else {
      return disagree("\(name) is \(tensor.shape), the reference's \(probe.shape)")
    }
    let own = tensor.floats
    var failed = 0
    var example = ""
    for (index, value) in zip(probe.index, probe.value) {
      values += 1
      let tolerance = 1e-3 * probe.std + 1e-4 * abs(value)
      let difference = abs(Double(own[index]) - value)
      if difference <= tolerance {
        if tolerance > 0 { worst = max(worst, difference / tolerance) }
        continue
      }
      worst = tolerance > 0 ? max(worst, difference / tolerance) : .infinity
      if failed == 0 { example = "at \(index) \(own[index]), the reference gives \(value)" }
      failed += 1
    }
    if failed > 0 {
      disagree("\(name): \(failed) of \(probe.index.count) values differ, \(example)")
    }
    if let mean = probe.mean {
      let all = own.reduce(0.0) { $0 + Double($1) } / Double(max(1, own.count))
      compare("mean of \(name)", all, mean, tolerance: 1e-3 * probe.std + 1e-4 * abs(mean))
    }
  }
}
