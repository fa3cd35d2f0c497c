import Evaluation
import Imaging
import Segmentation
import Torch

/// The effective receptive field of a network over some images, with all that is measured in it.
public struct FieldReport: JSONReport {
  /// The size of the images, and how many there were: of a single photograph that is resized for the network the size of
  /// the part that is seen, in the photograph's own pixels, which all that is measured counts.
  public let width, height, images: Int
  /// The size at which the network saw it, where that is another.
  public let seenWidth, seenHeight: Int?
  /// What the images were.
  public let source: String
  /// The sum of the field.
  public let sum: Double
  /// The output stride of the features that the head sees.
  public let stride: Int
  /// The least rate of the head's atrous kernels, and the length that follows for the pattern from
  /// their outermost taps: 6 r s for a pyramid, 4 r s for two convolutions, in pixels of ``width``.
  public let rate: Int?, expectedLength: Int?
  /// The star that was measured in the field, if the target was its middle.
  public let arms: StarArms?
  /// The width of a square around the field's core, which convolutions one after the other leave.
  public let square: Int?
  /// The positions at feature level.
  public let featureStar: FeatureStar?
  /// A Gaussian fitted to the field; nil where none was found or none was asked for.
  public let gaussian: GaussianFit?
  /// The Chebyshev distances from the pixel that is looked from, the middle if the mean of all scores was
  /// the target, within which half and nine tenths of the field lie.
  public let halfWithin, ninetyWithin: Int
  /// The pixel of the input that is looked from; nil for the mean of all scores.
  public let x, y: Int?
  /// The same pixel of the photograph that the input is cut from, where it has other coordinates.
  public let photographX, photographY: Int?
  /// The class whose score counts; nil for all.
  public let label: String?
  /// The columns and rows that nine tenths of the field lie within, less a twentieth at each end.
  public let extentWidth, extentHeight: Int
  /// The field, row-major.
  public let values: [Float]
  /// The first of the images, where they are photographs.
  let photograph: Image?
  /// The pixels that one of the network's input is as wide and as high as: others than 1 where a photograph is resized
  /// for it.
  package let pitch: (x: Double, y: Double)

  private enum CodingKeys: String, CodingKey {
    case width, height, images, seenWidth, seenHeight, source, sum, stride, rate, expectedLength,
      arms, square, featureStar
    case gaussian, halfWithin, ninetyWithin, x, y, photographX, photographY, label, extentWidth,
      extentHeight
  }

  /// Adds the field up, one image at a time.
  ///
  /// - Parameters:
  ///   - model: The network; it is put in evaluation mode, and its parameters need no gradients
  ///     afterwards.
  ///   - source: The images.
  ///   - size: The size that the images have for the network.
  ///   - target: The part of the scores.
  ///   - pixel: The target as a pixel of the photograph that the input is cut from, if a person gave it so.
  ///   - label: The place of the class whose score counts; all do if nil.
  ///   - names: The names of the classes.
  ///   - fits: Whether a Gaussian is fitted, which takes as long as the gradients of a small network.
  ///   - progress: Is told how many images are done.
  /// - Throws: What reading an image throws, and `TorchError` for what the network cannot take.
  public init(
    _ model: SegmentationModel, _ source: ImageSource, size: Size, target: FieldTarget = .center,
    pixel: (x: Int, y: Int)? = nil, label: Int? = nil, names: [String] = [], fits: Bool = true,
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws {
    model.train(false)
    for (_, parameter) in model.parameters { parameter.requiresGrad = false }
    // The maps of a whole network are many times what a prediction takes.
    model.recomputeActivations()
    defer { model.recomputeActivations(false) }
    var field = EffectiveReceptiveField(
      height: size.height, width: size.width, target: target, label: label)
    for index in 0..<source.count {
      let image = try source.input(index, size: size)
      try attempt { field.add(image) { model($0) } }
      progress(index + 1, source.count)
    }
    let cut = try source.seenCut(size)
    let shown = cut?.part.size ?? size
    values = cut?.mapped(field.values) ?? field.values
    pitch = cut?.pitch ?? (1, 1)
    (width, height, images) = (shown.width, shown.height, field.images)
    (seenWidth, seenHeight) = shown == size ? (nil, nil) : (size.width, size.height)
    self.source = source.name
    photograph = source.count > 0 ? try source.picture(0, size: size) : nil
    self.label = label.map { names.indices.contains($0) ? names[$0] : "class \($0)" }
    let place: (x: Int, y: Int)? =
      switch target {
      case .center: (width / 2, height / 2)
      case .position(let row, let column): Self.place(cut, row, column, pixel, shown)
      case .mean: nil
      }
    (x, y) = (place?.x, place?.y)
    let isOther = pixel?.x != place?.x || pixel?.y != place?.y
    (photographX, photographY) = isOther ? (pixel?.x, pixel?.y) : (nil, nil)
    sum = values.reduce(0) { $0 + Double($1) }
    stride = model.headStride
    let stride = self.stride
    let atrous = model.modules.lazy.compactMap { $0.module as? any AtrousModule }
      .first { $0.atrousWidth > 0 }
    rate = atrous?.atrousRates.min()
    let scale = (pitch.x + pitch.y) / 2
    let expected = atrous.map { Int((Double($0.atrousWidth * stride) * scale).rounded()) }
    expectedLength = expected
    // Small patterns end before a quarter of the image.
    let start = expected.flatMap {
      3 * $0 / 8 < min(shown.width, shown.height) / 4 ? 3 * $0 / 8 : nil
    }
    arms =
      target == .center ? StarArms(values, height: height, width: width, start: start) : nil
    square = target == .center ? Self.square(values, height, width) : nil
    featureStar = try atrous.map { module in try attempt { FeatureStar(module) } }
    gaussian = fits ? GaussianFit(values, height: height, width: width) : nil
    (halfWithin, ninetyWithin) = Self.reach(
      values, height, width, row: y ?? height / 2, column: x ?? width / 2)
    (extentWidth, extentHeight) = Self.extent(values, height, width)
  }

  /// A row and a column of the network's input as a pixel of what is shown.
  private static func place(
    _ cut: SeenCut?, _ row: Int, _ column: Int, _ pixel: (x: Int, y: Int)?, _ shown: Size
  ) -> (x: Int, y: Int) {
    guard let cut else { return (column, row) }
    if let pixel { return (pixel.x - cut.part.x, pixel.y - cut.part.y) }
    return (
      min(Int((Double(column) + 0.5) * cut.pitch.x), shown.width - 1),
      min(Int((Double(row) + 0.5) * cut.pitch.y), shown.height - 1)
    )
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

  /// The columns and rows between the first and the last twentieth of the field.
  static func extent(_ values: [Float], _ height: Int, _ width: Int) -> (width: Int, height: Int) {
    var (columns, rows) = (
      [Double](repeating: 0, count: width), [Double](repeating: 0, count: height)
    )
    for (index, value) in values.enumerated() {
      columns[index % width] += Double(value)
      rows[index / width] += Double(value)
    }
    func length(_ line: [Double]) -> Int {
      let total = line.reduce(0, +)
      guard total > 0 else { return 0 }
      func place(_ share: Double, _ order: some Sequence<Int>) -> Int {
        var sum = 0.0
        for index in order {
          sum += line[index]
          if sum > share * total { return index }
        }
        return 0
      }
      return place(0.05, line.indices.reversed()) - place(0.05, line.indices) + 1
    }
    return (length(columns), length(rows))
  }

  /// The distances from a pixel within which half and nine tenths of the field lie.
  private static func reach(
    _ values: [Float], _ height: Int, _ width: Int, row: Int, column: Int
  ) -> (Int, Int) {
    var byDistance = [Double](repeating: 0, count: max(height, width))
    for (index, value) in values.enumerated() {
      let distance = max(abs(index / width - row), abs(index % width - column))
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
}
