import Torch

extension WeightImport: CustomStringConvertible {
  /// What loads, what is missing, what is left over and which shapes disagree, all by name.
  public var description: String {
    var lines: [String] = []
    let total = report.loaded.count + report.missing.count + report.mismatched.count
    let whose = part.isEmpty ? "" : ", for the \(part) alone"
    lines.append(
      names.isEmpty
        ? "names: of no convention known here; rules can rewrite them"
        : "names: \(convention)\(prefix.isEmpty ? "" : ", after '\(prefix)'")\(whose)")
    lines.append("loads: \(report.loaded.count) of \(total) tensors")
    func list(_ title: String, _ items: [String]) {
      guard !items.isEmpty else { return }
      lines.append("\(title): \(items.count)")
      lines += items.map { "  \($0)" }
    }
    list("resized for another size of image or window", resized)
    list("missing in the file", report.missing)
    list("left over in the file", report.unexpected)
    list(
      "of another shape",
      report.mismatched.map { "\($0.name): the network has \($0.expected), the file \($0.found)" })
    lines.append("result: \(conclusion)")
    return lines.joined(separator: "\n")
  }

  /// The report in a sentence.
  private var conclusion: String {
    if report.isComplete { return "everything loads" }
    if let (ours, theirs) = classCounts {
      return "only the classifier differs: the network has \(ours) classes, the file \(theirs)"
    }
    if onlyAuxiliaryIsLeftOver {
      return "only the file's auxiliary heads are left over, which only training uses"
    }
    if onlyClassifierIsLeftOver { return "only the file's classifier is left over" }
    if lacksOnlyAuxiliary { return "all but the auxiliary heads loads, which only training uses" }
    if part == "backbone" && lacksOnlyHead {
      return "the backbone loads, and the heads are not in the file; in a configuration"
        + " 'backbone.weights' takes such a file"
    }
    return "the file is not this network's"
  }
}
