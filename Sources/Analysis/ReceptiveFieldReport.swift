import Evaluation
import Foundation
import Segmentation
import Torch

/// The theoretical receptive field of every layer of a network.
package struct ReceptiveFieldReport: JSONReport {
  /// A cascade of DenseASPP levels.
  package struct Cascade: Sendable, Codable, Equatable {
    /// The dilations.
    package let dilations: [Int]
    /// The subsets of levels that paths take, and the sizes in feature pixels that they see, each
    /// once, smallest first.
    package let subsets: Int, scales: [Int]
    /// The features of the largest square that take part in an output.
    package let positions: Int
    /// The pixels from the middle of the largest scale's first feature to that of its last.
    package let pixels: Int

    /// The cascade of a head on features of this output stride.
    package init(_ configuration: DenseASPP.Configuration, stride: Int) {
      dilations = configuration.dilations
      subsets = (1 << min(dilations.count, 62)) - 1
      scales = configuration.scales
      positions = configuration.sampledPositions
      pixels = ((scales.last ?? 1) - 1) * stride
    }

    /// The cascade in a few lines.
    package var text: String {
      let largest = scales.last ?? 1
      return """
        cascade          dilations \(dilations.map(String.init).joined(separator: ", "))
        scales           \(scales.count) of \(subsets) subsets: \(scales.map(String.init).joined(separator: ", "))
        largest          \(largest) features, \(pixels) pixels centre to centre; \(positions) of \(largest * largest) positions take part
        """
    }
  }

  /// The size of the image.
  package let width, height: Int
  /// The layers that change the window, and those with parameters.
  package let layers: [TracedLayer]
  /// The DenseASPP cascades.
  package let cascades: [Cascade]
  /// The convolutions whose input's windows are as large as the image already, so that their kernels add no
  /// context: "unproductive" layers (Richter et al., "Should you go deeper?", 2021).
  package let addNoContext: [String]

  /// Follows a network on an image of this size.
  ///
  /// - Throws: `TorchError` if the network cannot take the size.
  package init(_ model: SegmentationModel, height: Int, width: Int, channels: Int = 3) throws {
    let kinds: Set<String> = [
      "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "mean", "cat",
      "scaled_dot_product_attention", "adaptive_avg_pool2d",
    ]
    layers = try LayerTrace(model, height: height, width: width, channels: channels).layers.filter {
      ($0.rows != nil || $0.seesAll) && (kinds.contains($0.kind) || $0.kind.hasPrefix("upsample"))
    }
    (self.width, self.height) = (width, height)
    addNoContext = layers.filter { $0.addsNoContext(height: height, width: width) }.map(\.name)
    let stride = model.headStride
    cascades = model.modules.compactMap { ($0.module as? DenseASPP)?.configuration }
      .map { Cascade($0, stride: stride) }
  }

  /// The report as text.
  package var text: String {
    func number(_ value: Double) -> String {
      value == value.rounded() ? String(format: "%.0f", value) : fixed(value)
    }
    func pair(_ layer: TracedLayer, _ part: (ReceptiveWindow) -> Double) -> String {
      guard let rows = layer.rows, let columns = layer.columns, !layer.seesAll || rows.jump >= 1
      else { return "" }
      let (down, across) = (number(part(rows)), number(part(columns)))
      return down == across ? down : "\(across)x\(down)"
    }
    let rows = layers.map { layer in
      [
        layer.name.isEmpty ? "-" : layer.name, layer.kind,
        layer.shape.suffix(2).reversed().map(String.init).joined(separator: "x"),
        layer.seesAll ? "image" : pair(layer, \.size), pair(layer, \.jump), pair(layer, \.center),
        layer.addsNoContext(height: height, width: width) ? "nothing" : "",
      ]
    }
    var lines = TextTable.lines(
      ["layer", "operator", "map", "size", "step", "centre of the first", "adds"], rows, left: 2)
    lines += [
      "",
      "Maps are width x height; sizes, steps and centres are in pixels of the image of"
        + " \(width)x\(height); `image`: everything is seen through a mean or attention.",
    ]
    lines += cascades.map { "\n\($0.text)" }
    return (lines + ["", reading]).joined(separator: "\n")
  }

  /// What to read from the layers, in a sentence or two.
  package var reading: String {
    func widest(_ layers: some Sequence<TracedLayer>) -> (width: Int, height: Int)? {
      layers.filter { !$0.seesAll }.compactMap { layer in
        layer.rows.flatMap { rows in
          layer.columns.map { (width: Int($0.size.rounded()), height: Int(rows.size.rounded())) }
        }
      }.max { $0.width < $1.width }
    }
    guard let largest = widest(layers) else {
      return "Every layer sees the whole image."
    }
    let backbone = widest(layers.filter { $0.name.hasPrefix("backbone.") })
    let isAll = largest.width >= 2 * width - 1 && largest.height >= 2 * height - 1
    let than =
      largest.width > width && largest.height > height
      ? "more than the image of \(width)x\(height) has"
        + (isAll ? ": each of them can see all of it" : "")
      : "of the image's \(width)x\(height)"
    let own = backbone.map { ", of which the backbone alone sees \($0.width)x\($0.height)" } ?? ""
    let mean =
      layers.contains(where: \.seesAll)
      ? " Through a mean or attention it depends on the whole image besides." : ""
    let convolutions = layers.count { $0.before != nil }
    let idle =
      addNoContext.isEmpty
      ? ""
      : " \(addNoContext.count) of \(convolutions) convolutions larger than 1x1, from \(addNoContext[0]) on, see as much"
        + " as the image before they begin and so add no context (`nothing`): a smaller stride, rate or depth, or"
        + " larger crops, would use them."
    return "A pixel of the scores depends on at most \(largest.width)x\(largest.height) pixels"
      + " around it, \(than)\(own).\(mean)\(idle) How much of that counts is what `atrous erf` shows."
  }
}
