import Configuration
import Files
import Segmentation
import Torch

extension SMPReader {
  /// A class of the library's: the defaults of its encoder, and how its arguments become our head.
  struct Decoder: Sendable {
    /// The depth of its encoder, and the output stride.
    var depth = 5, stride = 32
    /// The section `head`.
    let head: @Sendable (Section, inout SMPNetwork) throws -> SMPNetwork.Entries
  }

  /// The classes.
  static let decoders: [String: Decoder] = [
    "Unet": Decoder { try unet("unet", $0, $1) },
    "UnetPlusPlus": Decoder { try unet("unetplusplus", $0, $1) },
    "Linknet": Decoder { section, network in
      try checkNorm(section)
      return [("name", "linknet"), ("channels", 32)] + network.level
    },
    "FPN": Decoder { section, network in
      // Of fewer maps the image itself is one there.
      guard network.depth > 3 else {
        throw section.invalid("encoder_depth", "\(network.depth)", expected: "4 or 5 in an FPN")
      }
      return [
        ("name", "fpn"),
        ("pyramidChannels", try number(section, "decoder_pyramid_channels", 256)),
        ("channels", try number(section, "decoder_segmentation_channels", 128)),
        (
          "merge",
          try word(section, "decoder_merge_policy", "add", ["add": "sum", "cat": "concatenation"])
        ),
        ("interpolation", try interpolation(section, "nearest")),
        ("dropout", try share(section, "decoder_dropout", 0.2)),
        ("maps", 4),
      ] + network.level
    },
    "PAN": Decoder(stride: 16) { section, network in
      [
        ("name", "pan"), ("channels", try number(section, "decoder_channels", 32)),
        ("interpolation", try interpolation(section, "bilinear")),
      ] + network.level
    },
    "PSPNet": Decoder(depth: 3) { section, network in
      try checkNorm(section)
      return [
        ("name", "pspnet"), ("channels", try number(section, "psp_out_channels", 512)),
        ("poolChannels", .number(Double(try network.channels(section) / 4))),
        ("normalizeMean", false), ("poolFirst", true), ("projection", 1),
        ("classifierKernel", 3), ("dropout", try share(section, "psp_dropout", 0.2)),
      ] + network.level
    },
    "DeepLabV3": Decoder(stride: 8) { section, network in
      [("name", "deeplabv3")] + (try pyramid(section, isSeparable: false)) + network.level
    },
    "DeepLabV3Plus": Decoder(stride: 16) { section, network in
      [("name", "deeplabv3plus")] + (try pyramid(section, isSeparable: true))
        + [
          ("poolFirst", false), ("projection", 1), ("refinePyramid", true), ("convolutions", 1),
          ("lowChannels", 48), ("classifierDropout", 0),
        ] + network.level
    },
    "Segformer": Decoder { section, network in
      [
        ("name", "segformer"), ("levels", "matrix"),
        ("channels", try number(section, "decoder_segmentation_channels", 256)),
        ("dropout", 0), ("alignCorners", false),
        // All maps come to a quarter of the image's size.
        ("sizeLevel", network.startsAtFour ? 0 : 1),
      ] + network.level
    },
    "UPerNet": Decoder { section, network in
      try checkNorm(section)
      return [
        ("name", "upernet"), ("channels", try number(section, "decoder_channels", 256)),
        ("normalizeMaps", true), ("dropout", 0), ("alignCorners", false),
        ("maps", .number(Double(max(1, network.depth - 1)))),
      ] + network.level
    },
  ]

  private static func unet(
    _ name: String, _ section: Section, _ network: SMPNetwork
  ) throws -> SMPNetwork.Entries {
    try checkNorm(section)
    let usual = [256, 128, 64, 32, 16]
    let channels = try section.ints("decoder_channels", default: usual, in: 1...8192)
    if channels.count != network.depth {
      throw section.invalid(
        "decoder_channels", "\(channels)",
        expected: "\(network.depth) numbers, as encoder_depth says")
    }
    var head: SMPNetwork.Entries = [
      ("name", .string(name)), ("channels", .list(channels.map { .number(Double($0)) })),
      ("interpolation", try interpolation(section, "nearest")),
    ]
    if name == "unet", network.encoder.hasPrefix("vgg") { head.append(("center", true)) }
    if let attention = try section.optionalString("decoder_attention_type") {
      guard attention == "scse" else {
        throw section.invalid("decoder_attention_type", "'\(attention)'", expected: "scse, or none")
      }
      head.append(("attention", true))
    }
    return head + network.level
  }

  private static func pyramid(_ section: Section, isSeparable: Bool) throws -> SMPNetwork.Entries {
    let rates = try section.ints("decoder_atrous_rates", default: [12, 24, 36], in: 1...1024)
    guard rates.count == 3, !rates.contains(1) else {
      throw section.invalid("decoder_atrous_rates", "\(rates)", expected: "three rates above 1")
    }
    return [
      ("rates", .list(([1] + rates).map { .number(Double($0)) })),
      ("channels", try number(section, "decoder_channels", 256)),
      ("dropout", try share(section, "decoder_aspp_dropout", 0.5)),
      ("separable", .bool(try section.bool("decoder_aspp_separable", default: isSeparable))),
      ("between", "nothing"),
    ]
  }

  private static func number(_ section: Section, _ key: String, _ usual: Int) throws -> JSON {
    .number(Double(try section.int(key, default: usual, in: 1...8192)))
  }

  private static func share(_ section: Section, _ key: String, _ usual: Double) throws -> JSON {
    .number(try section.double(key, default: usual, in: 0...0.99))
  }

  private static func word(
    _ section: Section, _ key: String, _ usual: String, _ known: [String: String]
  ) throws -> JSON {
    let value = try section.string(key, default: usual)
    guard let own = known[value] else {
      throw section.invalid(
        key, "'\(value)'", expected: known.keys.sorted().joined(separator: " or "))
    }
    return .string(own)
  }

  private static func interpolation(_ section: Section, _ usual: String) throws -> JSON {
    let own = ["nearest": "nearest", "bilinear": "bilinear", "bicubic": "bicubic"]
    return try word(section, "decoder_interpolation", usual, own)
  }

  /// Refuses other normalizations than those of batches.
  private static func checkNorm(_ section: Section) throws {
    // Versions before 0.4 had flags.
    for key in ["decoder_use_batchnorm", "psp_use_batchnorm"] where section.has(key) {
      guard (try? section.bool(key)) == true else {
        throw section.invalid(
          key, (try? section.string(key)) ?? "other settings", expected: "true")
      }
    }
    guard section.has("decoder_use_norm") else { return }
    if let flag = try? section.bool("decoder_use_norm"), flag { return }
    let name = (try? section.string("decoder_use_norm")) ?? "other settings"
    guard name == "batchnorm" else {
      throw section.invalid("decoder_use_norm", "'\(name)'", expected: "batchnorm")
    }
  }
}

extension SMPNetwork {
  /// The channels of the map that the decoder sees last.
  ///
  /// - Throws: `ConfigurationError` where the backbone cannot be built.
  func channels(_ section: Section) throws -> Int {
    let text = backbone.map { "\($0.key): \($0.value.text)" }.joined(separator: ", ")
    let own = try Section(yaml: "{\(text)}", named: "\(encoder)")
    let channels = try shapesOnly { try ModelBuilder.backbone(own, pretrained: false).channels }
    guard channels.indices.contains(lastMap) else {
      throw section.invalid("encoder_depth", "\(depth)", expected: "a map of \(encoder)")
    }
    return channels[lastMap]
  }
}
