extension WeightImport {
  /// What the file cannot tell and the configuration has said of `model`, line by line; and where the
  /// names and shapes are torchvision's, whether that is what torchvision computes.
  public func geometryNotes(for model: SegmentationModel) -> [String] {
    let own = NetworkGeometry(model)
    var lines = ["not in the file, from the configuration:"]
    let width = own.rows.map(\.title.count).max() ?? 0
    lines += own.rows.map { row in
      "  " + row.title.padding(to: width) + "  " + row.text
    }
    lines += libraryNotes(for: model)
    lines += conventionNotes(for: model)
    guard let (network, classes) = TorchvisionNetwork.matching(shapes),
      let theirs = network.geometry
    else { return lines }
    let differences = zip(own.rows, theirs.rows).filter { $0.text != $1.text }
    if differences.isEmpty { return lines + ["as torchvision's \(network.name)"] }
    lines.append(
      "warning: names and shapes are those of torchvision's \(network.name), which computes another"
        + " function; weights from there answer differently here:")
    lines += differences.map { "  \($0.title): here \($0.text); torchvision \($1.text)" }
    lines.append(
      "torchvision's is Configurations/networks/torchvision-\(network.name).yaml, or in short:")
    return lines + network.configuration(classes: classes).split(separator: "\n").map { "  \($0)" }
  }

  /// Which convention was taken and why; and what its networks compute that `model` does not, though names
  /// and shapes are the same.
  func conventionNotes(for model: SegmentationModel) -> [String] {
    guard part.isEmpty, !names.isEmpty else { return [] }
    var lines: [String] = []
    if !rivals.isEmpty {
      lines.append(
        "the names are those of \(([convention] + rivals).joined(separator: " and of "));"
          + " \(convention) was taken as the first")
    }
    if convention == "detectron2" {
      lines.append(
        "not in the file: the order of colours; DeepLab's own files take RGB, detectron2's configurations BGR"
          + " unless they say otherwise; for that data.bands: [3, 2, 1]")
    }
    let facts = ConventionFacts(model)
    let differences = facts.differences(from: convention)
    if differences.isEmpty {
      if let known = facts.known(of: convention), !known.isEmpty {
        lines.append(
          "as \(convention)'s, by the names alone: "
            + known.map { "\($0.title) \($0.text)" }.joined(separator: "; "))
      }
      return lines
    }
    lines.append(
      "warning: names and shapes are \(convention)'s, whose networks compute another function;"
        + " weights from there answer differently here:")
    return lines
      + differences.map { "  \($0.title): here \($0.here); \(convention)'s \($0.there)" }
  }
}

extension WeightImport {
  /// What segmentation_models.pytorch's names say of what weights do not show: what was taken, and where the
  /// configuration has it otherwise.
  private func libraryNotes(for model: SegmentationModel) -> [String] {
    guard convention == "smp" else { return [] }
    let isTimm = names.contains { $0.theirs.contains("encoder.model.") }
    let whose = isTimm ? "timm's encoders in it" : "its own encoders"
    var lines = ["names are segmentation_models.pytorch's, of \(whose)"]
    func warn(_ theirs: String, _ key: String) {
      lines.append(
        "warning: \(theirs); the configuration has it otherwise, and the answers will be others: expected \(key)"
      )
    }
    let contracts =
      (model.backbone as? ResNet)?.contractsDilation
      ?? (model.backbone as? RegNet)?.configuration.contractsDilation
    if let contracts, model.backbone.strides.count > Set(model.backbone.strides).count {
      let taken = contracts ? "keeps the rate before" : "has the new rate at once"
      lines.append("taken: the first block of a dilated stage \(taken)")
      let isBasic = (model.backbone as? ResNet)?.configuration.isBottleneck == false
      if contracts == isTimm, isBasic,
        (model.backbone as? ResNet)?.configuration.dilatesBoth == false
      {
        warn("in \(whose) both convolutions of a dilated block are dilated", "dilateBoth: true")
      }
      if contracts != isTimm {
        warn(
          "in \(whose) the first block of a dilated stage"
            + (isTimm ? " keeps the rate before" : " has the new rate at once"),
          "contractDilation: \(isTimm)"
            + ((isTimm ? isBasic : model.backbone is ResNet) ? ", dilateBoth: true" : ""))
      }
    }
    if let network = model.backbone as? PooledXception {
      let (form, pads) = (network.configuration.form, network.configuration.padsStem)
      lines.append(
        "taken: form \(form.rawValue), the first two maps \(pads ? "with" : "without") zeros around them"
      )
      if form != .smp || !pads {
        warn(
          "its Xception does not rectify the last map and has zeros around all",
          "form: smp, stemPadding: true")
      }
    }
    if let network = model.backbone as? EfficientNet {
      let padding = network.configuration.padding
      lines.append("taken: padding \(padding.rawValue), eps \(network.eps)")
      if isTimm {
        lines.append(
          "tu-efficientnet and tu-tf_efficientnet have these names both, and pad otherwise: padding"
            + " symmetric with eps 1e-5, or tensorflow with 1e-3")
        if padding == .fixed {
          warn("neither has padding fixed", "padding: symmetric or tensorflow")
        }
      } else if padding != .fixed || network.eps != 1e-3 {
        warn(
          "its own EfficientNets pad for one size of image, with an eps of 1e-3",
          "padding: fixed, eps: 1e-3")
      }
    }
    if !model.alignCorners, !(model.classifier is UNetDecoder || model.classifier is UNetPlusPlus) {
      warn("it enlarges scores with the corners' centres kept", "alignCorners: true")
    }
    return lines
  }
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
