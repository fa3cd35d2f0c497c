import TestSupport
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

/// The largest difference relative to the largest value; what is no number is no match.
func largestError(_ a: Tensor?, _ b: Tensor?) -> Double {
  guard let a, let b, a.shape == b.shape else { return .infinity }
  let (found, expected) = (a.to(.float64), b.to(.float64))
  let difference = (found - expected).reshaped(-1)
  let largest = (expected * expected).reshaped(-1).largest(1).item.squareRoot()
  let error = (difference * difference).largest(1).item.squareRoot()
  return error.isNaN ? .infinity : error / max(largest, 1e-30)
}

/// What `function` gives and the gradients of its inputs.
func gradients(
  of inputs: [Tensor], _ gradient: Tensor, _ function: ([Tensor]) -> Tensor
) -> [Tensor?] {
  let leaves = inputs.map { $0.detached() }
  for leaf in leaves { leaf.requiresGrad = true }
  let y = function(leaves)
  y.backward(gradient.to(y.dtype))
  return [y.detached()] + leaves.map(\.gradient)
}

extension ConvolutionCase {
  /// The convolution by packed kernels of an instruction set, the best if none is named.
  func packed(_ weight: Tensor, _ bias: Tensor?, _ build: String = "") -> (Tensor) -> Tensor {
    let convolve = Operator("convolution", namespace: "atrous")
    let kernels = Operator("pack", namespace: "atrous")(weight, build)
    return { x in
      convolve(
        x, kernels, outputs, kernel, stride, rate, Tensor?.none, Tensor?.none, false, bias,
        Tensor?.none, "none")
    }
  }

  /// A map for it.
  var image: Tensor { noise([images, inputs, height, width]) }

  /// Kernels for it.
  var weight: Tensor { noise([outputs, inputs / groups, kernel, kernel]) }

  /// The layer.
  var layer: Conv2d {
    Conv2d(
      inputs, outputs, kernel: kernel, stride: stride, padding: padding, endPadding: endPadding,
      dilation: rate, groups: groups)
  }

  /// The direct sum, computed by libtorch in the type of `x`.
  func sum(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    (endPadding > 0 ? x.padded([0, endPadding, 0, endPadding]) : x).conv2d(
      weight.to(x.dtype), bias: bias?.to(x.dtype), stride: [stride, stride],
      padding: [padding, padding], dilation: [rate, rate], groups: groups)
  }
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
