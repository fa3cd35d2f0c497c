import Files
import Foundation

/// Lines of cells in columns of equal width.
package enum TextTable {
  /// The cells under a header; the first `left` columns are aligned at the left.
  package static func lines(_ header: [String], _ rows: [[String]], left: Int = 1) -> [String] {
    let (header, rows) = (header.map(\.shownInLine), rows.map { $0.map(\.shownInLine) })
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max() ?? 0
    }
    func line(_ row: [String]) -> String {
      var text = row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - cell.count)
        return index < left ? cell + space : space + cell
      }.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
    return [line(header), rule] + rows.map(line)
  }
}

/// What an analysis found, as numbers for other programs.
public protocol JSONReport: Encodable {}

extension JSONReport {
  /// The numbers as JSON with sorted keys.
  ///
  /// - Throws: `EncodingError`, which none of the reports here meets.
  public func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try encoder.encode(self)
  }
}

/// A number with so many digits after the point.
package func fixed(_ value: Double, _ digits: Int = 2) -> String {
  String(format: "%.\(digits)f", value)
}
