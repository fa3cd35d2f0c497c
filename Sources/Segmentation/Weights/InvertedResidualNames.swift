/// Other toolkits' names for networks of inverted residuals: MobileNetV2, MobileNetV3 and
/// EfficientNet-Lite.
///
/// The parts are found by their shapes and their order, so that they may be called anything here: a
/// first convolution, blocks of an optional expansion, a depthwise convolution, an optional squeeze
/// and excitation and a projection, then a last convolution and perhaps a classifier.
enum InvertedResidualNames {
  private typealias StateEntry = NamingConvention.StateEntry

  /// A convolution and the normalization after it, by the names of their modules.
  private struct Unit {
    var convolution: String
    var norm: String
  }

  private struct Block {
    var expand: Unit?
    var depthwise: Unit
    var squeeze: (reduce: String, expand: String)?
    var project: Unit
    var channels: Int
  }

  private struct Network {
    var stem: Unit
    var blocks: [Block] = []
    var last: Unit?
    /// What has two dimensions, or is a convolution with a bias after all blocks.
    var classifiers: [String] = []

    /// Whether every block squeezes, as EfficientNet's do.
    var squeezesAlways: Bool { blocks.allSatisfy { $0.squeeze != nil } }
  }

  /// timm's names: `conv_stem`, `blocks.2.0.conv_pw`, `conv_head`, `classifier`.
  @Sendable
  static func timm(_ state: [NamingConvention.StateEntry]) -> [(ours: String, theirs: String)] {
    renamed(state) { network, set in
      set.unit(network.stem, "conv_stem", "bn1")
      var (stage, index, channels) = (-1, 0, -1)
      for block in network.blocks {
        // A stage is what has the same channels.
        (stage, index) = block.channels == channels ? (stage, index + 1) : (stage + 1, 0)
        channels = block.channels
        let path = "blocks.\(stage).\(index)"
        if let expand = block.expand {
          set.unit(expand, "\(path).conv_pw", "\(path).bn1")
          set.unit(block.depthwise, "\(path).conv_dw", "\(path).bn2")
          set.unit(block.project, "\(path).conv_pwl", "\(path).bn3")
        } else {
          set.unit(block.depthwise, "\(path).conv_dw", "\(path).bn1")
          set.unit(block.project, "\(path).conv_pw", "\(path).bn2")
        }
        if let (reduce, expand) = block.squeeze {
          set.module(reduce, "\(path).se.conv_reduce")
          set.module(expand, "\(path).se.conv_expand")
        }
      }
      // MobileNetV3, some of whose blocks squeeze, pools before its last but one layer; the convolution
      // before is a stage.
      let squeezes = network.blocks.contains { $0.squeeze != nil } && !network.squeezesAlways
      if let last = network.last {
        if squeezes {
          set.unit(last, "blocks.\(stage + 1).0.conv", "blocks.\(stage + 1).0.bn1")
        } else {
          set.unit(last, "conv_head", "bn2")
        }
      }
      let names = squeezes ? ["conv_head", "classifier"] : ["classifier"]
      for (ours, theirs) in zip(network.classifiers.reversed(), names.reversed()) {
        set.module(ours, theirs)
      }
    }
  }

  /// torchvision's names for EfficientNets, whose blocks stand in their stage: `features.2.1.block.0.0`,
  /// `classifier.1`.
  @Sendable
  static func torchvision(
    _ state: [NamingConvention.StateEntry]
  ) -> [(ours: String, theirs: String)] {
    renamed(state) { network, set in
      guard network.squeezesAlways else { return }
      set.unit(network.stem, "features.0.0", "features.0.1")
      var (stage, index, channels) = (0, 0, -1)
      for block in network.blocks {
        (stage, index) = block.channels == channels ? (stage, index + 1) : (stage + 1, 0)
        channels = block.channels
        let path = "features.\(stage).\(index).block"
        var part = 0
        if let expand = block.expand {
          set.unit(expand, "\(path).0.0", "\(path).0.1")
          part = 1
        }
        set.unit(block.depthwise, "\(path).\(part).0", "\(path).\(part).1")
        if let (reduce, expand) = block.squeeze {
          set.module(reduce, "\(path).\(part + 1).fc1")
          set.module(expand, "\(path).\(part + 1).fc2")
        }
        set.unit(block.project, "\(path).\(part + 2).0", "\(path).\(part + 2).1")
      }
      if let last = network.last {
        set.unit(last, "features.\(stage + 1).0", "features.\(stage + 1).1")
      }
      if let classifier = network.classifiers.last { set.module(classifier, "classifier.1") }
    }
  }

  /// The names of Melas-Kyriazi's EfficientNet-PyTorch and its relatives: `_conv_stem`,
  /// `_blocks.3._depthwise_conv`, `_conv_head`, `_fc`.
  @Sendable
  static func efficientNetPyTorch(
    _ state: [NamingConvention.StateEntry]
  ) -> [(ours: String, theirs: String)] {
    renamed(state) { network, set in
      set.unit(network.stem, "_conv_stem", "_bn0")
      for (index, block) in network.blocks.enumerated() {
        let path = "_blocks.\(index)"
        if let expand = block.expand { set.unit(expand, "\(path)._expand_conv", "\(path)._bn0") }
        set.unit(block.depthwise, "\(path)._depthwise_conv", "\(path)._bn1")
        if let (reduce, expand) = block.squeeze {
          set.module(reduce, "\(path)._se_reduce")
          set.module(expand, "\(path)._se_expand")
        }
        set.unit(block.project, "\(path)._project_conv", "\(path)._bn2")
      }
      if let last = network.last { set.unit(last, "_conv_head", "_bn1") }
      if let classifier = network.classifiers.last { set.module(classifier, "_fc") }
    }
  }

  /// Their module names by ours.
  private struct ModuleNames {
    private(set) var names: [String: String] = [:]

    mutating func module(_ ours: String, _ theirs: String) { names[ours] = theirs }

    mutating func unit(_ unit: Unit, _ convolution: String, _ norm: String) {
      module(unit.convolution, convolution)
      module(unit.norm, norm)
    }
  }

  private static func renamed(
    _ state: [StateEntry], _ name: (Network, inout ModuleNames) -> Void
  ) -> [(ours: String, theirs: String)] {
    guard let network = parse(state) else { return [] }
    var modules = ModuleNames()
    name(network, &modules)
    return state.compactMap { entry in
      let (module, leaf) = split(entry.name)
      return modules.names[module].map { (entry.name, "\($0).\(leaf)") }
    }
  }

  private static func split(_ name: String) -> (module: String, leaf: String) {
    guard let dot = name.lastIndex(of: ".") else { return ("", name) }
    return (String(name[..<dot]), String(name[name.index(after: dot)...]))
  }

  /// A layer of the network, in order.
  private struct Part {
    var module: String
    var shape: [Int]
    var hasBias = false
    var isNorm: Bool { shape.count == 1 }
    var isDepthwise: Bool { shape.count == 4 && shape[1] == 1 && shape[2] > 1 }
  }

  private static func parse(_ state: [StateEntry]) -> Network? {
    var parts: [Part] = []
    for (name, shape) in state {
      let (module, leaf) = split(name)
      if leaf == "weight" {
        parts.append(Part(module: module, shape: shape))
      } else if leaf == "bias", parts.last?.module == module {
        parts[parts.count - 1].hasBias = true
      }
    }
    var rest = parts[...]
    /// Takes a convolution with its normalization.
    func unit() -> Unit? {
      guard rest.count >= 2, let convolution = rest.first, convolution.shape.count == 4,
        !convolution.hasBias, rest.dropFirst().first?.isNorm == true
      else { return nil }
      rest.removeFirst()
      return Unit(convolution: convolution.module, norm: rest.removeFirst().module)
    }
    guard let stem = unit() else { return nil }
    var network = Network(stem: stem)
    while let first = rest.first, first.shape.count == 4, !first.hasBias {
      let start = rest
      let expand = first.isDepthwise ? nil : unit()
      guard rest.first?.isDepthwise == true, let depthwise = unit() else {
        // No block: the last convolution, if anything.
        rest = start
        network.last = unit()
        break
      }
      var squeeze: (String, String)?
      if let reduce = rest.first, reduce.hasBias, reduce.shape.count == 4,
        let expand = rest.dropFirst().first, expand.hasBias, expand.shape.count == 4
      {
        squeeze = (reduce.module, expand.module)
        rest.removeFirst(2)
      }
      guard let channels = rest.first?.shape.first, let project = unit() else { return nil }
      network.blocks.append(
        Block(
          expand: expand, depthwise: depthwise, squeeze: squeeze, project: project,
          channels: channels))
    }
    guard !network.blocks.isEmpty, rest.allSatisfy({ $0.hasBias && !$0.isNorm }) else { return nil }
    network.classifiers = rest.map(\.module)
    return network
  }
}
