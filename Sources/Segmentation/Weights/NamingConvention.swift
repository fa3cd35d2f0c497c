import Torch

/// How another toolkit names the state of networks that are ours.
public struct NamingConvention: Sendable {
  /// The name of a parameter or buffer with its shape.
  typealias StateEntry = (name: String, shape: [Int])

  /// What the convention is called.
  public let name: String
  /// What ours are made of, in the order of the state; nothing if they have no such network.
  let recipes: @Sendable (_ state: [StateEntry]) -> [(ours: String, recipe: WeightRecipe)]
  /// Patterns of names, as ``NameRule`` has them, that files have and nothing reads.
  let unused: [NameRule]

  /// A convention that gives a name for each of ours, or nil.
  init(_ name: String, _ rename: @escaping @Sendable (String) -> String?) {
    self.name = name
    unused = []
    recipes = { state in
      state.compactMap { entry in rename(entry.name).map { (entry.name, .tensor($0)) } }
    }
  }

  private init(
    _ name: String, state: @escaping @Sendable ([StateEntry]) -> [(ours: String, theirs: String)]
  ) {
    self.name = name
    unused = []
    recipes = { state($0).map { ($0.ours, .tensor($0.theirs)) } }
  }

  /// A convention as a table; `newer` renames what the table gives.
  ///
  /// - Parameter unused: Patterns of their names that nothing reads.
  init(
    _ name: String, _ rules: [NameRule], unused: [String] = [],
    newer: (@Sendable (String) -> String)? = nil
  ) {
    self.name = name
    self.unused = unused.map { NameRule($0, "") }
    recipes = { state in
      state.compactMap { entry in
        guard let recipe = rules.recipe(entry.name) else { return nil }
        return (entry.name, newer.map(recipe.renamed) ?? recipe)
      }
    }
  }

  /// A convention for the tensors of one network, by our names.
  ///
  /// - Parameter unused: Patterns of their names that nothing reads.
  init(_ name: String, of network: [String: WeightRecipe], unused: [String] = []) {
    self.name = name
    self.unused = unused.map { NameRule($0, "") }
    recipes = { state in
      state.compactMap { entry in network[entry.name].map { (entry.name, $0) } }
    }
  }

  /// Their names by ours, in the order of the state, for all that needs nothing but a name.
  func theirs(_ state: [StateEntry]) -> [(ours: String, theirs: String)] {
    recipes(state).compactMap { entry in entry.recipe.plainName.map { (entry.ours, $0) } }
  }

  /// Whether a name is one of those that files have and nothing reads.
  package func isUnused(_ name: String) -> Bool { unused.contains { $0(name) != nil } }

  /// The conventions for parts of networks: backbones and classifiers of images.
  static let ofParts: [NamingConvention] =
    [
      .init("torchvision") { $0 },
      .init("torchvision-2017") { dottedDenseLayers($0) },
      .init("timm", state: InvertedResidualNames.timm),
      .init("torchvision", state: InvertedResidualNames.torchvision),
      .init("timm", state: ConvNeXtNames.timm),
      .init("timm") { timmDeepStem($0) },
      // With `features_only` the number of the first sequence's part stands after an underscore.
      .init(
        "timm",
        state: { state in
          ConvNeXtNames.timm(state).map { ($0.ours, flattened($0.theirs, ["stem", "stages"])) }
        }),
      .init("timm") { name in
        TransformerNames.swin(name, mergingIsLater: true).map { flattened($0, ["layers"]) }
      },
      .init("timm") { "features_" + $0 },
      .init("timm", XceptionNames.timm(isFlat: false)),
      .init("timm", XceptionNames.timm(isFlat: true)),
      .init("timm", RegNetNames.timm),
      .init("timm", TransformerNames.vision),
      .init("timm") { TransformerNames.swin($0, mergingIsLater: true) },
      .init("swin") { TransformerNames.swin($0, mergingIsLater: false) },
      .init("detectron2", Detectron2Names.resNet),
      .efficientNetPyTorch,
    ] + HuggingFaceNames.ofParts

  /// A name whose first sequence, if it is one of these, is part of the network itself.
  static func flattened(_ name: String, _ sequences: [String]) -> String {
    for sequence in sequences where name.hasPrefix(sequence + ".") {
      return sequence + "_" + name.dropFirst(sequence.count + 1)
    }
    return name
  }

  /// timm's names for a backbone; nil if it has no such network.
  static func timm(of backbone: any Backbone) -> NamingConvention? {
    switch backbone {
    case is ResNet: .init("timm") { timmDeepStem($0) }
    case is MobileNetwork: .init("timm", state: InvertedResidualNames.timm)
    case is ConvNeXt: .init("timm", state: ConvNeXtNames.timm)
    case is Xception: .init("timm", XceptionNames.timm(isFlat: false))
    case is RegNet: .init("timm", RegNetNames.timm)
    case is Swin: .init("timm") { TransformerNames.swin($0, mergingIsLater: true) }
    case is VisionTransformer: .init("timm", TransformerNames.vision)
    default: nil
    }
  }

  /// The names of Melas-Kyriazi's EfficientNet-PyTorch and of the EfficientNet-Lite made from it:
  /// `_conv_stem.weight`, `_blocks.3._depthwise_conv.weight`, `_fc.bias`.
  public static let efficientNetPyTorch = NamingConvention(
    "efficientnet-pytorch", state: InvertedResidualNames.efficientNetPyTorch)

  /// `denselayer3.norm1` as `denselayer3.norm.1`, as the first files of DenseNet have it.
  private static func dottedDenseLayers(_ name: String) -> String? {
    var parts = name.split(separator: ".").map(String.init)
    guard let layer = parts.firstIndex(where: { $0.hasPrefix("denselayer") }) else { return name }
    guard layer + 1 < parts.count, let digit = parts[layer + 1].last, digit.isNumber else {
      return nil
    }
    parts[layer + 1] = "\(parts[layer + 1].dropLast()).\(digit)"
    return parts.joined(separator: ".")
  }

  /// The stem of three convolutions of ResNet-C as `conv1`, the last normalization as `bn1`.
  private static func timmDeepStem(_ name: String) -> String? {
    guard name.hasPrefix("stem.") else { return name }
    let rest = name.dropFirst("stem.".count)
    return rest.hasPrefix("7.") ? "bn1." + rest.dropFirst(2) : "conv1." + rest
  }
}

extension NamingConvention {
  /// The conventions for a whole segmentation network, ours first.
  public static func conventions(of model: SegmentationModel) -> [NamingConvention] {
    var conventions = [NamingConvention("torchvision") { $0 }]
    if let head = model.classifier as? DenseASPP {
      conventions.append(
        .init("denseaspp-2018", Convention.denseASPP2018(head.configuration.dilations)))
    }
    if model.backbone is UNet { conventions.append(.init("milesial", Convention.milesial)) }
    conventions.append(.mmsegmentation(model))
    if model.auxiliary.count == 1 {
      conventions.append(.mmsegmentation(model, listsAuxiliary: true))
    }
    return conventions + HuggingFaceNames.conventions(of: model) + SMPNames.conventions(of: model)
      + RepositoryNames.conventions(of: model)
  }

  /// The conventions for a backbone or a classifier of images.
  package static func conventions(ofPart module: Module) -> [NamingConvention] {
    ofParts + (module is any MMSegmentationNamed ? [.mmsegmentation(module)] : [])
  }

  /// The names of this convention by a module's own.
  public func names(of module: Module) -> [String: String] {
    Dictionary(
      theirs(module.state.map { ($0.name, $0.tensor.shape) }).map { ($0.ours, $0.theirs) },
      uniquingKeysWith: { first, _ in first })
  }

  /// What this convention makes a module's tensors of, by their names.
  public func recipes(of module: Module) -> [String: WeightRecipe] {
    Dictionary(
      recipes(module.state.map { ($0.name, $0.tensor.shape) }).map { ($0.ours, $0.recipe) },
      uniquingKeysWith: { first, _ in first })
  }

  /// The state of a backbone under timm's names with `features_only`; nil if timm has no such.
  package static func timmFeatures(
    of backbone: any Backbone
  ) -> [(name: String, tensor: Tensor)]? {
    guard let recipes = SMPNames.timmFeatures(backbone) else { return nil }
    return shapedAsTimm(
      backbone.state.flatMap { entry in recipes[entry.name]?.parts(entry.tensor) ?? [] })
  }

  /// Tensors under timm's names in timm's shapes: the scales of ConvNeXt's branches are lists there.
  package static func shapedAsTimm(
    _ state: [(name: String, tensor: Tensor)]
  ) -> [(name: String, tensor: Tensor)] {
    state.map { name, tensor in
      (name, name.hasSuffix(".gamma") ? tensor.reshaped([tensor.count]) : tensor)
    }
  }

  /// The state of a module under the names of this convention.
  public func state(of module: Module) -> [(name: String, tensor: Tensor)] {
    let recipes = recipes(of: module)
    return module.state.flatMap { entry in recipes[entry.name]?.parts(entry.tensor) ?? [] }
  }
}
