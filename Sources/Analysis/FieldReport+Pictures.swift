import Checkpoints
import Evaluation
import Files
import Foundation
import Imaging
import Torch

extension FieldReport {
  /// What is looked from, in words.
  private var subject: String {
    guard let x, let y else { return "all pixels" }
    guard let photographX, let photographY else { return "pixel \(x),\(y)" }
    return "pixel \(photographX),\(photographY) of the photograph (\(x),\(y) of its cut)"
  }

  /// The size at which the network sees what is shown, where that is another.
  private var seen: String {
    guard let seenWidth, let seenHeight else { return "" }
    return ", seen at \(seenWidth)×\(seenHeight),"
  }

  /// What to read from the field, in a sentence or two.
  public var reading: String {
    let kind = label.map { " for '\($0)'" } ?? ""
    let who = x == nil ? "On average a pixel\(kind)" : "The \(subject)\(kind)"
    var text =
      "\(who) looks at about \(extentWidth) × \(extentHeight) pixels (90 % of the effect along each"
      + " axis), half of it within \(halfWithin) pixels"
    guard let featureStar, let expectedLength else { return text + "." }
    let rates = featureStar.rates.map(String.init).joined(separator: ", ")
    text += "; the star of rates \(rates) at stride \(stride)\(seen) spans \(expectedLength)"
    let side = min(width, height)
    if expectedLength > side {
      text += ", more than the \(side) of the image, so that its outer taps lie beside the image"
    }
    if let arms {
      text +=
        arms.isStar
        ? ". Its arms stand out: what lies on the rays at the rates' distances counts more than what"
          + " lies between them"
        : ". Its arms do not stand out: what counts is near, or follows what is in the image"
    }
    return text + "."
  }

  /// The report as text.
  public var text: String {
    let from = x == nil ? "the middle" : subject
    var lines = [
      "images           \(source), \(width)x\(height)"
        + (seenWidth.flatMap { width in seenHeight.map { ", seen at \(width)x\($0)" } } ?? "")
        + ", output stride \(stride)",
      "scores           of \(label.map { "'\($0)'" } ?? "all classes") at \(subject)",
      "extent           half of the field lies within \(halfWithin) pixels of \(from),"
        + " nine tenths within \(ninetyWithin)",
    ]
    if let featureStar {
      lines.append(
        "feature level    \(featureStar.points) positions, \(featureStar.width) features wide, for"
          + " the rates \(featureStar.rates.map(String.init).joined(separator: ", "))")
    }
    let expected = expectedLength.map { length in
      "; expected are \(length)"
        + (length > min(width, height) ? ", which the image cuts off" : "")
    }
    if let square, !(arms?.isStar ?? false) {
      lines.append("square           \(square) pixels wide\(expected ?? "")")
    } else if let arms {
      let share = "contrast \(fixed(arms.contrast))"
      lines.append(
        arms.isStar
          ? "star             \(arms.length) pixels from end to end of its arms, \(share)\(expected ?? "")"
          : "star             none: on the rays is no more than between them, \(share)")
    }
    if let gaussian {
      func number(_ name: String, _ number: FittedNumber) -> String {
        "\(name) \(fixed(number.value)) ± \(fixed(number.deviation))"
      }
      lines += [
        "Gaussian         "
          + [
            number("x", gaussian.x), number("y", gaussian.y), number("σx", gaussian.sigmaX),
            number("σy", gaussian.sigmaY), number("angle", gaussian.angle),
          ].joined(separator: ", "),
        "                 explains \(fixed(gaussian.explained * 100, 1)) % of the variance;"
          + " the middle is (\(fixed(Double(width - 1) / 2, 1)), \(fixed(Double(height - 1) / 2, 1)))",
      ]
    }
    return (lines + ["", reading]).joined(separator: "\n")
  }

  /// The field over the first photograph.
  ///
  /// The bar of colours is in parts of the largest mean over 5×5 pixels, and small numbers are raised by a
  /// power. A cross marks the pixel that is looked from, and rings the pixels that the kernels' taps fall on.
  public var heatMap: HeatMap {
    var map = HeatMap(parts, width: width, height: height)
    let over = photograph != nil && images > 1 ? ", over the first" : ""
    map.title = "Effective receptive field of \(subject), \(source)\(over). \(reading)"
    map.quantity = "gradient / largest"
    map.colors = .inferno
    map.range = 0...1
    map.power = Self.power
    map.photograph = photograph
    (map.opacity, map.fades) = (0.95, true)
    guard let x, let y else { return map }
    map.marks = [(Double(x), Double(y))]
    map.points = expectedPoints.map { ($0.x, $0.y) }
    return map
  }

  /// The power that small numbers are raised by for the eye.
  private static let power = 0.35

  /// The field's means over 5×5 pixels in parts of the largest.
  private var parts: [Float] {
    let smooth = StarArms.means(values, height, width, 2)
    let top = max(smooth.max() ?? 1, .leastNormalMagnitude)
    return smooth.map { $0 / top }
  }

  /// The field as ``heatMap`` shows it, 0 to 255, row-major.
  package var levels: [UInt8] {
    parts.map { UInt8((255 * pow(Double(max(0, min(1, $0))), Self.power)).rounded()) }
  }

  /// The pixels at which the kernels' taps are expected, those inside of the image.
  var expectedPoints: [(x: Double, y: Double)] {
    guard let x, let y, let featureStar else { return [] }
    return featureStar.offsets.map {
      (
        Double(x) + Double($0.x * stride) * pitch.x, Double(y) + Double($0.y * stride) * pitch.y
      )
    }
    .filter { (0..<Double(width)).contains($0.0) && (0..<Double(height)).contains($0.1) }
  }

  /// The picture with its legend.
  public var picture: Image {
    var legend: [LegendEntry] = []
    if x != nil { legend.append(LegendEntry("looks from here", HeatMap.markColor)) }
    if let featureStar, !expectedPoints.isEmpty {
      let rates = featureStar.rates.map(String.init).joined(separator: ", ")
      legend.append(
        LegendEntry("taps of rates \(rates) at stride \(stride)", HeatMap.pointColor))
    }
    return heatMap.image().withLegend(legend)
  }

  /// The profile along the star's rays less that between them.
  public var profileChart: LineChart? {
    guard let arms else { return nil }
    var chart = LineChart()
    chart.title = "On the rays less between them"
    chart.xLabel = "Chebyshev distance from the middle in pixels"
    chart.yLabel = "gradient"
    chart.hasDots = false
    let from = min(width, height) / 16
    chart.curves = [
      (
        "profile",
        arms.profile.enumerated().dropFirst(from).map { .init(Double($0), Double($1)) }
      )
    ]
    chart.marks = [("measured \(arms.length / 2)", Double(arms.length) / 2)]
    if let expectedLength, expectedLength / 2 < arms.profile.count {
      chart.marks.append(("expected \(expectedLength / 2)", Double(expectedLength) / 2))
    }
    return chart
  }

  /// Writes the picture, the field as safetensors and the numbers as JSON into a folder, and where the
  /// middle is looked from the profile.
  ///
  /// - Throws: `FolderError`, `ImageError`, `WriteError`.
  /// - Returns: The files.
  public func write(to folder: String) throws -> [String] {
    let files = ["erf.png", "erf.safetensors", "erf.json", "erf-profile.png"].map {
      "\(folder)/\($0)"
    }
    try FileSystem.makeOutputFolder(folder)
    try picture.write(to: files[0], isOutput: true)
    try WeightFile.write([("erf", Tensor(values, [height, width]))], to: files[1])
    try AtomicFile.write(files[2], json())
    guard let profileChart else { return Array(files.dropLast()) }
    try profileChart.image().write(to: files[3], isOutput: true)
    return files
  }
}
