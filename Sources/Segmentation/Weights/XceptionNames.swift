/// Other toolkits' names for Xception.
enum XceptionNames {
  /// timm's: `stem.0.conv`, `blocks.3.stack.conv1.conv_dw`, `head.fc`; with `features_only` the number of the
  /// first sequence's part stands after an underscore.
  static func timm(isFlat: Bool) -> [NameRule] {
    let (stem, block) = isFlat ? ("stem_", "blocks_") : ("stem.", "blocks.")
    var rules: [NameRule] = .unit("stem.#", "\(stem)$1.conv", "\(stem)$1.bn")
    rules += .unit("blocks.#.shortcut", "\(block)$1.shortcut.conv", "\(block)$1.shortcut.bn")
    for (ours, theirs) in [("depthwise", "dw"), ("pointwise", "pw")] {
      let conv = "\(block)$1.stack.conv$2+1."
      rules += .unit("blocks.#.stack.#.\(ours)", "\(conv)conv_\(theirs)", "\(conv)bn_\(theirs)")
    }
    return rules + rules.after("features.", "") + .table(["classifier.*": "head.fc.*"])
  }

  /// jfzhang95's, of the network with sixteen blocks in the middle: `block4.rep.1.conv1`, `conv3.bn`.
  static let jfzhang95: [NameRule] = repository { place, isLast in
    let convolution = isLast ? "conv\(place + 3)" : "rep.\(place)"
    let norm = isLast ? "bn\(place + 3)" : "rep.\(place + 1)"
    return [
      ("depthwise.0", "\(convolution).conv1"), ("depthwise.1", "\(convolution).bn"),
      ("pointwise.0", "\(convolution).pointwise"), ("pointwise.1", norm),
    ]
  }

  /// bubbliiiing's: `block4.sepconv1.depthwise`, `conv3.bn2`.
  static let bubbliiiing: [NameRule] = repository { place, isLast in
    // Three of those parts, with a ReLU before the first where there is one, make a block.
    let unit = isLast ? "conv\(place + 3)" : "sepconv\(place / 3 + 1)"
    return [
      ("depthwise.0", "\(unit).depthwise"), ("depthwise.1", "\(unit).bn1"),
      ("pointwise.0", "\(unit).pointwise"), ("pointwise.1", "\(unit).bn2"),
    ]
  }

  /// The names that both repositories have, and those of a separable convolution.
  ///
  /// - Parameter unit: What its parts are called, behind the block's name; of the place of the convolution
  ///   among the parts of its block, or its number if that is the last.
  private static func repository(
    _ unit: (_ place: Int, _ isLast: Bool) -> [(ours: String, theirs: String)]
  ) -> [NameRule] {
    var rules: [NameRule] = .unit("stem.#", "conv$1+1", "bn$1+1")
    rules += .unit("blocks.#.shortcut", "block$1+1.skip", "block$1+1.skipbn")
    for block in 0..<21 {
      for index in 0..<3 {
        // The first two blocks begin with a convolution, others with a ReLU.
        let place = block == 20 ? index : 3 * index + (block < 2 ? 0 : 1)
        for (ours, theirs) in unit(place, block == 20) {
          rules.append(
            NameRule(
              "blocks.\(block).stack.\(index).\(ours).*",
              (block == 20 ? "" : "block\(block + 1).") + "\(theirs).*"))
        }
      }
    }
    return rules.after("backbone.", "backbone.")
  }
}
