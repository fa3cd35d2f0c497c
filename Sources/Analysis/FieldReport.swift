import Evaluation
import Checkpoints
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// The effective receptive field of a network over some images, with all that is measured in it.
public struct FieldReport: JSONReport {
  /// The size of the images, and how many there were.
  public let width, height, images: Int
  /// What the images were.
  public let source: String
  /// The sum of the field.
  public let sum: Double
  /// The output stride of the features that the head sees.
  public let stride: Int
  /// The least rate of the head's atrous kernels, and the length that follows for the pattern from
  /// their outermost taps: 6 r s for a pyramid, 4 r s for two convolutions.
  public let rate: Int?, expectedLength: Int?
  /// The star that was measured in the field, if the target was its middle.
  public let arms: StarArms?
  /// The width of a square around the field's core, which convolutions one after the other leave.
  public let square: Int?
  /// The positions at feature level.
  public let featureStar: FeatureStar?
  /// A Gaussian fitted to the field.
  public let gaussian: GaussianFit?
  /// The share of the field within each Chebyshev distance from the middle: half of it, nine tenths.
  public let halfWithin, ninetyWithin: Int
  /// The field, row-major.
  public let values: [Float]

  private enum CodingKeys: String, CodingKey {
    case width, height, images, source, sum, stride, rate, expectedLength, arms, square, featureStar
    case gaussian, halfWithin, ninetyWithin
  }

  /// Adds the field up, one image at a time.
  ///
  /// - Parameters:
  ///   - model: The network; it is put in evaluation mode, and its parameters need no gradients
  ///     afterwards.
  ///   - source: The images.
  ///   - size: The size that the images have for the network.
  ///   - target: The part of the scores.
  ///   - progress: Is told how many images are done.
  /// - Throws: What reading an image throws, and `TorchError` for what the network cannot take.
  public init(
    _ model: SegmentationModel, _ source: ImageSource, size: Size, target: FieldTarget = .center,
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws {
    model.train(false)
    for (_, parameter) in model.parameters { parameter.requiresGrad = false }
    var field = EffectiveReceptiveField(height: size.height, width: size.width, target: target)
    for index in 0..<source.count {
      let image = try source.input(index, size: size)
      try attempt { field.add(image) { model($0) } }
      progress(index + 1, source.count)
    }
    values = field.values
    (width, height, images) = (size.width, size.height, field.images)
    self.source = source.name
    sum = values.reduce(0) { $0 + Double($1) }
    stride = model.headStride
    let stride = self.stride
    let atrous = model.modules.lazy.compactMap { $0.module as? any AtrousModule }
      .first { $0.atrousWidth > 0 }
    rate = atrous?.atrousRates.min()
    let expected = atrous.map { $0.atrousWidth * stride }
    expectedLength = expected
    // Small patterns end before a quarter of the image.
    let start = expected.flatMap {
      3 * $0 / 8 < min(size.width, size.height) / 4 ? 3 * $0 / 8 : nil
    }
    arms =
      target == .center ? StarArms(values, height: height, width: width, start: start) : nil
    square = target == .center ? Self.square(values, height, width) : nil
    featureStar = try atrous.map { module in try attempt { FeatureStar(module) } }
    gaussian = GaussianFit(values, height: height, width: width)
    (halfWithin, ninetyWithin) = Self.reach(values, height, width)
  }

  /// The width of a plateau around the core, centre to centre: the means of the field over rings of
  /// equal Chebyshev distance fall to half of the plateau further out than they fall to half of the
  /// core, by half of the width.
  static func square(_ values: [Float], _ height: Int, _ width: Int) -> Int? {
    let last = (min(height, width) - 1) / 2
    var sums = [Double](repeating: 0, count: last + 1), counts = sums
    for (index, value) in values.enumerated() {
      let distance = max(abs(index / width - height / 2), abs(index % width - width / 2))
      guard distance <= last else { continue }
      sums[distance] += Double(value)
      counts[distance] += 1
    }
    // Means over bands of 17 pixels: single rings are noise.
    func band(_ at: Int) -> Double {
      let range = max(0, at - 8)...min(last, at + 8)
      return range.reduce(0) { $0 + sums[$1] } / max(1, range.reduce(0) { $0 + counts[$1] })
    }
    let means = (0...last).map(band)
    guard let inner = means.firstIndex(where: { $0 < means[0] / 2 }), 2 * inner + 32 < last else {
      return nil
    }
    // The plateau is where the means fall least, by ratio, before they have fallen to nothing.
    func fall(_ at: Int) -> Double { means[at - 16] / max(means[at + 16], .leastNormalMagnitude) }
    let candidates = (2 * inner + 16..<last - 16).filter { means[$0] > 5e-3 * means[0] }
    guard let flat = candidates.min(by: { fall($0) < fall($1) }), fall(flat) < 2,
      let outer = (flat...last).first(where: { means[$0] < means[flat] / 2 })
    else { return nil }
    return 2 * (outer - inner)
  }

  /// The distances within which half and nine tenths of the field lie.
  private static func reach(_ values: [Float], _ height: Int, _ width: Int) -> (Int, Int) {
    var byDistance = [Double](repeating: 0, count: max(height, width))
    for (index, value) in values.enumerated() {
      let distance = max(abs(index / width - height / 2), abs(index % width - width / 2))
      byDistance[distance] += Double(value)
    }
    let total = byDistance.reduce(0, +)
    func within(_ share: Double) -> Int {
      var sum = 0.0
      for (distance, part) in byDistance.enumerated() {
        sum += part
        if sum >= share * total { return distance }
      }
      return byDistance.count - 1
    }
    return (within(0.5), within(0.9))
  }

  /// The report as text.
  public var text: String {
    var lines = [
      "images           \(source), \(width)x\(height), output stride \(stride)",
      "extent           half of the field lies within \(halfWithin) pixels of the middle,"
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
    return lines.joined(separator: "\n")
  }

  /// The field as a picture; the bar of colours is in parts of the largest mean over 5×5 pixels, and
  /// small numbers are raised by a square root.
  public var heatMap: HeatMap {
    let smooth = StarArms.means(values, height, width, 2)
    let top = max(smooth.max() ?? 1, .leastNormalMagnitude)
    var map = HeatMap(smooth.map { $0 / top }, width: width, height: height)
    map.title = "Effective receptive field, \(source)"
    map.quantity = "gradient / largest"
    map.colors = .inferno
    map.range = 0...1
    map.power = 0.35
    return map
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

  /// Writes the picture, the profile, the field as safetensors and the numbers as JSON into a folder.
  ///
  /// - Throws: `ImageError`, `WriteError`.
  /// - Returns: The files.
  public func write(to folder: String) throws -> [String] {
    let files = ["erf.png", "erf.safetensors", "erf.json", "erf-profile.png"].map {
      "\(folder)/\($0)"
    }
    let code = FileSystem.makeFolder(folder)
    guard code == 0 else { throw WriteError(folder, code) }
    try heatMap.image().write(to: files[0], isOutput: true)
    try WeightFile.write([("erf", Tensor(values, [height, width]))], to: files[1])
    try AtomicFile.write(files[2], json())
    guard let profileChart else { return Array(files.dropLast()) }
    try profileChart.image().write(to: files[3], isOutput: true)
    return files
  }
}
