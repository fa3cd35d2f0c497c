import Segmentation
import Torch

/// The networks of MMSegmentation that have a transformer, by the settings that the file carries.
///
/// Where a setting is missing, MMSegmentation's own default stands.
enum MMSegTransformers {
  /// The network that `file` describes; nil if its backbone is another.
  static func model(_ file: ParityFile) throws -> ReferenceModel? {
    guard let settings = file.json["settings"],
      let backbone = try backbone(settings["backbone"] ?? .null, file)
    else { return nil }
    var whole = backbone
    if let neck = settings["neck"], neck["type"] != nil {
      whole = Necked(backbone, try self.neck(neck, backbone, file))
    }
    let main = settings["decode_head"] ?? .null
    let (classifier, level) = try head(main, on: whole, file)
    let others = settings["auxiliary_head"]
    let auxiliary = try (others?.list ?? [others].compactMap { $0 })
      .filter { $0["type"] != nil }.map { settings in
        let (head, level) = try head(settings, on: whole, file)
        return AuxiliaryHead(
          head, level: level, weight: settings["loss_decode"]?["loss_weight"]?.number ?? 1)
      }
    let model = SegmentationModel(
      whole, classifier, classes: main["num_classes"]?.int ?? 19,
      level: level == whole.channels.count - 1 ? nil : level, auxiliary: auxiliary,
      alignCorners: main["align_corners"]?.bool ?? false)
    var reference = ReferenceModel(model, auxiliary: "auxiliary")
    let names = NamingConvention.mmsegmentation(model).names(of: model)
    // A list of one auxiliary head is numbered too.
    let isList = others?.list?.count == 1
    reference.name = { own in
      let name = names[own] ?? own
      return isList ? name.replacing("auxiliary_head.", with: "auxiliary_head.0.") : name
    }
    reference.stages = { backbone.features($0) }
    reference.outputs = { image in
      let output = model.output(image, withAuxiliary: true)
      var named = [
        "logits": output.logits, "upsampled": model.upsampled(output.logits, like: image),
      ]
      for (index, scores) in output.auxiliary.enumerated() { named["auxiliary\(index)"] = scores }
      return named
    }
    return reference
  }

  // MARK: Backbones

  private static func backbone(_ settings: JSON, _ file: ParityFile) throws -> (any Backbone)? {
    let channels = settings["in_channels"]?.int ?? 3
    switch settings["type"]?.string {
    case "VisionTransformer":
      return VisionTransformer(visionTransformer(settings), inputChannels: channels)
    default: return nil
    }
  }

  private static func visionTransformer(_ settings: JSON) -> VisionTransformer.Configuration {
    var network = VisionTransformer.Configuration()
    network.patch = settings["patch_size"]?.int ?? 16
    network.depth = settings["num_layers"]?.int ?? 12
    network.width = settings["embed_dims"]?.int ?? 768
    network.heads = settings["num_heads"]?.int ?? 12
    network.expansion = settings["mlp_ratio"]?.number ?? 4
    let size = settings["img_size"].flatMap { $0.ints ?? $0.int.map { [$0] } } ?? [224]
    network.grid = (
      (size.first ?? 224) / network.patch, (size.last ?? 224) / network.patch
    )
    network.interpolation =
      settings["interpolate_mode"]?.string == "bilinear" ? .bilinear : .bicubic
    let levels = settings["out_indices"].flatMap { $0.ints ?? $0.int.map { [$0] } } ?? [-1]
    network.levels = levels.map { $0 < 0 ? $0 + network.depth : $0 }
    network.normalizesLast = settings["final_norm"]?.bool ?? false
    network.keepsClassToken = settings["with_cls_token"]?.bool ?? true
    network.joinsClassToken = settings["output_cls_token"]?.bool ?? false
    network.patchBias = settings["patch_bias"]?.bool ?? false
    network.attentionBias = settings["qkv_bias"]?.bool ?? true
    network.eps = settings["norm_cfg"]?["eps"]?.number ?? 1e-5
    network.dropout = settings["drop_rate"]?.number ?? 0
    network.dropRate = settings["drop_path_rate"]?.number ?? 0
    return network
  }

  // MARK: Necks

  private static func neck(
    _ settings: JSON, _ backbone: any Backbone, _ file: ParityFile
  ) throws -> any Neck {
    let output = settings["out_channels"]?.int
    switch settings["type"]?.string {
    case "MultiLevelNeck":
      return MultiLevelNeck(
        backbone.channels, strides: backbone.strides, output: output,
        scales: settings["scales"]?.numbers ?? [0.5, 1, 2, 4])
    case "MLANeck":
      return MultiLevelAggregation(
        backbone.channels, strides: backbone.strides, output: output ?? 256)
    case let other:
      throw ParityError.unsupportedSetting(
        model: file.model, setting: "neck.type", value: other ?? "none")
    }
  }

  // MARK: Heads

  /// The head that `settings` describe, and the map that it takes for the last.
  private static func head(
    _ settings: JSON, on backbone: any Backbone, _ file: ParityFile
  ) throws -> (head: any SegmentationHead, level: Int) {
    let count = backbone.channels.count
    let indices = settings["in_index"].flatMap { $0.ints ?? $0.int.map { [$0] } } ?? [-1]
    let levels = indices.map { $0 < 0 ? $0 + count : $0 }
    guard let level = levels.last, (0..<count).contains(level),
      levels.count == 1 || levels == Array(0...level)
    else {
      throw ParityError.unsupportedSetting(
        model: file.model, setting: "in_index", value: "\(indices)")
    }
    let classes = settings["num_classes"]?.int ?? 19
    let input = HeadInput(
      backbone, levels: (levels.count == 1 ? level : 0)...level, classes: classes)
    return (try head(settings, input, file), level)
  }

  private static func head(
    _ settings: JSON, _ input: HeadInput, _ file: ParityFile
  ) throws -> any SegmentationHead {
    let channels = settings["channels"]?.int
    let dropout = settings["dropout_ratio"]?.number ?? 0.1
    let alignCorners = settings["align_corners"]?.bool ?? false
    switch settings["type"]?.string {
    case "FCNHead":
      if settings["num_convs"]?.int == 0 {
        return FCN(input.last, classes: input.classes, .linear(dropout: dropout))
      }
      var head = FCN.Configuration()
      head.convolutions = settings["num_convs"]?.int ?? 2
      head.channels = channels
      head.dilation = settings["dilation"]?.int ?? 1
      head.dropout = dropout
      return FCN(input.last, classes: input.classes, head)
    case "SETRUPHead":
      var head = SETR.Configuration()
      head.convolutions = settings["num_convs"]?.int ?? 1
      head.kernel = settings["kernel_size"]?.int ?? 3
      head.channels = channels ?? 256
      head.factor = settings["up_scale"]?.int ?? 4
      head.dropout = dropout
      head.alignCorners = alignCorners
      return SETR(input.last, classes: input.classes, head)
    case "SETRMLAHead":
      return SETRAggregation(
        input.channels, classes: input.classes, channels: settings["mla_channels"]?.int ?? 128,
        factor: settings["up_scale"]?.int ?? 4, dropout: dropout, alignCorners: alignCorners)
    case let other:
      throw ParityError.unsupportedSetting(
        model: file.model, setting: "head.type", value: other ?? "none")
    }
  }
}
