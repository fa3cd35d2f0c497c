import Datasets
import Evaluation
import Files
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
    /// The share of each class that occurs, the largest first.
    public let shares: [(name: String, share: Double)]
    /// What the network found; nil for an image that was segmented block by block.
    public let prediction: Prediction?
    /// The files written.
    public let written: [String]
    /// What an image took that was segmented block by block.
    public var timing: LargeImage.Timing?
  }

  /// An image with its truth, decoded.
  private struct Input: Sendable {
    let file: String
    let image: Image
    let truth: ClassMask?
  }

  private let session: InferenceSession
  private let files: PredictionFiles
  private let truth: String?
  private let large: LargeImage.Options

  /// A run with a session's network, whose results `files` writes.
  ///
  /// - Parameters:
  ///   - truth: A label file, the folder with label files of the images' names, or a `FileSelection`'s
  ///     pattern.
  ///   - large: How images are segmented that have a place on earth or do not fit into memory.
  public init(
    _ session: InferenceSession, _ files: PredictionFiles, truth: String? = nil,
    large: LargeImage.Options = .init()
  ) {
    (self.session, self.files, self.truth, self.large) = (session, files, truth, large)
  }

  /// Whether an image is segmented block by block.
  ///
  /// One is that has a place on earth, does not fit into memory, or for which that is asked. Networks that see images resized see them whole.
  ///
  /// - Throws: `ImageError`.
  private func isLarge(_ file: String) throws -> Bool {
    guard session.seenSize == nil else { return false }
    if large.step != nil || large.writesProbabilities { return true }
    let page = session.bandPlan?.page ?? 1
    if try GeoReference.of(file, page: page) != nil { return true }
    guard RasterFile.isReadByWindows(file) else { return false }
    let raster = try RasterFile(file, page: page)
    guard session.bandPlan != nil || raster.isPicture else { return false }
    let pixels = raster.size.width.multipliedReportingOverflow(by: raster.size.height)
    let bytes = pixels.partialValue.multipliedReportingOverflow(
      by: 8 * (session.bandPlan?.bands.count ?? 3))
    return pixels.overflow || bytes.overflow || bytes.partialValue > session.memoryBudget
  }

  /// Segments an image block by block.
  private func predictLarge(
    _ file: String, _ note: (String) -> Void, _ progress: (Int, Int) -> Void
  ) throws -> Finding {
    if files.panel || truth != nil {
      note("\(file): panels are not made of images that are segmented block by block")
    }
    let image = try LargeImage(file, session, large)
    let result = try image.predict(
      to: files.stem(of: file), opacity: files.opacity, progress: progress)
    return Finding(
      file: file, size: image.size, shares: result.shares, prediction: nil,
      written: result.written + (try outlines(file, image.size, note)), timing: result.timing)
  }

  /// The outlines of an image that was segmented block by block, traced in the labels that were written.
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
    let labels = try LabelImage(
      contentsOf: "\(files.stem(of: file))_labels.tif", budget: session.memoryBudget)
    let mask = ClassMask(
      width: labels.width, height: labels.height,
      classes: labels.values.map { UInt8(clamping: $0) })
    return try polygons.add(
      mask, of: file, place: GeoReference.of(file, page: session.bandPlan?.page ?? 1))
  }

  /// Segments an image, or every image in a folder.
  ///
  /// In a folder a failure is told to `failed` and the rest goes on; files that are passed over, as
  /// Atrous wrote them or cannot read their kind, are told to `note`. Images that are segmented block by block
  /// come after the others of a folder; `progress` is told how many blocks of one are done.
  /// - Throws: For a single image whatever fails; for a folder that it is missing or empty.
  public func run(
    _ path: String, note: (String) -> Void = { _ in },
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }, found: (Finding) -> Void,
    failed: (_ file: String, _ error: any Error) -> Void
  ) throws {
    let decode = decoder
    guard FileSystem.isFolder(path) else {
      if try isLarge(path) { return found(try predictLarge(path, note, progress)) }
      let input = try decode(path)
      return found(try write(input, predict(input)))
    }
    // What cannot be opened is told of where it is read.
    let all = try images(in: path, note).map { file in
      (file, (try? isLarge(file)) ?? false)  // may fail: told of then
    }
    let names = all.filter { !$0.1 }.map(\.0)
    let inputs = Prefetch(count: names.count, depth: 1) { try decode(names[$0]) }
    let predictions = Prefetch(count: names.count, depth: 1) { _ in
      try inputs.next().map { next in
        let input = try next.get()
        return (input, try predict(input))
      }
    }
    var index = 0
    while let next = predictions.next() {
      do {
        if let (input, prediction) = try next.get() { found(try write(input, prediction)) }
      } catch {
        failed(names[index], error)
      }
      index += 1
    }
    for (file, _) in all.filter(\.1) {
      do { found(try predictLarge(file, note, progress)) } catch { failed(file, error) }
    }
  }

  private func predict(_ input: Input) throws -> Prediction {
    try session.predict(input.image, file: input.file)
  }

  private func write(_ input: Input, _ prediction: Prediction) throws -> Finding {
    let written = try files.write(
      prediction, of: input.file, input.image, truth: input.truth,
      place: GeoReference.of(input.file, page: session.bandPlan?.page ?? 1))
    return Finding(
      file: input.file, size: input.image.size, shares: prediction.shares, prediction: prediction,
      written: written)
  }

  /// Reads files on any thread.
  private var decoder: @Sendable (String) throws -> Input {
    let labels = truth.flatMap { truth in
      FileSystem.isFolder(truth) || truth.contains("*")
        ? Result { try FileSelection(truth).files() } : nil
    }
    return { [session, truth] file in
      let image = try session.image(file)
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
