/// A convolution of each channel by itself, then a 1×1 convolution over all channels (Chollet, 2017),
/// each with its normalization; or the second alone with one.
public final class SeparableConvNorm: Layer {
  let depthwiseConv: Layer, pointwiseConv: ConvNorm

  /// A unit from `input` to `output` channels; `between` comes after the first normalization, and
  /// `isBare` leaves that out.
  public init(
    _ input: Int, _ output: Int, kernel: Int = 3, dilation: Int = 1, between: Activation = .relu,
    isBare: Bool = false
  ) {
    depthwiseConv =
      isBare
      ? Conv2d(
        input, input, kernel: kernel, dilation: dilation, groups: input, bias: false)
      : ConvNorm(input, input, kernel: kernel, dilation: dilation, groups: input, between)
    pointwiseConv = ConvNorm(input, output, kernel: 1)
  }

  public override func forward(_ x: Tensor) -> Tensor { pointwiseConv(depthwiseConv(x)) }
}
