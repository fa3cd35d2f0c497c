import Files
import Foundation

// Names come from people and files: each notation has one function that keeps them from being read as
// something else.

/// Tables and text in Markdown as GitHub and CommonMark read it.
enum Markdown {
  /// Text that means itself, in one line.
  static func escaped(_ text: String) -> String {
    var result = ""
    let letters = Array(text.shownInLine)
    func isWord(_ index: Int) -> Bool {
      letters.indices.contains(index) && (letters[index].isLetter || letters[index].isNumber)
    }
    for (index, letter) in letters.enumerated() {
      // An underscore inside of a word is one.
      let isSign =
        letter == "_" ? !(isWord(index - 1) && isWord(index + 1)) : "\\`|*[]<>&~".contains(letter)
      result += isSign ? "\\\(letter)" : String(letter)
    }
    return result
  }

  /// A row of a table.
  static func row(_ cells: [String]) -> String {
    "| " + cells.map(escaped).joined(separator: " | ") + " |"
  }

  /// A table whose first row is its header and whose first column is text.
  static func table(_ rows: [[String]]) -> [String] {
    var lines = rows.map(row)
    let columns = rows.first?.count ?? 1
    lines.insert("|---|" + String(repeating: "---:|", count: columns - 1), at: min(1, lines.count))
    return lines
  }
}

/// Comma-separated values (RFC 4180).
enum CommaSeparated {
  /// A cell, in quotes where it needs them.
  static func cell(_ text: String) -> String {
    // By scalars: a carriage return with a line feed is one character.
    let needsQuotes = text.unicodeScalars.contains { ",\"\n\r".unicodeScalars.contains($0) }
    return needsQuotes ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }
}

/// Text as it stands in HTML, in elements and in attributes.
package func escaped(_ text: String) -> String {
  var text = text.shown
  for (from, to) in [
    ("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\"", "&quot;"), ("'", "&#39;"),
  ] {
    text = text.replacingOccurrences(of: from, with: to)
  }
  return text
}
