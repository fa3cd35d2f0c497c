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
}

extension String {
  fileprivate func padding(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
