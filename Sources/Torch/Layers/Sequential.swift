/// Layers applied one after another, named by their number unless they are given a name.
open class Sequential: Layer {
  /// The layers with their names, in order.
  public private(set) final var layers: [(name: String, layer: Layer)] = []

  /// The layers that the block lists, in order; `if` and `for` are welcome.
  public init(@LayerBuilder _ layers: () -> [Layer] = { [] }) {
    super.init()
    for layer in layers() { append(layer) }
  }

  /// Adds a layer to the end.
  public final func append(_ layer: Layer, as name: String? = nil) {
    layers.append((name ?? "\(layers.count)", layer))
  }

  /// The layer at `index`.
  public final subscript(index: Int) -> Layer { layers[index].layer }
  /// The layer called `name`.
  public final subscript(name: String) -> Layer? { layers.first { $0.name == name }?.layer }
  /// The number of layers.
  public final var count: Int { layers.count }

  open override var children: [(name: String, module: Module)] {
    super.children + layers.map { ($0.name, $0.layer) }
  }

  open override func forward(_ x: Tensor) -> Tensor { applied(0..<count, to: x) }

  /// What the layers at `range` make of `x`; a convolution or a matrix with what follows it is one unit.
  public final func applied(_ range: Range<Int>, to x: Tensor) -> Tensor {
    var x = x
    var index = range.lowerBound
    func next<T: Layer>(_ type: T.Type) -> T? {
      guard index < range.upperBound, let layer = self[index] as? T else { return nil }
      index += 1
      return layer
    }
    while index < range.upperBound {
      if let conv = next(Conv2d.self) {
        let norm = next(BatchNorm2d.self)
        x = conv(x, norm, next(ActivationLayer.self)?.activation ?? .none)
      } else if let matrix = next(Linear.self) {
        x = matrix(x, adding: nil, next(ActivationLayer.self)?.activation ?? .none)
      } else if let layer = next(Layer.self) {
        x = layer(x)
      }
    }
    return x
  }
}

/// Collects layers, with `if` and `for`, for ``Sequential``.
@resultBuilder
public enum LayerBuilder {
  /// A layer stands for itself.
  public static func buildExpression(_ layer: Layer) -> [Layer] { [layer] }
  /// Layers one after another.
  public static func buildBlock(_ parts: [Layer]...) -> [Layer] { parts.flatMap { $0 } }
  /// The layers of an `if` without `else`.
  public static func buildOptional(_ part: [Layer]?) -> [Layer] { part ?? [] }
  /// The layers of a branch.
  public static func buildEither(first part: [Layer]) -> [Layer] { part }
  /// The layers of a branch.
  public static func buildEither(second part: [Layer]) -> [Layer] { part }
  /// The layers of a loop.
  public static func buildArray(_ parts: [[Layer]]) -> [Layer] { parts.flatMap { $0 } }
}

/// A layer without parameters, given by a function.
public final class Function: Layer {
  private let apply: (Tensor) -> Tensor

  /// The layer that applies `apply`.
  public init(_ apply: @escaping (Tensor) -> Tensor) { self.apply = apply }

  public override func forward(_ x: Tensor) -> Tensor { apply(x) }
}

/// A layer that changes nothing, in the place of one that a variant lacks.
public final class Identity: Layer {
  public override func forward(_ x: Tensor) -> Tensor { x }
}
