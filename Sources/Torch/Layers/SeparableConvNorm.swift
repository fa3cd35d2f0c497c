/// A convolution of each channel by itself, then a 1×1 convolution over all channels (Chollet, 2017),
/// each with its normalization.
public final class SeparableConvNorm: Layer {
  let depthwiseConv: ConvNorm, pointwiseConv: ConvNorm

  /// A unit from `input` to `output` channels; `between` comes after the first normalization.
  public init(
    _ input: Int, _ output: Int, kernel: Int = 3, dilation: Int = 1, between: Activation = .relu
  ) {
    depthwiseConv = ConvNorm(
      input, input, kernel: kernel, dilation: dilation, groups: input, between)
    pointwiseConv = ConvNorm(input, output, kernel: 1)
  }

  public override func forward(_ x: Tensor) -> Tensor { pointwiseConv(depthwiseConv(x)) }
}
