import Torch

/// A part of a network whose children MMSegmentation calls otherwise.
protocol MMSegmentationNamed: Module {
  /// MMSegmentation's name of the child, or of the parameter, that is called `child` here: empty where
  /// the child's parts are the parent's own, beginning with a slash where the name counts from the
  /// root.
  func mmsegmentationName(_ child: String) -> String
}

extension SegmentationModel: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    child.replacing("aux_classifier", with: "auxiliary_head")
      .replacing("classifier", with: "decode_head")
  }
}

extension ConvNorm: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "0" ? "conv" : "bn" }
}

extension ConvStack: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    let number = Int(child) ?? 0
    return "\(number / 3).\(number % 3 == 0 ? "conv" : "bn")"
  }
}

extension NamingConvention {
  /// The names of MMSegmentation 1.x for a network: `backbone.layer1.0.conv1.weight`,
  /// `decode_head.bottleneck.conv.weight`, `auxiliary_head.conv_seg.bias`.
  ///
  /// Backbones and heads that are no `MMSegmentationNamed` have its names already.
  ///
  /// - Parameters:
  ///   - module: a network, or a backbone alone.
  ///   - listsAuxiliary: whether a single auxiliary head is the first of a list there.
  public static func mmsegmentation(
    _ module: Module, listsAuxiliary: Bool = false
  ) -> NamingConvention {
    var modules: [String: (module: Module, theirs: String)] = [:]
    func walk(_ module: Module, _ own: String, _ theirs: String) {
      modules[own] = (module, theirs)
      let named = module as? any MMSegmentationNamed
      // A backbone that says nothing has the same names throughout.
      if module is any Backbone && named == nil { return }
      for child in module.children {
        let name =
          named?.mmsegmentationName(child.name)
          ?? (child.name == "classifier" ? "conv_seg" : child.name)
        let path =
          name.hasPrefix("/")
          ? String(name.dropFirst()) : [theirs, name].filter { !$0.isEmpty }.joined(separator: ".")
        walk(child.module, [own, child.name].filter { !$0.isEmpty }.joined(separator: "."), path)
      }
    }
    walk(module, "", "")
    let auxiliary = (module as? SegmentationModel)?.auxiliary ?? []
    if let only = auxiliary.first, listsAuxiliary, auxiliary.count == 1 {
      walk(only.head, "aux_classifier", "auxiliary_head.0")
    }
    var names: [String: String] = [:]
    for (name, _) in module.state {
      // The innermost module whose path the name begins with; the root's path is empty.
      var parts = name.split(separator: ".")[...]
      var own: [Substring] = []
      while let last = parts.popLast() {
        own.insert(last, at: 0)
        guard let (module, theirs) = modules[parts.joined(separator: ".")] else { continue }
        let rest = own.joined(separator: ".")
        let renamed = (module as? any MMSegmentationNamed)?.mmsegmentationName(rest) ?? rest
        names[name] = theirs.isEmpty ? renamed : "\(theirs).\(renamed)"
        break
      }
    }
    return NamingConvention("mmsegmentation") { [names] in names[$0] ?? $0 }
  }
}
