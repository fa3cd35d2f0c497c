import Graphs
import TestSupport
import Torch

/// A runner of `body` that leaves the weights where they are.
func runner(_ module: Module, _ body: @escaping (Tensor) -> Tensor) -> Runner {
  Runner(module, .init(keepsWeights: true), body)
}

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

extension ConvolutionCase {
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
