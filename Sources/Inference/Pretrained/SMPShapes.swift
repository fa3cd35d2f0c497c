import Checkpoints
import Configuration
import Files
import Segmentation
import Torch

/// Recognises state dictionaries of segmentation_models.pytorch's networks, which have no configuration, by all
/// names and shapes.
enum SMPShapes {
  @Sendable
  static func read(_ source: PretrainedSource) throws -> PretrainedNetwork.Description? {
    let last = "segmentation_head.0.weight"
    let names = source.weights.entries.map(\.name)
    guard let scores = names.first(where: { $0 == last || $0.hasSuffix("." + last) }) else {
      return nil
    }
    let prefix = scores.dropLast(last.count)
    let shapes = Dictionary(
      source.weights.entries.filter { $0.name.hasPrefix(prefix) }
        .map { (String($0.name.dropFirst(prefix.count)), $0.shape) },
      uniquingKeysWith: { first, _ in first })
    guard let (kind, given) = arguments(shapes) else { return nil }
    for encoder in encoders(shapes) {
      for depth in depths(kind, shapes) {
        var json = given
        json["encoder_name"] = .string(encoder)
        json["encoder_depth"] = .number(Double(depth))
        if let found = try matching(json, kind, source) { return found }
      }
    }
    throw PretrainedError.invalid(
      file: source.path, key: "the encoder", value: "not found by names and shapes of a \(kind)",
      expected:
        "one that a config.json of segmentation_models.pytorch's could name here; with --model"
        + " a configuration says what it is")
  }

  /// The network that these arguments make, if it is the file's.
  private static func matching(
    _ json: [String: JSON], _ kind: String, _ source: PretrainedSource
  ) throws -> PretrainedNetwork.Description? {
    guard var description = try? SMPReader.describe(.object(json), file: source.path) else {
      return nil
    }
    let single = description.isBinary ? ["model.classes=1", "data.classes=[foreground]"] : []
    let model = try? shapesOnly {
      try NetworkConfiguration(yaml: description.yaml, named: source.path, overrides: single)
        .buildModel(pretrained: false)
    }
    guard let model else { return nil }
    let plan = WeightImport(source.weights, for: model, convention: "smp")
    guard plan.report.missing.isEmpty, plan.report.mismatched.isEmpty,
      plan.report.unexpected.allSatisfy({ $0.contains("classification_head.") })
    else { return nil }
    description.title += ", \(json["classes"]?.text ?? "") scores, by names and shapes"
    description.unused.append("classification_head.")
    description.assumed += unknown(kind, model)
    return description
  }

  /// What neither names nor shapes tell, and was taken as the library has it by default.
  private static func unknown(_ kind: String, _ model: SegmentationModel) -> [String] {
    var lines: [String] = []
    let stride = model.backbone.strides.max() ?? 32
    if kind.hasPrefix("DeepLabV3") {
      lines.append(
        "rates 12, 24, 36 and an encoder of output stride \(stride), the library's defaults: the file"
          + " cannot tell (decoder_atrous_rates, encoder_output_stride); --set model.head.rates and"
          + " model.backbone.outputStride change them")
    } else if kind == "PAN" {
      lines.append(
        "an encoder of output stride \(stride), the library's default, which the file cannot tell")
    }
    if ["Unet", "UnetPlusPlus", "FPN"].contains(kind) {
      lines.append(
        "maps are enlarged as by default (decoder_interpolation), which the file cannot tell")
    }
    if (model.backbone as? EfficientNet)?.configuration.padding != .fixed,
      model.backbone is EfficientNet
    {
      lines.append(
        "timm's own EfficientNet, whose names and shapes are those of tf_efficientnet, too, which pads"
          + " otherwise and has another eps")
    }
    return lines
  }

  // MARK: What shapes tell

  /// The class and the arguments that shapes tell.
  private static func arguments(_ shapes: [String: [Int]]) -> (String, [String: JSON])? {
    func outputs(_ name: String) -> JSON? {
      shapes[name]?.first.map { .number(Double($0)) }
    }
    let firsts = [
      "conv1", "_conv_stem", "features.0", "features.0.0", "features.conv0", "patch_embed1.proj",
      "stem.conv", "conv_stem",
    ]
    let firstsOfTimm = ["conv1", "conv1.0", "conv_stem", "stem_0.conv", "stem.conv"]
    guard let classes = outputs("segmentation_head.0.weight"),
      let inputs = firsts.lazy.compactMap({ shapes["encoder.\($0).weight"] }).first
        ?? firstsOfTimm.lazy.compactMap({ shapes["encoder.model.\($0).weight"] }).first,
      inputs.count == 4
    else { return nil }
    var json: [String: JSON] = [
      "classes": classes, "encoder_weights": .null, "in_channels": .number(Double(inputs[1])),
    ]
    func finish(_ kind: String, _ more: [String: JSON?]) -> (String, [String: JSON]) {
      json["_model_class"] = .string(kind)
      for (key, value) in more { if let value { json[key] = value } }
      return (kind, json)
    }
    if shapes["decoder.blocks.0.conv1.0.weight"] != nil {
      let widths = (0..<5).compactMap { outputs("decoder.blocks.\($0).conv1.0.weight") }
      let attends = shapes.keys.contains { $0.hasPrefix("decoder.blocks.0.attention1.") }
      return finish(
        "Unet",
        [
          "decoder_channels": .list(widths), "decoder_attention_type": attends ? "scse" : nil,
        ])
    }
    if shapes["decoder.blocks.x_0_0.conv1.0.weight"] != nil {
      let widths = (0..<5).compactMap { outputs("decoder.blocks.x_0_\($0).conv1.0.weight") }
      return finish("UnetPlusPlus", ["decoder_channels": .list(widths)])
    }
    if shapes["decoder.blocks.0.block.0.0.weight"] != nil { return finish("Linknet", [:]) }
    if let width = outputs("decoder.p5.weight") {
      let channels = outputs("decoder.seg_blocks.0.block.0.block.0.weight")
      let isJoined = shapes["segmentation_head.0.weight"]?.dropFirst().first != channels?.int
      return finish(
        "FPN",
        [
          "decoder_pyramid_channels": width, "decoder_segmentation_channels": channels,
          "decoder_merge_policy": isJoined ? "cat" : "add",
        ])
    }
    if let width = outputs("decoder.fpa.branch1.1.conv.weight") {
      return finish("PAN", ["decoder_channels": width])
    }
    if shapes["decoder.psp.blocks.0.pool.1.0.weight"] != nil {
      return finish("PSPNet", ["psp_out_channels": outputs("decoder.conv.0.weight")])
    }
    for part in ["decoder.aspp.", "decoder.0."] {
      guard let width = outputs("\(part)project.0.weight") else { continue }
      let isSeparable = shapes["\(part)convs.1.0.0.weight"] != nil
      return finish(
        "DeepLabV3", ["decoder_channels": width, "decoder_aspp_separable": .bool(isSeparable)])
    }
    if let width = outputs("decoder.aspp.0.project.0.weight") {
      let isSeparable = shapes["decoder.aspp.0.convs.1.0.0.weight"] != nil
      return finish(
        "DeepLabV3Plus", ["decoder_channels": width, "decoder_aspp_separable": .bool(isSeparable)])
    }
    if let width = outputs("decoder.fusion_block.0.weight") {
      return finish("UPerNet", ["decoder_channels": width])
    }
    if let width = outputs("decoder.fuse_stage.0.weight") {
      return finish("Segformer", ["decoder_segmentation_channels": width])
    }
    return nil
  }

  /// The depths that come into question, the library's default first.
  private static func depths(_ kind: String, _ shapes: [String: [Int]]) -> [Int] {
    func count(_ name: (Int) -> String) -> Int { (0..<5).prefix { shapes[name($0)] != nil }.count }
    switch kind {
    case "Unet": return [count { "decoder.blocks.\($0).conv1.0.weight" }]
    case "UnetPlusPlus": return [count { "decoder.blocks.x_0_\($0).conv1.0.weight" }]
    case "Linknet": return [count { "decoder.blocks.\($0).block.0.0.weight" }]
    case "UPerNet": return [1 + count { "decoder.feature_norms.\($0).weight" }]
    case "PSPNet": return [3, 4, 5, 2, 1]
    default: return [5, 4, 3]
    }
  }

  /// The encoders whose names the file has.
  private static func encoders(_ shapes: [String: [Int]]) -> [String] {
    let isTimm = shapes.keys.contains { $0.hasPrefix("encoder.model.") }
    func has(_ name: String) -> Bool { shapes["encoder.\(isTimm ? "model." : "")\(name)"] != nil }
    let known: [String]
    if has("layer1.0.conv1.weight") {
      let plain = ResNet.Configuration.named.keys.sorted()
      let deep = plain.flatMap { name in
        ["d", "c", "s"].map { SMPNetwork.timmName(name, form: $0) }
      }
      known = plain + (isTimm ? deep + ["test_resnet"] : [])
    } else if has("s1.b1.conv1.conv.weight") {
      let names = RegNet.Configuration.timmNames.keys.sorted()
      return names.map { (isTimm ? "tu-" : "timm-") + $0 }
    } else if has("block1.rep.0.conv1.weight") {
      known = ["xception"]
    } else if has("stem_0.conv.weight") {
      known = Xception.Configuration.named.keys.sorted()
    } else if has("conv_stem.weight") {
      known = EfficientNet.Variant.allCases.map {
        isTimm ? $0.name : "timm-" + $0.name.replacing("_", with: "-")
      }
    } else if has("_conv_stem.weight") {
      known = EfficientNet.Variant.allCases.map { $0.name.replacing("_", with: "-") }
    } else if has("features.conv0.weight") {
      known = DenseNet.Configuration.named.keys.sorted()
    } else if has("patch_embed1.proj.weight") {
      known = MixTransformer.Configuration.named.keys.sorted()
    } else if has("features.0.0.weight") {
      known = ["mobilenet_v2"]
    } else if has("features.0.weight") {
      known = VGG.named.keys.sorted()
    } else {
      known = []
    }
    return known.map { isTimm ? "tu-\($0)" : $0 }
  }
}
