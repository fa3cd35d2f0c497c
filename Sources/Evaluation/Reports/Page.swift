import Foundation
import Imaging

/// The frame of a page that needs no other file and no network.
package struct Page {
  /// What the window is called.
  let title: String
  /// The elements at the top, and the sections below them.
  let header, main: String
  /// What the script works on beside what pages share.
  var script = ""
  /// The seconds after which the page loads itself anew; nil for never.
  var refresh: Int?

  /// A page that nothing works on.
  package init(title: String, header: String, main: String, refresh: Int? = nil) {
    (self.title, self.header, self.main, self.refresh) = (title, header, main, refresh)
  }

  /// A page that `script` works on.
  init(title: String, header: String, main: String, script: String) {
    self.init(title: title, header: header, main: main)
    self.script = script
  }

  /// The page with `contents` as the script's data.
  ///
  /// - Throws: `EncodingError` for numbers that are none.
  func text(_ contents: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // A name must not end the element that the text stands in.
    let data = String(decoding: try encoder.encode(contents), as: UTF8.self)
      .replacingOccurrences(of: "<", with: "\\u003c")
    return text(
      scripts: """
        <script type="application/json" id="data">\(data)</script>
        <script>\(Self.tools)
        \(script)</script>

        """)
  }

  /// The page without a script.
  package var text: String { text(scripts: "") }

  private func text(scripts: String) -> String {
    let again = refresh.map { "<meta http-equiv=\"refresh\" content=\"\($0)\">\n" } ?? ""
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      \(again)<title>\(escaped(title))</title>
      <style>\(PageStyle.base)</style>
      </head>
      <body>
      <header>
      \(header)
      </header>
      <main>
      \(main)
      </main>
      \(scripts)</body>
      </html>

      """
  }

  /// A number with its name, large.
  package static func card(_ name: String, _ share: Double?) -> String {
    card(name, number: percent(share), unit: "<small> %</small>")
  }

  /// A number that is no share, with its name, large.
  package static func card(_ name: String, number: String, unit: String = "") -> String {
    "<div class=\"card\"><b>\(escaped(number))\(unit)</b><span>\(escaped(name))</span></div>"
  }

  /// A table whose first row is its header; a cell is text that is not escaped yet.
  package static func table(_ rows: [[String]], label: String, narrow: Bool = false) -> String {
    let lines = rows.enumerated().map { index, row in
      let cells = row.enumerated().map { column, cell in
        // Words are read from the left, numbers from the right.
        let isText =
          column > 0 && cell.contains(where: \.isLetter) && cell != "n/a" && !cell.hasSuffix("%")
        let kind =
          index == 0 ? "th scope=\"col\"" : column == 0 ? "th scope=\"row\"" : "td"
        return "<\(kind)\(isText && index > 0 ? " class=\"text\"" : "")>\(escaped(cell))"
          + "</\(kind.prefix(2))>"
      }
      return "<tr>" + cells.joined() + "</tr>"
    }
    return "<div class=\"scroll\"><table\(narrow ? " class=\"narrow\"" : "")"
      + " aria-label=\"\(escaped(label))\">"
      + "<thead>\(lines.first ?? "")</thead><tbody>\(lines.dropFirst().joined())</tbody>"
      + "</table></div>"
  }

  /// A picture in the page, of no more than `width` columns.
  static func size(_ size: Size, width: Int = 400) -> Size {
    size.width <= width
      ? size
      : Size(width: width, height: max(1, Int(Double(size.height * width) / Double(size.width))))
  }

  /// A picture as the source of an element.
  ///
  /// - Throws: `ImageError` if it cannot be encoded.
  static func jpeg(_ image: Image, _ size: Size) throws -> String {
    "data:image/jpeg;base64,"
      + Data(try image.resized(to: size).jpeg(quality: 80)).base64EncodedString()
  }

  /// An element that shows a PNG.
  package static func image(png: [UInt8], kind: String, alt: String) -> String {
    "<img class=\"\(kind)\" alt=\"\(escaped(alt))\" src=\"data:image/png;base64,"
      + "\(Data(png).base64EncodedString())\">"
  }

  /// The entries of a legend.
  package static func legend(_ entries: [LegendEntry]) -> String {
    "<div class=\"legend\">"
      + entries.map {
        "<span><i class=\"dot\" style=\"background:\(hex($0.color))\"></i>\(escaped($0.name))</span>"
      }.joined() + "</div>"
  }

  /// A colour as style sheets have it.
  package static func hex(_ color: Color) -> String {
    String(format: "#%02x%02x%02x", color.red, color.green, color.blue)
  }
}
