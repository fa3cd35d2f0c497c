import Checkpoints
import Torch

extension WeightImport: CustomStringConvertible {
  /// What loads, what is missing, what is left over and which shapes disagree: the verdict, then at most a
  /// dozen names of each.
  public var description: String { text() }

  /// The ``description`` with all names if `names` is nil, else with so many of each.
  package func text(names limit: Int? = 12) -> String {
    var lines = ["result: \(conclusion)"]
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
      lines += items.prefix(limit ?? .max).map { "  \($0)" }
      let rest = items.count - (limit ?? .max)
      if rest > 0 { lines.append("  … and \(rest) more") }
    }
    lines += notes.map { "note: \($0)" }
    if let summary = leftAsideSummary { lines.append("note: \(summary)") }
    list("resized for another size of image or window", resized)
    list("passed over, mean and deviation of the file's images", passedOver)
    list("passed over, which nothing reads", unread)
    list("missing in the file", report.missing)
    list("left over in the file", report.unexpected)
    list(
      "of another shape",
      report.mismatched.map { "\($0.name): the network has \($0.expected), the file \($0.found)" })
    return lines.joined(separator: "\n")
  }

  /// What is left aside, in a line: modules with the number of their tensors.
  var leftAsideSummary: String? {
    guard !leftAside.isEmpty else { return nil }
    var counts: [(name: String, count: Int)] = []
    for name in leftAside {
      let parts = name.split(separator: ".")
      let module = parts.dropLast().first.map(String.init) ?? name
      if let index = counts.firstIndex(where: { $0.name == module }) {
        counts[index].count += 1
      } else {
        counts.append((module, 1))
      }
    }
    let shown = counts.prefix(6).map { $0.count > 1 ? "\($0.name) (\($0.count) tensors)" : $0.name }
    let rest = counts.count > 6 ? " and \(counts.count - 6) more" : ""
    let place = prefix.isEmpty ? "" : " or not after '\(prefix)'"
    return "left aside, as no part of the network\(place): "
      + shown.joined(separator: ", ") + rest
  }

  /// What a person should know of weights that were loaded: the notes, each a line.
  package var remarks: [String] { file.notes + notes + (leftAsideSummary.map { [$0] } ?? []) }

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
    let known = TorchvisionNetwork.matching(shapes).map {
      "; its names and shapes are those of torchvision's \($0.network.name), which is"
        + " Configurations/networks/torchvision-\($0.network.name).yaml"
    }
    return "the file is not this network's" + (known ?? "")
  }
}
