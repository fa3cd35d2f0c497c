import Configuration

/// A network as the `config.json` of Hugging Face's transformers describes it, in our words.
///
/// What the code there does not read, such as SegFormer's `layer_norm_eps`, is not read here either.
public struct HuggingFaceNetwork: Sendable {
  /// The section `model` of a configuration, as YAML without the key itself.
  public let model: String
  /// The names of the classes in order; empty where the file has only numbers for them.
  public let classNames: [String]
  /// The number of classes.
  public let classes: Int
  /// What a person should know of how the network was read.
  public let notes: [String]

  /// The kinds of networks that are known here, as `model_type` has them.
  public static let known = ["dpt", "mobilenet_v2", "segformer", "upernet"]

  /// Reads a `config.json`.
  ///
  /// - Throws: `ConfigurationError` naming the file, the key and what is expected there, for networks
  ///   that nothing here stands for too.
  public init(_ section: Section) throws {
    let type = try section.string("model_type")
    let architectures = try section.strings("architectures", default: [])
    if let name = architectures.first, !name.contains("Segmentation") {
      throw section.invalid(
        "architectures", "'\(name)'",
        expected: "a network for semantic segmentation; of others 'backbone.weights' takes the"
          + " weights")
    }
    (classNames, classes) = try Self.classes(section)
    var notes: [String] = []
    let parts: [(key: String, value: String)]
    switch type {
    case "segformer":
      parts = try Self.segFormer(section)
      notes.append(
        "the normalizations' eps is 1e-5, whatever layer_norm_eps says, which transformers does not"
          + " read")
    case "upernet": parts = try Self.uperNet(section)
    case "dpt": parts = try Self.dpt(section)
    case "mobilenet_v2": parts = try Self.mobileNetV2(section)
    default:
      throw section.invalid(
        "model_type", "'\(type)'", expected: "one of \(Self.known.joined(separator: ", "))")
    }
    model = (parts + [("classes", "\(classes)")]).map { "\($0.key): \($0.value)" }
      .joined(separator: "\n")
    self.notes = notes
  }

  /// The classes' names, and how many there are.
  private static func classes(_ section: Section) throws -> (names: [String], count: Int) {
    guard let labels = try section.optionalSection("id2label") else {
      return ([], try section.int("num_labels", default: 2, in: 1...65_535))
    }
    var names: [String] = []
    for number in 0..<labels.keys.count {
      guard labels.has("\(number)") else {
        throw section.invalid(
          "id2label", "\(labels.keys.count) classes without '\(number)'",
          expected: "the numbers from 0 on")
      }
      names.append(try labels.string("\(number)"))
    }
    guard !names.isEmpty else {
      throw section.invalid("id2label", "{}", expected: "a name for each class")
    }
    let areNumbers = names.enumerated().allSatisfy { $1 == "LABEL_\($0)" }
    return (areNumbers ? [] : names, names.count)
  }

  private typealias Parts = [(key: String, value: String)]

  private static func segFormer(_ section: Section) throws -> Parts {
    try section.require("num_encoder_blocks", 4)
    try section.require("strides", [4, 2, 2, 2])
    try section.require("hidden_act", "gelu")
    try section.require("reshape_last_stage", true)
    let ratios = try section.doubles("mlp_ratios", default: [4, 4, 4, 4])
    guard let ratio = ratios.first, Set(ratios).count == 1 else {
      throw section.invalid("mlp_ratios", "\(ratios)", expected: "four times the same number")
    }
    let heads = try section.ints("num_attention_heads", default: [1, 2, 5, 8], in: 1...128)
    let widths = try section.ints("hidden_sizes", default: [32, 64, 160, 256], in: 1...8192)
    let backbone: Parts = [
      ("name", "mit_b0"),
      ("depths", "\(try section.ints("depths", default: [2, 2, 2, 2], in: 1...128))"),
      ("heads", "\(heads)"), ("widths", "\(widths)"),
      (
        "patches",
        "\(try section.ints("patch_sizes", default: [7, 3, 3, 3], in: 1...31))"
      ),
      ("reductions", "\(try section.ints("sr_ratios", default: [8, 4, 2, 1], in: 1...64))"),
      ("expansion", "\(ratio)"), ("eps", "1e-5"),
      ("dropRate", "\(try section.double("drop_path_rate", default: 0.1, in: 0...0.99))"),
      ("inputChannels", "\(try section.int("num_channels", default: 3, in: 1...64))"),
    ]
    let head: Parts = [
      ("name", "segformer"), ("levels", "matrix"),
      (
        "channels", "\(try section.int("decoder_hidden_size", default: 256, in: 1...8192))"
      ),
      (
        "dropout", "\(try section.double("classifier_dropout_prob", default: 0.1, in: 0...0.99))"
      ),
    ]
    return [("backbone", flow(backbone)), ("head", flow(head))]
  }

  private static func uperNet(_ section: Section) throws -> Parts {
    let images = try section.section("backbone_config")
    let type = try images.string("model_type", default: "swin")
    let backbone: Parts
    switch type {
    case "swin": backbone = try swin(images)
    case "convnext": backbone = try convNeXt(images)
    default:
      throw images.invalid("model_type", "'\(type)'", expected: "swin or convnext")
    }
    let scales = try section.ints("pool_scales", default: [1, 2, 3, 6], in: 1...64)
    let channels = try section.int("hidden_size", default: 512, in: 1...8192)
    var parts: Parts = [
      ("backbone", flow(backbone)),
      (
        "head",
        flow([
          ("name", "upernet"), ("channels", "\(channels)"), ("scales", "\(scales)"),
          ("dropout", "0"),
        ])
      ),
    ]
    if try section.bool("use_auxiliary_head", default: true) {
      let helper: Parts = [
        ("name", "fcn"), ("level", "2"),
        (
          "convolutions", "\(try section.int("auxiliary_num_convs", default: 1, in: 0...16))"
        ),
        (
          "channels", "\(try section.int("auxiliary_channels", default: 256, in: 1...8192))"
        ),
        ("joinInput", "\(try section.bool("auxiliary_concat_input", default: false))"),
        ("dropout", "0"),
        (
          "weight",
          "\(try section.double("auxiliary_loss_weight", default: 0.4, in: 0...100))"
        ),
      ]
      parts.append(("auxiliary", "[" + flow(helper) + "]"))
    }
    return parts
  }

  /// Maps no larger than a window are shifted, and images extended to whole patches, as in
  /// MMSegmentation; merging is the authors'.
  private static func swin(_ section: Section) throws -> Parts {
    try section.require("patch_size", 4)
    try section.require("hidden_act", "gelu")
    try section.require("use_absolute_embeddings", false)
    try section.require("out_features", ["stage1", "stage2", "stage3", "stage4"])
    let eps = try section.double("layer_norm_eps", default: 1e-5, in: 0...1)
    guard eps == 1e-5 else {
      throw section.invalid("layer_norm_eps", "\(eps)", expected: "1e-05")
    }
    return [
      ("name", "swin_t"), ("form", "mmsegmentation"), ("merging", "positions"),
      ("depths", "\(try section.ints("depths", default: [2, 2, 6, 2], in: 1...128))"),
      ("heads", "\(try section.ints("num_heads", default: [3, 6, 12, 24], in: 1...128))"),
      ("width", "\(try section.int("embed_dim", default: 96, in: 1...2048))"),
      ("window", "\(try section.int("window_size", default: 7, in: 1...64))"),
      ("expansion", "\(try section.double("mlp_ratio", default: 4, in: 0.1...32))"),
      ("attentionBias", "\(try section.bool("qkv_bias", default: true))"),
      ("dropRate", "\(try section.double("drop_path_rate", default: 0.1, in: 0...0.99))"),
      ("inputChannels", "\(try section.int("num_channels", default: 3, in: 1...64))"),
    ]
  }

  private static func convNeXt(_ section: Section) throws -> Parts {
    try section.require("patch_size", 4)
    try section.require("hidden_act", "gelu")
    try section.require("out_features", ["stage1", "stage2", "stage3", "stage4"])
    let scale = try section.double("layer_scale_init_value", default: 1e-6, in: 0...10)
    guard scale > 0 else {
      throw section.invalid("layer_scale_init_value", "\(scale)", expected: "above 0")
    }
    return [
      ("name", "convnext_tiny"), ("form", "mmsegmentation"),
      ("depths", "\(try section.ints("depths", default: [3, 3, 9, 3], in: 1...128))"),
      (
        "widths",
        "\(try section.ints("hidden_sizes", default: [96, 192, 384, 768], in: 1...8192))"
      ),
      ("layerScale", "\(scale)"),
      ("dropRate", "\(try section.double("drop_path_rate", default: 0, in: 0...0.99))"),
      ("inputChannels", "\(try section.int("num_channels", default: 3, in: 1...64))"),
    ]
  }

  private static func dpt(_ section: Section) throws -> Parts {
    try section.require("is_hybrid", false)
    try section.require("hidden_act", "gelu")
    try section.require("add_projection", false)
    try section.require("qkv_bias", true)
    try section.require("reassemble_factors", [4, 2, 1, 0.5])
    try section.require("head_in_index", -1)
    try section.require("neck_ignore_stages", [] as [Int])
    if section.has("backbone_config") {
      throw section.invalid(
        "backbone_config", "another backbone", expected: "none: DPT's own vision transformer")
    }
    let width = try section.int("hidden_size", default: 768, in: 1...8192)
    let depth = try section.int("num_hidden_layers", default: 12, in: 1...128)
    let hidden = try section.int("intermediate_size", default: 3072, in: 1...262_144)
    // Rows before columns there.
    let sides = try section.ints("image_size", default: [384], in: 1...16_384)
    guard let rows = sides.first, let columns = sides.last, sides.count <= 2 else {
      throw section.invalid("image_size", "\(sides)", expected: "a height and a width")
    }
    let readout = try section.string("readout_type", default: "project")
    let normalizes = try section.bool("use_batch_norm_in_fusion_residual", default: false)
    if try section.has("use_bias_in_fusion_residual")
      && section.bool("use_bias_in_fusion_residual") == normalizes
    {
      throw section.invalid(
        "use_bias_in_fusion_residual", "\(normalizes)",
        expected: "a bias or a normalization, not both or none")
    }
    let patch = try section.int("patch_size", default: 16, in: 1...64)
    let backbone: Parts = [
      ("name", "vit"), ("outputStride", "\(patch)"), ("depth", "\(depth)"),
      ("width", "\(width)"),
      ("heads", "\(try section.int("num_attention_heads", default: 12, in: 1...128))"),
      ("expansion", "\(Double(hidden) / Double(width))"), ("imageSize", "\(columns)x\(rows)"),
      ("interpolation", "bilinear"),
      (
        "levels",
        "\(try section.ints("backbone_out_indices", default: [2, 5, 8, 11], in: 0...127))"
      ),
      ("normalizeLast", "false"), ("joinClassToken", "\(readout != "ignore")"),
      ("eps", "\(try section.double("layer_norm_eps", default: 1e-12, in: 0...1))"),
      ("dropout", "\(try section.double("hidden_dropout_prob", default: 0, in: 0...0.99))"),
      ("inputChannels", "\(try section.int("num_channels", default: 3, in: 1...64))"),
    ]
    var head: Parts = [
      ("name", "dpt"), ("readout", readout),
      ("channels", "\(try section.int("fusion_hidden_size", default: 256, in: 1...8192))"),
      (
        "reassembled",
        "\(try section.ints("neck_hidden_sizes", default: [96, 192, 384, 768], in: 1...8192))"
      ),
      ("normalizeFusions", "\(normalizes)"), ("enlargeScores", "true"),
      (
        "dropout",
        "\(try section.double("semantic_classifier_dropout", default: 0.1, in: 0...0.99))"
      ),
    ]
    if try section.bool("use_auxiliary_head", default: true) {
      let weight = try section.double("auxiliary_loss_weight", default: 0.4, in: 0...100)
      head.append(("auxiliaryWeight", "\(weight)"))
    }
    return [("backbone", flow(backbone)), ("head", flow(head))]
  }

  /// The name promises an atrous pyramid; there is a 1×1 branch and the mean of the map.
  private static func mobileNetV2(_ section: Section) throws -> Parts {
    try section.require("hidden_act", "relu6")
    try section.require("expand_ratio", [6.0])
    try section.require("depth_divisible_by", 8)
    try section.require("min_depth", 8)
    try section.require("first_layer_is_expansion", true)
    let pads = try section.bool("tf_padding", default: true)
    let backbone: Parts = [
      ("name", "mobilenet_v2"),
      ("outputStride", "\(try section.int("output_stride", default: 32, in: 8...32))"),
      (
        "channelMultiplier",
        "\(try section.double("depth_multiplier", default: 1, in: 0.05...8))"
      ),
      ("lastConvolution", "false"), ("padding", pads ? "tensorflow" : "symmetric"),
      ("eps", "\(try section.double("layer_norm_eps", default: 1e-3, in: 0...1))"),
      ("inputChannels", "\(try section.int("num_channels", default: 3, in: 1...64))"),
    ]
    let dropout = try section.double("classifier_dropout_prob", default: 0.8, in: 0...0.99)
    let head: Parts = [
      ("name", "deeplabv3"), ("rates", "[1]"), ("poolFirst", "true"), ("refine", "false"),
      ("dropout", "0"), ("classifierDropout", "\(dropout)"),
    ]
    return [("backbone", flow(backbone)), ("head", flow(head))]
  }

  /// A mapping in one line.
  private static func flow(_ parts: Parts) -> String {
    "{" + parts.map { "\($0.key): \($0.value)" }.joined(separator: ", ") + "}"
  }
}

extension Section {
  /// Refuses another value than the one that the networks here have; a key that is not given is right.
  fileprivate func require(_ key: String, _ value: Int) throws {
    let found = try int(key, default: value)
    if found != value { throw invalid(key, "\(found)", expected: "\(value)") }
  }
  fileprivate func require(_ key: String, _ value: Bool) throws {
    let found = try bool(key, default: value)
    if found != value { throw invalid(key, "\(found)", expected: "\(value)") }
  }
  fileprivate func require(_ key: String, _ value: String) throws {
    let found = try string(key, default: value)
    if found != value { throw invalid(key, "'\(found)'", expected: value) }
  }
  fileprivate func require(_ key: String, _ value: [Double]) throws {
    let found = try doubles(key, default: value)
    if found != value { throw invalid(key, "\(found)", expected: "\(value)") }
  }
  fileprivate func require(_ key: String, _ value: [Int]) throws {
    try require(key, value.map(Double.init))
  }
  fileprivate func require(_ key: String, _ value: [String]) throws {
    let found = try strings(key, default: value)
    if found != value { throw invalid(key, "\(found)", expected: "\(value)") }
  }
}
