import Torch

/// The first convolution's weights for images of any number of bands, of weights for red, green and blue.
///
/// Band k gets the weights of colour k mod 3, times 3 over the number of bands, so that an image whose bands are
/// all alike gives what a grey picture gave; one band alone gets the sum of the three. It is the rule of timm
/// (`adapt_input_conv`) and of segmentation_models.pytorch (`patch_first_conv`).
struct WidenedInput {
  /// The bands of the images.
  let bands: Int

  /// What widens a tensor that has another shape than the first convolution of `module`; nil for anything else.
  init?(_ mismatch: LoadReport.Mismatch, of module: Module) {
    let (expected, found) = (mismatch.expected, mismatch.found)
    let first = module.parameters.first { $0.parameter.shape.count == 4 }
    guard expected.count == 4, found.count == 4, found[1] == 3, expected[1] != 3,
      expected[0] == found[0], expected[2...] == found[2...], first?.name == mismatch.name
    else { return nil }
    bands = expected[1]
  }

  /// The weights (outputs, bands, h, w) of weights (outputs, 3, h, w).
  func callAsFunction(_ weights: Tensor) -> Tensor {
    guard bands > 1 else { return weights.sum([1], keep: true) }
    let parts = (0..<bands).map { weights.sliced(1, $0 % 3, $0 % 3 + 1) }
    return concatenate(parts, along: 1) * (3 / Double(bands))
  }
}
