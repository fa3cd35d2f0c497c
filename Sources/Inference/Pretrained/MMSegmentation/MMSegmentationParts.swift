import Configuration
import Files
import Segmentation

/// A network of ours in MMSegmentation's words: what ``MMSegmentationSettings`` reads.
struct MMSegmentationParts {
  /// The setting `model`.
  private(set) var model: [String: JSON]
  /// The types of its backbone and head there.
  private(set) var backbone = "", head = ""

  /// - Throws: ``PretrainedError`` for a network that is not written.
  init(_ section: Section, _ network: SegmentationModel) throws {
    model = ["type": "EncoderDecoder", "pretrained": .null]
    let images = try Self.backbone(section.section("backbone"), network)
    let norm = JSON.object(["type": "SyncBN", "requires_grad": true])
    func head(_ part: Section, level: Int?) throws -> [String: JSON] {
      var own = try Self.head(part, network, level: level)
      own.merge([
        "num_classes": .number(Double(network.classes)), "norm_cfg": norm,
        "align_corners": .bool(network.alignCorners),
      ]) { first, _ in first }
      return own
    }
    let main = try head(section.section("head"), level: network.level)
    model["backbone"] = .object(images)
    model["decode_head"] = .object(main)
    let helpers = try section.sectionList("auxiliary").enumerated().map { index, part in
      var own = try head(part, level: network.auxiliary[index].level)
      own["loss_decode"] = .object([
        "type": "CrossEntropyLoss", "use_sigmoid": false,
        "loss_weight": .number(network.auxiliary[index].weight),
      ])
      return JSON.object(own)
    }
    if !helpers.isEmpty {
      model["auxiliary_head"] = helpers.count == 1 ? helpers[0] : .list(helpers)
    }
    backbone = images["type"]?.string ?? ""
    self.head = main["type"]?.string ?? ""
  }

  private static func failure(_ reason: String) -> PretrainedError {
    .notWritable(family: "mmsegmentation", reason: reason)
  }

  private static func number(_ value: Int) -> JSON { .number(Double(value)) }

  // MARK: Backbones

  private static func backbone(
    _ section: Section, _ network: SegmentationModel
  ) throws -> [String: JSON] {
    let channels = number(network.inputChannels)
    switch network.backbone {
    case let backbone as ResNet: return try resNet(section, backbone, channels)
    case let backbone as MixTransformer:
      let own = backbone.configuration
      return [
        "type": "MixVisionTransformer", "in_channels": channels, "embed_dims": number(own.width),
        "num_stages": 4, "num_layers": .ints(own.depths), "num_heads": .ints(own.heads),
        "patch_sizes": .ints(own.patches), "strides": [4, 2, 2, 2],
        "sr_ratios": .ints(own.reductions), "out_indices": [0, 1, 2, 3],
        "mlp_ratio": .number(own.expansion), "qkv_bias": .bool(own.hasBias),
        "drop_rate": .number(own.dropout), "drop_path_rate": .number(own.dropRate),
        "norm_cfg": .object(["type": "LN", "eps": .number(own.eps)]),
      ]
    case let backbone as Swin:
      let own = backbone.configuration
      return [
        "type": "SwinTransformer", "in_channels": channels, "embed_dims": number(own.width),
        "depths": .ints(own.depths), "num_heads": .ints(own.heads),
        "window_size": number(own.window), "mlp_ratio": .number(own.expansion),
        "qkv_bias": .bool(own.hasBias), "strides": [4, 2, 2, 2], "out_indices": [0, 1, 2, 3],
        "drop_rate": .number(own.dropout), "drop_path_rate": .number(own.dropRate),
        "patch_norm": true, "use_abs_pos_embed": false,
      ]
    case let backbone as ConvNeXt:
      let own = backbone.configuration
      return [
        "type": "mmpretrain.ConvNeXt", "in_channels": channels,
        "arch": .object(["depths": .ints(own.depths), "channels": .ints(own.widths)]),
        "layer_scale_init_value": .number(own.layerScale), "out_indices": [0, 1, 2, 3],
        "gap_before_final_norm": false, "drop_path_rate": .number(own.dropRate),
      ]
    default:
      throw failure(
        "expected a ResNet, mix transformer, Swin or ConvNeXt as the backbone, not"
          + " \(try section.string("name"))")
    }
  }

  private static func resNet(
    _ section: Section, _ backbone: ResNet, _ channels: JSON
  ) throws -> [String: JSON] {
    let own = backbone.configuration
    let name = try section.string("name")
    guard let depth = Int(name.dropFirst("resnet".count)), own.groups == 1, own.widths == nil,
      let usual = ResNet.Configuration.named[name], usual.blocks == own.blocks
    else { throw failure("expected a ResNet of the paper's, not \(name) of other sizes") }
    guard !own.averagesShortcuts || own.hasDeepStem else {
      throw failure("averageShortcuts without deepStem has no name there")
    }
    let last = backbone.strides.max() ?? 32
    let stages = (0..<4).map { 4 << $0 }
    let kind = own.averagesShortcuts ? "ResNetV1d" : own.hasDeepStem ? "ResNetV1c" : "ResNet"
    var settings: [String: JSON] = [
      "type": .string(kind), "in_channels": channels, "depth": number(depth), "num_stages": 4,
      "strides": .ints(stages.map { $0 == 4 || $0 > last ? 1 : 2 }),
      "dilations": .ints(own.dilations ?? stages.map { max(1, $0 / last) }),
      "out_indices": [0, 1, 2, 3], "style": "pytorch", "norm_eval": false,
      "contract_dilation": .bool(own.contractsDilation), "base_channels": number(own.width),
      "stem_channels": number(own.stemChannels),
      "norm_cfg": .object(["type": "SyncBN", "requires_grad": true]),
    ]
    if let grid = own.lastDilations { settings["multi_grid"] = .ints(grid) }
    return settings
  }

  // MARK: Heads

  private static func head(
    _ section: Section, _ network: SegmentationModel, level: Int?
  ) throws -> [String: JSON] {
    let widths = network.backbone.channels
    let last = level ?? widths.count - 1
    let all = Array(0...last)
    func number(_ key: String, _ usual: Int) throws -> JSON {
      .number(Double(try section.int(key, default: usual)))
    }
    func share(_ key: String, _ usual: Double) throws -> JSON {
      .number(try section.double(key, default: usual))
    }
    let one: [String: JSON] = [
      "in_channels": Self.number(widths[last]), "in_index": Self.number(last),
    ]
    let several: [String: JSON] = [
      "in_channels": .ints(all.map { widths[$0] }), "in_index": .ints(all),
    ]
    let isTheirs = try section.string("form", default: "torchvision") == "mmsegmentation"
    let name = try section.string("name")
    let own: [String: JSON]
    switch name {
    case "deeplabv3":
      own = [
        "type": "ASPPHead", "dilations": try rates(network.classifier),
        "channels": try number("channels", isTheirs ? 512 : 256),
        "dropout_ratio": try share("classifierDropout", isTheirs ? 0.1 : 0),
      ]
    case "deeplabv3plus":
      let low = try section.int("low", default: 0)
      guard widths.indices.contains(low) else { throw failure("'low' is \(low)") }
      own = [
        "type": "DepthwiseSeparableASPPHead", "dilations": try rates(network.classifier),
        "channels": try number("channels", 512), "c1_in_channels": Self.number(widths[low]),
        "c1_channels": try number("lowChannels", 48),
        "dropout_ratio": try share("classifierDropout", 0.1),
      ]
    case "fcn":
      let usual = isTheirs ? FCN.Configuration.mmsegmentation : FCN.Configuration()
      own = [
        "type": "FCNHead", "num_convs": try number("convolutions", usual.convolutions),
        "channels": try number("channels", usual.channels ?? max(1, widths[last] / 4)),
        "kernel_size": try number("kernel", usual.kernel),
        "dilation": try number("dilation", usual.dilation),
        "concat_input": .bool(try section.bool("joinInput", default: usual.joinsInput)),
        "dropout_ratio": try share("dropout", 0.1),
      ]
    case "pspnet", "upernet":
      let isUPerNet = name == "upernet"
      own = [
        "type": isUPerNet ? "UPerHead" : "PSPHead", "channels": try number("channels", 512),
        "pool_scales": .ints(try section.ints("scales", default: [1, 2, 3, 6])),
        "dropout_ratio": try share("dropout", 0.1),
      ]
      return own.merging(isUPerNet ? several : one) { first, _ in first }
    case "segformer":
      own = [
        "type": "SegformerHead", "channels": try number("channels", 256),
        "interpolate_mode": .string(try section.string("interpolation", default: "bilinear")),
        "dropout_ratio": try share("dropout", 0.1),
      ]
      return own.merging(several) { first, _ in first }
    default:
      throw failure(
        "expected the head deeplabv3, deeplabv3plus, fcn, pspnet, segformer or upernet, not \(name)"
      )
    }
    return own.merging(one) { first, _ in first }
  }

  private static func rates(_ head: any SegmentationHead) throws -> JSON {
    let pyramid = (head as? DeepLabV3)?.aspp ?? (head as? DeepLabV3Plus)?.aspp
    guard let pyramid else { throw failure("expected the pyramid in the head, not in a helper") }
    return .ints(pyramid.rates)
  }
}
