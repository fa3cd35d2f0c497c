import Configuration
import Torch

/// A backbone that configurations can name.
public struct BackboneEntry: Sendable {
  /// The output strides that it reaches by dilation.
  public let outputStrides: [Int]
  /// Builds it; options of its own are read from the section.
  public let make: @Sendable (_ options: BackboneOptions, _ section: Section) throws -> any Backbone

  /// A backbone with these strides, built by `make`.
  public init(
    outputStrides: [Int] = [8, 16, 32],
    make: @escaping @Sendable (BackboneOptions, Section) throws -> any Backbone
  ) {
    self.outputStrides = outputStrides
    self.make = make
  }
}

/// What every backbone can be asked for.
public struct BackboneOptions: Sendable {
  /// How many image pixels lie between neighbours of the last map.
  public var outputStride: Int
  /// The channels of the image.
  public var inputChannels: Int
}

/// A head that configurations can name.
public struct HeadEntry: Sendable {
  /// Builds it for a backbone's maps; its options are read from the section.
  public let make: @Sendable (_ input: HeadInput, _ section: Section) throws -> any SegmentationHead

  /// A head built by `make`.
  public init(
    make: @escaping @Sendable (HeadInput, Section) throws -> any SegmentationHead
  ) { self.make = make }
}

/// What a head is built for.
public struct HeadInput: Sendable {
  /// The channels of the maps that it gets.
  public var channels: [Int]
  /// The output strides of the maps.
  public var strides: [Int]
  /// The number of classes.
  public var classes: Int

  /// The channels of the last map.
  public var last: Int { channels.last ?? 0 }
}

/// Everything that a configuration can name.
public enum Catalogue {
  /// The backbones by torchvision's names, where it has them.
  public static let backbones: [String: BackboneEntry] = {
    var entries: [String: BackboneEntry] = [:]
    for (name, configuration) in DenseNet.Configuration.named {
      entries[name] = BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
        try DenseNet(configuration, options, section)
      }
    }
    entries["densenet"] = BackboneEntry(outputStrides: [4, 8, 16, 32]) { options, section in
      let configuration = DenseNet.Configuration(
        blocks: try section.ints("blocks", in: 1...512),
        growth: try section.int("growth", default: 32, in: 1...1024),
        stem: try section.int("stem", default: 64, in: 1...4096))
      return try DenseNet(configuration, options, section)
    }
    for variant in MobileNetV3.Variant.allCases {
      entries[variant.rawValue] = BackboneEntry { options, _ in
        MobileNetV3(
          variant, outputStride: options.outputStride, inputChannels: options.inputChannels)
      }
    }
    return entries
  }()

  /// The heads.
  public static let heads: [String: HeadEntry] = [
    "denseaspp": HeadEntry { input, section in
      DenseASPP(input.last, classes: input.classes, try .init(section))
    }
  ]
}

extension DenseNet {
  /// A DenseNet with the options that a configuration gives.
  convenience init(
    _ configuration: Configuration, _ options: BackboneOptions, _ section: Section
  ) throws {
    var configuration = configuration
    configuration.bottleneck = try section.int("bottleneck", default: 4, in: 1...64)
    configuration.endsWithTransition = try section.bool("finalTransition", default: false)
    configuration.dropRate = try section.double("dropRate", default: 0, in: 0...0.99)
    let cut = try section.optionalInt("cut", in: 1...configuration.blocks.count)
    self.init(
      configuration, outputStride: options.outputStride, cut: cut,
      inputChannels: options.inputChannels)
  }
}

extension DenseASPP.Configuration {
  /// The head that a configuration describes; `official: true` starts from the head of 2018.
  init(_ section: Section) throws {
    let base =
      try section.bool("official", default: false) ? DenseASPP.Configuration.official : .init()
    self = base
    dilations = try section.ints("dilations", default: base.dilations, in: 1...512)
    growth = try section.int("growth", default: base.growth, in: 1...4096)
    block = try section.choice("block", default: base.block)
    bottleneck = try section.int("bottleneck", default: base.bottleneck, in: 1...8192)
    bias = try section.bool("bias", default: base.bias)
    normalizesFirst = try section.bool("normFirst", default: base.normalizesFirst)
    normalizesLevels = try section.bool("postNorm", default: base.normalizesLevels)
    normalizesLast = try section.bool("finalNorm", default: base.normalizesLast)
    dropout = try section.double("dropout", default: base.dropout, in: 0...0.99)
    classifierDropout = try section.double(
      "classifierDropout", default: base.classifierDropout, in: 0...0.99)
    momentum = try section.double("momentum", default: base.momentum, in: 0...1)
    if dilations.isEmpty {
      throw section.invalid("dilations", "[]", expected: "at least one dilation")
    }
  }
}
