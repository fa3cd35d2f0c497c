import Torch

/// What layer-wise decay of the learning rate counts.
public enum DepthUnit: String, Sendable, CaseIterable {
  /// Blocks, as BEiT and MAE do for vision transformers.
  case layer
  /// Stages, as ConvNeXt's recipe does.
  case stage
}

extension Backbone {
  /// For networks without blocks of their own to count: the stages.
  public func depths(by unit: DepthUnit) -> [[Module]] { stages }
}

extension ConvNeXt {
  /// By layer, up to three blocks of the third stage count as one, and a downsampling belongs to what
  /// follows it; by stage, all downsampling comes first (MMSegmentation,
  /// layer_decay_optimizer_constructor.py).
  public func depths(by unit: DepthUnit) -> [[Module]] {
    let downsampling = stride(from: 0, to: count, by: 2).map { self[$0] }
    let blocks = stride(from: 1, to: count, by: 2).map { self[$0] }
    switch unit {
    case .stage: return [downsampling] + blocks.map { [$0] }
    case .layer:
      var depths: [[Module]] = [[downsampling[0]]]
      for (stage, layer) in blocks.enumerated() {
        let before: [Module] = stage == 0 ? [] : [downsampling[stage]]
        guard stage == 2, let sequence = layer as? Sequential else {
          depths.append(before + [layer])
          continue
        }
        let parts: [Module] = sequence.layers.map(\.layer)
        for start in stride(from: 0, to: parts.count, by: 3) {
          depths.append(
            (start == 0 ? before : []) + parts[start..<min(start + 3, parts.count)])
        }
      }
      return depths
    }
  }
}
