import Torch

/// The names of segmentation_models.pytorch, from ours.
enum SMPNames {
  /// The beginnings of a head's names here and there, of which the first that fits is taken; nil for heads
  /// that the library has not.
  private static func decoder(_ head: any SegmentationHead) -> [(ours: String, theirs: String)]? {
    let scores = (ours: "classifier.", theirs: "segmentation_head.0.")
    switch head {
    case is UNetDecoder, is UNetPlusPlus, is Linknet, is FPN, is PAN:
      return [scores, ("", "decoder.")]
    case is DeepLabV3:
      return [("4.", "segmentation_head.0."), ("1.", "decoder.conv."), ("2.", "decoder.bn.")]
        + pyramid("0.", "decoder.aspp.")
    case is DeepLabV3Plus:
      return [scores]
        + separable("refinement.", "decoder.aspp.1.", norm: "decoder.aspp.2.")
        + [("c1_bottleneck.", "decoder.block1.")]
        + separable("sep_bottleneck.0.", "decoder.block2.0.", norm: "decoder.block2.1.")
        + [("sep_bottleneck.0.", "decoder.block2.")]
        + pyramid("aspp.", "decoder.aspp.0.")
    case let head as PSPNet:
      let levels = head.pspModules.convs.indices.map { index in
        (ours: "psp_modules.convs.\(index).", theirs: "decoder.psp.blocks.\(index).pool.1.")
      }
      return [scores, ("bottleneck.", "decoder.conv.")] + levels
    case let head as UPerNet:
      let levels = head.pspModules.convs.indices.map { index in
        (ours: "psp_modules.convs.\(index).", theirs: "decoder.psp.blocks.\(index).1.")
      }
      // The coarsest map comes first there.
      let count = head.lateralConvs.count
      let maps = head.lateralConvs.indices.flatMap { index in
        [
          (
            ours: "lateral_convs.\(index).",
            theirs: "decoder.fpn_lateral_blocks.\(count - 1 - index).conv_norm_relu."
          ),
          (
            ours: "fpn_convs.\(index).", theirs: "decoder.fpn_conv_blocks.\(count - 1 - index)."
          ),
        ]
      }
      return [
        scores, ("feature_norms.", "decoder.feature_norms."),
        ("bottleneck.", "decoder.psp.out_conv."), ("fpn_bottleneck.", "decoder.fusion_block."),
      ] + levels + maps
    default: return nil
    }
  }

  private static func separable(
    _ ours: String, _ theirs: String, norm: String
  ) -> [(ours: String, theirs: String)] {
    [
      ("\(ours)depthwise_conv.", "\(theirs)0."), ("\(ours)pointwise_conv.0.", "\(theirs)1."),
      ("\(ours)pointwise_conv.1.", norm),
    ]
  }

  /// A pyramid, whose branches may be separable.
  private static func pyramid(
    _ ours: String, _ theirs: String
  ) -> [(ours: String, theirs: String)] {
    (0..<8).flatMap { index in
      separable(
        "\(ours)convs.\(index).", "\(theirs)convs.\(index).0.",
        norm: "\(theirs)convs.\(index).1.")
    } + [(ours, theirs)]
  }

  /// The names of the library's own encoder on this backbone, and of timm's, each with what stands before it.
  private static func encoders(_ backbone: any Backbone) -> [[String: String]] {
    let own: (String) -> String? = { name in
      switch backbone {
      case let network as ResNet: network.stem == nil ? "encoder.\(name)" : nil
      case is DenseNet, is MobileNetV2: "encoder.features.\(name)"
      default: nil
      }
    }
    func names(_ rename: (String) -> String?) -> [String: String] {
      Dictionary(
        backbone.state.compactMap { entry in rename(entry.name).map { (entry.name, $0) } },
        uniquingKeysWith: { first, _ in first })
    }
    let timm = NamingConvention.ofParts.filter { $0.name == "timm" }.map { convention in
      convention.names(of: backbone).mapValues { "encoder.model." + flattened($0, backbone) }
    }
    return ([names(own)] + timm).filter { $0.count == backbone.state.count }
  }

  /// timm's name as `features_only` has it, where the first sequence of layers becomes the network's own.
  private static func flattened(_ name: String, _ backbone: any Backbone) -> String {
    guard backbone is ConvNeXt || backbone is Swin else { return name }
    for sequence in ["stages.", "stem.", "layers."] where name.hasPrefix(sequence) {
      return sequence.dropLast() + "_" + name.dropFirst(sequence.count)
    }
    return name
  }

  /// The conventions for a network; none if the library has no such.
  static func conventions(of model: SegmentationModel) -> [NamingConvention] {
    guard let rules = decoder(model.classifier) else { return [] }
    let head = model.classifier.state.compactMap { entry -> (String, String)? in
      guard let rule = rules.first(where: { entry.name.hasPrefix($0.ours) }) else { return nil }
      return ("classifier.\(entry.name)", rule.theirs + entry.name.dropFirst(rule.ours.count))
    }
    guard head.count == model.classifier.state.count else { return [] }
    var heads = [Dictionary(head, uniquingKeysWith: { first, _ in first })]
    // As before version 0.5.
    if model.classifier is DeepLabV3 {
      heads.append(
        heads[0].mapValues { name in
          [("aspp.", "0."), ("conv.", "1."), ("bn.", "2.")].reduce(name) { name, pair in
            let new = "decoder." + pair.0
            return name.hasPrefix(new) ? "decoder." + pair.1 + name.dropFirst(new.count) : name
          }
        })
    }
    return encoders(model.backbone).flatMap { encoder in
      heads.map { head in
        NamingConvention("smp") { name in
          name.hasPrefix("backbone.")
            ? encoder[String(name.dropFirst("backbone.".count))] : head[name]
        }
      }
    }
  }
}
