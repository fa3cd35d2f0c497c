/// A convolution and the map that it meets, in numbers: correctness, gradients, plans and timing go through
/// the same ones.
package struct ConvolutionCase: Sendable, Hashable, CustomStringConvertible {
  package var inputs: Int, outputs: Int
  package var kernel = 3, stride = 1, rate = 1, groups = 1
  /// Zeros below and to the right beyond the padding.
  package var endPadding = 0
  package var height: Int, width: Int, images = 1

  /// What keeps the size of the map where there is no stride.
  package var padding: Int { rate * (kernel - 1) / 2 }

  package var description: String {
    "\(inputs)→\(outputs), \(kernel)×\(kernel), stride \(stride), rate \(rate),"
      + " \(images)×\(height)×\(width)" + (groups > 1 ? ", \(groups) groups" : "")
  }

  private static func depthwise(
    _ channels: Int, kernel: Int = 3, stride: Int = 1, rate: Int = 1, endPadding: Int = 0,
    height: Int, width: Int, images: Int = 1
  ) -> ConvolutionCase {
    ConvolutionCase(
      inputs: channels, outputs: channels, kernel: kernel, stride: stride, rate: rate,
      groups: channels, endPadding: endPadding, height: height, width: width, images: images)
  }

  /// Few kernels, and more tiles than are taken at once, cut ones among them.
  package static let manyTiles = ConvolutionCase(
    inputs: 20, outputs: 37, height: 61, width: 47, images: 2)

  package static let all: [ConvolutionCase] = [
    manyTiles,
    // Every kind of tile: whole maps and sub-images of 1 to 14 pixels, the last ones cut.
    .init(inputs: 16, outputs: 16, height: 1, width: 14),
    .init(inputs: 17, outputs: 19, height: 2, width: 13, images: 2),
    .init(inputs: 33, outputs: 16, rate: 2, height: 9, width: 12),
    .init(inputs: 16, outputs: 70, rate: 3, height: 17, width: 31),
    .init(inputs: 17, outputs: 35, rate: 4, height: 9, width: 20),
    .init(inputs: 20, outputs: 16, rate: 5, height: 11, width: 9),
    // Taps that meet the map nowhere.
    .init(inputs: 20, outputs: 16, rate: 36, height: 5, width: 6, images: 2),
    .init(inputs: 24, outputs: 24, rate: 36, height: 20, width: 61),
    // The most inputs that one slice has, more than that, more outputs than a thread's share.
    .init(inputs: 256, outputs: 70, rate: 7, height: 30, width: 25),
    .init(inputs: 290, outputs: 40, rate: 2, height: 19, width: 26),
    .init(inputs: 272, outputs: 250, rate: 2, height: 13, width: 12),
    .init(inputs: 270, outputs: 16, height: 6, width: 25),
    .init(inputs: 16, outputs: 300, height: 7, width: 8),
    .init(inputs: 32, outputs: 48, height: 45, width: 40, images: 2),
    // Other sizes, which libtorch or oneDNN computes.
    .init(inputs: 16, outputs: 16, stride: 2, height: 11, width: 8),
    .init(inputs: 3, outputs: 8, kernel: 7, stride: 2, height: 21, width: 16),
    // Single pixels.
    .init(inputs: 5, outputs: 3, kernel: 1, height: 7, width: 5),
    .init(inputs: 12, outputs: 20, kernel: 1, height: 1, width: 1),
    .init(inputs: 530, outputs: 290, kernel: 1, height: 3, width: 5, images: 2),
    .init(inputs: 64, outputs: 100, kernel: 1, height: 7, width: 7, images: 3),
    .init(inputs: 40, outputs: 260, kernel: 1, stride: 2, height: 12, width: 9, images: 2),
    // Rows are shared out; several runs of pixels, several groups of outputs; steps between pixels.
    .init(inputs: 33, outputs: 18, kernel: 1, height: 60, width: 61),
    .init(inputs: 150, outputs: 290, kernel: 1, height: 31, width: 43),
    .init(inputs: 70, outputs: 47, kernel: 1, stride: 2, height: 31, width: 203, images: 2),
    // Each channel by itself.
    depthwise(2, height: 5, width: 4),
    depthwise(17, stride: 2, height: 9, width: 7, images: 2),
    depthwise(35, kernel: 5, stride: 2, height: 13, width: 22),
    depthwise(16, kernel: 5, rate: 3, height: 11, width: 8, images: 2),
    // Several chunks of channels, several bands of rows.
    depthwise(200, kernel: 4, stride: 2, height: 60, width: 9),
    depthwise(152, height: 27, width: 5),
    // Steps that meet no tap, and a rate beyond the map.
    depthwise(24, kernel: 2, stride: 3, rate: 3, height: 50, width: 20),
    depthwise(33, rate: 12, height: 6, width: 7),
    depthwise(8, kernel: 5, rate: 9, height: 20, width: 41),
    depthwise(18, stride: 2, endPadding: 1, height: 8, width: 6),
    depthwise(40, kernel: 7, height: 7, width: 3),
  ]

  /// Those that join channels.
  package static let dense = all.filter { $0.groups == 1 }
  /// Those of each channel by itself.
  package static let depthwise = all.filter { $0.groups > 1 }
  /// Those that have packed kernels: of size 1, and of size 3 without a stride.
  package static let packed = dense.filter { $0.kernel == 1 || ($0.kernel == 3 && $0.stride == 1) }
  /// Those that have plans.
  package static let planned = packed.filter { $0.kernel == 3 }
}
