/// The names of detectron2's DeepLab (projects/DeepLab), whose convolutions have their normalization inside.
enum Detectron2Names {
  /// The whole network's backbone.
  static let backbone = resNet.after("backbone.", "backbone.")

  /// The backbone, whose stem is one convolution or three.
  static let resNet: [NameRule] = {
    var rules = unit(("conv1", "bn1"), "stem.conv1")
    for part in 0..<3 {
      rules += unit(("stem.\(3 * part)", "stem.\(3 * part + 1)"), "stem.conv\(part + 1)")
    }
    let (own, block) = ("layer#.#.", "res$1+1.$2.")
    for number in 1...3 {
      rules += unit((own + "conv\(number)", own + "bn\(number)"), block + "conv\(number)")
    }
    return rules + unit(own + "downsample", block + "shortcut")
  }()

  static let deepLabV3Plus: [NameRule] = {
    let (head, decoder) = ("sem_seg_head.", "sem_seg_head.decoder.")
    var rules = pyramid("classifier.aspp", decoder + "res5.project_conv")
    rules += unit("classifier.c1_bottleneck", decoder + "res2.project_conv")
    rules += unit("classifier.sep_bottleneck.#", decoder + "res2.fuse_conv.$1")
    return rules + [NameRule("classifier.classifier.*", head + "predictor.*")]
  }()

  static let deepLabV3: [NameRule] =
    pyramid("classifier.0", "sem_seg_head.aspp")
    + [NameRule("classifier.4.*", "sem_seg_head.predictor.*")]

  /// The pyramid, whose pooled branch has no normalization.
  private static func pyramid(_ own: String, _ theirs: String) -> [NameRule] {
    let pooled = NameRule(own + ".convs.4.1.*", theirs + ".convs.4.1.*")
    return [pooled] + separable(own + ".convs.#", theirs + ".convs.$1")
      + unit(own + ".convs.#", theirs + ".convs.$1")
      + unit(own + ".project", theirs + ".project")
  }

  private static func separable(_ own: String, _ theirs: String) -> [NameRule] {
    unit(own + ".depthwise_conv", theirs + ".depthwise")
      + unit(own + ".pointwise_conv", theirs + ".pointwise")
  }

  /// A convolution and its normalization, numbered 0 and 1 here.
  private static func unit(_ own: String, _ theirs: String) -> [NameRule] {
    unit((own + ".0", own + ".1"), theirs)
  }

  private static func unit(_ own: (String, String), _ theirs: String) -> [NameRule] {
    [
      NameRule(own.0 + ".weight", theirs + ".weight"),
      NameRule(own.1 + ".*", theirs + ".norm.*"),
    ]
  }
}
