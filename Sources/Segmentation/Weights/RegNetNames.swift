/// timm's names for RegNets, from those of torchvision.
enum RegNetNames {
  /// `stem.conv`, `s1.b2.conv3.bn`, `s1.b1.downsample.conv`, `s4.b1.se.fc1`, `head.fc`.
  static let timm: [NameRule] = {
    var rules: [NameRule] = .unit("stem", "stem.conv", "stem.bn")
    let (own, block) = ("trunk_output.block#.block#-#.", "s$1.b$3+1.")
    for (part, number) in [("a", 1), ("b", 2), ("c", 3)] {
      rules += .unit(own + "f.\(part)", block + "conv\(number).conv", block + "conv\(number).bn")
    }
    rules += .unit(own + "proj", block + "downsample.conv", block + "downsample.bn")
    return rules + [NameRule(own + "f.se.*", block + "se.*"), NameRule("fc.*", "head.fc.*")]
  }()
}
