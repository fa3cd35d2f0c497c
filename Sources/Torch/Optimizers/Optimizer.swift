extension Operator {
  fileprivate static let foreachMul = Operator("_foreach_mul_", "Scalar")
  fileprivate static let foreachNorm = Operator("_foreach_norm", "Scalar")
  fileprivate static let unscale = Operator("_amp_foreach_non_finite_check_and_unscale_")
  fileprivate static let sgd = Operator("_fused_sgd_")
  fileprivate static let adam = Operator("_fused_adam_")
  fileprivate static let adamW = Operator("_fused_adamw_")
  fileprivate static let addAll = Operator("_foreach_add_", "Scalar")
  fileprivate static let mulAll = Operator("_foreach_mul_", "Scalar")
  fileprivate static let addListAll = Operator("_foreach_add_", "List")
  fileprivate static let addcmulAll = Operator("_foreach_addcmul_", "Scalar")
  fileprivate static let addcdivAll = Operator("_foreach_addcdiv_", "Scalar")
  fileprivate static let addList = Operator("_foreach_add", "List")
  fileprivate static let sqrtAll = Operator("_foreach_sqrt")
}

/// Parameters that share a learning rate and a weight decay.
public struct ParameterGroup {
  /// The parameters by name.
  public let parameters: [(name: String, parameter: Parameter)]
  /// What the optimizer's learning rate is multiplied by.
  public let rateFactor: Double
  /// The weight decay, or the optimizer's.
  public let weightDecay: Double?

  /// A group of `parameters`.
  public init(
    _ parameters: [(name: String, parameter: Parameter)], rateFactor: Double = 1,
    weightDecay: Double? = nil
  ) {
    self.parameters = parameters
    self.rateFactor = rateFactor
    self.weightDecay = weightDecay
  }
}

/// The rule by which gradients change parameters, with PyTorch's definitions and defaults.
public enum OptimizerRule: Sendable, Equatable {
  /// Stochastic gradient descent.
  case sgd(momentum: Double = 0, nesterov: Bool = false)
  /// Adam (Kingma and Ba, 2015); decay is added to the gradient.
  case adam(beta1: Double = 0.9, beta2: Double = 0.999, eps: Double = 1e-8)
  /// Adam with decoupled decay (Loshchilov and Hutter, 2019).
  case adamW(beta1: Double = 0.9, beta2: Double = 0.999, eps: Double = 1e-8)
  /// RMSprop (Hinton, 2012).
  case rmsProp(alpha: Double = 0.99, momentum: Double = 0, eps: Double = 1e-8)
}

/// Changes parameters by their gradients with libtorch's fused kernels.
public final class Optimizer {
  /// The rule.
  public let rule: OptimizerRule
  /// The step's length, before the factors of groups.
  public var learningRate: Double
  private let weightDecay: Double
  private let groups: [ParameterGroup]
  /// Per parameter name: the tensors that the rule keeps from step to step.
  private var slots: [String: [Tensor]] = [:]

  /// An optimizer of the parameters in `groups` that require gradients.
  public init(
    _ rule: OptimizerRule, _ groups: [ParameterGroup], learningRate: Double,
    weightDecay: Double = 0
  ) {
    self.rule = rule
    self.groups = groups
    self.learningRate = learningRate
    self.weightDecay = weightDecay
  }

  /// An optimizer of every parameter of `module` that requires gradients.
  public convenience init(
    _ rule: OptimizerRule, _ module: Module, learningRate: Double, weightDecay: Double = 0
  ) {
    self.init(
      rule, [ParameterGroup(module.parameters)], learningRate: learningRate,
      weightDecay: weightDecay)
  }

  /// Forgets the gradients of the last step.
  public func clearGradients() {
    for group in groups { for entry in group.parameters { entry.parameter.gradient = nil } }
  }

  /// Scales all gradients so that their common Euclidean norm is at most `limit`; returns the norm
  /// before.
  @discardableResult
  public func clipGradients(to limit: Double) -> Double {
    guard !gradients.isEmpty else { return 0 }
    let norms = Operator.foreachNorm.all(gradients, 2.0)
    let norm = stack(norms).norm().item
    if norm > limit { _ = Operator.foreachMul.all(gradients, limit / (norm + 1e-6)) }
    return norm
  }

  /// Multiplies all gradients by `factor`; false if any is not finite.
  public func scaleGradients(by factor: Double) -> Bool {
    guard let device = gradients.first?.device else { return true }
    let (found, inverse) = (Tensor(0).to(device), Tensor(Float(factor)).to(device))
    _ = Operator.unscale.all(gradients, found, inverse)
    return found.item == 0
  }

  private var gradients: [Tensor] {
    groups.flatMap { $0.parameters.compactMap(\.parameter.gradient) }
  }

  /// Changes every parameter that has a gradient.
  public func step() {
    withoutGradients {
      for group in groups {
        let active = group.parameters.filter { $0.parameter.gradient != nil }
        // A parameter's first step may differ from its neighbours' (a part unfrozen later).
        let fresh = active.filter { slots[$0.name] == nil }
        let known = active.filter { slots[$0.name] != nil }
        step(group, fresh, isFirst: true)
        step(group, known, isFirst: false)
      }
    }
  }

  private func step(
    _ group: ParameterGroup, _ entries: [(name: String, parameter: Parameter)], isFirst: Bool
  ) {
    guard !entries.isEmpty else { return }
    for entry in entries where slots[entry.name] == nil {
      slots[entry.name] = makeSlots(entry.parameter)
    }
    let parameters = entries.map { $0.parameter as Tensor }
    let gradients = entries.compactMap(\.parameter.gradient)
    let rate = learningRate * group.rateFactor
    let decay = group.weightDecay ?? weightDecay
    func slot(_ index: Int) -> [Tensor] { entries.compactMap { slots[$0.name]?[index] } }
    switch rule {
    case .sgd(let momentum, let nesterov):
      Operator.sgd.all(
        parameters, gradients, momentum == 0 ? [] : slot(0), decay, momentum, rate, 0.0, nesterov,
        false, isFirst)
    case .adam(let beta1, let beta2, let eps):
      Operator.addAll.all(slot(2), 1)
      Operator.adam.all(
        parameters, gradients, slot(0), slot(1), [Tensor](), slot(2), rate, beta1, beta2, decay,
        eps, false, false)
    case .adamW(let beta1, let beta2, let eps):
      Operator.addAll.all(slot(2), 1)
      Operator.adamW.all(
        parameters, gradients, slot(0), slot(1), [Tensor](), slot(2), rate, beta1, beta2, decay,
        eps, false, false)
    case .rmsProp(let alpha, let momentum, let eps):
      let decayed =
        decay == 0 ? gradients : Operator.addList.all(gradients, parameters, decay)
      Operator.mulAll.all(slot(0), alpha)
      Operator.addcmulAll.all(slot(0), decayed, decayed, 1 - alpha)
      let roots = Operator.sqrtAll.all(slot(0))
      Operator.addAll.all(roots, eps)
      if momentum == 0 {
        Operator.addcdivAll.all(parameters, decayed, roots, -rate)
      } else {
        Operator.mulAll.all(slot(1), momentum)
        Operator.addcdivAll.all(slot(1), decayed, roots, 1.0)
        Operator.addListAll.all(parameters, slot(1), -rate)
      }
    }
  }

  private func makeSlots(_ parameter: Parameter) -> [Tensor] {
    let zeros = { parameter.detached().zerosLike() }
    return switch rule {
    case .sgd(let momentum, _): momentum == 0 ? [] : [zeros()]
    case .adam, .adamW: [zeros(), zeros(), Tensor(0)]
    case .rmsProp(_, let momentum, _): momentum == 0 ? [zeros()] : [zeros(), zeros()]
    }
  }

  /// What the rule keeps from step to step, by parameter name and slot number (`conv.weight/0`).
  public var state: [(name: String, tensor: Tensor)] {
    slots.sorted { $0.key < $1.key }.flatMap { name, tensors in
      tensors.enumerated().map { ("\(name)/\($0)", $1) }
    }
  }

  /// Takes over what ``state`` gave.
  ///
  /// - Throws: ``LoadError`` if a slot is missing or of another shape; nothing is changed then.
  public func load(_ tensors: [String: Tensor]) throws {
    var report = LoadReport()
    var restored: [String: [Tensor]] = [:]
    let known = groups.flatMap(\.parameters)
    for (name, parameter) in known {
      let wanted = makeSlots(parameter)
      let given = wanted.indices.map { tensors["\(name)/\($0)"] }
      // A parameter that had no gradient yet has no slots.
      if given.allSatisfy({ $0 == nil }) { continue }
      for (index, (slot, source)) in zip(wanted, given).enumerated() {
        guard let source else {
          report.missing.append("\(name)/\(index)")
          continue
        }
        if source.shape == slot.shape {
          slot.assign(source)
          report.loaded.append("\(name)/\(index)")
        } else {
          report.mismatched.append(
            .init(name: "\(name)/\(index)", expected: slot.shape, found: source.shape))
        }
      }
      restored[name] = wanted
    }
    let names = Set(report.loaded)
    report.unexpected = tensors.keys.filter { !names.contains($0) }.sorted()
    guard report.isComplete else { throw LoadError(report: report) }
    slots = restored
  }
}

extension Operator {
  /// Calls an operator on lists as long as need be.
  @discardableResult
  fileprivate func all(_ arguments: any OperatorArgument...) -> [Tensor] {
    let first = arguments.first?.boxed
    guard case .tensors(let list)? = first else { return [] }
    return call(arguments.map(\.boxed), capacity: list.count).compactMap {
      if case .tensor(let tensor) = $0 { tensor } else { nil }
    }
  }
}
