import Checkpoints
import Configuration
import Datasets
import Files
import Foundation
import Segmentation
import Torch

/// Writes networks as folders that segmentation_models.pytorch's `from_pretrained` takes.
enum SMPWriter {
  @Sendable
  static func write(_ network: TrainedNetwork, _ path: String) throws -> [String] {
    let model = network.model
    let arguments = try Arguments(network)
    let title = "segmentation_models.pytorch's \(arguments.name) on \(arguments.encoder)"
    let description: PretrainedNetwork.Description
    let twin: SegmentationModel
    do {
      description = try SMPReader.describe(.object(arguments.json), file: title)
      let configuration = try NetworkConfiguration(
        yaml: description.yaml, named: title, overrides: [])
      twin = try Initialization.skipped { try configuration.buildModel(pretrained: false) }
    } catch let error as ConfigurationError {
      throw PretrainedError.notWritable(family: "smp", reason: "\(error)")
    }
    try PretrainedWriter.check(model, isLike: twin, title, family: "smp")
    let isTimm = arguments.encoder.hasPrefix("tu-")
    let isOfTimm = arguments.encoder.hasPrefix("timm-efficientnet")
    let states = NamingConvention.conventions(of: twin).filter { $0.name == "smp" }
      .map { $0.state(of: twin) }
    guard
      let state = states.first(where: { state in
        state.contains { $0.name.hasPrefix("encoder.model.") } == isTimm
          && state.contains { $0.name.hasPrefix("encoder.conv_stem.") } == isOfTimm
          && !state.contains { $0.name.hasPrefix("decoder.0.") }
      })
    else { throw PretrainedError.notWritable(family: "smp", reason: "it has no names there") }

    let unread = unread(model.backbone, isOfTimm: isOfTimm)
    try FileSystem.makeOutputFolder(path)
    try WeightFile.write(
      (isTimm ? NamingConvention.shapedAsTimm(state) : state) + unread, metadata: ["format": "pt"],
      to: "\(path)/model.safetensors")
    let text = JSON.object(arguments.json).text + "\n"
    try AtomicFile.write("\(path)/config.json", Data(text.utf8))
    try AtomicFile.write("\(path)/README.md", Data(card(network, title).utf8))
    return [
      "\(path): \(title), \(state.count + unread.count) tensors",
      "for segmentation_models_pytorch.from_pretrained(\"\(path)\"), which takes images normalized by"
        + " mean \(network.encoding.mean), deviation \(network.encoding.deviation) of levels from 0 to 1;"
        + " the library keeps neither that nor the names of classes, README.md does",
    ]
      + (unread.isEmpty
        ? []
        : [
          "its encoder's '\(isOfTimm ? "encoder.conv_head" : "encoder._conv_head")' and"
            + " '\(isOfTimm ? "encoder.bn2" : "encoder._bn1")' are zeros, as nothing there reads them"
        ])
      + (model.auxiliary.isEmpty ? [] : ["auxiliary heads are left out, as the library has none"])
  }

  /// What the library's encoder has and never uses: the convolution before the classifier of images.
  private static func unread(
    _ backbone: any Backbone, isOfTimm: Bool
  ) -> [(name: String, tensor: Tensor)] {
    guard let network = backbone as? EfficientNet,
      isOfTimm || network.configuration.padding == .fixed
    else { return [] }
    let count = network.classifierChannels
    let (head, norm) =
      isOfTimm ? ("encoder.conv_head", "encoder.bn2") : ("encoder._conv_head", "encoder._bn1")
    return [
      ("\(head).weight", Tensor(filledWith: 0, [count, network.width, 1, 1])),
      ("\(norm).weight", Tensor(filledWith: 1, [count])),
      ("\(norm).bias", Tensor(filledWith: 0, [count])),
      ("\(norm).running_mean", Tensor(filledWith: 0, [count])),
      ("\(norm).running_var", Tensor(filledWith: 1, [count])),
      ("\(norm).num_batches_tracked", Tensor(0).to(.int64)),
    ]
  }

  private static func card(_ network: TrainedNetwork, _ title: String) -> String {
    let classes = network.classNames.enumerated().map { "\($0). \($1)" }.joined(separator: "\n")
    return """
      ---
      library_name: segmentation-models-pytorch
      pipeline_tag: image-segmentation
      ---

      \(title), written by Atrous.

      Images are RGB, levels divided by 255, normalized by mean \(network.encoding.mean) and deviation
      \(network.encoding.deviation).

      Classes:

      \(classes.isEmpty ? "not named" : classes)

      """
  }
}

/// The arguments that segmentation_models.pytorch makes a network with.
private struct Arguments {
  let name: String, encoder: String
  private(set) var json: [String: JSON]

  init(_ network: TrainedNetwork) throws {
    let section = try network.configuration.model()
    let head = try section.section("head"), backbone = try section.section("backbone")
    let kind = try head.string("name")
    func failure(_ reason: String) -> PretrainedError {
      .notWritable(family: "smp", reason: reason)
    }
    guard let name = Self.classes[kind] else {
      let known = Self.classes.keys.sorted().joined(separator: ", ")
      throw failure("the library has no head '\(kind)' of ours; it has \(known)")
    }
    let model = network.model
    let strides = model.backbone.strides
    let level = model.level ?? strides.count - 1
    // The map at half the image's size is the library's first.
    let depth = level + 1 + ((strides.first ?? 2) == 4 ? 1 : 0)
    let stride = model.backbone.strides.max() ?? 32
    encoder = try Self.encoder(backbone)
    self.name = name
    json = [
      "_model_class": .string(name), "encoder_name": .string(encoder),
      "encoder_depth": .number(Double(depth)), "encoder_weights": .null,
      "in_channels": .number(Double(model.inputChannels)),
      "classes": .number(Double(model.classes)), "activation": .null, "aux_params": .null,
    ]
    func number(_ key: String, _ own: String, _ usual: Int) throws {
      json[key] = .number(Double(try head.int(own, default: usual)))
    }
    func share(_ key: String, _ own: String, _ usual: Double) throws {
      json[key] = .number(try head.double(own, default: usual))
    }
    func interpolation(_ usual: String) throws {
      json["decoder_interpolation"] = .string(
        try head.string("interpolation", default: usual))
    }
    switch kind {
    case "unet", "unetplusplus":
      let usual = (0..<depth).map { 16 << min(4, depth - 1 - $0) }
      json["decoder_channels"] = .list(
        try head.ints("channels", default: usual).map { .number(Double($0)) })
      json["decoder_use_norm"] = "batchnorm"
      json["decoder_attention_type"] =
        try head.bool("attention", default: false) ? "scse" : .null
      try interpolation("nearest")
    case "linknet": json["decoder_use_norm"] = "batchnorm"
    case "fpn":
      try number("decoder_pyramid_channels", "pyramidChannels", 256)
      try number("decoder_segmentation_channels", "channels", 128)
      try share("decoder_dropout", "dropout", 0.2)
      json["decoder_merge_policy"] =
        try head.string("merge", default: "sum") == "sum" ? "add" : "cat"
      try interpolation("nearest")
      json["upsampling"] = .number(Double(1 << (depth - 3)))
    case "pan":
      try number("decoder_channels", "channels", 32)
      try interpolation("bilinear")
      // The library has no other; what is cut before is not dilated.
      json["encoder_output_stride"] = .number(Double(max(16, stride)))
      json["upsampling"] = 4
    case "pspnet":
      try number("psp_out_channels", "channels", 512)
      try share("psp_dropout", "dropout", 0.1)
      json["decoder_use_norm"] = "batchnorm"
      json["upsampling"] = .number(Double(model.headStride))
    case "deeplabv3", "deeplabv3plus":
      let isPlus = kind == "deeplabv3plus"
      let rates = try head.ints("rates", default: [])
      guard rates.count == 4, rates[0] == 1 else {
        throw failure("its rates are \(rates); the library's are a 1 and three others, as 'rates'")
      }
      json["decoder_atrous_rates"] = .list(rates.dropFirst().map { .number(Double($0)) })
      try number("decoder_channels", "channels", isPlus ? 512 : 256)
      try share("decoder_aspp_dropout", "dropout", isPlus ? 0 : 0.5)
      json["decoder_aspp_separable"] = .bool(
        try head.bool("separable", default: isPlus))
      json["encoder_output_stride"] = .number(Double(stride))
      json["upsampling"] = isPlus ? 4 : .null
    case "segformer":
      try number("decoder_segmentation_channels", "channels", 256)
      json["upsampling"] = 4
    case "upernet":
      try number("decoder_channels", "channels", 512)
      json["decoder_use_norm"] = "batchnorm"
      json["upsampling"] = 4
    default: break
    }
  }

  /// The library's classes by our heads.
  private static let classes = [
    "unet": "Unet", "unetplusplus": "UnetPlusPlus", "linknet": "Linknet", "fpn": "FPN",
    "pan": "PAN",
    "pspnet": "PSPNet", "deeplabv3": "DeepLabV3", "deeplabv3plus": "DeepLabV3Plus",
    "segformer": "Segformer", "upernet": "UPerNet",
  ]

  /// The library's name of a backbone: its own, or timm's where only that computes the same.
  private static func encoder(_ backbone: Section) throws -> String {
    let name = try backbone.string("name")
    let isDeep = try backbone.bool("deepStem", default: false)
    if isDeep, try backbone.ints("blocks", default: []) == [1, 1, 1, 1] { return "tu-test_resnet" }
    if name.hasPrefix("efficientnet_b") {
      switch try backbone.string("padding", default: "symmetric") {
      case "fixed": return name.replacing("_", with: "-")
      case "tensorflow": return "tu-tf_\(name)"
      default:
        return try backbone.bool("stemMap", default: false)
          ? "timm-" + name.replacing("_", with: "-") : "tu-\(name)"
      }
    }
    if name == "xception" { return name }
    if name.hasPrefix("xception") { return "tu-\(name)" }
    if name.hasPrefix("convnext_") { return "tu-\(name)" }
    if isDeep {
      guard let form = try SMPNetwork.timmForm(backbone) else { return name }
      return "tu-" + SMPNetwork.timmName(name, form: form)
    }
    if let regNet = try TimmWriter.regNet(name, backbone) { return "tu-\(regNet)" }
    let keepsRate = try backbone.bool("contractDilation", default: true)
    let isDilated = try backbone.int("outputStride", default: 32) < 32
    // timm's are cut, and some are only there.
    let isCut = try backbone.optionalInt("cut", in: 1...4).map { $0 < 4 } ?? false
    let isOnlyThere = name.hasPrefix("wide") || name == "resnext101_64x4d"
    return isOnlyThere || name.hasPrefix("res") && (isCut || isDilated && keepsRate)
      ? "tu-\(name)" : name
  }
}
