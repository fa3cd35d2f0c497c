import Torch

/// A part of a network that MMSegmentation names otherwise.
protocol NamedByMMSegmentation {
  /// MMSegmentation's name for what this part calls `name`.
  func mmsegName(_ name: String) -> String
}

extension Convention {
  /// The names that MMSegmentation 1.x gives the state of `model`: `backbone.…`, `neck.…`,
  /// `decode_head.conv_seg.weight`, `auxiliary_head.0.…`.
  ///
  /// - Parameters:
  ///   - listsAuxiliary: whether a single auxiliary head is the first of a list there.
  public static func mmsegmentation(
    _ model: SegmentationModel, listsAuxiliary: Bool = false
  ) -> @Sendable (String) -> String {
    let units = Set(model.modules.filter { $0.module is ConvNorm }.map(\.name))
    var parts: [(own: String, theirs: String, module: Module)] = []
    if let necked = model.backbone as? Necked {
      parts.append(("backbone.neck.", "neck.", necked.neck))
      parts.append(("backbone.", "backbone.", necked.base))
    } else {
      parts.append(("backbone.", "backbone.", model.backbone))
    }
    parts.append(("classifier.", "decode_head.", model.classifier))
    for (index, auxiliary) in model.auxiliary.enumerated() {
      let isAlone = model.auxiliary.count == 1
      parts.append(
        (
          isAlone ? "aux_classifier." : "aux_classifier.\(index).",
          isAlone && !listsAuxiliary ? "auxiliary_head." : "auxiliary_head.\(index).",
          auxiliary.head
        ))
    }
    var names: [String: String] = [:]
    for (own, _) in model.state {
      guard let part = parts.first(where: { own.hasPrefix($0.own) }) else { continue }
      let rest = String(own.dropFirst(part.own.count))
      let inside = unit(of: own).map { units.contains($0) } == true ? convModule(rest) : rest
      names[own] =
        part.theirs + ((part.module as? NamedByMMSegmentation)?.mmsegName(inside) ?? inside)
    }
    return { [names] in names[$0] ?? $0 }
  }

  /// The module two levels above a state entry.
  private static func unit(of name: String) -> String? {
    let parts = name.split(separator: ".")
    return parts.count > 2 ? parts.dropLast(2).joined(separator: ".") : nil
  }

  /// `0.weight` and `1.weight` of a unit as `conv.weight` and `bn.weight`.
  private static func convModule(_ name: String) -> String {
    var parts = name.split(separator: ".").map(String.init)
    parts[parts.count - 2] = parts[parts.count - 2] == "0" ? "conv" : "bn"
    return parts.joined(separator: ".")
  }

  /// The blocks of vision transformers.
  static func transformerBlock(_ name: String) -> String {
    name.replacing("ln_1.", with: "ln1.").replacing("ln_2.", with: "ln2.")
      .replacing("self_attention.", with: "attn.attn.")
      .replacing("mlp.0.", with: "ffn.layers.0.0.").replacing("mlp.3.", with: "ffn.layers.1.")
  }
}

extension VisionTransformer: NamedByMMSegmentation {
  func mmsegName(_ name: String) -> String {
    Convention.transformerBlock(name)
      .replacing("encoder.layers.encoder_layer_", with: "layers.")
      .replacing("encoder.ln.", with: "ln1.")
      .replacing("encoder.pos_embedding", with: "pos_embed")
      .replacing("class_token", with: "cls_token")
      .replacing("conv_proj.", with: "patch_embed.projection.")
  }
}

extension MultiLevelNeck: NamedByMMSegmentation {
  // Its convolutions are units without a normalization.
  func mmsegName(_ name: String) -> String {
    name.replacing(".weight", with: ".conv.weight").replacing(".bias", with: ".conv.bias")
  }
}

extension FCN: NamedByMMSegmentation {
  func mmsegName(_ name: String) -> String {
    let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2, let index = Int(parts[0]) else { return name }
    return index == 3 * convolutionCount + 1
      ? "conv_seg.\(parts[1])"
      : "convs.\(index / 3).\(index % 3 == 0 ? "conv" : "bn").\(parts[1])"
  }
}
