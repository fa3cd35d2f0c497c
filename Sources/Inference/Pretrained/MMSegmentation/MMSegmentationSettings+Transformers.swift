import Files

/// Transformers, and the heads that came with them.
extension MMSegmentationSettings {
  /// A vision transformer; its patches are its output stride.
  static func visionTransformer(_ section: MMSegmentationSection) throws -> BackboneSection {
    let depth = try section.int("num_layers", or: 12)
    let levels = try section.ints("out_indices", or: [-1]).map { $0 < 0 ? $0 + depth : $0 }
    let size = try section.ints("img_size", or: [224])
    for key in ["patch_norm", "pre_norm", "out_origin"] where try section.bool(key, or: false) {
      throw section.unsupported(key)
    }
    return (
      [
        "name": "vit", "outputStride": .number(Double(try section.int("patch_size", or: 16))),
        "depth": .number(Double(depth)), "levels": .ints(levels),
        "width": .number(Double(try section.int("embed_dims", or: 768))),
        "heads": .number(Double(try section.int("num_heads", or: 12))),
        "expansion": .number(try section.number("mlp_ratio", or: 4)),
        "imageSize": .ints([size.last ?? 224, size.first ?? 224]),
        "interpolation": .string(try section.string("interpolate_mode", or: "bicubic")),
        "normalizeLast": .bool(try section.bool("final_norm", or: false)),
        "classToken": .bool(try section.bool("with_cls_token", or: true)),
        "joinClassToken": .bool(try section.bool("output_cls_token", or: false)),
        "patchBias": .bool(try section.bool("patch_bias", or: false)),
        "attentionBias": .bool(try section.bool("qkv_bias", or: true)),
        "eps": .number(section.value("norm_cfg")?["eps"]?.number ?? 1e-5),
        "dropout": .number(try section.number("drop_rate", or: 0)),
        "dropRate": .number(try section.number("drop_path_rate", or: 0)),
      ], Array(levels.indices)
    )
  }

  /// A transformer of shifted windows.
  static func swin(_ section: MMSegmentationSection) throws -> BackboneSection {
    let depths = try section.ints("depths", or: [2, 2, 6, 2])
    let usual: [(String, JSON)] = [
      ("patch_norm", true), ("use_abs_pos_embed", false), ("patch_size", 4),
      ("strides", [4, 2, 2, 2]), ("out_indices", .ints(Array(depths.indices))),
    ]
    for (key, usual) in usual where section.value(key).map({ $0.text != usual.text }) ?? false {
      throw section.unsupported(key)
    }
    if section.value("qk_scale")?.number != nil { throw section.unsupported("qk_scale") }
    return (
      [
        "name": "swin_t", "form": "mmsegmentation", "depths": .ints(depths),
        "heads": .ints(try section.ints("num_heads", or: [3, 6, 12, 24])),
        "width": .number(Double(try section.int("embed_dims", or: 96))),
        "window": .number(Double(try section.int("window_size", or: 7))),
        "expansion": .number(try section.number("mlp_ratio", or: 4)),
        "attentionBias": .bool(try section.bool("qkv_bias", or: true)),
        "dropout": .number(try section.number("drop_rate", or: 0)),
        "dropRate": .number(try section.number("drop_path_rate", or: 0.1)),
      ], Array(depths.indices)
    )
  }

  /// The mix transformer of SegFormer.
  static func mixTransformer(_ section: MMSegmentationSection) throws -> BackboneSection {
    let depths = try section.ints("num_layers", or: [3, 4, 6, 3])
    section.pass("num_stages")
    if try section.ints("strides", or: [4, 2, 2, 2]) != [4, 2, 2, 2] {
      throw section.unsupported("strides")
    }
    return (
      [
        "name": "mit_b0", "depths": .ints(depths),
        "heads": .ints(try section.ints("num_heads", or: [1, 2, 4, 8])),
        "width": .number(Double(try section.int("embed_dims", or: 64))),
        "patches": .ints(try section.ints("patch_sizes", or: [7, 3, 3, 3])),
        "reductions": .ints(try section.ints("sr_ratios", or: [8, 4, 2, 1])),
        "expansion": .number(try section.number("mlp_ratio", or: 4)),
        "attentionBias": .bool(try section.bool("qkv_bias", or: true)),
        "eps": .number(section.value("norm_cfg")?["eps"]?.number ?? 1e-6),
        "dropout": .number(try section.number("drop_rate", or: 0)),
        "dropRate": .number(try section.number("drop_path_rate", or: 0)),
      ], try section.ints("out_indices", or: Array(depths.indices))
    )
  }

  /// A ConvNeXt of MMPretrain.
  static func convNeXt(_ section: MMSegmentationSection) throws -> BackboneSection {
    let usual: [(String, JSON)] = [
      ("gap_before_final_norm", false), ("linear_pw_conv", true), ("use_grn", false),
      ("out_indices", [0, 1, 2, 3]), ("stem_patch_size", 4),
    ]
    for (key, usual) in usual where section.value(key).map({ $0.text != usual.text }) ?? false {
      throw section.unsupported(key)
    }
    var configuration: [String: JSON] = [
      "name": "convnext_tiny", "form": "mmsegmentation",
      "layerScale": .number(try section.number("layer_scale_init_value", or: 1e-6)),
      "dropRate": .number(try section.number("drop_path_rate", or: 0)),
    ]
    if let sizes = try? section.part("arch") {
      configuration["depths"] = .ints(try sizes.ints("depths"))
      configuration["widths"] = .ints(try sizes.ints("channels"))
    } else {
      configuration["name"] = .string("convnext_\(try section.string("arch", or: "tiny"))")
    }
    return (configuration, [0, 1, 2, 3])
  }

  /// A neck that makes a pyramid of maps of one size.
  static func multiLevel(_ neck: MMSegmentationSection) throws -> [String: JSON] {
    [
      "name": "multilevel", "channels": .number(Double(try neck.int("out_channels"))),
      "scales": neck.value("scales") ?? .list([0.5, 1, 2, 4].map { .number($0) }),
    ]
  }

  /// SETR's aggregation of levels.
  static func multiLevelAggregation(_ neck: MMSegmentationSection) throws -> [String: JSON] {
    ["name": "mla", "channels": .number(Double(try neck.int("out_channels")))]
  }

  /// SETR's naive and progressive decoders.
  static func setr(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "setr_naive",
      "convolutions": .number(Double(try head.section.int("num_convs", or: 1))),
      "kernel": .number(Double(try head.section.int("kernel_size", or: 3))),
      "factor": .number(Double(try head.section.int("up_scale", or: 4))),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// SETR's decoder of aggregated levels.
  static func setrAggregation(_ head: HeadSection) throws -> [String: JSON] {
    head.section.pass("channels")
    return [
      "name": "setr_mla", "factor": .number(Double(try head.section.int("up_scale", or: 4))),
      "channels": .number(Double(try head.section.int("mla_channels", or: 128))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// Segmenter's mask transformer.
  static func segmenter(_ head: HeadSection) throws -> [String: JSON] {
    head.section.pass("channels")
    return [
      "name": "segmenter", "depth": .number(Double(try head.section.int("num_layers"))),
      "width": .number(Double(try head.section.int("embed_dims"))),
      "heads": .number(Double(try head.section.int("num_heads"))),
      "expansion": .number(try head.section.number("mlp_ratio", or: 4)),
      "attentionBias": .bool(try head.section.bool("qkv_bias", or: true)),
      "eps": .number(head.section.value("norm_cfg")?["eps"]?.number ?? 1e-5),
      "dropout": .number(try head.section.number("drop_rate", or: 0)),
      "dropRate": .number(try head.section.number("drop_path_rate", or: 0.1)),
    ]
  }

  /// DPT.
  static func dpt(_ head: HeadSection) throws -> [String: JSON] {
    if try head.section.bool("expand_channels", or: false) {
      throw head.section.unsupported("expand_channels")
    }
    head.section.pass("embed_dims")
    return [
      "name": "dpt", "channels": .number(Double(try head.section.int("channels"))),
      "reassembled": .ints(
        try head.section.ints("post_process_channels", or: [96, 192, 384, 768])),
      "readout": .string(try head.section.string("readout_type", or: "ignore")),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// UPerNet.
  static func uperNet(_ head: HeadSection) throws -> [String: JSON] {
    try ["name": "upernet"].merging(pspNet(head)) { own, _ in own }
  }

  /// SegFormer.
  static func segFormer(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "segformer", "channels": .number(Double(try head.section.int("channels"))),
      "interpolation": .string(try head.section.string("interpolate_mode", or: "bilinear")),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }
}
