extension Operator {
  fileprivate static let relu = Operator("relu")
  fileprivate static let reluIn = Operator("relu_")
  fileprivate static let relu6 = Operator("hardtanh")
  fileprivate static let hardswish = Operator("hardswish")
  fileprivate static let hardsigmoid = Operator("hardsigmoid")
  fileprivate static let gelu = Operator("gelu")
  fileprivate static let sigmoid = Operator("sigmoid")
  fileprivate static let silu = Operator("silu")
  fileprivate static let tanh = Operator("tanh")
  fileprivate static let softmax = Operator("softmax", "int")
  fileprivate static let logSoftmax = Operator("log_softmax", "int")
  fileprivate static let bilinear = Operator("upsample_bilinear2d")
  fileprivate static let bicubic = Operator("upsample_bicubic2d")
  fileprivate static let nearest = Operator("upsample_nearest2d")
  fileprivate static let conv2d = Operator("conv2d")
  fileprivate static let convTransposed = Operator("conv_transpose2d", "input")
  fileprivate static let linear = Operator("linear")
  fileprivate static let maxPool = Operator("max_pool2d")
  fileprivate static let avgPool = Operator("avg_pool2d")
  fileprivate static let adaptiveAvgPool = Operator("adaptive_avg_pool2d")
  fileprivate static let batchNorm = Operator("batch_norm")
  fileprivate static let layerNorm = Operator("layer_norm")
  fileprivate static let groupNorm = Operator("group_norm")
  fileprivate static let dropout = Operator("dropout")
  fileprivate static let featureDropout = Operator("feature_dropout")
  fileprivate static let attention = Operator("scaled_dot_product_attention")
  fileprivate static let nllLoss = Operator("nll_loss_nd")
}

/// Activations.
extension Tensor {
  /// max(x, 0).
  public final func relu() -> Tensor { Operator.relu(self) }
  /// max(x, 0), written over this tensor.
  @discardableResult
  public final func reluInPlace() -> Tensor { Operator.reluIn(self) }
  /// min(max(x, 0), 6).
  public final func relu6() -> Tensor { Operator.relu6(self, 0.0, 6.0) }
  /// x · relu6(x + 3) / 6 (Howard et al., 2019).
  public final func hardswish() -> Tensor { Operator.hardswish(self) }
  /// relu6(x + 3) / 6.
  public final func hardsigmoid() -> Tensor { Operator.hardsigmoid(self) }
  /// x · Φ(x), with Φ the normal distribution.
  public final func gelu() -> Tensor { Operator.gelu(self) }
  /// 1 / (1 + e⁻ˣ).
  public final func sigmoid() -> Tensor { Operator.sigmoid(self) }
  /// x · sigmoid(x).
  public final func silu() -> Tensor { Operator.silu(self) }
  /// The hyperbolic tangent.
  public final func tanh() -> Tensor { Operator.tanh(self) }
  /// Exponentials divided by their sum along `dimension`.
  public final func softmax(_ dimension: Int) -> Tensor {
    Operator.softmax(self, dimension, DType?.none)
  }
  /// The logarithm of ``softmax(_:)``.
  public final func logSoftmax(_ dimension: Int) -> Tensor {
    Operator.logSoftmax(self, dimension, DType?.none)
  }
}

/// How images are resized.
public enum Interpolation: String, Sendable, CaseIterable {
  case nearest, bilinear, bicubic
}

/// Images and features of shape (N, C, H, W).
extension Tensor {
  /// Resized to `height` rows and `width` columns.
  ///
  /// With `alignCorners` the centres of the corner pixels stay where they are, otherwise the edges
  /// do.
  public final func resized(
    height: Int, width: Int, _ interpolation: Interpolation = .bilinear, alignCorners: Bool = false
  ) -> Tensor {
    if height == self.height && width == self.width && rank == 4 { return self }
    return switch interpolation {
    case .nearest: Operator.nearest(self, [height, width])
    case .bilinear: Operator.bilinear(self, [height, width], alignCorners)
    case .bicubic: Operator.bicubic(self, [height, width], alignCorners)
    }
  }

  /// Resized bilinearly by `factor`, to whole rows and columns at most; neighbours of the result lie
  /// 1 / factor apart even where that leaves a rest.
  public final func resized(by factor: Double) -> Tensor {
    let (height, width) = (Int(Double(height) * factor), Int(Double(width) * factor))
    return Operator.bilinear(
      self, [Swift.max(1, height), Swift.max(1, width)], false, factor, factor)
  }

  /// Resized bilinearly to the rows and columns of `other`.
  public final func resized(like other: Tensor, alignCorners: Bool = false) -> Tensor {
    resized(height: other.height, width: other.width, alignCorners: alignCorners)
  }

  /// Convolved with `weight` (out, in / groups, kH, kW).
  public final func conv2d(
    _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    dilation: [Int] = [1, 1], groups: Int = 1
  ) -> Tensor {
    Operator.conv2d(self, weight, bias, stride, padding, dilation, groups)
  }

  /// The transpose of a convolution with `weight` (in, out / groups, kH, kW).
  public final func convTransposed2d(
    _ weight: Tensor, bias: Tensor? = nil, stride: [Int] = [1, 1], padding: [Int] = [0, 0],
    outputPadding: [Int] = [0, 0], groups: Int = 1, dilation: [Int] = [1, 1]
  ) -> Tensor {
    Operator.convTransposed(
      self, weight, bias, stride, padding, outputPadding, groups, dilation)
  }

  /// Multiplied by the matrix `weight` (out, in) along the last dimension.
  public final func linear(_ weight: Tensor, bias: Tensor? = nil) -> Tensor {
    Operator.linear(self, weight, bias)
  }

  /// The largest value of each window.
  public final func maxPool2d(
    _ kernel: Int, stride: Int, padding: Int = 0, dilation: Int = 1, ceil: Bool = false
  ) -> Tensor {
    Operator.maxPool(
      self, [kernel, kernel], [stride, stride], [padding, padding], [dilation, dilation], ceil)
  }

  /// The mean of each window, zeros of the padding included; with `ceil` windows that the map's end
  /// cuts short are taken too.
  public final func avgPool2d(
    _ kernel: Int, stride: Int? = nil, padding: Int = 0, ceil: Bool = false
  ) -> Tensor {
    let stride = stride ?? kernel
    return Operator.avgPool(self, [kernel, kernel], [stride, stride], [padding, padding], ceil)
  }

  /// The mean of each window of so many rows and columns, one position apart and all inside of the map.
  public final func meanPool2d(height: Int, width: Int) -> Tensor {
    Operator.avgPool(self, [height, width], [1, 1], [0, 0], false)
  }

  /// The means of `height` × `width` windows that cover the image.
  public final func adaptiveAvgPool2d(height: Int, width: Int) -> Tensor {
    Operator.adaptiveAvgPool(self, [height, width])
  }

  /// The mean over all positions, kept as 1 × 1.
  public final func globalAvgPool2d() -> Tensor { mean([2, 3], keep: true) }

  /// Normalized by the statistics of the batch or by running ones, which training updates.
  public final func batchNorm(
    weight: Tensor?, bias: Tensor?, runningMean: Tensor?, runningVar: Tensor?, training: Bool,
    momentum: Double, eps: Double
  ) -> Tensor {
    Operator.batchNorm(
      self, weight, bias, runningMean, runningVar, training, momentum, eps, false)
  }

  /// Normalized over the last dimensions, of the lengths `shape`.
  public final func layerNorm(_ shape: [Int], weight: Tensor?, bias: Tensor?, eps: Double) -> Tensor
  {
    Operator.layerNorm(self, shape, weight, bias, eps)
  }

  /// Normalized over groups of channels.
  public final func groupNorm(_ groups: Int, weight: Tensor?, bias: Tensor?, eps: Double) -> Tensor
  {
    Operator.groupNorm(self, groups, weight, bias, eps)
  }

  /// With elements, or with whole channels, set to zero at random with probability `p`.
  public final func dropout(_ p: Double, channels: Bool = false) -> Tensor {
    channels ? Operator.featureDropout(self, p, true) : Operator.dropout(self, p, true)
  }

  /// softmax(q kᵀ · scale + mask) v, of (N, heads, tokens, width); the scale is 1/√width by default.
  public final func attention(
    _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, scale: Double? = nil
  ) -> Tensor {
    Operator.attention(self, key, value, mask, 0.0, false, scale)
  }

  /// The negative of these log-probabilities (N, K, H, W) at the classes `target` (N, H, W), summed
  /// over the pixels that are not `ignoreIndex`.
  public final func negativeLogLikelihoodSum(
    _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int
  ) -> Tensor {
    Operator.nllLoss(self, target, weight, 2, ignoreIndex)
  }
}
