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

  /// The encoder that NVIDIA's SegFormer has, too: queries apart, keys and values in one.
  private static let mixTransformer: [NameRule] = {
    let (own, block) = ("layers.#.1.#.", "encoder.block$1+1.$2.")
    var rules = [
      NameRule("layers.#.0.projection.*", "encoder.patch_embed$1+1.proj.*"),
      NameRule("layers.#.0.norm.*", "encoder.patch_embed$1+1.norm.*"),
      NameRule("layers.#.2.*", "encoder.norm$1+1.*"),
      NameRule(own + "norm#.*", block + "norm$3.*"),
      NameRule(
        own + "attn.attn.in_proj_*",
        .joined([.tensor(block + "attn.q.*"), .tensor(block + "attn.kv.*")], shares: [1, 2])),
      NameRule(own + "attn.attn.out_proj.*", block + "attn.proj.*"),
      NameRule(own + "attn.*", block + "attn.*"),
      NameRule(own + "ffn.layers.1.*", block + "mlp.dwconv.dwconv.*"),
    ]
    rules += .matrix(own + "ffn.layers.0", block + "mlp.fc1")
    rules += .matrix(own + "ffn.layers.4", block + "mlp.fc2")
    return rules
  }()

  /// SegFormer's head on so many maps, of which the coarsest comes first there.
  private static func segFormer(_ count: Int) -> [NameRule] {
    let fusion = WeightRecipe.tensor("decoder.fuse_stage.0.weight")
    var rules = [
      NameRule(
        "fusion_conv.0.weight", .inputs(fusion, sizes: [], order: (0..<count).reversed())),
      NameRule("fusion_conv.1.*", "decoder.fuse_stage.1.*"),
      NameRule("classifier.*", "segmentation_head.0.*"),
    ]
    for index in 0..<count {
      rules += .matrix("convs.\(index)", "decoder.mlp_stage.\(count - 1 - index).linear")
    }
    return rules
  }

  /// The names of the library's own encoder on this backbone, and of timm's, each with what stands before it.
  private static func encoders(_ backbone: any Backbone) -> [[String: WeightRecipe]] {
    let own: (String) -> String? = { name in
      switch backbone {
      case let network as ResNet: network.stem == nil ? "encoder.\(name)" : nil
      case is DenseNet, is MobileNetV2, is VGG: "encoder.features.\(name)"
      case is PooledXception: "encoder.\(name)"
      // As before version 0.5, which took timm's encoders over.
      case is RegNet: RegNetNames.timm.recipe(name)?.plainName.map { "encoder.\($0)" }
      default: nil
      }
    }
    func recipes(_ recipe: (String) -> WeightRecipe?) -> [String: WeightRecipe] {
      Dictionary(
        backbone.state.compactMap { entry in recipe(entry.name).map { (entry.name, $0) } },
        uniquingKeysWith: { first, _ in first })
    }
    let timm =
      timmFeatures(backbone).map { recipes in
        [recipes.mapValues { recipe in recipe.renamed { "encoder.model." + $0 } }]
      } ?? []
    let library = recipes { name in
      backbone is MixTransformer
        ? mixTransformer.recipe(name) : own(name).map { .tensor($0) }
    }
    let efficient =
      backbone is EfficientNet
      ? NamingConvention.efficientNetPyTorch.recipes(of: backbone).mapValues { recipe in
        recipe.renamed { "encoder." + $0 }
      } : [:]
    // Encoders of the library's own that are timm's without a map of each stage.
    let plain =
      backbone is EfficientNet
      ? [(timmFeatures(backbone) ?? [:]).mapValues { recipe in recipe.renamed { "encoder." + $0 } }]
      : []
    return ([library, efficient] + plain + timm).filter { $0.count == backbone.state.count }
  }

  /// What timm's network with `features_only` makes of a backbone's tensors; nil if it has no such.
  static func timmFeatures(_ backbone: any Backbone) -> [String: WeightRecipe]? {
    guard let convention = NamingConvention.timm(of: backbone) else { return nil }
    let recipes = convention.recipes(of: backbone).mapValues { recipe in
      recipe.renamed { flattened($0, backbone) }
    }
    return recipes.count == backbone.state.count ? recipes : nil
  }

  /// timm's name as `features_only` has it, where the first sequence of layers becomes the network's own.
  private static func flattened(_ name: String, _ backbone: any Backbone) -> String {
    guard backbone is ConvNeXt || backbone is Swin || backbone is Xception else { return name }
    return NamingConvention.flattened(name, ["stages", "stem", "layers", "blocks"])
  }

  /// The head's tensors, with what stands before its names here; nil if the library has no such head.
  private static func head(_ head: any SegmentationHead) -> [String: WeightRecipe]? {
    var found: [String: WeightRecipe] = [:]
    if let head = head as? SegFormer {
      let rules = segFormer(head.convs.count)
      for (name, _) in head.state { found["classifier." + name] = rules.recipe(name) }
    } else if let rules = decoder(head) {
      for (name, _) in head.state {
        guard let rule = rules.first(where: { name.hasPrefix($0.ours) }) else { continue }
        found["classifier." + name] = .tensor(rule.theirs + name.dropFirst(rule.ours.count))
      }
    }
    return found.count == head.state.count ? found : nil
  }

  /// The conventions for a network; none if the library has no such.
  static func conventions(of model: SegmentationModel) -> [NamingConvention] {
    guard let head = head(model.classifier) else { return [] }
    var heads = [head]
    // As before version 0.5.
    if model.classifier is DeepLabV3 {
      heads.append(
        head.mapValues { recipe in
          recipe.renamed { name in
            for (new, old) in [("aspp.", "0."), ("conv.", "1."), ("bn.", "2.")]
            where name.hasPrefix("decoder." + new) {
              return "decoder." + old + name.dropFirst("decoder.".count + new.count)
            }
            return name
          }
        })
    }
    return encoders(model.backbone).flatMap { encoder in
      let own = encoder.map { ("backbone." + $0.key, $0.value) }
      return heads.map { head in
        NamingConvention(
          "smp", of: head.merging(own) { first, _ in first },
          // What classifies images.
          unused: model.backbone is EfficientNet
            ? [
              "encoder._conv_head.*", "encoder._bn1.*", "encoder.conv_head.*", "encoder.bn2.*",
            ] : [])
      }
    }
  }
}
