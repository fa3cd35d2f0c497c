import Checkpoints
import Configuration
import Torch

/// Builds networks from configurations: combinations are configuration, not classes.
public enum ModelBuilder {
  /// The network that the section `model` describes.
  ///
  /// ```yaml
  /// model:
  ///   backbone: {name: densenet121, outputStride: 8, frozen: true, weights: densenet121.pth}
  ///   head: {name: denseaspp, dilations: [3, 6, 12, 18, 24]}
  ///   auxiliary: [{name: denseaspp, level: 2, weight: 0.4}]
  ///   classes: 19
  /// ```
  ///
  /// A `neck` between backbone and heads makes other maps of the backbone's. With `level` a head
  /// sees the maps up to that one only. `classes` defaults to the number given, usually that of the
  /// label map, and the backbone's `inputChannels` to those given, the bands of the images. `weights` is a file of any toolkit's that has the backbone's weights; without
  /// `pretrained` it is not opened.
  /// - Throws: `ConfigurationError` naming what is wrong, unknown keys included; `WeightFileError`.
  public static func build(
    _ section: Section, classes: Int? = nil, inputChannels: Int = 3, pretrained: Bool = true
  ) throws -> SegmentationModel {
    let count = try section.int("classes", default: classes, in: 1...65_535)
    var backbone = try backbone(
      section.section("backbone", isNamed: true), inputChannels: inputChannels,
      pretrained: pretrained)
    if section.has("neck") {
      backbone = try neck(section.section("neck", isNamed: true), on: backbone)
    }
    let alignCorners = try section.bool("alignCorners", default: false)
    let (head, level) = try head(
      section.section("head", isNamed: true), on: backbone, classes: count,
      alignCorners: alignCorners)
    let auxiliary = try section.sectionList("auxiliary").map { part in
      try self.auxiliary(part, on: backbone, classes: count, alignCorners: alignCorners)
    }
    let model = SegmentationModel(
      backbone, head, classes: count, level: level, auxiliary: auxiliary,
      alignCorners: alignCorners)
    try section.finish(help: Section.helpCommand)
    return model
  }

  /// The head that an entry of `auxiliary` describes, on one of the maps of `backbone`.
  static func auxiliary(
    _ section: Section, on backbone: any Backbone, classes: Int, alignCorners: Bool = false
  ) throws -> AuxiliaryHead {
    let last = backbone.channels.count - 1
    let level = try section.int("level", default: max(0, last - 1), in: 0...last)
    let weight = try section.double("weight", default: 0.4, in: 0...100)
    let input = HeadInput(
      backbone, levels: level...level, classes: classes, alignCorners: alignCorners)
    return AuxiliaryHead(try head(section, input), level: level, weight: weight)
  }

  /// The backbone that the section `backbone` describes.
  ///
  /// What every backbone can be asked for is read here: the output stride, the channels of the
  /// image, what is frozen, the momentum of its normalizations, an image pyramid around it and an
  /// enlargement after it. Its weights come from the file `weights`, unless `pretrained` is false.
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the file.
  public static func backbone(
    _ section: Section, inputChannels: Int = 3, pretrained: Bool = true
  ) throws -> any Backbone {
    let (name, entry) = try lookUp("name", Catalogue.backbones, section, kind: "backbone")
    section.declare("outputStride", as: .word(entry.outputStrides.sorted().map(String.init)))
    let stride = try section.int("outputStride", default: entry.outputStrides.max() ?? 32)
    guard entry.outputStrides.contains(stride) else {
      let strides = entry.outputStrides.sorted().map(String.init).joined(separator: ", ")
      throw section.invalid(
        "outputStride", "\(stride)", expected: "one of \(strides), which \(name) supports")
    }
    let options = BackboneOptions(
      outputStride: stride,
      inputChannels: try section.int("inputChannels", default: inputChannels, in: 1...64))
    let base = try entry.make(options, section)
    if let file = try section.optionalPath("weights"), pretrained {
      let weights = WeightImport(try WeightFile.open(file), for: base)
      // What the file has beyond the backbone, such as its classifier, is of no concern.
      let isComplete = weights.report.missing.allSatisfy { name in
        base.partsWithoutPretraining.contains { name.hasPrefix($0) }
      }
      try weights.load(isComplete ? .noMismatch : [.noMissing, .noMismatch])
      let remarks =
        weights.remarks + ConventionFacts.remarks(base, weights.convention)
      WeightRemarks.current?.add(remarks.map { "\(file): \($0)" })
    }
    try setMomentum(of: base, section)
    let frozen = try section.bool("frozen", default: false)
    let stages = try section.int("frozenStages", default: 0, in: 0...base.stages.count)
    if frozen { base.freeze() }
    for module in base.stages.prefix(stages).joined() { module.freeze() }
    var backbone = base
    let scales = try section.doubles("pyramid", default: [])
    for scale in scales where !(0.01...8).contains(scale) {
      throw section.invalid("pyramid", "\(scales)", expected: "factors from 0.01 to 8")
    }
    if !scales.isEmpty { backbone = ImagePyramid(backbone, scales: scales) }
    let factor = try section.int("upsample", default: 1, in: 1...32)
    if factor > 1 { backbone = Upsampled(backbone, by: factor) }
    return backbone
  }

  /// The maps of `backbone` behind the neck that the section `neck` describes.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong, and what the neck needs where the backbone
  ///   has no such maps.
  public static func neck(
    _ section: Section, on backbone: any Backbone
  ) throws -> any Backbone {
    let (name, entry) = try lookUp("name", Catalogue.necks, section, kind: "neck")
    guard entry.fits(backbone.strides) else {
      throw section.invalid(
        "name", "'\(name)'",
        expected: "a neck for maps of output strides"
          + " \(backbone.strides.map(String.init).joined(separator: ", ")):"
          + " \(name) needs \(entry.needs ?? "other maps")")
    }
    return Necked(backbone, try entry.make(backbone.channels, backbone.strides, section))
  }

  /// The head that the section `head` describes, on the maps of `backbone` up to `level`, and that
  /// level if the section names one.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong, and what the head needs where the backbone
  ///   has no such map.
  public static func head(
    _ section: Section, on backbone: any Backbone, classes: Int, alignCorners: Bool = false
  ) throws -> (head: any SegmentationHead, level: Int?) {
    let level = try section.optionalInt("level", in: 0...backbone.channels.count - 1)
    let input = HeadInput(
      backbone, levels: level.map { 0...$0 }, classes: classes, alignCorners: alignCorners)
    return (try head(section, input), level)
  }

  /// The head that a section describes, for maps like `input`; `usual` if it names none.
  static func head(
    _ section: Section, _ input: HeadInput, or usual: String? = nil
  ) throws -> any SegmentationHead {
    let (name, entry) = try lookUp("name", Catalogue.heads, section, or: usual, kind: "head")
    guard entry.fits(input) else {
      let others = Catalogue.heads.filter { $0.value.fits(input) }.keys.sorted()
      throw section.invalid(
        "name", "'\(name)'",
        expected: "a head for maps of output strides"
          + " \(input.strides.map(String.init).joined(separator: ", "))"
          + " (\(others.joined(separator: ", "))): \(name) needs \(entry.needs ?? "other maps")")
    }
    let head = try entry.make(input, section)
    try setMomentum(of: head, section)
    return head
  }

  /// Reads `momentum`, the weight of the newest batch in running statistics, for every part.
  private static func setMomentum(of module: Module, _ section: Section) throws {
    guard let momentum = try section.optionalDouble("momentum", in: 0...1) else { return }
    for case let norm as BatchNorm2d in module.modules.map(\.module) { norm.momentum = momentum }
  }

  private static func lookUp<Entry>(
    _ key: String, _ table: [String: Entry], _ section: Section, or usual: String? = nil,
    kind: String
  ) throws -> (name: String, entry: Entry) {
    section.declare(key, as: .word(table.keys.sorted()))
    let name = try section.string(key, default: usual)
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
