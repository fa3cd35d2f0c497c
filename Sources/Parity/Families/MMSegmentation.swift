import Configuration
import Files
import Foundation
import Segmentation
import Torch
import Training

/// MMSegmentation's networks by the settings that a file carries.
///
/// The settings become a configuration of our own, so that what agrees is what anybody can write.
/// Files of receptive fields carry none; the file of the same network beside them does.
@Sendable
func mmsegmentation(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  let described = try withSettings(name, file)
  let configuration = try MMSegmentationSettings(described, image: file.inputShape()[1])
  let section = try Section(yaml: configuration.model.text, named: described.path)
  let model = try ModelBuilder.build(section)
  let names = NamingConvention.mmsegmentation(
    model, listsAuxiliary: described.setting("auxiliary_head")?.list != nil
  ).names(of: model)
  var reference = ReferenceModel(model, auxiliary: "auxiliary") { names[$0] ?? $0 }
  reference.outputs = { image in
    let output = model.output(image, withAuxiliary: true)
    var named = [
      "logits": output.logits, "upsampled": model.upsampled(output.logits, like: image),
    ]
    for (index, tensor) in output.auxiliary.enumerated() { named["auxiliary\(index)"] = tensor }
    return named
  }
  reference.loss = { image, labels, _ in
    Loss(.crossEntropy).total(model.output(image), of: model, for: image, labels)
  }
  reference.stages = { image in
    let maps = ((model.backbone as? Necked)?.base ?? model.backbone).features(image)
    return configuration.probed.map { maps[$0] }
  }
  return reference
}

/// The file itself if it carries settings, or that of the network's values in the same folder.
private func withSettings(_ name: String, _ file: ParityFile) throws -> ParityFile {
  if file.json["settings"]?.object != nil { return file }
  let folder = file.path.parentFolder
  let path = "\(folder.isEmpty ? "." : folder)/mmseg-\(name).json"
  guard FileSystem.exists(path) else {
    throw ParityError.malformed(
      file: file.path, key: "settings",
      expected: "there, and the file with the network's settings, \(path), is not either")
  }
  return try ParityFile(contentsOf: path)
}

/// A network's settings in MMSegmentation's words, read into ours.
struct MMSegmentationSettings {
  /// The section `model` of our configuration.
  let model: JSON
  /// The backbone's maps that MMSegmentation's backbone returns.
  let probed: [Int]

  /// Reads the settings of `file` for images of `channels` channels.
  ///
  /// - Throws: ``ParityError`` for a setting that is missing or that nothing here stands for.
  init(_ file: ParityFile, image channels: Int) throws {
    let settings = MMSegmentationSection(file, "settings", file.json["settings"] ?? .null)
    let backbone = try Self.translate(settings.part("backbone"), by: Self.backbones)
    var head = try Self.head(settings.part("decode_head"), on: backbone.maps)
    var own: [String: JSON] = [:]
    if let neck = try settings.optionalPart("neck") {
      if Self.necks[try neck.string("type")] != nil {
        own["neck"] = .object(try Self.translate(neck, by: Self.necks))
      } else {
        head = try Self.translate(neck, by: Self.upsamplings)(head)
      }
    }
    let scores = try settings.part("decode_head")
    // Two classes can share one score there.
    let classes = try scores.int("out_channels", or: scores.int("num_classes"))
    let auxiliary = try settings.parts("auxiliary_head").map { part in
      var entry = try Self.head(part, on: backbone.maps, isAuxiliary: true)
      entry["weight"] = part.json["loss_decode"]?["loss_weight"] ?? 1
      return JSON.object(entry)
    }
    var images = backbone.configuration
    images["inputChannels"] = .number(Double(channels))
    own.merge([
      "backbone": .object(images), "head": .object(head), "auxiliary": .list(auxiliary),
      "classes": .number(Double(classes)),
      "alignCorners": .bool(try scores.bool("align_corners", or: false)),
    ]) { first, _ in first }
    model = .object(own)
    probed = backbone.maps
  }

  /// A backbone's section and which of its maps heads are given.
  typealias BackboneSection = (configuration: [String: JSON], maps: [Int])
  /// A head's section of the settings, which of our maps it takes and which there are.
  typealias HeadSection = (section: MMSegmentationSection, levels: [Int], maps: [Int])
  /// Reads a part of the settings.
  typealias Reader<Result> = @Sendable (MMSegmentationSection) throws -> Result
  /// What puts a head's section into that of an upsampling before it.
  typealias NeckSection = ([String: JSON]) throws -> [String: JSON]

  static let backbones: [String: Reader<BackboneSection>] = [
    "MixVisionTransformer": mixTransformer,
    "ResNet": { try resNet($0, hasDeepStem: false) },
    "ResNetV1c": { try resNet($0, hasDeepStem: true) },
    "ResNetV1d": { try resNet($0, hasDeepStem: true, averagesShortcuts: true) },
    "SwinTransformer": swin,
    "UNet": uNet,
    "VisionTransformer": visionTransformer,
    "mmcls.ConvNeXt": convNeXt,
    "mmpretrain.ConvNeXt": convNeXt,
  ]

  /// Necks that every head sees the maps of.
  static let necks: [String: Reader<[String: JSON]>] = [
    "MLANeck": multiLevelAggregation,
    "MultiLevelNeck": multiLevel,
  ]

  /// Necks that are part of the head here.
  static let upsamplings: [String: Reader<NeckSection>] = ["JPU": jointPyramid]

  static let heads: [String: @Sendable (HeadSection) throws -> [String: JSON]] = [
    "ANNHead": ann,
    "ASPPHead": deepLabV3,
    "DAHead": daNet,
    "DPTHead": dpt,
    "DepthwiseSeparableASPPHead": deepLabV3Plus,
    "EncHead": encNet,
    "FCNHead": fcn,
    "NLHead": nonLocalNet,
    "PSPHead": pspNet,
    "SETRMLAHead": setrAggregation,
    "SETRUPHead": setr,
    "SegformerHead": segFormer,
    "SegmenterMaskTransformerHead": segmenter,
    "UPerHead": uperNet,
  ]

  private static func translate<Result>(
    _ section: MMSegmentationSection, by table: [String: Reader<Result>]
  ) throws -> Result {
    let type = try section.string("type")
    guard let read = table[type] else { throw section.unsupported("type") }
    return try read(section)
  }

  /// A head's section with the level of its last map, unless that is the backbone's last.
  private static func head(
    _ section: MMSegmentationSection, on maps: [Int], isAuxiliary: Bool = false
  ) throws -> [String: JSON] {
    guard let read = heads[try section.string("type")] else { throw section.unsupported("type") }
    let indices = try section.ints("in_index", or: [-1])
    let levels = try indices.map { index in
      let place = index < 0 ? maps.count + index : index
      guard maps.indices.contains(place) else { throw section.unsupported("in_index") }
      return maps[place]
    }
    var head = try read((section, levels, maps))
    if let last = levels.last, isAuxiliary || last != maps.last {
      head["level"] = .number(Double(last))
    }
    return head
  }
}

/// One part of the settings, whose values are read with the part's name in messages.
struct MMSegmentationSection {
  let json: JSON
  private let file: ParityFile, place: String

  init(_ file: ParityFile, _ place: String, _ json: JSON) {
    (self.file, self.place, self.json) = (file, place, json)
  }

  /// The part at `key`.
  func part(_ key: String) throws -> MMSegmentationSection {
    guard let part = try optionalPart(key) else { throw malformed(key, "a group of settings") }
    return part
  }

  /// The part at `key`, or nothing.
  func optionalPart(_ key: String) throws -> MMSegmentationSection? {
    switch json[key] {
    case nil, .null: return nil
    case .object: return MMSegmentationSection(file, "\(place).\(key)", json[key] ?? .null)
    default: throw malformed(key, "a group of settings")
    }
  }

  /// The parts at `key`, be there none, one or a list.
  func parts(_ key: String) throws -> [MMSegmentationSection] {
    guard let list = json[key]?.list else { return try optionalPart(key).map { [$0] } ?? [] }
    return list.enumerated().map { MMSegmentationSection(file, "\(place).\(key)[\($0)]", $1) }
  }

  /// The text at `key`.
  func string(_ key: String, or fallback: String? = nil) throws -> String {
    try read(key, fallback, "a text") { $0.string }
  }
  /// The whole number at `key`.
  func int(_ key: String, or fallback: Int? = nil) throws -> Int {
    try read(key, fallback, "a whole number") { $0.int }
  }
  /// The number at `key`.
  func number(_ key: String, or fallback: Double? = nil) throws -> Double {
    try read(key, fallback, "a number") { $0.number }
  }
  /// Yes or no at `key`.
  func bool(_ key: String, or fallback: Bool? = nil) throws -> Bool {
    try read(key, fallback, "true or false") { $0.bool }
  }
  /// The whole numbers at `key`; one alone is a list of one.
  func ints(_ key: String, or fallback: [Int]? = nil) throws -> [Int] {
    try read(key, fallback, "a list of whole numbers") { $0.ints ?? $0.int.map { [$0] } }
  }

  private func read<T>(
    _ key: String, _ fallback: T?, _ expected: String, _ convert: (JSON) -> T?
  ) throws -> T {
    switch json[key] {
    case nil, .null:
      guard let fallback else { throw malformed(key, expected) }
      return fallback
    case .some(let value):
      guard let converted = convert(value) else { throw malformed(key, expected) }
      return converted
    }
  }

  private func malformed(_ key: String, _ expected: String) -> ParityError {
    .malformed(file: file.path, key: "\(place).\(key)", expected: expected)
  }

  /// The error for a value at `key` that nothing here stands for.
  func unsupported(_ key: String) -> ParityError {
    .unsupportedSetting(
      model: file.model, setting: "\(place).\(key)", value: json[key]?.text ?? "nothing")
  }
}
