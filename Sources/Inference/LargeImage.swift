import Datasets
import Evaluation
import Files
import Foundation
import Imaging

/// Segments one image block by block, however large it is, and writes what is found as it comes: GeoTIFFs that
/// lie on the image, and a small picture.
///
/// Memory does not grow with the image. A run that was stopped goes on where it was and ends with the same
/// bytes: what a block becomes depends on the image, the network and the tiling alone.
public struct LargeImage {
  /// How an image is cut and what is written.
  public struct Options: Sendable {
    /// The side of blocks, a multiple of 256; nil for what the memory budget allows.
    public var step: Int?
    /// The share of a block's side over which neighbours are blended; half of it is seen beyond that.
    public var overlap = 0.125
    /// How the probability of each class is written; nil for not.
    public var probabilities: PredictionFiles.ProbabilityForm?
    /// The bits of the probability of each pixel's class; nil for not written.
    public var confidence: PredictionFiles.ConfidenceDepth?
    /// Whether it is written and drawn how unsure the network is at each pixel.
    public var writesUncertainty = false
    /// Whether a run that was stopped goes on.
    public var resumes = false
    /// What is done with classes; small regions, which cross blocks, stay.
    public var refinement = MaskRefinement()

    /// The usual options.
    public init() {}

    /// What is computed beside the classes.
    var wanted: BlendedPrediction.Wanted {
      var wanted: BlendedPrediction.Wanted = []
      switch probabilities {
      case .tiff: wanted.insert(.shares)
      case .npy: wanted.insert(.halves)
      case .tiff16, .png: wanted.insert(.words)
      case nil: break
      }
      switch confidence {
      case .eight: wanted.insert(.confidence)
      case .sixteen: wanted.insert(.fineConfidence)
      case nil: break
      }
      if writesUncertainty { wanted.insert(.uncertainty) }
      return wanted
    }
  }

  /// What a prediction took, in seconds.
  public struct Timing: Sendable {
    /// All of it.
    public var whole = 0.0
    /// The network and the blending, and the time that they waited for pixels.
    public var network = 0.0, waiting = 0.0
    /// Packing and writing tiles while the network waits, and making files of them at the end.
    public var writing = 0.0, finishing = 0.0

    /// The seconds in a line.
    public var text: String {
      func seconds(_ value: Double) -> String { String(format: "%.1f s", value) }
      return
        "\(seconds(whole)): network \(seconds(network)), waiting for pixels \(seconds(waiting)),"
        + " writing \(seconds(writing)), finishing files \(seconds(finishing))"
    }
  }

  /// What was found in an image.
  public struct Result: Sendable {
    /// The share of each class that occurs, the largest first.
    public let shares: [(name: String, share: Double)]
    /// The pixels of each class.
    public let counts: [Int]
    /// The pixels in which something was measured, of which ``shares`` are shares.
    public let measured: Int
    /// The sums of the confidences of each class's pixels, where they are written.
    public let confidences: [Double]?
    /// The files written.
    public let written: [String]
    /// What it took.
    public let timing: Timing
  }

  private let session: InferenceSession
  private let file: RasterFile
  private let options: Options
  private let tiling: Tiling

  /// Opens an image for a session's network.
  ///
  /// - Throws: `ImageError`; `PredictionError.tooLarge` where not even the smallest blocks fit into memory.
  public init(_ path: String, _ session: InferenceSession, _ options: Options) throws {
    (self.session, self.options) = (session, options)
    // World files speak of pixels as they are stored.
    let isPlaced = try GeoReference.of(path, page: session.bandPlan?.page ?? 1) != nil
    file = try RasterFile(
      path, page: session.bandPlan?.page ?? 1, budget: session.memoryBudget,
      orientation: isPlaced ? .stored : session.orientation, cacheBytes: session.memoryBudget / 4)
    let size = file.size
    // A row of blocks is held whole.
    let bytes = options.wanted.bytes(classes: session.labelMap.count)
    tiling = try session.exclusively {
      try $0.tiling(
        of: size, step: options.step, overlap: options.overlap, pixelBytes: bytes, file: path)
    }
    let row = size.width.multipliedReportingOverflow(by: (tiling.step + tiling.overlap) * bytes)
    guard !row.overflow, row.partialValue <= session.memoryBudget else {
      throw PredictionError.tooLarge(
        file: path, size: Size(width: size.width, height: tiling.step),
        need: row.overflow ? .max : row.partialValue, budget: session.memoryBudget)
    }
  }

  /// The image's size.
  public var size: Size { file.size }
  /// The blocks that the image is cut into.
  public var blocks: Int {
    tiling.blocks(size.width).count * tiling.blocks(size.height).count
  }

  /// Predicts the image and writes `STEM_labels.tif`, `STEM_overlay.png` and, if asked for,
  /// `STEM_probabilities.tif` or `.npy` or `STEM_probability_K-CLASS.png` of each class, `STEM_confidence.tif`, and
  /// `STEM_uncertainty.tif` with a picture of it.
  ///
  /// - Parameters:
  ///   - stem: What the files' names begin with.
  ///   - opacity: How much the overlay's colours cover, 0 to 1.
  ///   - progress: Is told how many blocks of how many are done.
  /// - Throws: `ImageError`, `PredictionError`, `TorchError`, `WriteError`.
  public func predict(
    to stem: String, opacity: Double, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> Result {
    let clock = ContinuousClock()
    let start = clock.now
    var timing = Timing()
    let results = try Results(stem, file, session, tiling, options)
    let map = session.labelMap
    try session.exclusively { predictor in
      let blended = BlendedPrediction(
        predictor, size, tiling, wanted: options.wanted)
      blended.choosing = options.refinement.choosing(predictor.temperature)
      let done = try results.begin()
      guard done < blended.count else { return }
      // What the row above says of its overlap is not kept on the disk, but computed again.
      let first = max(0, done - 1)
      let across = blended.blocksPerRow
      let read = reader()
      let images = Prefetch(count: (blended.count - first) * across, depth: 1) {
        [tiling, size] index in
        try read(tiling.window(row: first + index / across, column: index % across, of: size))
      }
      for row in first..<blended.count {
        var shown = ReducedRow(size, rows: tiling.blocks(size.height)[row])
        var band = try blended.band(
          row, isKept: row >= done,
          image: { column in
            let before = clock.now
            guard let next = images.next() else { throw CancellationError() }
            let image = try next.get()
            timing.waiting += (clock.now - before) / .seconds(1)
            progress(row * blended.blocksPerRow + column, blocks)
            return image
          },
          shown: { shown.add($1, $2, columns: tiling.blocks(size.width)[$0]) })
        let before = clock.now
        if row >= done {
          let measured = band.classes.count { $0 != LabelMap.ignored }
          options.refinement.keepAsked(&band.classes)
          try results.append(band, shown, measured: measured)
        }
        timing.writing += (clock.now - before) / .seconds(1)
      }
      progress(blocks, blocks)
    }
    let before = clock.now
    let finished = try results.finish(map, opacity: opacity)
    timing.finishing = (clock.now - before) / .seconds(1)
    timing.whole = (clock.now - start) / .seconds(1)
    timing.network = timing.whole - timing.waiting - timing.writing - timing.finishing
    return Result(
      shares: finished.shares, counts: finished.counts, measured: finished.measured,
      confidences: finished.confidences, written: finished.written, timing: timing)
  }

  /// Reads windows on any thread.
  private func reader() -> @Sendable (PixelWindow) throws -> (image: Image, missing: [Bool]?) {
    { [file, plan = session.bandPlan] window in
      let image = try file.image(window, plan: plan)
      return (image, try file.missing(window, in: image))
    }
  }
}

extension LargeImage {
  /// The files of a result, and what waits for them.
  private final class Results {
    private let labels: TiledResult
    private let probabilities, confidence, uncertainty: TiledResult?
    private let array: NumPyPlanes?
    private let pictures: PNGPlanes?
    private let picturePaths: [String]
    /// What confidence is in steps of.
    private let steps: Int
    /// For each row of blocks the pixels of each class, the sums of their confidences, and the reduced picture with
    /// its classes and how unsure the network is there.
    private let rows: TileSpool
    private let size: Size, tiling: Tiling
    private let stem: String
    /// Whether pixels of classes that are not asked for are left clear in the overlay.
    private let clearsOthers: Bool

    init(
      _ stem: String, _ file: RasterFile, _ session: InferenceSession, _ tiling: Tiling,
      _ options: Options
    ) throws {
      (self.stem, size, self.tiling) = (stem, file.size, tiling)
      clearsOthers = options.refinement.classes != nil
      let subject = [
        file.path, FileSystem.stamp(file.path), "\(tiling)", session.subject,
        options.refinement.description,
      ].joined(separator: "\n")
      func shares(_ name: String, bands: Int = 1, bits: Int?) throws -> TiledResult? {
        guard let bits else { return nil }
        return try TiledResult(
          "\(stem)_\(name).tif", size: file.size, content: .shares(bands: bands, bits: bits),
          place: file.place, subject: subject, isResumed: options.resumes)
      }
      labels = try TiledResult(
        "\(stem)_labels.tif", size: file.size,
        content: .labels(palette: session.labelMap.palette, missing: LabelMap.ignored),
        place: file.place, subject: subject, isResumed: options.resumes)
      let form = options.probabilities
      probabilities = try shares(
        "probabilities", bands: session.labelMap.count,
        bits: form == .tiff ? 8 : form == .tiff16 ? 16 : nil)
      confidence = try shares("confidence", bits: options.confidence?.rawValue)
      uncertainty = try shares("uncertainty", bits: options.writesUncertainty ? 8 : nil)
      steps = options.confidence == .sixteen ? 65_535 : 255
      array =
        form != .npy
        ? nil
        : try NumPyPlanes(
          "\(stem)_probabilities.npy", planes: session.labelMap.count, size: file.size,
          subject: subject, isResumed: options.resumes)
      picturePaths =
        form != .png ? [] : PredictionFiles.classPictures(stem, session.labelMap)
      pictures =
        form != .png
        ? nil
        : try PNGPlanes(
          picturePaths, part: "\(stem)_probabilities.png.part", size: file.size, subject: subject,
          isResumed: options.resumes)
      // What a block of it holds depends on what is asked for.
      rows = try TileSpool(
        "\(stem)_overlay.part", subject: "\(subject)\n\(options.wanted.rawValue)",
        isResumed: options.resumes)
    }

    /// The files of shares that are written.
    private var others: [TiledResult] {
      [probabilities, confidence, uncertainty].compactMap { $0 }
    }

    /// The rows of blocks that all files have; what some have beyond is let go.
    func begin() throws -> Int {
      let blocks = tiling.blocks(size.height)
      func tiles(_ rows: Int) -> Int {
        rows == 0 ? 0 : (blocks[rows - 1].upperBound + TiledResult.side - 1) / TiledResult.side
      }
      let finished =
        (others.map(\.finishedRows)
        + [array?.finishedRows, pictures?.finishedRows].compactMap { $0 })
        .reduce(labels.finishedRows, min)
      var done = min(rows.count, blocks.count)
      while done > 0, tiles(done) > finished { done -= 1 }
      try labels.keep(rows: tiles(done))
      for other in others { try other.keep(rows: tiles(done)) }
      try array?.keep(rows: tiles(done))
      try pictures?.keep(rows: tiles(done))
      try rows.keep(done)
      return done
    }

    /// The numbers of a row of blocks: the pixels of each class, the sums of their confidences in steps, and the pixels
    /// in which something was measured.
    private static let numbers = 513

    func append(
      _ band: BlendedPrediction.Band, _ shown: ReducedRow, measured: Int
    ) throws {
      func append(_ pixels: [UInt8], _ bands: Int, to result: TiledResult) throws {
        let tile = TiledResult.side * size.width * bands
        for start in stride(from: 0, to: pixels.count, by: tile) {
          try result.append(Array(pixels[start..<min(start + tile, pixels.count)]))
        }
      }
      try append(band.classes, 1, to: labels)
      if let probabilities, let shares = band.shares {
        try append(shares, shares.count / max(1, band.classes.count), to: probabilities)
      }
      if let planes = band.planes { try appendPlanes(planes, rows: band.rows.count) }
      if let confidence, let values = band.confidence {
        if steps == 255 {
          try append(values.map { UInt8(truncatingIfNeeded: $0) }, 1, to: confidence)
        } else {
          let tile = TiledResult.side * size.width
          for start in stride(from: 0, to: values.count, by: tile) {
            try confidence.append(Array(values[start..<min(start + tile, values.count)]))
          }
        }
      }
      if let uncertainty, let values = band.uncertainty { try append(values, 1, to: uncertainty) }
      var numbers = [Int](repeating: 0, count: Self.numbers)
      numbers[512] = measured
      band.classes.withUnsafeBufferPointer { for value in $0 { numbers[Int(value)] += 1 } }
      if let values = band.confidence {
        for (label, value) in zip(band.classes, values) { numbers[256 + Int(label)] += Int(value) }
      }
      let bytes = numbers.flatMap { number in
        (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
      }
      try rows.append(bytes + shown.bytes(band.classes, band.uncertainty))
    }

    /// Appends probabilities of 16 bits, (classes, rows, width), to the file that there is for them.
    private func appendPlanes(_ planes: [UInt16], rows: Int) throws {
      let pixels = rows * size.width
      let classes = planes.count / max(1, pixels)
      for first in stride(from: 0, to: rows, by: TiledResult.side) {
        let count = min(TiledResult.side, rows - first)
        func plane(_ index: Int) -> ArraySlice<UInt16> {
          let start = index * pixels + first * size.width
          return planes[start..<start + count * size.width]
        }
        try array?.append(rows: count, plane)
        try pictures?.append(rows: count, plane)
        guard let probabilities else { continue }
        try probabilities.append(PredictionFiles.interleaved((0..<classes).map(plane)))
      }
    }

    func finish(_ map: LabelMap, opacity: Double) throws -> (
      shares: [(name: String, share: Double)], counts: [Int], measured: Int,
      confidences: [Double]?, written: [String]
    ) {
      var numbers = [Int](repeating: 0, count: Self.numbers)
      var (pixels, classes, unsure) = ([UInt8](), [UInt8](), [UInt8]())
      for index in 0..<rows.count {
        let block = try rows.block(index)
        for place in numbers.indices {
          numbers[place] += (0..<8).reduce(0) { $0 | Int(block[8 * place + $1]) << (8 * $1) }
        }
        let start = 8 * numbers.count
        let count = (block.count - start) / (uncertainty == nil ? 4 : 5)
        pixels += block[start..<start + 3 * count]
        classes += block[(start + 3 * count)..<(start + 4 * count)]
        unsure += block[(start + 4 * count)...]
      }
      let counts = Array(numbers[..<256])
      let measured = numbers[512], total = max(1, measured)
      let shares = map.classes.indices.filter { counts[$0] > 0 }
        .map { (name: map.classes[$0].name, share: Double(counts[$0]) / Double(total)) }
        .sorted { $0.share > $1.share }
      let reduced = ReducedRow.reduced(size)
      let overlay = Image(width: reduced.width, height: reduced.height, pixels: pixels)
        .overlaid(
          classes: classes, palette: clearsOthers ? map.colors : map.palette, opacity: opacity,
          clear: map.background)
      try labels.finish()
      for other in others { try other.finish() }
      try array?.finish()
      try pictures?.finish()
      var written = [labels.path, "\(stem)_overlay.png"] + others.map(\.path)
      written += [array?.path].compactMap { $0 } + picturePaths
      if uncertainty != nil {
        written.append(
          try PredictionFiles.heatMap(
            unsure.map { Float($0) / 255 }, "\(stem)_uncertainty.png",
            Image(width: reduced.width, height: reduced.height, pixels: pixels), "Uncertainty",
            "entropy / ln \(map.count)"))
      }
      try overlay.withLegend(
        PredictionFiles.legend(
          shares.map(\.name), map, hasMissing: measured < size.width * size.height)
      )
      .write(to: "\(stem)_overlay.png", isOutput: true)
      rows.remove()
      return (
        shares, Array(counts.prefix(map.count)), measured,
        confidence.map { _ in numbers[256..<256 + map.count].map { Double($0) / Double(steps) } },
        written
      )
    }
  }

  /// A row of blocks as a picture of at most 2,048 pixels a side shows it: every so many pixels one.
  private struct ReducedRow {
    private let rows: [Int], first: Int
    private let columns: [Int]
    private let width: Int
    private var pixels: [UInt8]

    private static func factor(_ size: Size) -> Int {
      max(1, (max(size.width, size.height) + 2047) / 2048)
    }

    /// The size of the whole picture.
    static func reduced(_ size: Size) -> Size {
      let factor = factor(size)
      return Size(
        width: (size.width + factor - 1) / factor, height: (size.height + factor - 1) / factor)
    }

    init(_ size: Size, rows span: Range<Int>) {
      let factor = Self.factor(size)
      rows = span.filter { $0 % factor == 0 }
      columns = Array(stride(from: 0, to: size.width, by: factor))
      (first, width) = (span.lowerBound, size.width)
      pixels = [UInt8](repeating: 0, count: rows.count * columns.count * 3)
    }

    /// Takes the pixels of a block's columns from what its window saw.
    mutating func add(_ image: Image, _ window: PixelWindow, columns span: Range<Int>) {
      for (i, y) in rows.enumerated() {
        for (j, x) in columns.enumerated() where span.contains(x) {
          let from = ((y - window.y) * image.width + x - window.x) * 3
          let to = (i * columns.count + j) * 3
          for channel in 0..<3 { pixels[to + channel] = image.pixels[from + channel] }
        }
      }
    }

    /// The picture's pixels, and the classes of the same pixels, and how unsure the network is there.
    func bytes(_ classes: [UInt8], _ uncertainty: [UInt8]?) -> [UInt8] {
      func reduced(_ values: [UInt8]) -> [UInt8] {
        rows.flatMap { y in columns.map { values[(y - first) * width + $0] } }
      }
      return pixels + reduced(classes) + (uncertainty.map(reduced) ?? [])
    }
  }
}
