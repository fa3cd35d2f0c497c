import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Imaging

/// Segments image files: while the network runs, the next is decoded and what was found in the one before
/// is written.
public struct PredictionRun: Sendable {
  /// What was found in an image.
  public struct Finding: Sendable {
    /// The image file.
    public let file: String
    /// The size of the image, which the label file has too.
    public let size: Size
    /// The classes that occur, the largest first.
    public let areas: [PredictionSummary.Area]
    /// What the network found; nil for an image that was segmented block by block.
    public let prediction: Prediction?
    /// The files written.
    public let written: [String]
    /// What an image took that was segmented block by block.
    public var timing: LargeImage.Timing?

    /// The share of each class that occurs, the largest first.
    public var shares: [(name: String, share: Double)] { areas.map { ($0.name, $0.share) } }
    /// The pixels in which something was measured.
    let measured: Int

    /// The finding as a summary tells it.
    var entry: PredictionSummary.Entry {
      .init(
        file: file.fileName, width: size.width, height: size.height, pixels: measured,
        classes: areas)
    }
  }

  /// How a run goes about its images.
  public struct Options: Sendable {
    /// A label file, the folder with label files of the images' names, or a `FileSelection`'s pattern.
    public var truth: String?
    /// What is done with the classes that were found.
    public var refinement = MaskRefinement()
    /// How images are segmented that have a place on earth or do not fit into memory.
    public var large = LargeImage.Options()
    /// The part of a folder's images that is segmented; nil for all.
    public var shard: Shard?
    /// Whether images of a folder are skipped whose files are whole, and large ones gone on with.
    public var resumes = false

    /// The usual options.
    public init() {}
  }

  /// An image with its truth, decoded.
  private struct Input: Sendable {
    let file: String
    let image: Image
    let truth: ClassMask?
  }

  private let ensemble: Ensemble
  private let files: PredictionFiles
  private let options: Options
  private var session: InferenceSession { ensemble.first }
  private var page: Int { session.bandPlan?.page ?? 1 }
  private var wanted: InferenceSession.Wanted { files.wanted.union(options.refinement.wanted) }

  /// A run with networks, whose results `files` writes.
  ///
  /// - Throws: `ScoringError.setting` for what cannot be together.
  public init(_ ensemble: Ensemble, _ files: PredictionFiles, _ options: Options = Options()) throws
  {
    (self.ensemble, self.files) = (ensemble, files)
    var options = options
    options.large.probabilities = files.probabilities
    options.large.confidence = files.confidence
    options.large.writesUncertainty = files.uncertainty
    options.large.resumes = options.resumes
    options.large.refinement = options.refinement
    if options.shard != nil, files.polygons?.hasFileForAll == true {
      throw ScoringError.setting(
        name: "the form of polygons", value: "one file for all images",
        expected:
          "geojson or labelme where a folder is dealt into parts, which would write one each")
    }
    self.options = options
  }

  /// Why an image can not be segmented block by block as it is asked for; nil if it can.
  private var wholeOnly: String? {
    if ensemble.sessions.count > 1 { return "several networks" }
    if !session.mode.isPlain { return "--scales, --flip or --window" }
    if options.refinement.minimumArea > 1, files.polygons == nil { return "--minimum-area" }
    return nil
  }

  /// Why a network that sees images resized does not see them block by block, and what does.
  private var seenSizeReason: String {
    let key =
      switch session.seenSize {
      case .shortSide: "shortSide"
      case .exact, .near, nil: "imageSize"
      }
    return "its network sees images resized to \(session.seenSize?.text ?? "one size"); expected"
      + " no --block, or --set evaluate.\(key)=null for blocks of images as they are"
  }

  /// Whether an image is segmented block by block.
  ///
  /// One is that has a place on earth, does not fit into memory with what is asked for, or for which that is asked.
  /// Networks that see images resized see them whole, and an image that has a place but fits is seen whole where
  /// something is asked for that blocks do not give.
  /// - Throws: `ImageError`; ``UnsupportedPrediction`` for an image that cannot be seen whole as it is asked for.
  private func isLarge(_ file: String) throws -> Bool {
    let reason = wholeOnly
    if options.large.step != nil, reason != nil || session.seenSize != nil {
      throw UnsupportedPrediction(
        file: file, what: "--block",
        reason: reason.map { "block by block there are no \($0)" } ?? seenSizeReason)
    }
    if session.seenSize != nil { return false }
    if options.large.step != nil || (reason == nil && files.probabilities == .tiff) { return true }
    // How sure the network is of an image that fits is seen in its full size.
    let isWhole = reason != nil || wanted != []
    if !isWhole, try GeoReference.of(file, page: page) != nil { return true }
    guard RasterFile.isReadByWindows(file) else { return false }
    let raster = try RasterFile(file, page: page)
    guard session.bandPlan != nil || raster.isPicture else { return false }
    let pixels = raster.size.width.multipliedReportingOverflow(by: raster.size.height)
    // Of probabilities the predictor holds a half of the budget at most.
    let each =
      8 * (session.bandPlan?.bands.count ?? 3)
      + (wanted.contains(.probabilities) ? 8 * session.labelMap.count : 0)
    let bytes = pixels.partialValue.multipliedReportingOverflow(by: each)
    // may fail: what the network cannot hold at once is seen in blocks.
    let fits =
      !pixels.overflow && !bytes.overflow && bytes.partialValue <= session.memoryBudget
      && (try? session.admit(raster.size, file: file)) != nil
    guard !fits else { return false }
    if let reason {
      throw UnsupportedPrediction(
        file: file, what: reason,
        reason:
          "it needs more than the memory budget at once, so that it is segmented block by block; expected"
          + " a larger --memory-budget, or --tiles")
    }
    return true
  }

  /// Segments an image block by block.
  private func predictLarge(
    _ file: String, _ note: (String) -> Void, _ progress: (Int, Int) -> Void
  ) throws -> Finding {
    if files.panel || options.truth != nil {
      note("\(file): panels are not made of images that are segmented block by block")
    }
    let image = try LargeImage(file, session, options.large)
    let result = try image.predict(
      to: files.stem(of: file), opacity: files.opacity, progress: progress)
    let ground = try groundArea(file, image.size)
    return Finding(
      file: file, size: image.size,
      areas: areas(
        result.counts, measured: result.measured, ground: ground,
        confidences: result.confidences),
      prediction: nil, written: result.written + (try outlines(file, image.size, note)),
      timing: result.timing, measured: result.measured)
  }

  /// The outlines of an image whose labels are written, traced in these.
  private func outlines(
    _ file: String, _ size: Size, _ note: (String) -> Void
  ) throws -> [String] {
    guard let polygons = files.polygons else { return [] }
    // A label, its class and what tracing keeps of a pixel.
    guard size.width * size.height <= session.memoryBudget / 16 else {
      note(
        "\(file): outlines are not made of \(size.width)×\(size.height) pixels, which need more memory"
      )
      return []
    }
    let stem = "\(files.stem(of: file))_labels"
    let labels = try LabelImage(
      contentsOf: FileSystem.exists("\(stem).tif") ? "\(stem).tif" : "\(stem).png",
      budget: session.memoryBudget)
    let mask = ClassMask(
      width: labels.width, height: labels.height,
      classes: labels.values.map { UInt8(clamping: $0) })
    return try polygons.add(
      mask, of: file, place: GeoReference.of(file, page: page), confidence: try confidence(of: file)
    )
  }

  /// The confidence that was written of an image; nil where none was.
  private func confidence(of file: String) throws -> [Float]? {
    guard let depth = files.confidence else { return nil }
    let stem = "\(files.stem(of: file))_confidence"
    let path = FileSystem.exists("\(stem).tif") ? "\(stem).tif" : "\(stem).png"
    guard FileSystem.exists(path) else { return nil }
    let most: Float = depth == .sixteen ? 65_535 : 255
    return try LabelImage(contentsOf: path, budget: session.memoryBudget).values
      .map { Float($0) / most }
  }

  /// Segments an image, or every image in a folder.
  ///
  /// In a folder a failure is told to `failed` and the rest goes on; files that are passed over, as
  /// Atrous wrote them or cannot read their kind, are told to `note`. Images that are segmented block by block
  /// come after the others of a folder; `progress` is told how many blocks of one are done. A summary of the
  /// folder is written at the end.
  /// - Returns: The files of the summary; none for a single image.
  /// - Throws: For a single image whatever fails; for a folder that it is missing or empty, and a summary that
  ///   cannot be written.
  @discardableResult
  public func run(
    _ path: String, note: (String) -> Void = { _ in },
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }, found: (Finding) -> Void,
    failed: (_ file: String, _ error: any Error) -> Void
  ) throws -> [String] {
    let decode = decoder
    guard FileSystem.isFolder(path) else {
      if let shard = options.shard {
        throw ScoringError.setting(
          name: "the part", value: "\(shard.index)/\(shard.count)",
          expected: "none for a single image; a folder is dealt into parts")
      }
      if try isLarge(path) {
        found(try predictLarge(path, note, progress))
      } else {
        let input = try decode(path)
        found(try write(input, predict(input)))
      }
      return []
    }
    let settings = self.settings
    let suffix = options.shard?.suffix ?? ""
    let journal = try PredictionJournal(
      "\(files.path)/\(PredictionSummary.stem)\(suffix).jsonl", in: files.path, settings: settings,
      isResumed: options.resumes)
    var entries: [PredictionSummary.Entry] = []
    var failures: [PredictionSummary.Failure] = []
    func failure(_ file: String, _ error: any Error) {
      failures.append(.init(file: file.fileName, reason: "\(error)"))
      failed(file, error)
    }
    func finish(_ finding: Finding) throws {
      try journal.append(finding.entry, image: finding.file, outputs: finding.written)
      entries.append(finding.entry)
      found(finding)
    }
    var images = try images(in: path, note)
    if let shard = options.shard {
      images.removeAll { !shard.holds($0.fileName) }
      if images.isEmpty { note("\(path): no image is for part \(shard.index) of \(shard.count)") }
    }
    if options.resumes {
      let all = images
      images = []
      for file in all {
        guard let entry = journal.entry(of: file) else { images.append(file); continue }
        entries.append(entry)
        if files.polygons?.hasFileForAll == true {
          let size = Size(width: entry.width, height: entry.height)
          do { _ = try outlines(file, size, note) } catch { failure(file, error) }
        }
      }
      if !entries.isEmpty { note("\(path): \(entries.count) images are whole already") }
    }
    // What cannot be opened is told of where it is read.
    let all = images.map { file in (file, Result { try isLarge(file) }) }
    let names = all.filter { (try? $0.1.get()) != true }.map(\.0)
    let refused = Dictionary(
      uniqueKeysWithValues: all.compactMap { file, isLarge in
        if case .failure(let error as UnsupportedPrediction) = isLarge {
          (file, error)
        } else {
          nil
        }
      })
    let inputs = Prefetch(count: names.count, depth: 1) { index in
      if let error = refused[names[index]] { throw error }
      return try decode(names[index])
    }
    let predictions = Prefetch(count: names.count, depth: 1) { _ in
      try inputs.next().map { next in
        let input = try next.get()
        return (input, try predict(input))
      }
    }
    var index = 0
    while let next = predictions.next() {
      do {
        if let (input, prediction) = try next.get() { try finish(write(input, prediction)) }
      } catch {
        failure(names[index], error)
      }
      index += 1
    }
    for (file, isLarge) in all where (try? isLarge.get()) == true {
      do { try finish(predictLarge(file, note, progress)) } catch { failure(file, error) }
    }
    return try PredictionSummary(
      networks: ensemble.sessions.map(\.file), settings: settings, shard: options.shard,
      images: entries, failed: failures
    ).write(to: files.path)
  }

  /// A number that differs for other networks and other settings.
  private var settings: String {
    let text = [
      ensemble.settings, files.description, options.refinement.description, options.truth ?? "",
      "\(options.large.step ?? 0) \(options.large.overlap)",
    ].joined(separator: "\n")
    return Fingerprint.text(Array(text.utf8))
  }

  private func predict(_ input: Input) throws -> Prediction {
    let prediction = try ensemble.predict(input.image, file: input.file, wanted: wanted)
    return options.refinement(prediction, session.labelMap)
  }

  private func write(_ input: Input, _ prediction: Prediction) throws -> Finding {
    let place = try GeoReference.of(input.file, page: page)
    let written = try files.write(
      prediction, of: input.file, input.image, truth: input.truth, place: place)
    var sums = [Double](repeating: 0, count: 256)
    if files.confidence != nil, let confidence = prediction.confidence {
      for (label, value) in zip(prediction.mask.classes, confidence) {
        sums[Int(label)] += Double(value)
      }
    }
    return Finding(
      file: input.file, size: input.image.size,
      areas: areas(
        prediction.counts, measured: prediction.measured,
        ground: try place.flatMap { try groundArea(input.file, input.image.size, $0) },
        confidences: files.confidence == nil ? nil : sums),
      prediction: prediction, written: written, measured: prediction.measured)
  }

  /// The area of a pixel on the ground in square metres, at the image's centre; nil where nothing tells it.
  private func groundArea(_ file: String, _ size: Size, _ place: GeoReference? = nil) throws
    -> Double?
  {
    guard let place = try place ?? GeoReference.of(file, page: page) else { return nil }
    // A system that PROJ does not know has labels all the same.
    return try? place.groundArea(
      column: Double(size.width) / 2 - 0.5, row: Double(size.height) / 2 - 0.5)
  }

  /// The classes that occur, the largest first.
  private func areas(
    _ counts: [Int], measured: Int, ground: Double?, confidences: [Double]? = nil
  ) -> [PredictionSummary.Area] {
    let map = session.labelMap
    return counts.indices.filter { counts[$0] > 0 && $0 < map.count }
      .sorted { (counts[$0], $1) > (counts[$1], $0) }
      .map { index in
        PredictionSummary.Area(
          name: map.classes[index].name, pixels: counts[index],
          share: Double(counts[index]) / Double(max(1, measured)),
          confidence: confidences.map { $0[index] / Double(counts[index]) },
          squareMetres: ground.map { $0 * Double(counts[index]) })
      }
  }

  /// Reads files on any thread.
  private var decoder: @Sendable (String) throws -> Input {
    let truth = options.truth
    let labels = truth.flatMap { truth in
      FileSystem.isFolder(truth) || truth.contains("*")
        ? Result { try FileSelection(truth).files() } : nil
    }
    return { [ensemble, session] file in
      let image = try ensemble.image(file)
      guard let truth else { return Input(file: file, image: image, truth: nil) }
      guard let label = try labels.map({ try $0.get()[file.fileStem] }) ?? truth else {
        throw DatasetError.missingPartner(
          file: file,
          expected: truth.contains("*")
            ? "a label of its name among \(truth)" : "a label \(truth)/\(file.fileStem).png")
      }
      return Input(
        file: file, image: image,
        truth: try session.labels.mask(label, image: file, image.size))
    }
  }

  private func images(in folder: String, _ note: (String) -> Void) throws -> [String] {
    let files = try imageFiles(
      folder,
      extensions: session.bandPlan == nil ? FileSelection.pictures : FileSelection.rasters,
      note: note)
    // What is written is named after the image, so that two of one name would share a file.
    var stems: [String: String] = [:]
    for file in files {
      let stem = file.fileStem
      if let other = stems.updateValue(file, forKey: stem) {
        throw DatasetError.ambiguousPartner(
          name: "\(folder)/\(stem)", files: [other, file])
      }
    }
    return files
  }
}
