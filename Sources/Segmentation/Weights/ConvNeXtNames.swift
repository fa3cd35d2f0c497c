/// timm's names for ConvNeXt, from those of torchvision.
enum ConvNeXtNames {
  /// `stem.0`, `stages.1.downsample.0`, `stages.1.blocks.2.mlp.fc1`, `head.fc`.
  @Sendable
  static func timm(_ state: [NamingConvention.StateEntry]) -> [(ours: String, theirs: String)] {
    guard state.contains(where: { $0.name.hasSuffix("layer_scale") }) else { return [] }
    return state.compactMap { entry in
      var parts = entry.name.split(separator: ".").map(String.init)[...]
      if parts.first == "features" { parts.removeFirst() }
      return timm(Array(parts)).map { (entry.name, $0) }
    }
  }

  private static let members = [
    "block.0": "conv_dw", "block.2": "norm", "block.3": "mlp.fc1", "block.5": "mlp.fc2",
  ]

  private static func timm(_ parts: [String]) -> String? {
    guard let first = parts.first, parts.count >= 3, let second = Int(parts[1]) else { return nil }
    let leaf = parts[parts.count - 1]
    guard let layer = Int(first) else {
      guard first == "classifier" else { return nil }
      return second == 0 ? "head.norm.\(leaf)" : "head.fc.\(leaf)"
    }
    if layer == 0 { return "stem.\(second).\(leaf)" }
    let stage = "stages.\(layer / 2)"
    if layer.isMultiple(of: 2) { return "\(stage).downsample.\(second).\(leaf)" }
    let block = "stages.\((layer - 1) / 2).blocks.\(second)"
    if leaf == "layer_scale" { return "\(block).gamma" }
    guard parts.count == 5, let member = members["\(parts[2]).\(parts[3])"] else { return nil }
    return "\(block).\(member).\(leaf)"
  }
}
