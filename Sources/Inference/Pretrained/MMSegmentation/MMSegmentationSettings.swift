import Configuration
import Files
import Segmentation

/// A network's settings in MMSegmentation's words, read into ours.
package struct MMSegmentationSettings {
  /// The section `model` of our configuration.
  package let model: JSON
  /// The backbone's maps that MMSegmentation's backbone returns.
  package let probed: [Int]
  /// The probability above which a single score stands for the second of two classes; nil where each class
  /// has its own.
  let threshold: Double?

  /// Reads the settings `json`, which messages call `place`, of `file` for images of `channels` channels.
  ///
  /// - Throws: ``PretrainedError`` for a setting that is missing or that nothing here stands for.
  package init(_ json: JSON, _ place: String, of file: String, image channels: Int) throws {
    let settings = MMSegmentationSection(file, place, json, .init())
    try settings.only("type", ["EncoderDecoder"])
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
    guard (1...65_535).contains(classes) else {
      throw scores.unsupported("num_classes", expected: "1 to 65535")
    }
    let alignCorners = try scores.bool("align_corners", or: false)
    // Helpers of networks of one score have one or two, and serve training alone.
    if classes == 1 { settings.pass("auxiliary_head") }
    let helpers = classes == 1 ? [] : try settings.parts("auxiliary_head")
    let auxiliary = try helpers.map { part in
      // Of a helper's scores only the loss in training says how they are resized.
      part.pass("align_corners")
      var entry = try Self.head(part, on: backbone.maps, isAuxiliary: true)
      entry["weight"] = part.value("loss_decode")?["loss_weight"] ?? 1
      return JSON.object(entry)
    }
    var images = backbone.configuration
    images["inputChannels"] = .number(Double(channels))
    own.merge([
      "backbone": .object(images), "head": .object(head), "auxiliary": .list(auxiliary),
      "classes": .number(Double(classes)),
      "alignCorners": .bool(alignCorners),
    ]) { first, _ in first }
    model = .object(own)
    probed = backbone.maps
    let share = try scores.number("threshold", or: 0.3)
    guard classes != 1 || share > 0 && share < 1 else {
      throw scores.unsupported("threshold", expected: "a probability above 0 and below 1")
    }
    threshold = classes == 1 ? share : nil
    try settings.finish()
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
    guard let read = table[type] else {
      throw section.unsupported("type", expected: table.keys.sorted().joined(separator: ", "))
    }
    return try read(section)
  }

  /// A head's section with the level of its last map, unless that is the backbone's last.
  private static func head(
    _ section: MMSegmentationSection, on maps: [Int], isAuxiliary: Bool = false
  ) throws -> [String: JSON] {
    guard let read = heads[try section.string("type")] else {
      throw section.unsupported("type", expected: heads.keys.sorted().joined(separator: ", "))
    }
    try section.only("input_transform", ["multiple_select"])
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
