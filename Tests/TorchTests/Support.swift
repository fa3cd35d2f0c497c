import Testing
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

/// Expects that the 1×1 kernels `packed` make `sums` of `x`, up to what sums of type float32 round: with an
/// addend and an activation, and of some channels of a larger map.
func expectProducts(
  of x: Tensor, _ packed: Tensor, bias: Tensor, stride: Int, toBe sums: Tensor,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let convolve = Operator("convolution", namespace: "atrous")
  let (inputs, outputs) = (x.size(1), sums.size(1))
  let addend = noise(sums.shape)
  let y = convolve(
    x, packed, outputs, 1, stride, 1, Tensor?.none, Tensor?.none, false, bias, addend, "relu")
  #expect(
    error(y, (sums + addend.to(.float64)).relu()) < 2e-6, sourceLocation: sourceLocation)
  let larger = concatenate([noise(x.shape), x]).contiguous(.channelsLast)
  let part = convolve(
    larger.sliced(1, inputs, 2 * inputs), packed, outputs, 1, stride, 1, Tensor?.none,
    Tensor?.none, false, bias, Tensor?.none, "none")
  #expect(error(part, sums) < 2e-6, sourceLocation: sourceLocation)
}
