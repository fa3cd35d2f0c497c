import Configuration
import Synchronization
import Torch

/// A backbone that configurations can name.
public struct BackboneEntry: Sendable {
  /// The output strides that it reaches by dilation.
  public let outputStrides: [Int]
  /// Whether its name alone says what it is, so that lists of networks have it.
  public let isComplete: Bool
  /// Builds it; options of its own are read from the section.
  public let make: @Sendable (_ options: BackboneOptions, _ section: Section) throws -> any Backbone

  /// A backbone with these strides, built by `make`.
  public init(
    outputStrides: [Int] = [8, 16, 32], isComplete: Bool = true,
    make: @escaping @Sendable (BackboneOptions, Section) throws -> any Backbone
  ) {
    self.outputStrides = outputStrides
    self.isComplete = isComplete
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

/// A neck that configurations can name.
public struct NeckEntry: Sendable {
  /// What a backbone's maps must have that it is built for, in words; nil if any will do.
  public let needs: String?
  /// Whether maps of these output strides have that.
  public let fits: @Sendable (_ strides: [Int]) -> Bool
  /// Builds it for maps of these channels and output strides; its options are read from the section.
  public let make:
    @Sendable (_ channels: [Int], _ strides: [Int], _ section: Section) throws -> any Neck

  /// A neck built by `make` for any maps, or for those that `fits` accepts.
  public init(
    needs: String? = nil, of fits: @escaping @Sendable ([Int]) -> Bool = { _ in true },
    make: @escaping @Sendable ([Int], [Int], Section) throws -> any Neck
  ) {
    self.needs = needs
    self.fits = fits
    self.make = make
  }
}

/// A head that configurations can name.
public struct HeadEntry: Sendable {
  /// What the maps must have that it is built for, in words; nil if any will do.
  public let needs: String?
  /// Whether maps have that.
  public let fits: @Sendable (_ input: HeadInput) -> Bool
  /// Builds it for a backbone's maps; its options are read from the section.
  public let make: @Sendable (_ input: HeadInput, _ section: Section) throws -> any SegmentationHead

  /// A head built by `make` for any maps, or for those that `fits` accepts.
  public init(
    needs: String? = nil, of fits: @escaping @Sendable (HeadInput) -> Bool = { _ in true },
    make: @escaping @Sendable (HeadInput, Section) throws -> any SegmentationHead
  ) {
    self.needs = needs
    self.fits = fits
    self.make = make
  }
}

/// What a head is built for.
public struct HeadInput: Sendable {
  /// The channels of the maps that it gets.
  public var channels: [Int]
  /// The output strides of the maps.
  public var strides: [Int]
  /// The number of classes.
  public var classes: Int
  /// Whether maps and scores are resized with the corners' centres kept.
  public var alignCorners = false
  /// Whether the second half of each map's channels is a vision transformer's class token.
  public var joinsClassToken = false

  /// The channels of the last map.
  public var last: Int { channels.last ?? 0 }

  /// What a head gets of these maps of `backbone`, all unless told otherwise.
  public init(
    _ backbone: any Backbone, levels: ClosedRange<Int>? = nil, classes: Int,
    alignCorners: Bool = false
  ) {
    let levels = levels ?? 0...backbone.channels.count - 1
    channels = Array(backbone.channels[levels])
    strides = Array(backbone.strides[levels])
    self.classes = classes
    self.alignCorners = alignCorners
    joinsClassToken = (backbone as? VisionTransformer)?.joinsClassToken ?? false
  }
}

/// Everything that a configuration can name.
///
/// A network describes its own entries beside its code; it is named here in one line. Programs add networks
/// of their own by ``register(backbone:_:)``, ``register(neck:_:)`` and ``register(head:_:)``, before they read a
/// configuration or a checkpoint that names them.
public enum Catalogue {
  /// The backbones by torchvision's names, where it has them, and those that were registered.
  public static var backbones: [String: BackboneEntry] {
    registered.withLock { merged([ownBackbones, $0.backbones]) }
  }

  /// The necks, and those that were registered.
  public static var necks: [String: NeckEntry] {
    registered.withLock { merged([ownNecks, $0.necks]) }
  }

  /// The heads, and those that were registered.
  public static var heads: [String: HeadEntry] {
    registered.withLock { merged([ownHeads, $0.heads]) }
  }

  /// Lets configurations name a backbone of the program's own.
  ///
  /// - Throws: ``CatalogueError/taken(kind:name:)`` for a name that there is.
  public static func register(backbone name: String, _ entry: BackboneEntry) throws {
    try registered.withLock {
      try add(entry, as: name, to: &$0.backbones, besides: ownBackbones, kind: "backbone")
    }
  }

  /// Lets configurations name a neck of the program's own.
  ///
  /// - Throws: ``CatalogueError/taken(kind:name:)`` for a name that there is.
  public static func register(neck name: String, _ entry: NeckEntry) throws {
    try registered.withLock {
      try add(entry, as: name, to: &$0.necks, besides: ownNecks, kind: "neck")
    }
  }

  /// Lets configurations name a head of the program's own.
  ///
  /// ```swift
  /// try Catalogue.register(head: "dilated", HeadEntry { input, section in
  ///   DilatedHead(input.last, classes: input.classes, rate: try section.int("rate", default: 2, in: 1...64))
  /// })
  /// ```
  ///
  /// - Throws: ``CatalogueError/taken(kind:name:)`` for a name that there is.
  public static func register(head name: String, _ entry: HeadEntry) throws {
    try registered.withLock {
      try add(entry, as: name, to: &$0.heads, besides: ownHeads, kind: "head")
    }
  }

  /// What programs registered.
  private struct Registered {
    var backbones: [String: BackboneEntry] = [:]
    var necks: [String: NeckEntry] = [:]
    var heads: [String: HeadEntry] = [:]
  }

  private static let registered = Mutex(Registered())

  private static func add<Entry>(
    _ entry: Entry, as name: String, to table: inout [String: Entry],
    besides own: [String: Entry], kind: String
  ) throws {
    guard own[name] == nil, table[name] == nil else {
      throw CatalogueError.taken(kind: kind, name: name)
    }
    table[name] = entry
  }

  private static let ownBackbones = merged(families.map(\.entries))

  /// The backbones by what they are variants of.
  static let families: [(name: String, entries: [String: BackboneEntry])] = [
    ("ConvNeXt", ConvNeXt.entries),
    ("DenseNet", DenseNet.entries),
    ("DRN", DRN.entries),
    ("EfficientNet", EfficientNet.entries),
    ("EfficientNet-Lite", EfficientNetLite.entries),
    ("first Xception", PooledXception.entries),
    ("mix transformer", MixTransformer.entries),
    ("MobileNetV2", MobileNetV2.entries),
    ("MobileNetV3", MobileNetV3.entries),
    ("RegNet", RegNet.entries),
    ("ResNet", ResNet.entries),
    ("Swin", Swin.entries),
    ("U-Net", UNet.entries),
    ("VGG", VGG.entries),
    ("vision transformer", VisionTransformer.entries),
    ("Xception", Xception.entries),
  ]

  private static let ownNecks: [String: NeckEntry] = merged([
    MultiLevelAggregation.entries,
    MultiLevelNeck.entries,
  ])

  private static let ownHeads: [String: HeadEntry] = merged([
    ANN.entries,
    DANet.entries,
    DeepLabV2.entries,
    DeepLabV3.entries,
    DeepLabV3Plus.entries,
    DenseASPP.entries,
    DPT.entries,
    EncNet.entries,
    FCN.entries,
    FastFCN.entries,
    FPN.entries,
    Linknet.entries,
    LRASPP.entries,
    NonLocalNet.entries,
    PAN.entries,
    PSPNet.entries,
    SETR.entries,
    SETRAggregation.entries,
    SegFormer.entries,
    Segmenter.entries,
    UNetDecoder.entries,
    UNetPlusPlus.entries,
    UPerNet.entries,
  ])

  private static func merged<Entry>(_ tables: [[String: Entry]]) -> [String: Entry] {
    tables.reduce(into: [:]) { all, table in all.merge(table) { first, _ in first } }
  }
}

/// Why a network cannot be registered.
public enum CatalogueError: Error, Equatable, CustomStringConvertible {
  /// There is a network of this name already.
  case taken(kind: String, name: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .taken(let kind, let name):
      "a \(kind) '\(name)' is in the catalogue already; expected a name that is free"
    }
  }
}
