import Files

/// One part of the settings, whose values are read with the part's name in messages.
final class MMSegmentationSection {
  /// The parts that were read, so that nothing is passed over in silence.
  final class Reading {
    fileprivate var sections: [MMSegmentationSection] = []
  }

  private let json: JSON
  private let file: String, place: String
  private let reading: Reading
  private var seen: Set<String> = []
  private var parts: [String: MMSegmentationSection] = [:]

  init(_ file: String, _ place: String, _ json: JSON, _ reading: Reading) {
    (self.file, self.place, self.json, self.reading) = (file, place, json, reading)
    reading.sections.append(self)
  }

  /// The value at `key`.
  func value(_ key: String) -> JSON? {
    seen.insert(key)
    return json[key]
  }

  /// Passes over keys whose values follow from others or from the tensors' shapes.
  func pass(_ keys: String...) { seen.formUnion(keys) }

  /// The part at `key`.
  func part(_ key: String) throws -> MMSegmentationSection {
    guard let part = try optionalPart(key) else { throw malformed(key, "a group of settings") }
    return part
  }

  /// The part at `key`, or nothing.
  func optionalPart(_ key: String) throws -> MMSegmentationSection? {
    switch value(key) {
    case nil, .null: return nil
    case .some(.object(let object)):
      if let known = parts[key] { return known }
      let part = MMSegmentationSection(file, "\(place).\(key)", .object(object), reading)
      parts[key] = part
      return part
    default: throw malformed(key, "a group of settings")
    }
  }

  /// The parts at `key`, be there none, one or a list.
  func parts(_ key: String) throws -> [MMSegmentationSection] {
    guard let list = value(key)?.list else { return try optionalPart(key).map { [$0] } ?? [] }
    return list.enumerated().map {
      MMSegmentationSection(file, "\(place).\(key)[\($0)]", $1, reading)
    }
  }

  /// The text at `key`.
  func string(_ key: String, or fallback: String? = nil) throws -> String {
    try read(key, fallback, "a text") { $0.string }
  }
  /// The whole number at `key`.
  func int(_ key: String, or fallback: Int? = nil) throws -> Int {
    try read(key, fallback, "a whole number") { Self.bounded($0) }
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
    try read(key, fallback, "a list of whole numbers") { value in
      guard let list = value.list else { return Self.bounded(value).map { [$0] } }
      let numbers = list.prefix(1024).compactMap(Self.bounded)
      return numbers.count == list.count ? numbers : nil
    }
  }

  /// A whole number that sums and products of few cannot make too large.
  private static func bounded(_ value: JSON) -> Int? {
    value.int.flatMap { (-1_000_000...1_000_000).contains($0) ? $0 : nil }
  }

  private func read<T>(
    _ key: String, _ fallback: T?, _ expected: String, _ convert: (JSON) -> T?
  ) throws -> T {
    switch value(key) {
    case nil, .null:
      guard let fallback else { throw malformed(key, expected) }
      return fallback
    case .some(let value):
      guard let converted = convert(value) else { throw malformed(key, expected) }
      return converted
    }
  }

  private func malformed(_ key: String, _ expected: String) -> PretrainedError {
    .invalid(
      file: file, key: "\(place).\(key)", value: json[key].map(Self.short) ?? "missing",
      expected: expected)
  }

  /// The error for a value at `key` that nothing here stands for.
  func unsupported(
    _ key: String, expected: String = "another value, as nothing here stands for this one"
  ) -> PretrainedError { malformed(key, expected) }

  /// Refuses all words at `key` but these, and none.
  func only(_ key: String, _ words: [String]) throws {
    switch value(key) {
    case nil, .null: return
    case .string(let word) where words.contains(word): return
    default: throw unsupported(key, expected: words.joined(separator: " or "))
    }
  }

  private static func short(_ json: JSON) -> String {
    let text = json.text
    return text.count > 80 ? text.prefix(80) + "…" : text
  }

  // MARK: What nothing here reads

  /// What says nothing of what a trained network computes, or follows from its tensors' shapes.
  private static let harmless: Set<String> = [
    "attn_drop_rate", "c1_in_channels", "convert_weights", "drop_path_rate", "drop_rate",
    "dropout_ratio", "frozen_stages", "ignore_index", "in_channels", "init_cfg", "init_values",
    "loss_decode", "loss_se_decode", "norm_eval", "num_classes", "pretrain_img_size", "pretrained",
    "sampler", "test_cfg", "train_cfg", "type", "with_cp", "zero_init_residual",
    "data_preprocessor",
  ]

  /// What has GELU between its layers; all else has ReLU.
  private static let transformers: Set<String> = [
    "MixVisionTransformer", "SwinTransformer", "VisionTransformer", "mmcls.ConvNeXt",
    "mmpretrain.ConvNeXt",
  ]
  /// The heads whose convolutions are normalized.
  private static let normalized: Set<String> = [
    "ANNHead", "ASPPHead", "DAHead", "DepthwiseSeparableASPPHead", "EncHead", "FCNHead", "NLHead",
    "PSPHead", "SegformerHead", "UPerHead",
  ]

  /// Refuses settings that nobody has read and that are not as usual.
  ///
  /// - Throws: ``PretrainedError``.
  func finish() throws {
    for section in reading.sections { try section.checkRest() }
  }

  private func checkRest() throws {
    for (key, value) in (json.object ?? [:]).sorted(by: { $0.key < $1.key })
    where !seen.contains(key) && !Self.harmless.contains(key) {
      let type = json["type"]?.string ?? ""
      if case .null = value {
        if key == "norm_cfg", Self.normalized.contains(type) {
          throw unsupported(key, expected: "batch normalization, BN or SyncBN")
        }
        continue
      }
      switch key {
      case "norm_cfg":
        let type = value["type"]?.string ?? ""
        guard ["BN", "SyncBN", "MMSyncBN", "LN"].contains(type) else {
          throw unsupported(key, expected: "batch normalization, BN or SyncBN")
        }
        let usual = type == "LN" ? [1e-5, 1e-6] : [1e-5]
        if let eps = value["eps"]?.number, !usual.contains(eps) {
          throw unsupported(key, expected: "an eps of 1e-05")
        }
      case "act_cfg":
        let own = Self.transformers.contains(type) ? "GELU" : "ReLU"
        guard value["type"]?.string == own else { throw unsupported(key, expected: own) }
      case "norm_layer":
        guard value["type"]?.string == "LN", value["eps"]?.number ?? 1e-6 == 1e-6 else {
          throw unsupported(key, expected: "LN with an eps of 1e-06")
        }
      case "conv_cfg":
        guard ["Conv2d", "Conv"].contains(value["type"]?.string ?? "") else {
          throw unsupported(key, expected: "none")
        }
      default:
        // What is off, empty or aligned as everything else is nothing new.
        if value.bool == false || value.list?.isEmpty == true || value.object?.isEmpty == true {
          continue
        }
        throw unsupported(key, expected: "none, as nothing here reads it")
      }
    }
  }
}
