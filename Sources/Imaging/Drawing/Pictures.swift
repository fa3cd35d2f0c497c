import Foundation

/// One line of a legend.
public struct LegendEntry: Sendable {
  /// What stands beside the colour.
  public let name: String
  /// The colour.
  public let color: Color

  /// A line of a legend.
  public init(_ name: String, _ color: Color) {
    self.name = name
    self.color = color
  }
}

extension Image {
  /// The colours of classes, with those that the palette lacks in black.
  ///
  /// - Parameters:
  ///   - classes: One class a pixel, row-major, `size.width * size.height` of them.
  ///   - size: The size of the picture.
  ///   - palette: The colour of each class.
  public init(classes: [UInt8], size: Size, palette: [Color]) {
    let table = (0..<256).map { palette.indices.contains($0) ? palette[$0] : Color(0, 0, 0) }
    let pixels = [UInt8](unsafeUninitializedCapacity: 3 * classes.count) { buffer, count in
      for (index, value) in classes.enumerated() {
        let color = table[Int(value)]
        buffer[3 * index] = color.red
        buffer[3 * index + 1] = color.green
        buffer[3 * index + 2] = color.blue
      }
      count = 3 * classes.count
    }
    self.init(width: size.width, height: size.height, pixels: pixels)
  }

  /// The picture under the colours of classes.
  ///
  /// - Parameters:
  ///   - classes: one class a pixel, row-major, as many as the picture has pixels.
  ///   - palette: the colour of each class; pixels of other classes stay as they are.
  ///   - opacity: 0 shows the picture only, 1 the colours only.
  ///   - clear: A class whose pixels stay as they are.
  public func overlaid(
    classes: [UInt8], palette: [Color], opacity: Double = 0.5, clear: Int? = nil
  ) -> Image {
    var out = rgb
    precondition(3 * classes.count <= out.pixels.count, "more classes than pixels")
    let share = Int((max(0, min(1, opacity)) * 256).rounded())
    // What each class adds to the pixel's own part.
    let tints = (0..<256).map { index -> (own: Int, red: Int, green: Int, blue: Int) in
      guard index < palette.count, index != clear else { return (256, 0, 0, 0) }
      let color = palette[index]
      return (
        256 - share, Int(color.red) * share, Int(color.green) * share, Int(color.blue) * share
      )
    }
    out.pixels.withUnsafeMutableBufferPointer { pixels in
      tints.withUnsafeBufferPointer { tints in
        for (index, value) in classes.enumerated() {
          let tint = tints[Int(value)]
          let at = 3 &* index
          func blend(_ channel: Int, _ added: Int) {
            let old = Int(pixels[at &+ channel])
            pixels[at &+ channel] = UInt8(truncatingIfNeeded: (old &* tint.own &+ added) >> 8)
          }
          blend(0, tint.red)
          blend(1, tint.green)
          blend(2, tint.blue)
        }
      }
    }
    return out
  }

  /// The picture with a legend below it, whose letters grow with the picture.
  public func withLegend(_ entries: [LegendEntry]) -> Image {
    withLegend(entries, scale: Self.textScale(width))
  }

  /// How many times as large as usual text has to be to be read in a picture of this width.
  private static func textScale(_ width: Int) -> Double { min(max(1, Double(width) / 520), 8) }

  private func withLegend(_ entries: [LegendEntry], scale: Double) -> Image {
    guard !entries.isEmpty else { return self }
    let ruler = Canvas(Size(width: 1, height: 1))
    let longest = entries.map { ruler.width(of: $0.name, size: 12 * scale) }.max() ?? 0
    // A name is not cut because the picture is narrow.
    let needed = Int(longest + 34 * scale) + 8
    let legend = Image.legend(
      entries, width: min(max(width, 160, needed), max(4096, needed)), scale: scale)
    var sheet = Image.sheet(
      Size(width: max(width, legend.width), height: height + legend.height))
    sheet.paste(self, x: 0, y: 0)
    sheet.paste(legend, x: 0, y: height)
    return sheet
  }

  /// An empty sheet to paste on: pictures may be larger than a ``Canvas`` can be.
  private static func sheet(_ size: Size) -> Image {
    Image(
      width: size.width, height: size.height,
      pixels: [UInt8](repeating: 255, count: size.width * size.height * 3))
  }

  /// Copies a picture to (x, y) of this RGB picture, into which it must fit.
  private mutating func paste(_ other: Image, x: Int, y: Int) {
    let source = other.rgb
    for row in 0..<source.height {
      let (from, to) = (row * source.width * 3, ((y + row) * width + x) * 3)
      pixels.replaceSubrange(
        to..<to + source.width * 3, with: source.pixels[from..<from + source.width * 3])
    }
  }

  /// Colours and names in as many columns as fit into `width`, `scale` times as large as usual.
  public static func legend(_ entries: [LegendEntry], width: Int, scale: Double = 1) -> Image {
    let ruler = Canvas(Size(width: 1, height: 1))
    let longest = entries.map { ruler.width(of: $0.name, size: 12 * scale) }.max() ?? 0
    let (cell, line) = (longest + 34 * scale, 20 * scale)
    let columns = max(1, Int(Double(width - 8) / cell))
    let rows = (entries.count + columns - 1) / columns
    let canvas = Canvas(Size(width: width, height: Int(Double(rows) * line) + 8))
    for (index, entry) in entries.enumerated() {
      let (x, y) = (8 + Double(index % columns) * cell, 6 + Double(index / columns) * line)
      canvas.fill(x: x, y: y, width: 14 * scale, height: 14 * scale, Color(90, 90, 90))
      canvas.fill(
        x: x + 1, y: y + 1, width: 14 * scale - 2, height: 14 * scale - 2, entry.color)
      canvas.text(entry.name, x: x + 20 * scale, y: y + 12 * scale, size: 12 * scale)
    }
    return canvas.image
  }

  /// Pictures side by side, each under its caption, with a legend below.
  ///
  /// Captions are as large as the pictures need, and in several lines where one does not hold them.
  public static func panel(
    _ parts: [(caption: String, image: Image)], columns: Int? = nil, legend: [LegendEntry] = []
  ) -> Image {
    let columns = max(1, min(columns ?? parts.count, parts.count))
    let gap = 8
    let width = (parts.map(\.image.width).max() ?? 1) + gap
    let scale = textScale(width)
    let captions = parts.map {
      TextBlock($0.caption, width: Double(width - gap / 2), size: 13 * scale)
    }
    let caption = max(Int(17 * scale), Int(captions.map(\.height).max() ?? 0)) + 5
    let height = (parts.map(\.image.height).max() ?? 1) + caption + gap
    let rows = (parts.count + columns - 1) / columns
    var sheet = Image.sheet(Size(width: columns * width + gap, height: rows * height))
    for (index, part) in parts.enumerated() {
      let (x, y) = (gap + index % columns * width, index / columns * height)
      let label = Canvas(Size(width: min(width, 32_000), height: caption))
      label.text(captions[index], x: 0, y: 3)
      sheet.paste(label.image, x: x, y: y)
      sheet.paste(part.image, x: x, y: y + caption)
    }
    return sheet.withLegend(legend, scale: scale)
  }
}
