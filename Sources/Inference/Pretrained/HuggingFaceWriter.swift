import Checkpoints
import Configuration
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// Writes networks as folders that Hugging Face's `from_pretrained` takes.
enum HuggingFaceWriter {
  @Sendable
  static func write(_ network: TrainedNetwork, _ path: String) throws -> [String] {
    let model = network.model
    let head = try network.configuration.model().section("head")
    let (kind, json) = try configuration(model, head, network.classNames)
    let title = "transformers' \(kind)"
    let twin: SegmentationModel
    do {
      let described = try HuggingFaceNetwork(Section(yaml: json.text, named: title))
      let section = try Section(yaml: described.model, named: title)
      twin = try Initialization.skipped { try ModelBuilder.build(section) }
    } catch let error as ConfigurationError {
      throw failure("\(error)")
    }
    try PretrainedWriter.check(model, isLike: twin, title, family: "hf")
    guard
      let convention = NamingConvention.conventions(of: twin)
        .first(where: { $0.name == "huggingface" })
    else { throw failure("it has no names there") }
    let unread = try unread(model, head)
    let state = convention.state(of: twin) + unread

    try FileSystem.makeOutputFolder(path)
    try WeightFile.write(state, metadata: ["format": "pt"], to: "\(path)/model.safetensors")
    for (name, value) in [
      ("config.json", json), ("preprocessor_config.json", try images(network)),
    ] {
      try AtomicFile.write("\(path)/\(name)", Data((value.text + "\n").utf8))
    }
    return [
      "\(path): \(title), \(state.count) tensors",
      "for transformers.\(kind).from_pretrained(\"\(path)\")",
    ]
      + (unread.isEmpty
        ? []
        : [
          "\(unread.count) tensors there that nothing reads are as in a new network, zeros and ones"
        ])
  }

  static func failure(_ reason: String) -> PretrainedError {
    .notWritable(family: "hf", reason: reason)
  }

  /// The class there, and its `config.json`.
  private static func configuration(
    _ model: SegmentationModel, _ section: Section, _ names: [String]
  ) throws -> (kind: String, json: JSON) {
    let kind: String
    var json: [String: JSON]
    switch (model.backbone, model.classifier) {
    case (let backbone as MixTransformer, let head as SegFormer):
      kind = "SegformerForSemanticSegmentation"
      json = try segFormer(backbone, head)
    case (let backbone, let head as UPerNet) where backbone is Swin || backbone is ConvNeXt:
      kind = "UperNetForSemanticSegmentation"
      json = try uperNet(backbone, head, model)
    case (let backbone as VisionTransformer, is DPT):
      kind = "DPTForSemanticSegmentation"
      json = try dpt(backbone, section)
    case (let backbone as MobileNetV2, is DeepLabV3):
      kind = "MobileNetV2ForSemanticSegmentation"
      json = try mobileNetV2(backbone, section)
    default:
      throw failure(
        "expected SegFormer on a mix transformer, UPerNet on Swin or ConvNeXt, DPT on a vision"
          + " transformer, or DeepLabV3 on MobileNetV2")
    }
    json["architectures"] = .list([.string(kind)])
    json["num_channels"] = .number(Double(model.inputChannels))
    let all = names.count == model.classes ? names : (0..<model.classes).map { "LABEL_\($0)" }
    json["id2label"] = .object(
      Dictionary(
        all.enumerated().map { ("\($0)", JSON.string($1)) }, uniquingKeysWith: { a, _ in a }))
    json["label2id"] = .object(
      Dictionary(
        all.enumerated().map { ($1, JSON.number(Double($0))) }, uniquingKeysWith: { a, _ in a }))
    return (kind, .object(json))
  }

  private static func numbers(_ values: [Int]) -> JSON { .list(values.map { .number(Double($0)) }) }

  private static func segFormer(
    _ backbone: MixTransformer, _ head: SegFormer
  ) throws -> [String: JSON] {
    let own = backbone.configuration
    guard head.level == .matrix else {
      throw failure(
        "its head has a normalization and a ReLU at each level (levels: unit), as"
          + " MMSegmentation's; expected levels: matrix")
    }
    guard own.eps == 1e-5 else {
      throw failure("its backbone's eps is \(own.eps); transformers' is 1e-05")
    }
    return [
      "model_type": .string("segformer"), "num_encoder_blocks": .number(4),
      "depths": numbers(own.depths), "hidden_sizes": numbers(backbone.channels),
      "num_attention_heads": numbers(own.heads), "sr_ratios": numbers(own.reductions),
      "patch_sizes": numbers(own.patches), "strides": numbers([4, 2, 2, 2]),
      "mlp_ratios": .list(own.depths.map { _ in .number(own.expansion) }),
      "drop_path_rate": .number(own.dropRate), "hidden_act": .string("gelu"),
      "decoder_hidden_size": .number(Double(head.channels)), "layer_norm_eps": .number(1e-5),
    ]
  }

  private static func uperNet(
    _ backbone: any Backbone, _ head: UPerNet, _ model: SegmentationModel
  ) throws -> [String: JSON] {
    var images: [String: JSON] = [
      "out_features": .list((1...4).map { .string("stage\($0)") }),
      "num_channels": .number(Double(model.inputChannels)), "hidden_act": .string("gelu"),
    ]
    if let backbone = backbone as? Swin {
      let own = backbone.configuration
      images.merge([
        "model_type": .string("swin"), "embed_dim": .number(Double(own.width)),
        "depths": numbers(own.depths), "num_heads": numbers(own.heads),
        "window_size": .number(Double(own.window)), "mlp_ratio": .number(own.expansion),
        "qkv_bias": .bool(own.hasBias), "drop_path_rate": .number(own.dropRate),
        "layer_norm_eps": .number(1e-5),
      ]) { first, _ in first }
    } else if let backbone = backbone as? ConvNeXt {
      let own = backbone.configuration
      images.merge([
        "model_type": .string("convnext"), "depths": numbers(own.depths),
        "hidden_sizes": numbers(own.widths), "drop_path_rate": .number(own.dropRate),
        "layer_scale_init_value": .number(own.layerScale),
      ]) { first, _ in first }
    }
    var json: [String: JSON] = [
      "model_type": .string("upernet"), "backbone_config": .object(images),
      "hidden_size": .number(Double(head.channels)), "pool_scales": numbers(head.scales),
      "use_auxiliary_head": .bool(false),
    ]
    if model.auxiliary.count == 1, let only = model.auxiliary.first, only.level == 2,
      let helper = only.head as? FCN
    {
      let own = helper.configuration
      json.merge([
        "use_auxiliary_head": .bool(true), "auxiliary_loss_weight": .number(only.weight),
        "auxiliary_num_convs": .number(Double(own.convolutions)),
        "auxiliary_in_channels": .number(Double(helper.inputs)),
        "auxiliary_channels": .number(Double(own.channels ?? max(1, helper.inputs / 4))),
        "auxiliary_concat_input": .bool(own.joinsInput),
      ]) { _, new in new }
    }
    return json
  }

  /// What becomes of images.
  private static func images(_ network: TrainedNetwork) throws -> JSON {
    let encoding = network.encoding
    var json: [String: JSON] = [
      "image_processor_type": .string("SegformerImageProcessor"), "do_rescale": .bool(true),
      "rescale_factor": .number(1 / 255), "do_normalize": .bool(true),
      "image_mean": .list(encoding.mean.map { .number($0) }),
      "image_std": .list(encoding.deviation.map { .number($0) }),
      "do_resize": .bool(false),
    ]
    if let size = try network.configuration.seenSize() {
      json["do_resize"] = .bool(true)
      json["resample"] = .number(Double(HuggingFaceReader.resample(network.imageResizing)))
      switch size {
      case .exact(let size):
        json["size"] = .object([
          "height": .number(Double(size.height)), "width": .number(Double(size.width)),
        ])
      case .shortSide(let length):
        json["size"] = .object(["shortest_edge": .number(Double(length))])
      case .near(let size, let multiple):
        json["image_processor_type"] = .string("DPTImageProcessor")
        json["size"] = .object([
          "height": .number(Double(size.height)), "width": .number(Double(size.width)),
        ])
        json["keep_aspect_ratio"] = .bool(true)
        json["ensure_multiple_of"] = .number(Double(multiple))
      }
    }
    return .object(json)
  }
}
