import Files

/// Convolutional networks.
extension MMSegmentationSettings {
  /// A residual network.
  static func resNet(
    _ section: MMSegmentationSection, hasDeepStem: Bool, averagesShortcuts: Bool = false
  ) throws -> BackboneSection {
    let stages = try section.int("num_stages", or: 4)
    guard (1...4).contains(stages) else {
      throw section.unsupported("num_stages", expected: "1 to 4")
    }
    let strides = try section.ints("strides", or: [1, 2, 2, 2])
    // After a stride of 1 each following stage has 1 too.
    let strided = strides.dropFirst().prefix { $0 == 2 }.count
    guard strides.count == stages, strides.first == 1,
      strides.dropFirst(1 + strided).allSatisfy({ $0 == 1 })
    else { throw section.unsupported("strides") }
    if try section.string("style", or: "pytorch") != "pytorch" {
      throw section.unsupported("style")
    }
    var configuration: [String: JSON] = [
      "name": .string("resnet\(try section.int("depth"))"),
      "deepStem": .bool(try section.bool("deep_stem", or: hasDeepStem)),
      "width": .number(Double(try section.int("base_channels", or: 64))),
      "stemChannels": .number(Double(try section.int("stem_channels", or: 64))),
      "averageShortcuts": .bool(try section.bool("avg_down", or: averagesShortcuts)),
      "contractDilation": .bool(try section.bool("contract_dilation", or: false)),
      "outputStride": .number(Double(4 << strided)), "cut": .number(Double(stages)),
      // All four are asked for, of which a network that is cut uses the first.
      "dilations": .ints(
        try section.ints("dilations", or: [1, 1, 1, 1]) + Array(repeating: 1, count: 4 - stages)),
    ]
    if let grid = section.value("multi_grid"), grid.ints != nil {
      configuration["lastDilations"] = grid
    }
    return (configuration, try section.ints("out_indices", or: Array(0..<stages)))
  }

  /// A U-Net.
  static func uNet(_ section: MMSegmentationSection) throws -> BackboneSection {
    let sizes = try section.int("num_stages", or: 5)
    guard (2...16).contains(sizes) else { throw section.unsupported("num_stages") }
    let base = try section.int("base_channels", or: 64)
    guard (1...64).contains(base) else { throw section.unsupported("base_channels") }
    guard try section.ints("strides", or: [1]).allSatisfy({ $0 == 1 }) else {
      throw section.unsupported("strides")
    }
    if section.value("downsamples")?.list?.contains(where: { $0.bool != true }) == true {
      throw section.unsupported("downsamples")
    }
    if let given = section.value("upsample_cfg"), given.object != nil {
      let own = given["upsample_cfg"]
      guard given["type"]?.string == "InterpConv", given["conv_first"]?.bool != true,
        given["kernel_size"]?.int ?? 1 == 1, own?["mode"]?.string ?? "bilinear" == "bilinear",
        own?["align_corners"]?.bool != true, own?["scale_factor"]?.number ?? 2 == 2
      else {
        throw section.unsupported(
          "upsample_cfg", expected: "InterpConv of 1×1 after bilinear enlarging by 2")
      }
    }
    var configuration: [String: JSON] = [
      "name": "unet", "enlargement": "projected",
      "widths": .ints((0..<sizes).map { base << $0 }),
    ]
    let perSize = [
      "encoderDepths": "enc_num_convs", "decoderDepths": "dec_num_convs",
      "encoderDilations": "enc_dilations", "decoderDilations": "dec_dilations",
    ]
    for (own, theirs) in perSize where section.value(theirs)?.list != nil {
      configuration[own] = .ints(try section.ints(theirs))
    }
    return (configuration, Array(0..<sizes))
  }

  /// DeepLabV3.
  static func deepLabV3(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "deeplabv3", "form": "mmsegmentation",
      "rates": .ints(try head.section.ints("dilations", or: [1, 6, 12, 18])),
      "channels": .number(Double(try head.section.int("channels"))),
      "classifierDropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// DeepLabV3+, whose finer map is the first that the backbone gives.
  static func deepLabV3Plus(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "deeplabv3plus", "low": .number(Double(head.maps.first ?? 0)),
      "rates": .ints(try head.section.ints("dilations", or: [1, 6, 12, 18])),
      "channels": .number(Double(try head.section.int("channels"))),
      "lowChannels": .number(Double(try head.section.int("c1_channels"))),
      "classifierDropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// FCN, and FCN-D6 by its dilation.
  static func fcn(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "fcn", "form": "mmsegmentation",
      "convolutions": .number(Double(try head.section.int("num_convs", or: 2))),
      "kernel": .number(Double(try head.section.int("kernel_size", or: 3))),
      "joinInput": .bool(try head.section.bool("concat_input", or: true)),
      "dilation": .number(Double(try head.section.int("dilation", or: 1))),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// PSPNet.
  static func pspNet(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "pspnet", "scales": .ints(try head.section.ints("pool_scales", or: [1, 2, 3, 6])),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// The head with a non-local block.
  static func nonLocalNet(_ head: HeadSection) throws -> [String: JSON] {
    let weightings = ["embedded_gaussian": "softmax", "dot_product": "mean"]
    guard let weighting = weightings[try head.section.string("mode", or: "embedded_gaussian")]
    else { throw head.section.unsupported("mode") }
    return [
      "name": "nonlocal", "weighting": .string(weighting),
      "joinInput": .bool(try head.section.bool("concat_input", or: true)),
      "reduction": .number(Double(try head.section.int("reduction", or: 2))),
      "scale": .bool(try head.section.bool("use_scale", or: true)),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// The asymmetric non-local network.
  static func ann(_ head: HeadSection) throws -> [String: JSON] {
    guard head.levels.count == 2 else { throw head.section.unsupported("in_index") }
    guard try head.section.ints("query_scales", or: [1]) == [1] else {
      throw head.section.unsupported("query_scales")
    }
    return [
      "name": "ann", "low": .number(Double(head.levels[0])),
      "scales": .ints(try head.section.ints("key_pool_scales", or: [1, 3, 6, 8])),
      "projectChannels": .number(Double(try head.section.int("project_channels"))),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// DANet.
  static func daNet(_ head: HeadSection) throws -> [String: JSON] {
    [
      "name": "danet",
      "positionChannels": .number(Double(try head.section.int("pam_channels"))),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// EncNet.
  static func encNet(_ head: HeadSection) throws -> [String: JSON] {
    let hasPresence = try head.section.bool("use_se_loss", or: true)
    let isLateral = try head.section.bool("add_lateral", or: false)
    return [
      "name": "encnet", "codes": .number(Double(try head.section.int("num_codes", or: 32))),
      "presenceWeight": .number(
        hasPresence ? head.section.value("loss_se_decode")?["loss_weight"]?.number ?? 0.2 : 0),
      "laterals": .ints(isLateral ? head.levels.dropLast() : []),
      "channels": .number(Double(try head.section.int("channels"))),
      "dropout": .number(try head.section.number("dropout_ratio", or: 0.1)),
    ]
  }

  /// FastFCN's joint pyramid upsampling, around a head.
  static func jointPyramid(_ neck: MMSegmentationSection) throws -> NeckSection {
    guard try neck.ints("in_channels", or: [512, 1024, 2048]).count == 3,
      try neck.int("start_level", or: 0) == 0
    else { throw neck.unsupported("start_level") }
    guard [-1, 3].contains(try neck.int("end_level", or: -1)) else {
      throw neck.unsupported("end_level")
    }
    let own: [String: JSON] = [
      "name": "fastfcn", "channels": .number(Double(try neck.int("mid_channels", or: 512))),
      "dilations": .ints(try neck.ints("dilations", or: [1, 2, 4, 8])),
    ]
    return { head in own.merging(["head": .object(head)]) { first, _ in first } }
  }
}
