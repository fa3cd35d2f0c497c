/// Convolutional networks.
extension MMSegmentationSettings {
  /// A residual network.
  static func resNet(
    _ section: MMSegmentationSection, hasDeepStem: Bool
  ) throws -> BackboneSection {
    let stages = try section.int("num_stages", or: 4)
    let strides = try section.ints("strides", or: [1, 2, 2, 2])
    // After a stride of 1 each following stage has 1 too.
    let strided = strides.dropFirst().prefix { $0 == 2 }.count
    guard strides.count == stages, strides.first == 1,
      strides.dropFirst(1 + strided).allSatisfy({ $0 == 1 })
    else { throw section.unsupported("strides") }
    let unusual: [(String, JSON)] = [
      ("style", "pytorch"), ("base_channels", 64), ("stem_channels", 64), ("avg_down", false),
    ]
    for (key, usual) in unusual where section.json[key].map({ $0.text != usual.text }) ?? false {
      throw section.unsupported(key)
    }
    var configuration: [String: JSON] = [
      "name": .string("resnet\(try section.int("depth"))"),
      "deepStem": .bool(try section.bool("deep_stem", or: hasDeepStem)),
      "contractDilation": .bool(try section.bool("contract_dilation", or: false)),
      "outputStride": .number(Double(4 << strided)), "cut": .number(Double(stages)),
      // All four are asked for, of which a network that is cut uses the first.
      "dilations": .ints(
        try section.ints("dilations", or: [1, 1, 1, 1]) + Array(repeating: 1, count: 4 - stages)),
    ]
    if let grid = section.json["multi_grid"], grid.ints != nil {
      configuration["lastDilations"] = grid
    }
    return (configuration, try section.ints("out_indices", or: Array(0..<stages)))
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
}
