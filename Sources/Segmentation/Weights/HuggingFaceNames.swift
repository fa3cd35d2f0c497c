/// The names of Hugging Face's transformers.
///
/// Version 5 has others in memory, which it undoes on writing; only `save_original_format=False` leaves
/// them in a file. Tables are of the old ones, and functions make the new ones of those.
enum HuggingFaceNames {
  /// The conventions for backbones alone.
  static let ofParts: [NamingConvention] = [
    NamingConvention("huggingface", mixTransformer),
    NamingConvention("huggingface-5", mixTransformer, newer: newerSegFormer),
    NamingConvention("huggingface", swin, unused: swinUnused),
    NamingConvention("huggingface-5", swin, unused: swinUnused, newer: newerSwin),
    NamingConvention("huggingface", convNeXt),
    NamingConvention("huggingface", visionTransformer),
    NamingConvention("huggingface", mobileNetV2, unused: ["conv_1x1.*"]),
  ]

  /// The conventions for a whole network: none for those that transformers does not have.
  static func conventions(of model: SegmentationModel) -> [NamingConvention] {
    switch model.backbone {
    case is MixTransformer:
      let rules = mixTransformer.after("backbone.", "segformer.") + segFormerHead
      return [
        NamingConvention("huggingface", rules),
        NamingConvention("huggingface-5", rules, newer: newerSegFormer),
      ]
    case is Swin:
      let rules = swin.after("backbone.", "backbone.") + uperNetHead + helper(of: model)
      let unused = swinUnused.map { "backbone.\($0)" }
      return [
        NamingConvention("huggingface", rules, unused: unused),
        NamingConvention("huggingface-5", rules, unused: unused, newer: newerSwin),
      ]
    case is ConvNeXt:
      return [
        NamingConvention(
          "huggingface",
          convNeXt.after("backbone.", "backbone.") + uperNetHead + helper(of: model))
      ]
    case is VisionTransformer:
      return [
        NamingConvention(
          "huggingface", visionTransformer.after("backbone.", "dpt.") + dptHead,
          unused: ["dpt.layernorm.*", "neck.fusion_stage.layers.0.residual_layer1.*"])
      ]
    case is MobileNetV2:
      return [
        NamingConvention(
          "huggingface", mobileNetV2.after("backbone.", "mobilenet_v2.") + mobileNetHead,
          unused: ["mobilenet_v2.conv_1x1.*"])
      ]
    default: return []
    }
  }

  // MARK: SegFormer

  private static let mixTransformer: [NameRule] = {
    let (own, block) = ("layers.#.1.#.", "encoder.block.$1.$2.")
    var rules: [NameRule] = .table(
      [
        "layers.#.0.projection.*": "encoder.patch_embeddings.$1.proj.*",
        "layers.#.0.norm.*": "encoder.patch_embeddings.$1.layer_norm.*",
        "layers.#.2.*": "encoder.layer_norm.$1.*",
      ])
    rules += .table(
      own, block,
      [
        "attn.attn.out_proj.*": "attention.output.dense.*",
        "attn.sr.*": "attention.self.sr.*",
        "attn.norm.*": "attention.self.layer_norm.*",
        "norm#.*": "layer_norm_$3.*",
        "ffn.layers.1.*": "mlp.dwconv.dwconv.*",
      ])
    rules += .attention(own + "attn.attn.in_proj_", block + "attention.self.")
    rules += .matrix(own + "ffn.layers.0", block + "mlp.dense1")
    rules += .matrix(own + "ffn.layers.4", block + "mlp.dense2")
    return rules
  }()

  /// The head joins the coarsest map first.
  private static let segFormerHead: [NameRule] = {
    let fusion = WeightRecipe.tensor("decode_head.linear_fuse.weight")
    var rules = [
      NameRule(
        "classifier.fusion_conv.0.weight", .inputs(fusion, sizes: [], order: [3, 2, 1, 0])),
      NameRule("classifier.fusion_conv.1.*", "decode_head.batch_norm.*"),
      NameRule("classifier.classifier.*", "decode_head.classifier.*"),
    ]
    rules += .matrix("classifier.convs.#", "decode_head.linear_c.$1.proj")
    return rules
  }()

  @Sendable
  private static func newerSegFormer(_ name: String) -> String {
    renamed(
      stagesFirst.recipe(name)?.plainName ?? name,
      [
        "attention.self.sr": "attention.sequence_reduction.sequence_reduction",
        "attention.self.layer_norm": "attention.sequence_reduction.layer_norm",
        "mlp.dense1": "mlp.fc1",
        "mlp.dense2": "mlp.fc2",
        "layer_norm_1": "layernorm_before",
        "layer_norm_2": "layernorm_after",
        "decode_head.linear_c.": "decode_head.linear_projections.",
      ])
  }

  /// A name of version 5: what attention has in all networks, and what one of them has.
  private static func renamed(
    _ name: String, _ own: KeyValuePairs<String, String>
  ) -> String {
    let common: KeyValuePairs<String, String> = [
      "attention.self.query": "attention.q_proj", "attention.self.key": "attention.k_proj",
      "attention.self.value": "attention.v_proj", "attention.output.dense": "attention.o_proj",
    ]
    var name = name
    for (older, newer) in Array(common) + Array(own) { name = name.replacing(older, with: newer) }
    return name
  }

  private static let stagesFirst: [NameRule] = {
    let names: KeyValuePairs<String, String> = [
      "encoder.patch_embeddings.#.*": "stages.$1.patch_embeddings.*",
      "encoder.block.#.*": "stages.$1.blocks.*",
      "encoder.layer_norm.#.*": "stages.$1.layer_norm.*",
    ]
    return .table(names) + .table("segformer.", "segformer.", names)
  }()

  // MARK: UPerNet

  private static let uperNetHead: [NameRule] = {
    func unit(_ ours: String, _ theirs: String) -> [NameRule] {
      .unit("classifier.\(ours)", "decode_head.\(theirs).conv", "decode_head.\(theirs).batch_norm")
    }
    var rules = unit("psp_modules.convs.#", "psp_modules.$1.1")
    rules += unit("bottleneck", "bottleneck")
    rules += unit("lateral_convs.#", "lateral_convs.$1")
    rules += unit("fpn_convs.#", "fpn_convs.$1")
    rules += unit("fpn_bottleneck", "fpn_bottleneck")
    rules += .table(
      [
        "classifier.classifier.*": "decode_head.classifier.*",
        "aux_classifier.conv_cat.0.*": "auxiliary_head.conv_cat.conv.*",
        "aux_classifier.conv_cat.1.*": "auxiliary_head.conv_cat.batch_norm.*",
      ])
    return rules
  }()

  /// The names of UPerNet's helper, which depend on how many convolutions it has.
  private static func helper(of model: SegmentationModel) -> [NameRule] {
    guard let head = model.auxiliary.first?.head as? FCN else { return [] }
    let count = head.configuration.convolutions
    return (0..<count).flatMap { index in
      let convolution = "auxiliary_head.convs.\(index)"
      return [
        NameRule("aux_classifier.\(3 * index).*", "\(convolution).conv.*"),
        NameRule("aux_classifier.\(3 * index + 1).*", "\(convolution).batch_norm.*"),
      ]
    } + [NameRule("aux_classifier.\(3 * count + 1).*", "auxiliary_head.classifier.*")]
  }

  /// Merging takes whole positions one after another, as the authors do.
  private static let swin: [NameRule] = {
    var rules: [NameRule] = .table(
      [
        "0.0.*": "embeddings.patch_embeddings.projection.*",
        "0.2.*": "embeddings.norm.*",
        "norms.#.*": "hidden_states_norms.stage$1+1.*",
      ])
    for stage in 0..<4 {
      let (own, block) = ("\(2 * stage + 1).#.", "encoder.layers.\(stage).blocks.$1.")
      rules += .table(
        own, block,
        [
          "norm1.*": "layernorm_before.*",
          "norm2.*": "layernorm_after.*",
          "attn.proj.*": "attention.output.dense.*",
          "attn.relative_position_bias_table": "attention.self.relative_position_bias_table",
          "mlp.0.*": "intermediate.dense.*",
          "mlp.3.*": "output.dense.*",
        ])
      rules += .attention(own + "attn.qkv.", block + "attention.self.")
      rules += .table(
        "\(2 * stage + 2).", "encoder.layers.\(stage).downsample.",
        ["reduction.*": "reduction.*", "norm.*": "norm.*"])
    }
    return rules
  }()

  /// Normalizations of classifiers of images, and the positions' distances, which follow from the window.
  private static let swinUnused =
    ["layernorm.*", "swin.layernorm.*"]
    + ["", "swin."].map {
      $0 + "encoder.layers.#.blocks.#.attention.self.relative_position_index"
    }

  @Sendable
  private static func newerSwin(_ name: String) -> String {
    let before = ["backbone.", ""].first { name.hasPrefix($0) } ?? ""
    let own = name.dropFirst(before.count)
    let place =
      own.hasPrefix("encoder.") || own.hasPrefix("embeddings.") ? before + "swin." + own : name
    return renamed(
      place,
      [
        "attention.self.relative_position_bias_table":
          "attention.relative_position_bias.relative_position_bias_table",
        "intermediate.dense": "mlp.fc1",
        "output.dense": "mlp.fc2",
      ])
  }

  private static let convNeXt: [NameRule] = {
    var rules: [NameRule] = .table(
      [
        "0.0.*": "embeddings.patch_embeddings.*",
        "0.1.*": "embeddings.layernorm.*",
        "norms.#.*": "hidden_states_norms.stage$1+1.*",
      ])
    for stage in 0..<4 {
      rules += .table(
        "\(2 * stage + 1).#.", "encoder.stages.\(stage).layers.$1.",
        [
          "layer_scale": "layer_scale_parameter",
          "block.0.*": "dwconv.*",
          "block.2.*": "layernorm.*",
          "block.3.*": "pwconv1.*",
          "block.5.*": "pwconv2.*",
        ])
      rules += .table(
        ["\(2 * stage).#.*": "encoder.stages.\(stage).downsampling_layer.$1.*"])
    }
    return rules
  }()

  // MARK: DPT

  private static let visionTransformer: [NameRule] = {
    let (own, block) = ("encoder.layers.encoder_layer_#.", "encoder.layer.$1.")
    var rules: [NameRule] = .table(
      [
        "class_token": "embeddings.cls_token",
        "encoder.pos_embedding": "embeddings.position_embeddings",
        "conv_proj.*": "embeddings.patch_embeddings.projection.*",
        "encoder.ln.*": "layernorm.*",
      ])
    rules += .table(
      own, block,
      [
        "ln_1.*": "layernorm_before.*",
        "ln_2.*": "layernorm_after.*",
        "self_attention.out_proj.*": "attention.output.dense.*",
        "mlp.0.*": "intermediate.dense.*",
        "mlp.3.*": "output.dense.*",
      ])
    rules += .attention(own + "self_attention.in_proj_", block + "attention.attention.")
    return rules
  }()

  private static let dptHead: [NameRule] = {
    var rules: [NameRule] = .table(
      "classifier.reassemble.#.", "neck.reassemble_stage.",
      [
        "readout_projects.0.*": "readout_projects.$1.0.*",
        "projects.*": "layers.$1.projection.*",
        "resize_layers.*": "layers.$1.resize.*",
      ])
    rules += .table(
      "classifier.fusion_blocks.#.", "neck.fusion_stage.layers.$1.",
      [
        "res_conv_unit#.conv#.0.*": "residual_layer$2.convolution$3.*",
        "res_conv_unit#.conv#.1.*": "residual_layer$2.batch_norm$3.*",
        "res_conv_unit#.conv#.*": "residual_layer$2.convolution$3.*",
        "project.*": "projection.*",
      ])
    rules += .table(
      [
        "classifier.convs.#.*": "neck.convs.$1.*",
        "classifier.classifier.*": "head.head.4.*",
        "classifier.auxiliary.#.*": "auxiliary_head.head.$1.*",
      ])
    rules += .unit("classifier.project", "head.head.0", "head.head.1")
    return rules
  }()

  // MARK: MobileNetV2

  private static let mobileNetV2: [NameRule] = {
    func unit(_ ours: (String, String), _ theirs: String) -> [NameRule] {
      [
        NameRule("\(ours.0).*", "\(theirs).convolution.*"),
        NameRule("\(ours.1).*", "\(theirs).normalization.*"),
      ]
    }
    var rules = unit(("0.0", "0.1"), "conv_stem.first_conv")
    rules += unit(("1.conv.0.0", "1.conv.0.1"), "conv_stem.conv_3x3")
    rules += unit(("1.conv.1", "1.conv.2"), "conv_stem.reduce_1x1")
    rules += unit(("#.conv.0.0", "#.conv.0.1"), "layer.$1-2.expand_1x1")
    rules += unit(("#.conv.1.0", "#.conv.1.1"), "layer.$1-2.conv_3x3")
    rules += unit(("#.conv.2", "#.conv.3"), "layer.$1-2.reduce_1x1")
    return rules
  }()

  private static let mobileNetHead: [NameRule] = {
    func unit(_ ours: String, _ numbers: (Int, Int), _ theirs: String) -> [NameRule] {
      [
        NameRule("\(ours).\(numbers.0).*", "segmentation_head.\(theirs).convolution.*"),
        NameRule("\(ours).\(numbers.1).*", "segmentation_head.\(theirs).normalization.*"),
      ]
    }
    var rules = unit("classifier.0.convs.0", (1, 2), "conv_pool")
    rules += unit("classifier.0.convs.1", (0, 1), "conv_aspp")
    rules += unit("classifier.0.project", (0, 1), "conv_projection")
    rules.append(NameRule("classifier.4.*", "segmentation_head.classifier.convolution.*"))
    return rules
  }()
}
