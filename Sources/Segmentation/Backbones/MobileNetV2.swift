import Configuration
import Torch

/// A MobileNetV2 (Sandler et al., 2018), with the output stride set by dilation.
///
/// Names are those of torchvision's `mobilenet_v2.features`.
public final class MobileNetV2: MobileNetwork {
  /// The paper's Table 2: expansion, channels, repetitions, stride of the first.
  private static let table = [
    (t: 1, c: 16, n: 1, s: 1),
    (t: 6, c: 24, n: 2, s: 2),
    (t: 6, c: 32, n: 3, s: 2),
    (t: 6, c: 64, n: 4, s: 2),
    (t: 6, c: 96, n: 3, s: 1),
    (t: 6, c: 160, n: 3, s: 2),
    (t: 6, c: 320, n: 1, s: 1),
  ]

  /// The convolutional part of a MobileNetV2.
  ///
  /// - Parameters:
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: how many of the five resolutions to keep.
  ///   - inputChannels: the channels of the image.
  public init(outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3) {
    var input = 32
    var rows: [InvertedResidual.Row] = []
    for (t, c, n, s) in Self.table {
      for index in 0..<n {
        rows.append(.init(expanded: t * input, output: c, stride: index == 0 ? s : 1))
        input = c
      }
    }
    super.init(
      Plan(stem: 32, last: 1280, rows: rows, activation: .relu6, names: .ofMobileNetV2),
      outputStride: outputStride, cut: cut, inputChannels: inputChannels)
  }
}

extension MobileNetV2 {
  /// `mobilenet_v2`.
  static let entries = [
    "mobilenet_v2": BackboneEntry { options, section in
      MobileNetV2(
        outputStride: options.outputStride, cut: try section.optionalInt("cut", in: 1...5),
        inputChannels: options.inputChannels)
    }
  ]
}
