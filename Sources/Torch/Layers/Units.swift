// Layers without parameters are functions that read like the layers beside them.
// swift-format-ignore-file: AlwaysUseLowerCamelCase

/// A function applied element by element after a convolution or a normalization.
public enum Activation: String, Sendable, CaseIterable {
  case none, relu, relu6, hardswish, hardsigmoid, gelu, sigmoid, silu

  /// The function's value at each element of `x`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .none: x
    case .relu: x.relu()
    case .relu6: x.relu6()
    case .hardswish: x.hardswish()
    case .hardsigmoid: x.hardsigmoid()
    case .gelu: x.gelu()
    case .sigmoid: x.sigmoid()
    case .silu: x.silu()
    }
  }

  /// The same, written over `x` where that keeps gradients right: `x` is a fresh result of a
  /// convolution, a normalization or a sum, none of which needs it again.
  func fresh(_ x: Tensor) -> Tensor { self == .relu ? x.reluInPlace() : self(x) }

  /// The function as a layer of a ``Sequential``.
  public var layer: Layer { ActivationLayer(self) }
}

/// An activation as a layer.
final class ActivationLayer: Layer {
  let activation: Activation

  init(_ activation: Activation) { self.activation = activation }

  override func forward(_ x: Tensor) -> Tensor { activation(x) }
}

extension Conv2d {
  /// The unit that most networks are made of: convolution, normalization, sum with a shortcut,
  /// activation.
  ///
  /// `before` comes first with a ReLU, the pre-activation of dense networks, or `scale`
  /// (N, C, 1, 1) as a factor of each channel.
  public func callAsFunction(
    _ x: Tensor, after before: BatchNorm2d? = nil, scaledBy scale: Tensor? = nil,
    _ norm: Layer? = nil, adding shortcut: Tensor? = nil, _ activation: Activation = .none
  ) -> Tensor {
    let x = before.map { $0.trainedUnit(x) ?? Activation.relu.fresh($0(x)) } ?? x
    var y = forward(scale.map { $0 * x } ?? x)
    if let norm = norm as? BatchNorm2d, activation == .relu || activation == .none,
      let result = norm.trainedUnit(y, adding: shortcut, rectifies: activation == .relu)
    {
      return result
    }
    if let norm { y = norm(y) }
    if let shortcut { y = y + shortcut }
    return activation.fresh(y)
  }
}

extension Linear {
  /// The product, the sum with a shortcut and an activation.
  public func callAsFunction(
    _ x: Tensor, adding shortcut: Tensor?, _ activation: Activation = .none
  ) -> Tensor {
    var y = forward(x)
    if let shortcut { y = shortcut + y }
    return activation.fresh(y)
  }
}

/// A convolution, a normalization and an activation, numbered 0, 1, 2 as in torchvision.
public final class ConvNorm: Layer {
  /// The convolution, without a bias unless that was asked for.
  public let conv: Conv2d
  /// The normalization.
  public let norm: Layer
  let activation: Activation

  public override var keys: [String: String] { ["conv": "0", "norm": "1"] }

  /// A unit from `input` to `output` channels.
  public init(
    _ input: Int, _ output: Int, kernel: Int = 3, stride: Int = 1, padding: Int? = nil,
    endPadding: Int = 0, padsBySize: Bool = false, dilation: Int = 1, groups: Int = 1,
    eps: Double = 1e-5, momentum: Double = 0.1, bias: Bool = false,
    _ activation: Activation = .relu
  ) {
    conv = Conv2d(
      input, output, kernel: kernel, stride: stride, padding: padding, endPadding: endPadding,
      padsBySize: padsBySize, dilation: dilation, groups: groups, bias: bias)
    norm = BatchNorm2d(output, eps: eps, momentum: momentum)
    self.activation = activation
  }

  public override func forward(_ x: Tensor) -> Tensor { conv(x, norm, activation) }

  /// Sets the normalization's scale to 0, so that the unit gives 0 until training changes that.
  public func zeroScale() { (norm as? BatchNorm2d)?.weight.fill(0) }
}

/// max(x, 0) as a layer.
public func ReLU() -> Layer { Activation.relu.layer }
/// The largest value of each window as a layer.
public func MaxPool2d(_ kernel: Int, stride: Int, padding: Int = 0) -> Layer {
  Function { $0.maxPool2d(kernel, stride: stride, padding: padding) }
}
/// The mean of each window as a layer.
public func AvgPool2d(_ kernel: Int) -> Layer { Function { $0.avgPool2d(kernel) } }
/// The mean over all positions as a layer.
public func GlobalAvgPool2d() -> Layer { Function { $0.globalAvgPool2d() } }
/// All dimensions but the first as one, as a layer.
public func Flatten() -> Layer { Function { $0.flattened(from: 1) } }
