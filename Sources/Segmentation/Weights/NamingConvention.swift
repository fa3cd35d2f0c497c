import Torch

/// How another toolkit names the state of networks that are ours.
public struct NamingConvention: Sendable {
  /// The name of a parameter or buffer with its shape.
  public typealias StateEntry = (name: String, shape: [Int])

  /// What the convention is called.
  public let name: String
  /// Their names by ours, in the order of the state; nothing if they have no such network.
  let theirs: @Sendable (_ state: [StateEntry]) -> [(ours: String, theirs: String)]

  /// A convention that gives a name for each of ours, or nil.
  init(_ name: String, _ rename: @escaping @Sendable (String) -> String?) {
    self.name = name
    theirs = { state in
      state.compactMap { entry in rename(entry.name).map { (entry.name, $0) } }
    }
  }

  private init(
    _ name: String, state: @escaping @Sendable ([StateEntry]) -> [(ours: String, theirs: String)]
  ) {
    self.name = name
    theirs = state
  }

  /// The conventions that networks of any kind may have in a file.
  static let all: [NamingConvention] = [
    .init("torchvision") { $0 },
    .init("torchvision before 0.3") { dottedDenseLayers($0) },
    .init("timm", state: InvertedResidualNames.timm),
    .init("timm", state: ConvNeXtNames.timm),
    .init("timm") { timmDeepStem($0) },
    .init("EfficientNet-PyTorch", state: InvertedResidualNames.efficientNetPyTorch),
  ]

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
