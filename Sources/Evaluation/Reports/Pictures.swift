import Datasets
import Foundation
import Imaging

/// The pictures of a report.
enum ReportPictures {
  /// The image in grey, with the colours of `style` where the prediction is wrong or the truth ignored.
  ///
  /// Of two classes those that miss the foreground and those that claim it have colours of their own,
  /// and so has the foreground that was found.
  static func errors(
    _ image: Image?, _ truth: ClassMask, _ prediction: ClassMask, _ style: PictureStyle
  ) -> Image {
    painted(image, truth.size) { i in
      let (own, found) = (truth.classes[i], prediction.classes[i])
      if own == LabelMap.ignored { return style.ignored }
      guard let foreground = style.foreground else {
        return own == found ? nil : PictureStyle.wrong
      }
      if own == foreground { return own == found ? PictureStyle.hit : PictureStyle.missed }
      return own == found ? nil : PictureStyle.claimed
    }
  }

  /// The image in grey, or grey without one, with colours on the pixels that have one.
  static func painted(_ image: Image?, _ size: Size, _ color: (Int) -> Color?) -> Image {
    let source = image?.rgb
    var pixels = [UInt8](repeating: 150, count: size.width * size.height * 3)
    for i in 0..<size.width * size.height {
      if let color = color(i) {
        (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = (
          color.red, color.green, color.blue
        )
      } else if let source {
        let (red, green) = (Int(source.pixels[3 * i]), Int(source.pixels[3 * i + 1]))
        let grey = 90 + (red * 3 + green * 6 + Int(source.pixels[3 * i + 2])) / 16
        for k in 0..<3 { pixels[3 * i + k] = UInt8(min(grey, 255)) }
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  /// The confusion matrix: rows are the truth, and a cell says which share of it went where.
  static func confusion(_ result: EvaluationResult) -> Image {
    let names = result.scores.classes.map(\.name)
    let ruler = Canvas(Size(width: 1, height: 1))
    let margin = Int(names.map { ruler.width(of: $0) }.max() ?? 0) + 24
    let cell = names.count > 40 ? 14 : names.count < 6 ? 68 : 34
    let side = cell * names.count
    let ends = names.enumerated().map { column, name in
      margin + column * cell + Int(ruler.width(of: name, size: 11)) + 8
    }
    let width = max(margin + side + 60, ends.max() ?? 0, 240)
    let title = TextBlock(
      "Share of each true class (rows) predicted as (columns), in %", width: Double(width - 16),
      size: 13)
    let top = 27 + Int(title.height)
    let canvas = Canvas(
      Size(width: min(width, 32_000), height: min(top + side + margin + 16, 32_000)))
    canvas.text(title, x: 8, y: 5)
    canvas.text("truth", x: 8, y: Double(top - 6), Color(110, 110, 110))
    for (row, counts) in result.confusion.enumerated() {
      let total = counts.reduce(0, +)
      let y = Double(top + row * cell)
      let name = names[row]
      canvas.text(
        name, x: Double(margin) - 8 - canvas.width(of: name), y: y + Double(cell) / 2 + 4)
      for column in names.indices {
        let share = total == 0 ? 0 : Double(counts[column]) / Double(total)
        let x = Double(margin + column * cell)
        canvas.fill(
          x: x, y: y, width: Double(cell - 1), height: Double(cell - 1),
          total == 0 ? Color(238, 238, 238) : tint(share, isRight: row == column))
        guard cell > 20, share >= 0.005 else { continue }
        let text = String(format: "%.0f", share * 100)
        canvas.text(
          text, x: x + (Double(cell - 1) - canvas.width(of: text, size: 11)) / 2,
          y: y + Double(cell) / 2 + 4, size: 11,
          share > 0.55 ? Color(255, 255, 255) : Color(20, 20, 20))
      }
    }
    // Names below the columns, one below another where they would meet.
    for (column, name) in names.enumerated() {
      let x = Double(margin + column * cell)
      let y = Double(top + side + 14 + column % 4 * 14)
      canvas.line(
        [(x + Double(cell) / 2, Double(top + side)), (x + Double(cell) / 2, y - 10)],
        Color(200, 200, 200))
      canvas.text(name, x: x, y: y, size: 11)
    }
    return canvas.image
  }

  /// White to blue for what is right, white to red for what is wrong.
  private static func tint(_ share: Double, isRight: Bool) -> Color {
    let full = isRight ? (25.0, 90.0, 170.0) : (200.0, 35.0, 35.0)
    // Small shares of mistakes are to be seen, too.
    let amount = isRight ? share : share.squareRoot()
    func mix(_ part: Double) -> UInt8 { UInt8(max(0, min(255, 250 + (part - 250) * amount))) }
    return Color(mix(full.0), mix(full.1), mix(full.2))
  }

  /// A bar a class: its IoU, in the class's colour.
  static func bars(_ result: EvaluationResult, _ colors: [Color]) -> Image {
    let ruler = Canvas(Size(width: 1, height: 1))
    let classes = result.scores.classes
    let margin = (classes.map { ruler.width(of: $0.name) }.max() ?? 0) + 24
    let length = 480.0
    let canvas = Canvas(
      Size(width: Int(margin + length) + 80, height: min(classes.count * 24 + 52, 32_000)))
    canvas.text("IoU of classes in %", x: 8, y: 18, size: 13)
    for (index, entry) in classes.enumerated() {
      let y = Double(28 + index * 24)
      canvas.text(entry.name, x: margin - 8 - canvas.width(of: entry.name), y: y + 15)
      canvas.fill(x: margin, y: y + 2, width: length, height: 18, Color(240, 240, 240))
      if let iou = entry.iou {
        canvas.fill(x: margin, y: y + 2, width: length * iou, height: 18, Color(90, 90, 90))
        canvas.fill(
          x: margin, y: y + 3, width: max(0, length * iou - 1), height: 16,
          colors.indices.contains(index) ? colors[index] : Color(90, 90, 90))
      }
      canvas.text(percent(entry.iou), x: margin + length + 8, y: y + 15)
    }
    if let mean = result.scores.meanIoU {
      let x = margin + length * mean
      canvas.line([(x, 26), (x, Double(30 + classes.count * 24))], Color(20, 20, 20), width: 1.5)
      canvas.text(
        "mean \(percent(mean))", x: x - 30, y: Double(44 + classes.count * 24))
    }
    return canvas.image
  }
}
