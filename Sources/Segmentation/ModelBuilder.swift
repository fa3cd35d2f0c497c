import Configuration
import Torch

/// Builds networks from configurations: combinations are configuration, not classes.
public enum ModelBuilder {
  /// The network that the section `model` describes.
  ///
  /// ```yaml
  /// model:
  ///   backbone: {name: densenet121, outputStride: 8, frozen: true}
  ///   head: {name: denseaspp, dilations: [3, 6, 12, 18, 24]}
  ///   auxiliary: [{name: denseaspp, level: 2, weight: 0.4}]
  ///   classes: 19
  /// ```
  ///
  /// `classes` defaults to the number given, usually that of the label map.
  /// - Throws: `ConfigurationError` naming what is wrong; unknown keys included.
  public static func build(_ section: Section, classes: Int? = nil) throws -> SegmentationModel {
    let count = try section.int("classes", default: classes, in: 1...65_535)
    let backbone = try backbone(section.section("backbone"))
    let head = try head(
      section.section("head"),
      HeadInput(channels: backbone.channels, strides: backbone.strides, classes: count))
    let auxiliary = try section.sectionList("auxiliary").map { part in
      let level = try part.int("level", in: 0...backbone.channels.count - 1)
      let weight = try part.double("weight", default: 0.4, in: 0...100)
      let input = HeadInput(
        channels: [backbone.channels[level]], strides: [backbone.strides[level]], classes: count)
      return AuxiliaryHead(try Self.head(part, input), level: level, weight: weight)
    }
    let model = SegmentationModel(
      backbone, head, classes: count, auxiliary: auxiliary,
      alignCorners: try section.bool("alignCorners", default: false))
    try section.finish()
    return model
  }

  private static func backbone(_ section: Section) throws -> any Backbone {
    let (name, entry) = try lookUp("name", Catalogue.backbones, section, kind: "backbone")
    let stride = try section.int("outputStride", default: entry.outputStrides.max() ?? 32)
    guard entry.outputStrides.contains(stride) else {
      let strides = entry.outputStrides.sorted().map(String.init).joined(separator: ", ")
      throw section.invalid(
        "outputStride", "\(stride)", expected: "one of \(strides), which \(name) supports")
    }
    let options = BackboneOptions(
      outputStride: stride, inputChannels: try section.int("inputChannels", default: 3, in: 1...64))
    let backbone = try entry.make(options, section)
    let frozen = try section.bool("frozen", default: false)
    let stages = try section.int(
      "frozenStages", default: 0, in: 0...backbone.stages.count)
    if frozen { backbone.freeze() }
    for module in backbone.stages.prefix(stages).joined() { module.freeze() }
    try setMomentum(of: backbone, section)
    return backbone
  }

  private static func head(_ section: Section, _ input: HeadInput) throws -> any SegmentationHead {
    let head = try lookUp("name", Catalogue.heads, section, kind: "head").entry.make(input, section)
    try setMomentum(of: head, section)
    return head
  }

  /// Reads `momentum`, the weight of the newest batch in running statistics, for every part.
  private static func setMomentum(of module: Module, _ section: Section) throws {
    guard let momentum = try section.optionalDouble("momentum", in: 0...1) else { return }
    for case let norm as BatchNorm2d in module.modules.map(\.module) { norm.momentum = momentum }
  }

  private static func lookUp<Entry>(
    _ key: String, _ table: [String: Entry], _ section: Section, kind: String
  ) throws -> (name: String, entry: Entry) {
    let name = try section.string(key)
    guard let entry = table[name] else {
      let known = table.keys.sorted()
      throw section.invalid(
        key, "'\(name)'",
        expected: "a \(kind): \(known.joined(separator: ", "))"
          + (ConfigurationError.nearest(name, known).map { "; did you mean '\($0)'?" } ?? ""))
    }
    return (name, entry)
  }
}
