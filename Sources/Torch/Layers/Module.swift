import CTorch

/// A tensor that training changes and a state dictionary keeps.
public final class Parameter: Tensor, @unchecked Sendable {
  /// A parameter with the memory of `tensor`, which training changes.
  public convenience init(_ tensor: Tensor) {
    self.init(adopting: tensor.handle.map { ct_alias($0) })
    requiresGrad = true
  }

  /// A parameter of `shape` filled with `value`.
  public convenience init(_ value: Float, _ shape: [Int]) {
    self.init(filledWith: value, shape)
    requiresGrad = true
  }

  /// Whether only the shape is left, as the kernels of a runner have the elements.
  public private(set) var isReleased = false

  /// Gives the memory back.
  ///
  /// From now on every element is the same NaN, and layers refuse it.
  package func release() {
    guard !isReleased else { return }
    adopt(withoutGradients { Tensor(.nan).to(dtype).expanded(shape) })
    isReleased = true
  }

  /// Fails for an operation that needs the elements where they were given back.
  package func check(for operation: String) {
    // Shapes alone need no elements.
    if isReleased, DoorScope.current?.isWithoutMaps != true {
      Door.fail(
        operation, "the weights were given back when the network was prepared for inference")
    }
  }

  /// Takes memory again, whose elements are not set.
  func restore() {
    guard isReleased else { return }
    adopt(Tensor(uninitialized: shape, dtype))
    isReleased = false
  }
}

/// A tensor that a state dictionary keeps and training leaves to its layer.
public final class Buffer: Tensor, @unchecked Sendable {
  /// Whether nothing ever changes it, so that files need not have it.
  public private(set) var isConstant = false

  /// A buffer with the memory of `tensor`.
  public convenience init(_ tensor: Tensor, isConstant: Bool = false) {
    self.init(adopting: tensor.handle.map { ct_alias($0) })
    self.isConstant = isConstant
  }

  /// A buffer of `shape` filled with `value`.
  public convenience init(_ value: Float, _ shape: [Int]) { self.init(filledWith: value, shape) }
}

/// A part of a network that holds parameters, buffers and other modules.
///
/// Its stored properties are its parts, and a part's name is the property's name in snake case, so
/// that `let auxClassifier: FCNHead` is `aux_classifier` as in PyTorch and a checkpoint loads by
/// name without a table. Arrays number their elements. ``keys`` names the exceptions.
open class Module {
  /// Whether the module behaves as it does in training.
  public private(set) var isTraining = true

  /// Whether training leaves the module as it is, running statistics included.
  public private(set) var isFrozen = false

  /// A module without parts; subclasses declare theirs as stored properties.
  public init() {}

  /// State-dictionary names of properties whose name in snake case is not theirs.
  open var keys: [String: String] { [:] }

  /// The modules directly inside this one, in order of declaration.
  ///
  /// What is inside a module without a name is named as if it were inside this one.
  open var children: [(name: String, module: Module)] {
    properties.flatMap { name, value -> [(String, Module)] in
      switch value {
      case let module as Module: [(name, module)]
      case let list as [Module]: list.enumerated().map { ("\(name).\($0)", $1) }
      default: []
      }
    }
  }

  /// Every parameter and buffer by its dotted name, in PyTorch's order.
  public final var state: [(name: String, tensor: Tensor)] {
    var result: [(String, Tensor)] = []
    collectState(prefix: "", into: &result)
    return result
  }

  private func collectState(prefix: String, into result: inout [(String, Tensor)]) {
    let own = properties.flatMap { name, value -> [(String, Tensor)] in
      switch value {
      case let tensor as Tensor: [(name, tensor)]
      case let list as [Parameter]: list.enumerated().map { ("\(name).\($0)", $1) }
      default: []
      }
    }
    result += own.filter { $0.1 is Parameter }.map { (prefix + $0.0, $0.1) }
    result += own.filter { $0.1 is Buffer }.map { (prefix + $0.0, $0.1) }
    for child in children {
      child.module.collectState(
        prefix: child.name.isEmpty ? prefix : "\(prefix)\(child.name).", into: &result)
    }
  }

  /// Every parameter by its dotted name, in PyTorch's order; one that has several goes by the first.
  public final var parameters: [(name: String, parameter: Parameter)] {
    var seen = Set<ObjectIdentifier>()
    return state.compactMap { entry in
      guard let parameter = entry.tensor as? Parameter,
        seen.insert(ObjectIdentifier(parameter)).inserted
      else { return nil }
      return (entry.name, parameter)
    }
  }

  /// This module and all inside it by dotted name; its own name is empty.
  public final var modules: [(name: String, module: Module)] {
    var result: [(String, Module)] = [("", self)]
    for child in children {
      result += child.module.modules.map { entry in
        ([child.name, entry.name].filter { !$0.isEmpty }.joined(separator: "."), entry.module)
      }
    }
    return result
  }

  /// Puts this module and all inside it in training or evaluation mode.
  ///
  /// What is frozen stays in evaluation mode.
  @discardableResult
  public final func train(_ on: Bool = true) -> Self {
    if on, !isTraining, let missing = parameters.first(where: \.parameter.isReleased) {
      Door.fail(
        "train", "\(missing.name) was given back when the network was prepared for inference")
      return self
    }
    isTraining = on && !isFrozen
    for child in children { child.module.train(on) }
    return self
  }

  /// Gives weights that were given back memory again, for others to be loaded.
  package final func makeLoadable() {
    for (_, parameter) in parameters { parameter.restore() }
  }

  /// Keeps training from changing this module: its parameters and its running statistics.
  public final func freeze() {
    for entry in parameters { entry.parameter.requiresGrad = false }
    for entry in modules {
      entry.module.isFrozen = true
      entry.module.isTraining = false
    }
  }

  /// Moves every parameter and buffer to `device`.
  public final func move(to device: Device) {
    for entry in state where entry.tensor.device != device {
      entry.tensor.adopt(withoutGradients { entry.tensor.to(device) })
    }
  }

  /// Lays the weights of convolutions out for features in channels-last order.
  public final func useChannelsLast() {
    for entry in state where entry.tensor.rank == 4 {
      entry.tensor.adopt(withoutGradients { entry.tensor.contiguous(.channelsLast) })
    }
  }

  /// The stored properties by state-dictionary name, the superclass's first.
  private var properties: [(name: String, value: Any)] {
    var levels: [[(String, Any)]] = []
    var mirror: Mirror? = Mirror(reflecting: self)
    let keys = self.keys
    while let level = mirror, level.subjectType != Module.self {
      levels.append(
        level.children.compactMap { child in
          child.label.map { (keys[$0] ?? $0.snakeCased, child.value) }
        })
      mirror = level.superclassMirror
    }
    return levels.reversed().flatMap { $0 }
  }
}

extension String {
  /// `auxClassifier` as `aux_classifier`.
  var snakeCased: String {
    reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }
}

/// A module that maps one tensor to another.
open class Layer: Module {
  /// Whether the layer's input only is kept for gradients, and the layer run again for them.
  public internal(set) final var recomputes = false

  /// What the layer makes of `x`.
  open func forward(_ x: Tensor) -> Tensor { fatalError("\(Self.self) has no forward") }

  /// What the layer makes of `x`.
  public final func callAsFunction(_ x: Tensor) -> Tensor {
    recomputes ? Recomputation.run([x]) { [self] in forward($0[0]) } : forward(x)
  }
}
