import Configuration
import Files
import Segmentation

/// Reads what segmentation_models.pytorch's `save_pretrained` says of a network: its class and the arguments
/// that it was made with.
package enum SMPReader {
  /// The library's version whose classes and defaults are known.
  static let version = "0.6"

  @Sendable
  static func read(_ source: PretrainedSource) throws -> PretrainedNetwork.Description? {
    guard let json = try source.json("config.json"), json["_model_class"]?.string != nil,
      json["encoder_name"] != nil
    else { return nil }
    return try describe(json, file: "\(source.path)/config.json")
  }

  /// The network of a configuration of the library's.
  ///
  /// - Throws: `ConfigurationError` for a value that nothing here stands for.
  package static func describe(
    _ json: JSON, file: String
  ) throws -> PretrainedNetwork.Description {
    let section = try Section(yaml: json.text, named: file)
    let name = try section.string("_model_class")
    guard let decoder = decoders[name] else {
      throw section.invalid(
        "_model_class", "'\(name)'", expected: decoders.keys.sorted().joined(separator: ", "))
    }
    // A single score is that of the foreground.
    let classes = try section.int("classes", default: 1, in: 1...65_535)
    var network = try SMPNetwork(section, depth: decoder.depth, stride: decoder.stride)
    let head = try decoder.head(section, &network)
    var description = PretrainedNetwork.Description(
      family: "smp", title: "segmentation_models.pytorch's \(name) on \(network.encoder)",
      yaml: "", convention: "smp")
    description.isBinary = classes == 1
    try network.readRest(section, into: &description)
    let names =
      classes == 1 ? ["background", "foreground"] : (0..<classes).map { "\($0)" }
    let listed = names.map { "\"\($0)\"" }.joined(separator: ", ")
    description.yaml = """
      model:
        alignCorners: true
        backbone: \(flow(network.backbone))
        head: \(flow(head))
        classes: \(names.count)
      data:
        normalization: \(network.normalization)
        classes: [\(listed)]

      """
    return description
  }

  /// Entries in their order as a YAML mapping in one line.
  private static func flow(_ entries: [(key: String, value: JSON)]) -> String {
    let words = entries.map { key, value in
      // Words need no quotes.
      let text = value.string.map { $0.allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" } }
      return "\(key): \(text == true ? value.string ?? "" : value.text)"
    }
    return "{" + words.joined(separator: ", ") + "}"
  }
}

/// The encoder of a network of segmentation_models.pytorch, and what its decoder is built for.
struct SMPNetwork {
  /// The keys of a section, in order.
  typealias Entries = [(key: String, value: JSON)]

  /// The library's name of the encoder.
  let encoder: String
  /// How often the encoder halves the image.
  let depth: Int
  /// The output stride.
  let stride: Int
  /// The section `backbone`.
  private(set) var backbone: Entries
  /// How images are normalized, as YAML.
  private(set) var normalization = "imagenet"
  /// The backbone's maps.
  private(set) var maps = 5
  /// Whether the first of them has an output stride of 4 rather than 2.
  private(set) var startsAtFour = false
  private var notes: [String] = []
  private var told: [String] = []

  /// The backbone's map that the decoder sees last.
  var lastMap: Int { depth - 1 - (startsAtFour ? 1 : 0) }

  /// Which that is, where it is not the last of all.
  var level: Entries {
    lastMap < maps - 1 ? [("level", .number(Double(lastMap)))] : []
  }

  init(_ section: Section, depth usualDepth: Int, stride usualStride: Int) throws {
    encoder = try section.string("encoder_name", default: "resnet34")
    depth = try section.int("encoder_depth", default: usualDepth, in: 1...5)
    stride =
      usualStride == 32
      ? 32 : try section.int("encoder_output_stride", default: usualStride, in: 8...32)
    guard [8, 16, 32].contains(stride) else {
      throw section.invalid("encoder_output_stride", "\(stride)", expected: "8, 16 or 32")
    }
    let channels = try section.int("in_channels", default: 3, in: 1...64)
    // What is dilated never comes where the encoder ends before.
    let reached = min(stride, 1 << depth)
    backbone = []
    let isTimm = encoder.hasPrefix("tu-")
    let name = isTimm ? String(encoder.dropFirst(3)) : encoder
    let architecture = String(name.prefix { $0 != "." })
    func unknown(_ expected: String) -> ConfigurationError {
      section.invalid("encoder_name", "'\(encoder)'", expected: expected)
    }
    if depth < 5, Self.isWhole(architecture, isTimm: isTimm) {
      throw section.invalid(
        "encoder_depth", "\(depth)",
        expected: "5 with the encoder \(encoder), which is not cut here")
    }
    switch architecture {
    case let name where Self.residual(name, isTimm: isTimm) != nil:
      backbone = Self.residual(name, isTimm: isTimm) ?? []
      if reached < 32 { backbone.append(("outputStride", .number(Double(max(stride, 4))))) }
      if !isTimm, stride < 32 {
        backbone += [("contractDilation", false), ("dilateBoth", true)]
        told.append(
          "dilation: all convolutions of a dilated stage have its rate, the first block's too, as this"
            + " library's own encoders do (torchvision's and timm's first block keeps the rate before)"
        )
      } else if stride < 32 {
        if Self.isBasic(backbone) { backbone.append(("dilateBoth", true)) }
        told.append(
          "dilation: the first block of a dilated stage keeps the rate before, as timm's do")
      }
      backbone.append(("stemMap", true))
    case let name where name.hasPrefix("densenet") && Self.dense.contains(name) && !isTimm:
      guard stride == 32 else { throw unknown("another encoder, as this one cannot be dilated") }
      backbone = [("name", .string(name)), ("stemMap", true), ("normalizeMaps", true)]
    case "mobilenet_v2" where !isTimm:
      backbone = [("name", "mobilenet_v2"), ("outputStride", .number(Double(stride)))]
      if stride < 32 { backbone.append(("contractDilation", false)) }
    case "xception" where !isTimm:
      guard stride == 32 else { throw unknown("another encoder, as this one cannot be dilated") }
      backbone = [("name", "xception"), ("form", "smp"), ("stemMap", true)]
      normalization = "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5]}"
    case let name where Self.regNet(name, isTimm: isTimm) != nil:
      guard let (own, rounding) = Self.regNet(name, isTimm: isTimm) else { break }
      backbone = [("name", .string(own)), ("outputStride", .number(Double(reached)))]
      if RegNet.Configuration.named[own]?.rounding != rounding {
        backbone.append(("rounding", .string(rounding.rawValue)))
      }
      backbone.append(("stemMap", true))
      if stride < 32 {
        told.append(
          "dilation: the first block of a dilated stage keeps the rate before, as timm's do")
      }
    case let name where Self.timmEfficient.contains(name) && !isTimm:
      backbone = [
        ("name", .string(String(name.dropFirst("timm-".count)).replacing("-", with: "_"))),
        ("outputStride", .number(Double(stride))), ("padding", "symmetric"), ("eps", .number(1e-5)),
        ("lastConvolution", false), ("stemMap", true),
      ]
      if stride < 32 { backbone.append(("contractDilation", false)) }
    case let name where Self.efficient.contains(name) && !isTimm:
      backbone = [
        ("name", .string(name.replacing("-", with: "_"))),
        ("outputStride", .number(Double(stride))), ("padding", "fixed"), ("eps", .number(1e-3)),
        ("lastConvolution", false), ("stemMap", true),
      ]
      if stride < 32 { backbone.append(("contractDilation", false)) }
      told.append(
        "padding: as TensorFlow's for images of the encoder's own size, whatever size they have")
    case let name where VGG.named[name] != nil && !isTimm:
      guard stride == 32 else { throw unknown("another encoder, as this one cannot be dilated") }
      backbone = [("name", .string(name))]
    case let name where Self.isEfficientTimm(name) && isTimm:
      let isTensorFlow = name.hasPrefix("tf_")
      backbone = [
        ("name", .string(isTensorFlow ? String(name.dropFirst(3)) : name)),
        ("outputStride", .number(Double(stride))), ("lastConvolution", false),
        ("padding", isTensorFlow ? "tensorflow" : "symmetric"),
        ("eps", .number(isTensorFlow ? 1e-3 : 1e-5)),
      ]
    case let name where name.hasPrefix("convnext_") && isTimm && Catalogue.backbones[name] != nil:
      guard stride == 32 else { throw unknown("another encoder, as this one is not dilated here") }
      backbone = [("name", .string(name))]
      (maps, startsAtFour) = (4, true)
    case let name where name.hasPrefix("mit_b") && !isTimm:
      guard Catalogue.backbones[name] != nil else { throw unknown(Self.known) }
      guard stride == 32 else { throw unknown("another encoder, as this one is not dilated here") }
      backbone = [("name", .string(name)), ("eps", .number(1e-6)), ("patchEps", .number(1e-5))]
      (maps, startsAtFour) = (4, true)
    case let name where Self.xceptions.contains(name) && isTimm:
      backbone = [("name", .string(name)), ("outputStride", .number(Double(stride)))]
      normalization = "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5]}"
    case "test_resnet" where isTimm && depth <= 3 && stride == 32:
      // timm's smallest; its later stages have blocks of another kind.
      backbone = [
        ("name", "resnet18"), ("blocks", [1, 1, 1, 1]), ("widths", [32, 48, 48, 96]),
        ("deepStem", true), ("stemChannels", 32), ("averageShortcuts", true),
        ("stemMap", true), ("cut", .number(Double(max(1, depth - 1)))),
      ]
      maps = max(2, depth)
      normalization = "{mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5]}"
    default:
      throw unknown(Self.known)
    }
    if depth < 5,
      isTimm && Self.residual(architecture, isTimm: true) != nil
        || Self.regNet(architecture, isTimm: isTimm) != nil
    {
      // timm leaves out what no map comes from.
      backbone.append(("cut", .number(Double(max(1, depth - 1)))))
      maps = max(2, depth)
    }
    if channels != 3 {
      backbone.append(("inputChannels", .number(Double(channels))))
      notes.append("images of \(channels) bands; how they are normalized is not known")
    }
    let normal = normalization == "imagenet" ? "ImageNet's" : "timm's"
    notes.append(
      "images are normalized by \(normal) mean and deviation, as for the weights that \(encoder)"
        + " begins with; the library leaves that to the program around it")
  }

  private static let residual: Set<String> = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "resnext101_32x4d", "resnext101_32x8d", "resnext101_32x16d", "resnext101_32x32d",
    "resnext101_32x48d",
  ]
  /// The section of a residual encoder; nil for others.
  ///
  /// timm's have letters for their forms: `c` and `s` begin with three convolutions, `d` averages before shortcuts besides.
  private static func residual(_ name: String, isTimm: Bool) -> Entries? {
    guard isTimm else { return residual.contains(name) ? [("name", .string(name))] : nil }
    let kind =
      name.hasPrefix("resnext") ? "resnext" : name.hasPrefix("wide") ? "wide_resnet" : "resnet"
    guard name.hasPrefix(kind) else { return nil }
    let rest = name.dropFirst(kind.count)
    let depth = rest.prefix(while: \.isNumber)
    let form = rest.dropFirst(depth.count).prefix(while: \.isLetter)
    let own = kind + depth + rest.dropFirst(depth.count + form.count)
    guard ResNet.Configuration.named[own] != nil, !depth.isEmpty else { return nil }
    switch form {
    case "": return [("name", .string(own))]
    case "c", "s", "d":
      return [
        ("name", .string(own)), ("deepStem", true), ("stemChannels", form == "s" ? 128 : 64),
        ("averageShortcuts", .bool(form == "d")),
      ]
    default: return nil
    }
  }
  /// Whether the blocks of a residual section have two 3×3 convolutions.
  private static func isBasic(_ section: Entries) -> Bool {
    let name = section.first { $0.key == "name" }?.value.string ?? ""
    return ResNet.Configuration.named[name]?.isBottleneck == false
  }
  /// timm's name of a residual backbone of a form: the letter stands behind the depth.
  static func timmName(_ name: String, form: String) -> String {
    let kind = name.prefix { !$0.isNumber }
    let depth = name.dropFirst(kind.count).prefix(while: \.isNumber)
    return kind + depth + form + name.dropFirst(kind.count + depth.count)
  }
  /// timm's letter for the form of a residual backbone; nil for one that it has not.
  static func timmForm(_ section: Section) throws -> String? {
    guard try section.bool("deepStem", default: false) else { return "" }
    let averages = try section.bool("averageShortcuts", default: false)
    switch (try section.int("stemChannels", default: 64), averages) {
    case (64, true): return "d"
    case (64, false): return "c"
    case (128, false): return "s"
    default: return nil
    }
  }
  /// Whether an encoder of timm's that is known is known with all its maps alone; the library's own keep all their layers.
  private static func isWhole(_ name: String, isTimm: Bool) -> Bool {
    isTimm
      && (isEfficientTimm(name) || xceptions.contains(name) || name.hasPrefix("convnext_"))
  }
  /// The RegNet of timm's that an encoder is, which before version 0.5 had names of its own.
  private static func regNet(
    _ name: String, isTimm: Bool
  ) -> (name: String, rounding: RegNet.Rounding)? {
    if isTimm { return RegNet.Configuration.timmNames[name] }
    guard name.hasPrefix("timm-") else { return nil }
    return RegNet.Configuration.timmNames[String(name.dropFirst("timm-".count))]
  }

  private static let xceptions: Set<String> = ["xception41", "xception65", "xception71"]
  private static let efficient = Set((0...7).map { "efficientnet-b\($0)" })
  private static let timmEfficient = Set((0...7).map { "timm-efficientnet-b\($0)" })

  /// timm's EfficientNets.
  private static func isEfficientTimm(_ name: String) -> Bool {
    let own = name.hasPrefix("tf_") ? name.dropFirst(3) : name[...]
    return EfficientNet.Variant.allCases.contains { $0.name == own }
  }

  private static let dense: Set<String> = [
    "densenet121", "densenet161", "densenet169", "densenet201",
  ]
  private static var known: String {
    (residual.sorted() + dense.sorted() + [
      "efficientnet-b0 to efficientnet-b7", "timm-efficientnet-b0 to timm-efficientnet-b7",
      "mit_b0 to mit_b5", "mobilenet_v2", "xception",
    ] + VGG.named.keys.sorted()).joined(
      separator: ", ")
      + ", or tu- and a ResNet, RegNet, EfficientNet, Xception or ConvNeXt of timm's"
  }

  /// Reads what concerns every class, and says what is not as usual.
  func readRest(
    _ section: Section, into description: inout PretrainedNetwork.Description
  ) throws {
    let activation = try section.optionalString("activation")
    switch activation {
    case nil, "identity", "softmax", "softmax2d", "logsoftmax": break
    case "sigmoid":
      if !description.isBinary {
        description.told.append(
          "activation sigmoid: classes may overlap there; here the best one is taken")
      }
    default:
      throw section.invalid(
        "activation", "'\(activation ?? "")'", expected: "none, softmax or sigmoid")
    }
    if section.has("aux_params") {
      description.told.append("aux_params: a classifier of whole images, which is left aside")
      description.unused.append("classification_head.")
      _ = try section.section("aux_params")
    }
    description.told += told
    description.assumed += notes
    if description.isBinary {
      description.told.append(
        "one score: 0 is where background and foreground are as likely, as for a sigmoid of 0.5")
    } else {
      description.assumed.append("classes are called by their numbers")
    }
  }
}
