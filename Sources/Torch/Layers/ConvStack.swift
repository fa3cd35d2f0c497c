/// Convolutions one after another, each with normalization and ReLU, numbered 0, 1, 3, 4, … like the
/// layers of torchvision's sequences.
public final class ConvStack: Layer {
  private let convs: [Conv2d], norms: [BatchNorm2d]

  /// A stack from `input` channels to each of `widths` in turn.
  ///
  /// - Parameters:
  ///   - input: The channels that come in.
  ///   - widths: The channels behind each convolution.
  ///   - kernel: The side of the kernels.
  ///   - dilation: The distance between the kernels' taps.
  ///   - firstDilation: That of the first convolution, if it has another.
  public init(
    _ input: Int, _ widths: [Int], kernel: Int = 3, dilation: Int = 1, firstDilation: Int? = nil
  ) {
    convs = zip([input] + widths, widths).enumerated().map { index, sides in
      Conv2d(
        sides.0, sides.1, kernel: kernel,
        dilation: index == 0 ? firstDilation ?? dilation : dilation, bias: false)
    }
    norms = widths.map { BatchNorm2d($0) }
  }

  /// The number of convolutions.
  public var count: Int { convs.count }

  public override var children: [(name: String, module: Module)] {
    zip(convs, norms).enumerated().flatMap { index, unit -> [(String, Module)] in
      [("\(3 * index)", unit.0), ("\(3 * index + 1)", unit.1)]
    }
  }

  public override func forward(_ x: Tensor) -> Tensor {
    var y = x
    for (conv, norm) in zip(convs, norms) { y = conv(y, norm, .relu) }
    return y
  }
}
