/// Layers of which each sees the maps of all before it (Huang et al., 2017), in the form in which training
/// runs them as one operator.
public struct DenseCascade {
  /// A normalization with a ReLU and a 1×1 convolution, and the same with a 3×3 convolution.
  public struct Step {
    let norm1: BatchNorm2d, conv1: Conv2d, norm2: BatchNorm2d, conv2: Conv2d

    /// A step of these layers, in their order.
    public init(_ norm1: BatchNorm2d, _ conv1: Conv2d, _ norm2: BatchNorm2d, _ conv2: Conv2d) {
      (self.norm1, self.conv1, self.norm2, self.conv2) = (norm1, conv1, norm2, conv2)
    }

    /// Whether the operator has a form for the step.
    fileprivate var isTrainable: Bool {
      let convs = [conv1, conv2]
      return norm2.isTraining && norm2.group == nil
        && convs.allSatisfy { $0.isTraining && $0.isTrainable && $0.bias == nil }
        && conv1.kernel == 1 && conv1.stride == 1 && conv2.kernel == 3
    }
  }

  private let steps: [Step], prepends: Bool

  /// A cascade of `steps`, whose channels go before those that are there already if `prepends`.
  public init(_ steps: [Step], prepends: Bool = false) {
    (self.steps, self.prepends) = (steps, prepends)
  }

  /// The channels of `x` and of all steps, or nil where training runs the layers one by one.
  ///
  /// All steps write to one map and keep their 1×1 convolutions' outputs for gradients.
  public func trained(_ x: Tensor) -> Tensor? {
    guard let first = steps.first, first.norm1.trainsOnBatch(x),
      steps.allSatisfy({
        $0.isTrainable && $0.norm1.isTraining && $0.norm1.group == nil
          && $0.conv2.outputs == first.conv2.outputs
      })
    else { return nil }
    let norms = steps.flatMap { [$0.norm1, $0.norm2] }
    let tracks = norms.map { $0.countBatch() }.allSatisfy { $0 }
    let parameters: [Tensor] = steps.flatMap {
      [
        $0.norm1.weight, $0.norm1.bias, $0.conv1.weight, $0.norm2.weight, $0.norm2.bias,
        $0.conv2.weight,
      ]
    }
    let statistics: [Tensor] = norms.flatMap { [$0.runningMean, $0.runningVar] }
    return Operator.cascade(
      x, parameters, tracks ? statistics : [], steps.map(\.conv2.dilation),
      norms.map(\.momentum), norms.map(\.eps), prepends)
  }
}

extension Operator {
  fileprivate static let cascade = Operator("trained_cascade", namespace: "atrous")
}
