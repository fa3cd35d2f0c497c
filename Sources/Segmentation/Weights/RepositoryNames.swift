/// The names of repositories of which many copies are around.
///
/// Convolutions that have a bias before a normalization there have none here: the mean that the
/// normalization takes away becomes less by it, which is the same in evaluation.
enum RepositoryNames {
  /// The conventions for a whole network: those of repositories that have its head and backbone.
  static func conventions(of model: SegmentationModel) -> [NamingConvention] {
    let mobile = model.backbone is MobileNetV2
    switch model.classifier {
    case is DeepLabV3Plus:
      return [
        NamingConvention("vainf", vainfBackbone(mobile) + vainfPlus),
        NamingConvention(
          "jfzhang95",
          backbone(model, xception: XceptionNames.jfzhang95) + jfzhang95,
          // The same weights once more.
          unused: ["backbone.low_level_features.*", "backbone.high_level_features.*"]),
        NamingConvention(
          "bubbliiiing", backbone(model, xception: XceptionNames.bubbliiiing) + bubbliiiing),
        NamingConvention("paddleseg", PaddleSegNames.resNet + PaddleSegNames.deepLabV3Plus),
        NamingConvention("detectron2", Detectron2Names.backbone + Detectron2Names.deepLabV3Plus),
      ]
    case is DeepLabV3:
      let head: [NameRule] = .table(["classifier.*": "classifier.classifier.*"])
      return [
        NamingConvention("vainf", vainfBackbone(mobile) + head),
        NamingConvention(
          "tramac", tramacResNet + tramacDeepLabV3, unused: ["pretrained.fc.*"]),
        NamingConvention("paddleseg", PaddleSegNames.resNet + PaddleSegNames.deepLabV3),
        NamingConvention("detectron2", Detectron2Names.backbone + Detectron2Names.deepLabV3),
        NamingConvention("tensorflow-lite", TensorFlowLiteNames.deepLabV3),
      ]
    case is DeepLabV2:
      return [NamingConvention("kazuto1011", kazuto1011)]
    case let head as DenseASPP:
      return [
        NamingConvention(
          "tramac", tramacDenseASPP(head.configuration.dilations),
          unused: ["pretrained.classifier.*"])
      ]
    case let head as PSPNet:
      return [
        NamingConvention("hszhao", hszhao), NamingConvention("csail", csail),
        NamingConvention("paddleseg", PaddleSegNames.resNet + PaddleSegNames.pspNet(head)),
      ]
    case is SegFormer:
      return [
        // Its base class makes a classifier that the head does not use.
        NamingConvention(
          "nvidia", MixTransformerNames.nvidia, unused: ["decode_head.conv_seg.*"]),
        NamingConvention("paddleseg", MixTransformerNames.paddleSeg),
      ]
    default: return []
    }
  }

  /// The backbones of jfzhang95 and bubbliiiing, whose names differ for Xception alone.
  private static func backbone(_ model: SegmentationModel, xception: [NameRule]) -> [NameRule] {
    switch model.backbone {
    case is MobileNetV2: flatMobileNet("backbone.")
    case is Xception: xception
    default: plainBackbone
    }
  }

  private static let plainBackbone: [NameRule] = .table(["backbone.*": "backbone.*"])

  /// MobileNetV2 whose blocks are one sequence each.
  private static func flatMobileNet(_ before: String) -> [NameRule] {
    let names: KeyValuePairs<String, String> = [
      "0.*": "0.*",
      "1.conv.0.#.*": "1.conv.$1.*",
      "1.conv.1.*": "1.conv.3.*",
      "1.conv.2.*": "1.conv.4.*",
      "#.conv.0.#.*": "$1.conv.$2.*",
      "#.conv.1.0.*": "$1.conv.3.*",
      "#.conv.1.1.*": "$1.conv.4.*",
      "#.conv.2.*": "$1.conv.6.*",
      "#.conv.3.*": "$1.conv.7.*",
    ]
    return .table("backbone.", before + "features.", names)
  }

  // MARK: VainF

  private static func vainfBackbone(_ isMobile: Bool) -> [NameRule] {
    guard isMobile else { return plainBackbone }
    let low: [NameRule] = (0..<4).map {
      NameRule("backbone.\($0).*", "backbone.low_level_features.\($0).*")
    }
    return low + [NameRule("backbone.#.*", "backbone.high_level_features.$1.*")]
  }

  private static let vainfPlus: [NameRule] = .table(
    "classifier.", "classifier.",
    [
      "aspp.convs.#.depthwise_conv.*": "aspp.convs.$1.0.body.0.*",
      "aspp.convs.#.pointwise_conv.0.*": "aspp.convs.$1.0.body.1.*",
      "aspp.convs.#.pointwise_conv.1.*": "aspp.convs.$1.1.*",
      "aspp.*": "aspp.*",
      "c1_bottleneck.*": "project.*",
      "sep_bottleneck.0.depthwise_conv.*": "classifier.0.body.0.*",
      "sep_bottleneck.0.pointwise_conv.0.*": "classifier.0.body.1.*",
      "sep_bottleneck.0.pointwise_conv.1.*": "classifier.1.*",
      "sep_bottleneck.0.*": "classifier.*",
      "classifier.*": "classifier.3.*",
    ])

  // MARK: jfzhang95

  private static let jfzhang95: [NameRule] = {
    var rules: [NameRule] = .table(
      [
        "classifier.aspp.convs.4.#.*": "aspp.global_avg_pool.$1.*",
        "classifier.sep_bottleneck.0.#.*": "decoder.last_conv.$1.*",
        "classifier.sep_bottleneck.1.0.*": "decoder.last_conv.4.*",
        "classifier.sep_bottleneck.1.1.*": "decoder.last_conv.5.*",
        "classifier.classifier.*": "decoder.last_conv.8.*",
      ])
    rules += .unit("classifier.aspp.convs.#", "aspp.aspp$1+1.atrous_conv", "aspp.aspp$1+1.bn")
    rules += .unit("classifier.aspp.project", "aspp.conv1", "aspp.bn1")
    rules += .unit("classifier.c1_bottleneck", "decoder.conv1", "decoder.bn1")
    return rules
  }()

  // MARK: bubbliiiing

  private static let bubbliiiing: [NameRule] = {
    var rules: [NameRule] = .folded(
      "classifier.aspp.convs.4", (1, 2), "aspp.branch5_conv", "aspp.branch5_bn")
    rules += .folded(
      "classifier.aspp.convs.#", (0, 1), "aspp.branch$1+1.0", "aspp.branch$1+1.1")
    rules += .folded("classifier.aspp.project", (0, 1), "aspp.conv_cat.0", "aspp.conv_cat.1")
    rules += .folded("classifier.c1_bottleneck", (0, 1), "shortcut_conv.0", "shortcut_conv.1")
    rules += .folded("classifier.sep_bottleneck.0", (0, 1), "cat_conv.0", "cat_conv.1")
    rules += .folded("classifier.sep_bottleneck.1", (0, 1), "cat_conv.4", "cat_conv.5")
    rules.append(NameRule("classifier.classifier.*", "cls_conv.*"))
    return rules
  }()

  // MARK: kazuto1011

  /// Images are BGR there: the first convolution's inputs are turned around.
  private static let kazuto1011: [NameRule] = {
    let (own, block) = ("backbone.layer#.#.", "layer$1+1.block$2+1.")
    let first = WeightRecipe.tensor("layer1.conv1.conv.weight")
    var rules = [
      NameRule("backbone.conv1.weight", .inputs(first, sizes: [], order: [2, 1, 0])),
      NameRule("backbone.bn1.*", "layer1.conv1.bn.*"),
      NameRule("classifier.convs.#.*", "aspp.c$1.*"),
    ]
    for (number, part) in [(1, "reduce"), (2, "conv3x3"), (3, "increase")] {
      rules.append(NameRule(own + "conv\(number).*", block + "\(part).conv.*"))
      rules.append(NameRule(own + "bn\(number).*", block + "\(part).bn.*"))
    }
    rules += .unit(own + "downsample", block + "shortcut.conv", block + "shortcut.bn")
    return rules
  }()

  // MARK: Tramac

  private static let tramacResNet: [NameRule] = .table(
    [
      "backbone.stem.7.*": "pretrained.bn1.*",
      "backbone.stem.#.*": "pretrained.conv1.$1.*",
      "backbone.*": "pretrained.*",
    ])

  private static let tramacDeepLabV3: [NameRule] = .table(
    [
      "classifier.0.convs.0.*": "head.aspp.b0.*",
      "classifier.0.convs.4.*": "head.aspp.b4.gap.*",
      "classifier.0.convs.#.*": "head.aspp.b$1.block.*",
      "classifier.0.project.*": "head.aspp.project.*",
      "classifier.1.*": "head.block.0.*",
      "classifier.2.*": "head.block.1.*",
      "classifier.4.*": "head.block.4.*",
      "aux_classifier.*": "auxlayer.block.*",
    ])

  /// The levels are called by their dilations.
  private static func tramacDenseASPP(_ dilations: [Int]) -> [NameRule] {
    var rules: [NameRule] = .table(
      [
        "backbone.*": "pretrained.features.*", "classifier.classifier.*": "head.block.1.*",
        "aux_classifier.*": "auxlayer.block.*",
      ])
    for (index, dilation) in dilations.enumerated() {
      let (own, level) = ("classifier.levels.\(index)", "head.dense_aspp_block.aspp_\(dilation)")
      rules += .folded((own + ".conv1", own + ".norm2"), level + ".conv1", level + ".bn1")
      rules += .folded((own + ".conv2", own + ".norm3"), level + ".conv2", level + ".bn2")
    }
    return rules
  }

  // MARK: CSAILVision

  /// The encoder's names and the decoder's, which stand in two files.
  private static let csail: [NameRule] = {
    var rules: [NameRule] = []
    for part in 0..<3 {
      rules.append(NameRule("backbone.stem.\(3 * part).*", "conv\(part + 1).*"))
      rules.append(NameRule("backbone.stem.\(3 * part + 1).*", "bn\(part + 1).*"))
    }
    return rules
      + .table(
        [
          "backbone.*": "*",
          "classifier.psp_modules.convs.#.0.*": "ppm.$1.1.*",
          "classifier.psp_modules.convs.#.1.*": "ppm.$1.2.*",
          "classifier.bottleneck.#.*": "conv_last.$1.*",
          "classifier.classifier.*": "conv_last.4.*",
          "aux_classifier.4.*": "conv_last_deepsup.*",
          "aux_classifier.*": "cbr_deepsup.*",
        ])
  }()

  // MARK: hszhao

  private static let hszhao: [NameRule] = .table(
    [
      "backbone.stem.*": "layer0.*",
      "backbone.conv1.*": "layer0.0.*",
      "backbone.bn1.*": "layer0.1.*",
      "backbone.*": "*",
      "classifier.psp_modules.convs.#.0.*": "ppm.features.$1.1.*",
      "classifier.psp_modules.convs.#.1.*": "ppm.features.$1.2.*",
      "classifier.bottleneck.#.*": "cls.$1.*",
      "classifier.classifier.*": "cls.4.*",
      "aux_classifier.*": "aux.*",
    ])
}

/// The names of PaddleSeg, whose norms have `_mean` and `_variance` and whose matrices are transposed.
enum PaddleSegNames {
  /// ResNet-vd.
  static let resNet: [NameRule] = {
    var rules: [NameRule] = []
    for part in 0..<3 {
      rules += unit(
        ("backbone.stem.\(3 * part)", "backbone.stem.\(3 * part + 1)"),
        "backbone.conv1_\(part + 1)", hasBias: false)
    }
    let (own, block) = ("backbone.layer#.#.", "backbone.bb_$1-1_$2.")
    for number in 1...3 {
      rules += unit(
        (own + "conv\(number)", own + "bn\(number)"), block + "conv\(number - 1)", hasBias: false)
    }
    rules += unit((own + "downsample.1", own + "downsample.2"), block + "short", hasBias: false)
    return rules
  }()

  static let deepLabV3Plus: [NameRule] = {
    var rules = pyramid("classifier.aspp")
    let decoder = "head.decoder."
    rules += unit("classifier.c1_bottleneck", decoder + "conv_bn_relu1")
    rules += separable("classifier.sep_bottleneck.#", decoder + "conv_bn_relu$1+2")
    rules += unit("classifier.sep_bottleneck.#", decoder + "conv_bn_relu$1+2")
    rules.append(NameRule("classifier.classifier.*", decoder + "conv.*"))
    return rules
  }()

  static let deepLabV3: [NameRule] =
    pyramid("classifier.0") + [NameRule("classifier.4.*", "head.cls.*")]

  /// PSPNet's, where the levels of the pyramid are joined to the features with the last first.
  static func pspNet(_ own: PSPNet) -> [NameRule] {
    let head = "head.psp_module."
    let levels = own.pspModules.convs.count
    let joined = WeightRecipe.tensor(head + "conv_bn_relu2._conv.weight")
    var rules = unit("classifier.psp_modules.convs.#", head + "stages.$1.1")
    rules.append(
      NameRule(
        "classifier.bottleneck.0.weight",
        .inputs(
          joined, sizes: [0] + Array(repeating: own.pspModules.levelChannels, count: levels),
          order: [0] + (1...max(1, levels)).reversed())))
    rules += unit("classifier.bottleneck", head + "conv_bn_relu2")
    rules.append(NameRule("classifier.classifier.*", "head.conv.*"))
    rules += unit("aux_classifier", "head.auxlayer.conv_bn_relu")
    rules.append(NameRule("aux_classifier.4.*", "head.auxlayer.conv.*"))
    return rules
  }

  /// The pyramid, whose pooled branch alone has no bias.
  private static func pyramid(_ own: String) -> [NameRule] {
    let aspp = "head.aspp."
    var rules = unit(
      (own + ".convs.4.1", own + ".convs.4.2"), aspp + "global_avg_pool.1", hasBias: false)
    rules += separable(own + ".convs.#", aspp + "aspp_blocks.$1")
    rules += unit(own + ".convs.#", aspp + "aspp_blocks.$1")
    rules += unit(own + ".project", aspp + "conv_bn_relu")
    return rules
  }

  private static func separable(_ own: String, _ theirs: String) -> [NameRule] {
    // So spelled there.
    unit(own + ".depthwise_conv", theirs + ".depthwise_conv")
      + unit(own + ".pointwise_conv", theirs + ".piontwise_conv")
  }

  /// A convolution and its normalization, numbered 0 and 1 here.
  private static func unit(_ own: String, _ theirs: String) -> [NameRule] {
    unit((own + ".0", own + ".1"), theirs, hasBias: true)
  }

  private static func unit(
    _ own: (String, String), _ theirs: String, hasBias: Bool
  ) -> [NameRule] {
    let (convolution, norm) = (theirs + "._conv", theirs + "._batch_norm")
    let mean = WeightRecipe.tensor(norm + "._mean")
    return [
      NameRule(own.0 + ".weight", convolution + ".weight"),
      NameRule(own.1 + ".weight", norm + ".weight"),
      NameRule(own.1 + ".bias", norm + ".bias"),
      NameRule(
        own.1 + ".running_mean",
        hasBias ? .difference(mean, .tensor(convolution + ".bias")) : mean),
      NameRule(own.1 + ".running_var", norm + "._variance"),
    ]
  }
}

/// The names of the authors' SegFormer and of those who took them over.
enum MixTransformerNames {
  /// The authors' code (NVlabs/SegFormer).
  static let nvidia: [NameRule] = {
    var rules = backbone(transposed: false).after("", "backbone.")
    rules += head("decode_head.", norm: "bn", convolution: "conv", transposed: false)
    return rules
  }()

  /// PaddleSeg's.
  static let paddleSeg: [NameRule] = {
    let fusion = "linear_fuse._batch_norm."
    var rules = backbone(transposed: true).after("", "backbone.")
    rules += .table(
      [
        "classifier.fusion_conv.1.running_mean": "linear_fuse._batch_norm._mean",
        "classifier.fusion_conv.1.running_var": "linear_fuse._batch_norm._variance",
        "classifier.fusion_conv.1.weight": "linear_fuse._batch_norm.weight",
        "classifier.fusion_conv.1.bias": "linear_fuse._batch_norm.bias",
      ])
    rules += head("", norm: String(fusion.dropLast()), convolution: "_conv", transposed: true)
    return rules
  }()

  /// A matrix, which Paddle has as (inputs, outputs).
  private static func matrix(_ name: String, _ transposed: Bool) -> WeightRecipe {
    transposed ? .permuted(.tensor(name), [1, 0]) : .tensor(name)
  }

  /// The rules for the backbone, whose stages are counted from 1 there.
  static func backbone(transposed: Bool) -> [NameRule] {
    let (own, block) = ("backbone.layers.#.1.#.", "block$1+1.$2.")
    var rules: [NameRule] = .table(
      [
        "backbone.layers.#.0.projection.*": "patch_embed$1+1.proj.*",
        "backbone.layers.#.0.norm.*": "patch_embed$1+1.norm.*",
        "backbone.layers.#.2.*": "norm$1+1.*",
      ])
    rules += .table(
      own, block,
      [
        "attn.attn.out_proj.bias": "attn.proj.bias",
        "attn.sr.*": "attn.sr.*",
        "attn.norm.*": "attn.norm.*",
        "norm#.*": "norm$3.*",
        "ffn.layers.0.bias": "mlp.fc1.bias",
        "ffn.layers.1.*": "mlp.dwconv.dwconv.*",
        "ffn.layers.4.bias": "mlp.fc2.bias",
      ])
    func part(_ name: String) -> WeightRecipe { matrix("\(block)\(name).weight", transposed) }
    rules += [
      NameRule(
        own + "attn.attn.in_proj_weight",
        .joined([part("attn.q"), part("attn.kv")], shares: [1, 2])),
      NameRule(
        own + "attn.attn.in_proj_bias",
        .joined(
          [.tensor(block + "attn.q.bias"), .tensor(block + "attn.kv.bias")], shares: [1, 2])),
      NameRule(own + "attn.attn.out_proj.weight", part("attn.proj")),
      NameRule(own + "ffn.layers.0.weight", .kernel(part("mlp.fc1"))),
      NameRule(own + "ffn.layers.4.weight", .kernel(part("mlp.fc2"))),
    ]
    return rules
  }

  /// The rules for the head, which joins the coarsest map first.
  private static func head(
    _ before: String, norm: String, convolution: String, transposed: Bool
  ) -> [NameRule] {
    let fusion = WeightRecipe.tensor("\(before)linear_fuse.\(convolution).weight")
    return [
      NameRule(
        "classifier.convs.#.weight",
        .kernel(matrix("\(before)linear_c$1+1.proj.weight", transposed))),
      NameRule("classifier.convs.#.bias", "\(before)linear_c$1+1.proj.bias"),
      NameRule(
        "classifier.fusion_conv.0.weight", .inputs(fusion, sizes: [], order: [3, 2, 1, 0])),
      NameRule("classifier.fusion_conv.1.*", "\(before)linear_fuse.\(norm).*"),
      NameRule("classifier.classifier.*", "\(before)linear_pred.*"),
    ]
  }
}

/// The names of TensorFlow Lite's DeepLabV3 on MobileNetV2, whose normalizations are part of the
/// convolutions.
enum TensorFlowLiteNames {
  static let deepLabV3: [NameRule] = {
    let (mobile, block) = ("MobilenetV2/", "MobilenetV2/expanded_conv_$1-1/")
    var rules = unit(("backbone.0.0", "backbone.0.1"), mobile + "Conv/")
    let first = mobile + "expanded_conv/"
    rules += unit(("backbone.1.conv.0.0", "backbone.1.conv.0.1"), first + "depthwise/", .depthwise)
    rules += unit(("backbone.1.conv.1", "backbone.1.conv.2"), first + "project/")
    rules += unit(("backbone.#.conv.0.0", "backbone.#.conv.0.1"), block + "expand/")
    rules += unit(
      ("backbone.#.conv.1.0", "backbone.#.conv.1.1"), block + "depthwise/", .depthwise)
    rules += unit(("backbone.#.conv.2", "backbone.#.conv.3"), block + "project/")
    rules += unit(("classifier.0.convs.0.1", "classifier.0.convs.0.2"), "image_pooling/")
    rules += unit(("classifier.0.convs.1.0", "classifier.0.convs.1.1"), "aspp0/")
    rules += unit(("classifier.0.project.0", "classifier.0.project.1"), "concat_projection/")
    rules.append(NameRule("classifier.4.weight", kernel("logits/semantic/weights")))
    rules.append(NameRule("classifier.4.bias", "logits/semantic/Conv2D_bias"))
    return rules
  }()

  private enum Kind { case full, depthwise }

  /// Outputs, rows, columns, inputs there.
  private static func kernel(_ name: String) -> WeightRecipe {
    .permuted(.tensor(name), [0, 3, 1, 2])
  }

  /// A convolution with what is left of its normalization, which changes nothing else.
  private static func unit(
    _ own: (String, String), _ theirs: String, _ kind: Kind = .full
  ) -> [NameRule] {
    let weights = theirs + (kind == .full ? "weights" : "depthwise_weights")
    let bias = WeightRecipe.tensor(theirs + (kind == .full ? "Conv2D_bias" : "depthwise_bias"))
    return [
      NameRule(
        own.0 + ".weight",
        kind == .full ? kernel(weights) : .permuted(.tensor(weights), [3, 0, 1, 2])),
      NameRule(own.1 + ".weight", .constant(1, outputsOf: bias)),
      NameRule(own.1 + ".bias", bias),
      NameRule(own.1 + ".running_mean", .constant(0, outputsOf: bias)),
      // With the usual 1e-5 that is added the deviation is 1.
      NameRule(own.1 + ".running_var", .constant(1 - 1e-5, outputsOf: bias)),
    ]
  }
}
