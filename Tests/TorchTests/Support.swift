import Torch

/// Numbers from a normal distribution.
func noise(_ shape: [Int]) -> Tensor {
  let x = Tensor(uninitialized: shape)
  x.drawNormal()
  return x
}

/// The root of the mean squared difference in deviations of `b`.
func error(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  let (a, b) = (a.to(.float64), b.to(.float64))
  let difference = a - b
  return
    ((difference * difference).mean().item / max((b * b).mean().item, 1e-30)).squareRoot()
}
