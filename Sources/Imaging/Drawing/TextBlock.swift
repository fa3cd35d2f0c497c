/// Text in as many lines as it needs to be no wider than it may.
package struct TextBlock {
  /// The lines.
  package let lines: [String]
  /// The height of letters, in pixels.
  package let size: Double

  /// The distance from one line to the next.
  var lineHeight: Double { (size * 1.3).rounded() }
  /// The height of all lines.
  package var height: Double { lineHeight * Double(lines.count) }

  /// Text of at most `width` pixels: in one line, if letters of four fifths of `size` suffice for that,
  /// two fifths for a single word; else broken between words, and within those longer than a line.
  package init(_ text: String, width: Double, size: Double) {
    let ruler = Canvas(Size(width: 1, height: 1))
    let whole = ruler.width(of: text, size: size)
    guard whole > width, !text.isEmpty else {
      (lines, self.size) = ([text], size)
      return
    }
    var shrunk = size * width / whole
    // Letters are as wide as whole pixels, so that small ones take more than their share.
    while ruler.width(of: text, size: shrunk) > width && shrunk > 4 { shrunk *= 0.97 }
    guard shrunk < size * (text.contains(" ") ? 0.8 : 0.4) else {
      (lines, self.size) = ([text], shrunk)
      return
    }
    var lines: [String] = []
    var line = ""
    func fits(_ text: String) -> Bool { ruler.width(of: text, size: size) <= width }
    for word in text.split(separator: " ") {
      let longer = line.isEmpty ? String(word) : "\(line) \(word)"
      if fits(longer) {
        line = longer
        continue
      }
      if !line.isEmpty { lines.append(line) }
      line = ""
      for letter in word {
        if !line.isEmpty && !fits("\(line)\(letter)") {
          lines.append(line)
          line = ""
        }
        line.append(letter)
      }
    }
    self.lines = line.isEmpty ? lines : lines + [line]
    self.size = size
  }
}

extension Canvas {
  /// Writes a line turned upwards around its middle, smaller where it would be longer than `length`.
  func text(_ text: String, centerX: Double, y: Double, upwardsWithin length: Double) {
    let whole = width(of: text, size: 12)
    self.text(
      text, centerX: centerX, y: y, size: 12 * min(1, length / max(whole, 1)), upwards: true)
  }

  /// Writes the lines of a block, the top left corner of which is at (x, y).
  package func text(_ block: TextBlock, x: Double, y: Double, _ color: Color = Color(20, 20, 20)) {
    for (index, line) in block.lines.enumerated() {
      text(
        line, x: x, y: y + block.size + Double(index) * block.lineHeight, size: block.size, color)
    }
  }
}
