/// How other toolkits name the parts of networks that are ours.
///
/// Each function takes one of our state names and gives theirs.
public enum Convention {
  /// The names of the DenseASPP checkpoints of 2018: `features.…norm.1.weight`, `ASPP_3.conv.1.bias`,
  /// `classification.1.weight`.
  ///
  /// The levels are called by their dilations, hence the argument.
  public static func denseASPP2018(_ dilations: [Int]) -> @Sendable (String) -> String {
    { name in
      var parts = name.split(separator: ".").map(String.init)
      switch parts.first {
      case "backbone":
        parts[0] = "features"
        if let layer = parts.firstIndex(where: { $0.hasPrefix("denselayer") }) {
          parts[layer + 1] = dotted(parts[layer + 1])
        }
      case "classifier" where parts.count > 2 && parts[1] == "levels":
        let level = Int(parts[2]).map { dilations[$0] } ?? 0
        parts = ["ASPP_\(level)", dotted(parts[3])] + parts[4...]
      case "classifier":
        parts = ["classification", "1"] + parts.suffix(1)
      default: break
      }
      return parts.joined(separator: ".")
    }
  }

  /// The names of milesial's U-Net: `inc.double_conv.0.weight`, `outc.conv.bias`.
  public static func milesial(_ name: String) -> String {
    for (own, theirs) in [("backbone.", ""), ("classifier.1.", "outc.conv.")]
    where name.hasPrefix(own) {
      return theirs + name.dropFirst(own.count)
    }
    return name
  }

  /// `norm1` as `norm.1`.
  private static func dotted(_ name: String) -> String {
    name.last?.isNumber == true ? "\(name.dropLast()).\(name.suffix(1))" : name
  }
}
