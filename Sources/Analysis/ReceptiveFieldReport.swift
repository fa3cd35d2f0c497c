import Evaluation
import Foundation
import Segmentation
import Torch

/// The theoretical receptive field of every layer of a network.
public struct ReceptiveFieldReport: JSONReport {
  /// A cascade of DenseASPP levels.
  public struct Cascade: Sendable, Codable, Equatable {
    /// The dilations.
    public let dilations: [Int]
    /// The subsets of levels that paths take, and the sizes in feature pixels that they see, each
    /// once, smallest first.
    public let subsets: Int, scales: [Int]
    /// The features of the largest square that take part in an output.
    public let positions: Int
    /// The pixels from the middle of the largest scale's first feature to that of its last.
    public let pixels: Int

    /// The cascade of a head on features of this output stride.
    public init(_ configuration: DenseASPP.Configuration, stride: Int) {
      dilations = configuration.dilations
      subsets = (1 << min(dilations.count, 62)) - 1
      scales = configuration.scales
      positions = configuration.sampledPositions
      pixels = ((scales.last ?? 1) - 1) * stride
    }

    /// The cascade in a few lines.
    public var text: String {
      let largest = scales.last ?? 1
      return """
        cascade          dilations \(dilations.map(String.init).joined(separator: ", "))
        scales           \(scales.count) of \(subsets) subsets: \(scales.map(String.init).joined(separator: ", "))
        largest          \(largest) features, \(pixels) pixels centre to centre; \(positions) of \(largest * largest) positions take part
        """
    }
  }

  /// The size of the image.
  public let width, height: Int
  /// The layers that change the window, and those with parameters.
  public let layers: [TracedLayer]
  /// The DenseASPP cascades.
  public let cascades: [Cascade]

  /// Follows a network on an image of this size.
  ///
  /// - Throws: `TorchError` if the network cannot take the size.
  public init(_ model: SegmentationModel, height: Int, width: Int, channels: Int = 3) throws {
    let kinds: Set<String> = [
      "conv2d", "conv_transpose2d", "max_pool2d", "avg_pool2d", "mean", "cat",
      "scaled_dot_product_attention", "adaptive_avg_pool2d",
    ]
    layers = try LayerTrace(model, height: height, width: width, channels: channels).layers.filter {
      ($0.rows != nil || $0.seesAll) && (kinds.contains($0.kind) || $0.kind.hasPrefix("upsample"))
    }
    (self.width, self.height) = (width, height)
    let stride = model.headStride
    cascades = model.modules.compactMap { ($0.module as? DenseASPP)?.configuration }
      .map { Cascade($0, stride: stride) }
  }

  /// The report as text.
  public var text: String {
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
        layer.shape.suffix(2).map(String.init).joined(separator: "x"),
        layer.seesAll ? "image" : pair(layer, \.size), pair(layer, \.jump), pair(layer, \.center),
      ]
    }
    var lines = TextTable.lines(
      ["layer", "operator", "rows x columns", "size", "step", "centre of the first"], rows, left: 2)
    lines += [
      "",
      "Sizes, steps and centres in pixels of the image of \(width)x\(height); `image`: everything is"
        + " seen through a mean or attention.",
    ]
    return (lines + cascades.map { "\n\($0.text)" }).joined(separator: "\n")
  }
}
