import Torch

/// A stem, inverted residuals and a last 1×1 convolution, numbered as in torchvision's
/// `mobilenet_*.features`: what MobileNetV2, MobileNetV3 and EfficientNet-Lite have in common.
public class MobileNetwork: Sequential, Backbone {
  /// What makes one network different from another.
  struct Plan {
    /// The channels of the stem and of the last convolution.
    let stem: Int, last: Int
    let rows: [InvertedResidual.Row]
    /// The activation of the stem and of the last convolution.
    let activation: Activation
    let names: InvertedResidual.Names
    var eps = 1e-5, momentum = 0.1
    /// Whether a block whose stride dilation replaces is dilated itself, as torchvision does, rather
    /// than from the next block on, which keeps what the network computes.
    var dilatesStridedBlocks = false
    /// Whether the maps but the last are taken right after each stride, as torchvision's
    /// segmentation networks do, rather than just before the next.
    var tapsAfterStride = false
    /// The side of the images that TensorFlow's padding was laid out for, where the network has it.
    var nominalSide: Int?
    /// Whether dilated convolutions have zeros on all sides all the same.
    var padsDilatedEvenly = false
    /// Whether the first map is the stem's rather than the last before the next stride.
    var tapsStem = false
    /// The blocks whose outputs are the maps of some resolutions, where they are not the last of those.
    var taps: [Int: Int] = [:]
    /// Where zeros stand otherwise.
    var padding = Padding.symmetric
    /// Whether the first convolution has zeros around the image.
    var padsStem = true
    /// The dilation of each block, where it is not what the output stride asks for.
    var dilations: [Int]?
    /// Whether the last convolution follows the blocks.
    var endsWithConvolution = true
  }

  /// Where zeros stand around maps.
  public enum Padding: String, Sendable, CaseIterable {
    /// On all sides of what a kernel scans.
    case symmetric
    /// As TensorFlow puts them, by the size of each map.
    case tensorflow
    /// Around each block's input, before its first convolution.
    case block
  }

  /// The channels of each feature map, finest first.
  public private(set) var channels: [Int] = []
  /// The output stride of each feature map, finest first.
  public private(set) var strides: [Int] = []
  private var ends: [Int] = []
  private let isAnchored: Bool

  /// The convolutional part of a network; `cut` keeps that many resolutions of the original's five.
  init(_ plan: Plan, outputStride: Int, cut: Int?, inputChannels: Int) {
    isAnchored = plan.nominalSide == nil
    super.init()
    let (eps, momentum) = (plan.eps, plan.momentum)
    var side = plan.nominalSide
    var dilator = Dilator(limit: outputStride, stride: 2)
    let first = Self.scan(kernel: 3, step: 2, stride: 2, dilation: 1, side: &side)
    append(
      ConvNorm(
        inputChannels, plan.stem, stride: 2, padding: plan.padsStem ? first.padding?.start : 0,
        endPadding: first.padding?.extra ?? 0, padsBySize: plan.padding == .tensorflow, eps: eps,
        momentum: momentum, plan.activation))
    var widths = [plan.stem], reached = [2], levels = [0]

    let count = 1 + plan.rows.count { $0.stride > 1 }
    let kept = min(cut ?? count, count)
    for (index, row) in plan.rows.enumerated() {
      let level = (levels.last ?? 0) + (row.stride > 1 ? 1 : 0)
      if level == kept { break }
      let before = dilator.dilation
      let (stride, after) = dilator.next(row.stride)
      var scan = Self.scan(
        kernel: row.kernel, step: row.stride, stride: stride,
        dilation: plan.dilatesStridedBlocks ? after : before, side: &side)
      if let dilations = plan.dilations { scan.dilation = dilations[index] }
      if plan.padsDilatedEvenly, scan.dilation > 1 { scan.padding = nil }
      scan.padsBySize = plan.padding == .tensorflow
      scan.padsBlock = plan.padding == .block
      append(
        InvertedResidual(
          widths.last ?? 0, row, scan, names: plan.names, eps: eps, momentum: momentum))
      widths.append(row.output)
      reached.append(dilator.stride)
      levels.append(level)
    }
    if kept == count, plan.endsWithConvolution {
      append(
        ConvNorm(
          widths.last ?? 0, plan.last, kernel: 1, eps: eps, momentum: momentum, plan.activation))
      widths.append(plan.last)
      reached.append(dilator.stride)
      levels.append(count - 1)
    }
    ends = (0..<kept).compactMap { level in
      // The stem stands before the first block.
      if let block = plan.taps[level] { return block + 1 }
      return plan.tapsAfterStride && level < kept - 1 || plan.tapsStem && level == 0
        ? levels.firstIndex(of: level) : levels.lastIndex(of: level)
    }
    channels = ends.map { widths[$0] }
    strides = ends.map { reached[$0] }
    Initialization.kaimingNormal(self, fanOut: true)
  }

  /// How a convolution that strode by `step` scans maps of the nominal `side`.
  ///
  /// TensorFlow pads so that ⌈side / step⌉ outputs fit, with the odd zero at the end. A kernel whose
  /// stride dilation replaces keeps its first tap where it was.
  private static func scan(
    kernel: Int, step: Int, stride: Int, dilation: Int, side: inout Int?
  ) -> InvertedResidual.Scan {
    var scan = InvertedResidual.Scan(stride: stride, dilation: dilation)
    guard let length = side else { return scan }
    let outputs = (length + step - 1) / step
    let total = max((outputs - 1) * step + kernel - length, 0)
    let start = total / 2 * dilation
    let end = stride == step && step > 1 ? total - start : dilation * (kernel - 1) - start
    scan.padding = (start, end - start)
    side = outputs
    return scan
  }

  /// The maps at ``strides``.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = x
    return (0..<count).compactMap { index in
      x = self[index](x)
      return ends.contains(index) ? x : nil
    }
  }

  /// The layers up to each map.
  public var stages: [[Module]] {
    zip([-1] + ends, ends).map { before, end in layers[before + 1...end].map(\.layer) }
  }

  /// Padding on both sides lets any image through, TensorFlow's only those of a full cell.
  public var minimumSide: Int { isAnchored ? 1 : strides.max() ?? 1 }
}
