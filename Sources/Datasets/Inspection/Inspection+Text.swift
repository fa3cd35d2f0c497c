import Files
import Foundation

extension Inspection {
  /// What was found as text: a table for each part, then what is wrong, at most `limit` lines a kind.
  public func text(limit: Int = 20) -> String {
    var lines = parts.flatMap { $0.lines }
    func list(_ title: String, _ entries: [String]) {
      guard !entries.isEmpty else { return }
      lines.append("\(title) (\(entries.count)):")
      lines += entries.prefix(limit).map { "  \($0)" }
      if entries.count > limit { lines.append("  and \(entries.count - limit) more") }
      lines.append("")
    }
    list("errors", errors.map(\.message))
    list("equal pictures", duplicates.map { $0.joined(separator: " = ") })
    list("warnings", warnings)
    lines.append(
      "\(errors.count) errors, \(duplicates.count) equal pictures, \(warnings.count) warnings;"
        + " \(filesRead) files read")
    return lines.joined(separator: "\n")
  }
}

extension Inspection.Part {
  fileprivate var lines: [String] {
    func percent(_ share: Double) -> String { String(format: "%.3f", share * 100) }
    let shown = sizes.prefix(3).map { "\($0.width)×\($0.height) (\($0.images))" }
    let rest = sizes.count > 3 ? " and \(sizes.count - 3) other sizes" : ""
    var lines = ["\(name): \(images) images, " + shown.joined(separator: ", ") + rest]
    if !mean.isEmpty {
      func numbers(_ values: [Double]) -> String {
        values.map { String(format: "%.4f", $0) }.joined(separator: ", ")
      }
      lines.append("  mean [\(numbers(mean))], deviation [\(numbers(deviation))]")
    }
    if missingPixels > 0 {
      lines.append("  \(missingPixels) pixels of the images were not measured and count nowhere")
    }
    let rows =
      [["class", "pixels", "% labelled", "images"]]
      + classes.map { [$0.name.shownInLine, "\($0.pixels)", percent($0.share), "\($0.images)"] }
      + [["ignored", "\(ignoredPixels)", "", ""]]
    let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
    for row in rows {
      let cells = row.enumerated().map { column, cell in
        let gap = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + gap : gap + cell
      }
      let line = "  " + cells.joined(separator: "  ")
      lines.append(String(line.reversed().drop { $0 == " " }.reversed()))
    }
    return lines + [""]
  }
}
