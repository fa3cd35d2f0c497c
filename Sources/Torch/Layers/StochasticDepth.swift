/// Leaves out a whole branch for some images of a batch while training (Huang et al., 2016).
public final class StochasticDepth: Layer {
  /// The share of images for which the branch is left out; 0 turns the layer off.
  public var probability: Double

  /// A layer that leaves its branch out with this probability.
  public init(_ probability: Double) { self.probability = probability }

  public override func forward(_ x: Tensor) -> Tensor {
    guard isTraining && probability > 0 else { return x }
    let ones = Tensor(filledWith: 1, [x.size(0)] + x.shape.dropFirst().map { _ in 1 })
    return x * ones.to(x.device).to(x.dtype).dropout(probability)
  }
}
