import Datasets
import Imaging
import Segmentation
import Torch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Predicts an image block by block, from windows that overlap and are blended, and keeps only what the next
/// blocks need: what the windows above and to the left say of their overlaps.
///
/// What a block becomes depends on the windows around it alone, so that a run may begin at any row of blocks
/// that it is given the one above of.
package final class BlendedPrediction {
  /// What a row of blocks holds.
  package struct Band {
    /// The rows of the image.
    package let rows: Range<Int>
    /// The class of each pixel, (rows, width); ``LabelMap/ignored`` where nothing was measured.
    package var classes: [UInt8]
    /// The probabilities in shares of 255, (rows, width, classes), where they are asked for.
    package let shares: [UInt8]?
    /// The probabilities as float16's bits or in steps of 65,535, (classes, rows, width), where they are asked for.
    package let planes: [UInt16]?
    /// The probability of each pixel's class in steps of 255 or 65,535, (rows, width), where it is asked for.
    package let confidence: [UInt16]?
    /// The entropy of each pixel's probabilities over the logarithm of the number of classes, in steps of 255,
    /// (rows, width), where it is asked for.
    package let uncertainty: [UInt8]?
  }

  /// What is computed beside the classes.
  package struct Wanted: OptionSet, Sendable {
    package let rawValue: Int
    package init(rawValue: Int) { self.rawValue = rawValue }
    /// ``Band/shares``.
    package static let shares = Wanted(rawValue: 1)
    /// ``Band/confidence`` in steps of 255.
    package static let confidence = Wanted(rawValue: 2)
    /// ``Band/uncertainty``.
    package static let uncertainty = Wanted(rawValue: 4)
    /// ``Band/planes`` as the bits of numbers of type float16.
    package static let halves = Wanted(rawValue: 8)
    /// ``Band/planes`` in steps of 65,535.
    package static let words = Wanted(rawValue: 16)
    /// ``Band/confidence`` in steps of 65,535.
    package static let fineConfidence = Wanted(rawValue: 32)

    /// Whether probabilities of 16 bits are asked for.
    var hasPlanes: Bool { !isDisjoint(with: [.halves, .words]) }
    /// Whether each pixel's confidence is asked for.
    var hasConfidence: Bool { !isDisjoint(with: [.confidence, .fineConfidence]) }

    /// The bytes that a pixel of a row of blocks takes until they are written, among `classes`.
    package func bytes(classes: Int) -> Int {
      // Classes and shares are held twice while they are packed.
      2 * (1 + (contains(.shares) ? classes : 0)) + (hasConfidence ? 4 : 0)
        + (contains(.uncertainty) ? 2 : 0) + (hasPlanes ? 2 * classes : 0)
    }
  }

  /// A row of blocks that is being filled.
  private struct Canvas {
    var classes, shares, uncertainty: [UInt8]
    var confidence, planes: [UInt16]
    /// The pixels of the row of blocks, by which planes are apart.
    let pixels: Int
  }

  private let predictor: Predictor
  private let size: Size
  private let tiling: Tiling
  private let rows: [Range<Int>], columns: [Range<Int>]
  private let wanted: Wanted
  /// Chooses the classes of pixels anew by how probable those are that were found, which become how probable those are
  /// that are chosen; nil where the most probable ones stay.
  package var choosing: ((_ classes: inout [UInt8], _ confidence: inout [Float]) -> Void)?
  /// The most probabilities in single precision that are held at once, but for sixteen rows of a block.
  var mostNumbers = 1 << 23
  /// What each window of the row above says of its overlap; nil where nothing was measured.
  private var above: [Piece?]

  /// Scores of a window, or of the part that is still needed.
  private struct Piece {
    let scores: Tensor
    /// What the window sees, and the first of its cells that is kept.
    let rows: Range<Int>, columns: Range<Int>
    let cells: Size, firstRow: Int
  }

  /// A prediction of an image of `size`.
  package init(_ predictor: Predictor, _ size: Size, _ tiling: Tiling, wanted: Wanted = []) {
    (self.predictor, self.size, self.tiling) = (predictor, size, tiling)
    self.wanted = wanted
    (rows, columns) = (tiling.blocks(size.height), tiling.blocks(size.width))
    above = [Piece?](repeating: nil, count: columns.count)
  }

  /// The rows of blocks.
  package var count: Int { rows.count }
  /// The blocks side by side.
  package var blocksPerRow: Int { columns.count }

  /// What the window of a block sees.
  package func window(row: Int, column: Int) -> PixelWindow {
    let y = tiling.seen(rows[row], of: size.height),
      x = tiling.seen(columns[column], of: size.width)
    return PixelWindow(
      x: x.lowerBound, y: y.lowerBound, size: Size(width: x.count, height: y.count))
  }

  /// Computes a row of blocks; rows follow each other from top to bottom.
  ///
  /// - Parameters:
  ///   - isKept: Whether the row's classes are wanted, and not only what the next row needs.
  ///   - image: Gives what the window of each block sees, and where nothing was measured there.
  ///   - shown: Is given each block's image where it is wanted: the block's pixels within the window.
  /// - Throws: What `image` throws, and `TorchError`.
  package func band(
    _ row: Int, isKept: Bool, image: (_ column: Int) throws -> (image: Image, missing: [Bool]?),
    shown: (_ column: Int, _ image: Image, _ window: PixelWindow) -> Void = { _, _, _ in }
  ) throws -> Band {
    let span = rows[row]
    let pixels = isKept ? span.count * size.width : 0
    let bands = wanted.contains(.shares) ? predictor.model.classes : 0
    let planes = wanted.hasPlanes ? predictor.model.classes : 0
    var canvas = Canvas(
      classes: [UInt8](repeating: LabelMap.ignored, count: pixels),
      shares: [UInt8](repeating: 0, count: pixels * bands),
      uncertainty: [UInt8](repeating: 0, count: wanted.contains(.uncertainty) ? pixels : 0),
      confidence: [UInt16](repeating: 0, count: wanted.hasConfidence ? pixels : 0),
      planes: [UInt16](repeating: 0, count: pixels * planes), pixels: pixels)
    var left: Piece?
    var aboveLeft: Piece?
    for column in columns.indices {
      let window = window(row: row, column: column)
      let (seen, missing) = try image(column)
      let isEmpty = missing.map { !$0.contains(false) } ?? false
      let piece = isEmpty ? nil : try self.piece(of: seen, window)
      if isKept {
        shown(column, seen, window)
        try attempt {
          for part in parts(row, column, piece, left, above[column], aboveLeft) {
            write(part, span, &canvas, bands)
          }
        }
        clear(missing, window, span, columns[column], &canvas, bands)
      }
      (aboveLeft, left) = (above[column], piece)
      above[column] = try piece.flatMap { try bottom($0, row) }
      MemoryBudget.release()
    }
    return Band(
      rows: span, classes: canvas.classes, shares: wanted.contains(.shares) ? canvas.shares : nil,
      planes: wanted.hasPlanes ? canvas.planes : nil,
      confidence: wanted.hasConfidence ? canvas.confidence : nil,
      uncertainty: wanted.contains(.uncertainty) ? canvas.uncertainty : nil)
  }

  private func piece(of image: Image, _ window: PixelWindow) throws -> Piece {
    let scores = try predictor.windowScores(image)
    return Piece(
      scores: scores, rows: window.y..<window.y + window.size.height,
      columns: window.x..<window.x + window.size.width,
      cells: Size(width: scores.width, height: scores.height), firstRow: 0)
  }

  /// The part of a window that the row below is blended with.
  private func bottom(_ piece: Piece, _ row: Int) throws -> Piece? {
    guard row + 1 < rows.count, tiling.overlap > 0 else { return nil }
    let start = rows[row + 1].lowerBound
    let cells = axis(piece, rows: start..<min(start + tiling.overlap, size.height)).cells
    return try attempt {
      Piece(
        scores: piece.scores.sliced(2, cells.lowerBound, cells.upperBound).cloned(),
        rows: piece.rows, columns: piece.columns, cells: piece.cells, firstRow: cells.lowerBound)
    }
  }

  // MARK: Blending

  /// A rectangle of a block and the windows that it is made of.
  private struct Part {
    let rows: Range<Int>, columns: Range<Int>
    let scores: [PlacedScores]
  }

  /// The rectangles of a block: what its own window says alone, and the strips that are blended.
  private func parts(
    _ row: Int, _ column: Int, _ own: Piece?, _ left: Piece?, _ above: Piece?, _ corner: Piece?
  ) -> [Part] {
    func split(_ block: Range<Int>, isBlended: Bool) -> (strip: Range<Int>, rest: Range<Int>) {
      let end =
        isBlended ? min(block.lowerBound + tiling.overlap, block.upperBound) : block.lowerBound
      return (block.lowerBound..<end, end..<block.upperBound)
    }
    let (top, below) = split(rows[row], isBlended: row > 0)
    let (side, beside) = split(columns[column], isBlended: column > 0)
    var result: [Part] = []
    func add(
      _ rows: Range<Int>, _ columns: Range<Int>,
      _ pieces: [(piece: Piece?, isAbove: Bool, isLeft: Bool)]
    ) {
      guard !rows.isEmpty, !columns.isEmpty else { return }
      let isDown = rows == top, isAcross = columns == side
      let placed = pieces.compactMap { entry -> PlacedScores? in
        guard let piece = entry.piece else { return nil }
        var down = axis(piece, rows: rows).without(first: piece.firstRow)
        var across = axis(piece, columns: columns)
        if isDown { Self.ramp(&down, tiling.overlap, isFalling: entry.isAbove) }
        if isAcross { Self.ramp(&across, tiling.overlap, isFalling: entry.isLeft) }
        return PlacedScores(piece.scores, rows: down, columns: across)
      }
      if !placed.isEmpty { result.append(Part(rows: rows, columns: columns, scores: placed)) }
    }
    add(below, beside, [(own, false, false)])
    add(top, beside, [(own, false, false), (above, true, false)])
    add(below, side, [(own, false, false), (left, false, true)])
    add(
      top, side,
      [(own, false, false), (above, true, false), (left, false, true), (corner, true, true)])
    return result
  }

  /// Weights that rise from 0 to 1 over the overlap, or fall from 1 to 0.
  private static func ramp(_ axis: inout GridAxis, _ overlap: Int, isFalling: Bool) {
    for i in axis.weight.indices {
      let share = (Float(i) + 0.5) / Float(overlap)
      axis.weight[i] = isFalling ? 1 - share : share
    }
  }

  private func axis(_ piece: Piece, rows: Range<Int>) -> GridAxis {
    axis(piece.cells.height, piece.rows, rows, predictor.covered(seenSize(piece)).height)
  }

  private func axis(_ piece: Piece, columns: Range<Int>) -> GridAxis {
    axis(piece.cells.width, piece.columns, columns, predictor.covered(seenSize(piece)).width)
  }

  private func seenSize(_ piece: Piece) -> Size {
    Size(width: piece.columns.count, height: piece.rows.count)
  }

  private func axis(
    _ cells: Int, _ seen: Range<Int>, _ part: Range<Int>, _ extent: Int
  ) -> GridAxis {
    GridAxis(
      cells: cells, extent: extent, origin: seen.lowerBound - part.lowerBound, length: seen.count,
      image: part.count, target: part.count, alignCorners: predictor.model.alignCorners)
  }

  // MARK: Writing

  private func write(_ part: Part, _ span: Range<Int>, _ canvas: inout Canvas, _ bands: Int) {
    guard wanted.hasPlanes else { return writeStrip(part, span, &canvas, bands) }
    // Probabilities come in single precision, of which only some rows are held.
    let rows = max(16, mostNumbers / max(1, part.columns.count * predictor.model.classes))
    for first in Swift.stride(from: 0, to: part.rows.count, by: rows) {
      let strip = first..<min(first + rows, part.rows.count)
      writeStrip(
        Part(
          rows: part.rows.lowerBound + strip.lowerBound..<part.rows.lowerBound + strip.upperBound,
          columns: part.columns, scores: part.scores.map { $0.cut(rows: strip) }),
        span, &canvas, bands)
    }
  }

  private func writeStrip(
    _ part: Part, _ span: Range<Int>, _ canvas: inout Canvas, _ bands: Int
  ) {
    let (width, height) = (part.columns.count, part.rows.count)
    var asked: Predictor.Wanted = []
    if wanted.hasConfidence || choosing != nil { asked.insert(.confidence) }
    if wanted.hasPlanes { asked.insert(.probabilities) }
    let sureness =
      asked.isEmpty && !wanted.contains(.uncertainty)
      ? nil
      : PixelSureness(
        wanted: asked, temperature: predictor.temperature,
        wantsEntropy: wanted.contains(.uncertainty))
    var found = ScoreFusion.classes(
      part.scores, width: width, height: height,
      averaging: part.scores.count > 1 ? .probabilities : nil, sureness: sureness)
    // Nothing, where an operator failed, which `attempt` reports.
    guard found.count == width * height else { return }
    var confidence = sureness?.confidence ?? []
    choosing?(&found, &confidence)
    func copy<Sample>(
      _ from: [Sample], _ to: inout [Sample], _ bands: Int = 1, plane: Int = 0
    ) {
      for y in 0..<height {
        let start =
          plane * canvas.pixels
          + ((part.rows.lowerBound - span.lowerBound + y) * size.width + part.columns.lowerBound)
          * bands
        let own = (plane * height + y) * width * bands
        to.replaceSubrange(start..<start + width * bands, with: from[own..<own + width * bands])
      }
    }
    copy(found, &canvas.classes)
    if let sureness {
      if wanted.hasConfidence {
        let steps: Float = wanted.contains(.fineConfidence) ? 65_535 : 255
        copy(confidence.map { UInt16(Self.step($0, steps)) }, &canvas.confidence)
      }
      if wanted.contains(.uncertainty) {
        let most = logf(Float(max(2, predictor.model.classes)))
        copy(sureness.entropy.map { UInt8(Self.step($0 / most, 255)) }, &canvas.uncertainty)
      }
      if wanted.hasPlanes, sureness.probabilities.count % max(1, found.count) == 0 {
        let words = samples(sureness.probabilities)
        for plane in 0..<words.count / max(1, found.count) {
          copy(words, &canvas.planes, plane: plane)
        }
      }
    }
    guard bands > 0 else { return }
    let own = ScoreFusion.shares(
      part.scores, width: width, height: height, temperature: predictor.temperature)
    if own.count == width * height * bands { copy(own, &canvas.shares, bands) }
  }

  /// Probabilities as numbers of 16 bits.
  private func samples(_ values: [Float]) -> [UInt16] {
    wanted.contains(.halves)
      ? values.map(\.halfBits) : values.map { UInt16(Self.step($0, 65_535)) }
  }

  /// A number from 0 to 1 in so many steps.
  @inline(__always)
  private static func step(_ value: Float, _ steps: Float) -> Float {
    min(max(value, 0), 1) * steps + 0.5
  }

  /// Ignores the pixels of a block where nothing was measured.
  private func clear(
    _ missing: [Bool]?, _ window: PixelWindow, _ rows: Range<Int>, _ columns: Range<Int>,
    _ canvas: inout Canvas, _ bands: Int
  ) {
    guard let missing else { return }
    for y in rows {
      for x in columns where missing[(y - window.y) * window.size.width + x - window.x] {
        let at = (y - rows.lowerBound) * size.width + x
        canvas.classes[at] = LabelMap.ignored
        for band in at * bands..<(at + 1) * bands { canvas.shares[band] = 0 }
        for plane in Swift.stride(from: at, to: canvas.planes.count, by: canvas.pixels) {
          canvas.planes[plane] = 0
        }
        if !canvas.confidence.isEmpty { canvas.confidence[at] = 0 }
        if !canvas.uncertainty.isEmpty { canvas.uncertainty[at] = 0 }
      }
    }
  }
}

extension Predictor {
  /// The head's scores of a window of an image.
  ///
  /// - Throws: ``PredictionError/otherBands(file:bands:expected:)``, `TorchError`.
  func windowScores(_ image: Image) throws -> Tensor {
    guard image.bands == encoding.bands else {
      throw PredictionError.otherBands(
        file: "the image", bands: image.bands, expected: encoding.bands)
    }
    return try attempt { evaluating { scores(of: image).to(.cpu).to(.float32) } }
  }

  /// The tiling of an image: of one block where that fits into half of the memory budget, or of blocks of
  /// `step` pixels a side, or the most that fit.
  ///
  /// - Parameter pixelBytes: What a pixel of a row of blocks takes until the row is written; blocks are so small that
  ///   a row takes no more than the other half, unless they are of a given step.
  /// - Throws: ``PredictionError/tooLarge(file:size:need:budget:)`` where not even the smallest blocks fit.
  package func tiling(
    of size: Size, step: Int? = nil, overlap: Double = 0.125, pixelBytes: Int = 0, file: String
  ) throws -> Tiling {
    let unit = TiledResult.side
    func networkFits(_ tiling: Tiling) -> Bool {
      let side = Size(
        width: min(tiling.side, size.width), height: min(tiling.side, size.height))
      return memoryNeed(side) <= memoryBudget / 2
    }
    func fits(_ tiling: Tiling) -> Bool {
      let row = size.width.multipliedReportingOverflow(
        by: min(tiling.step + tiling.overlap, size.height) * pixelBytes)
      return !row.overflow && row.partialValue <= memoryBudget / 2 && networkFits(tiling)
    }
    func tiling(_ step: Int) -> Tiling { Tiling(step: step, overlap: overlap, alignment: stride) }
    if let step { return tiling((max(step, 1) + unit - 1) / unit * unit) }
    let whole = tiling((max(size.width, size.height) + unit - 1) / unit * unit)
    if whole.step <= 4096, fits(whole) { return whole }
    for step in Swift.stride(from: 8 * unit, through: unit, by: -unit) where fits(tiling(step)) {
      return tiling(step)
    }
    // Where it is the row that does not fit, the one who holds it says so.
    if networkFits(tiling(unit)) { return tiling(unit) }
    throw PredictionError.tooLarge(
      file: file, size: Size(width: unit, height: unit),
      need: memoryNeed(Size(width: unit, height: unit)), budget: memoryBudget / 2)
  }
}
