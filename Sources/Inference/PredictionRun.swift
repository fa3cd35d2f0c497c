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
    /// What the network found.
    public let prediction: Prediction
    /// The files written.
    public let written: [String]
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

  /// A run with a session's network, whose results `files` writes.
  ///
  /// - Parameter truth: A label file, the folder with label files of the images' names, or a
  ///   `FileSelection`'s pattern.
  public init(_ session: InferenceSession, _ files: PredictionFiles, truth: String? = nil) {
    (self.session, self.files, self.truth) = (session, files, truth)
  }

  /// Segments an image, or every image in a folder.
  ///
  /// In a folder a failure is told to `failed` and the rest goes on; files that are passed over, as
  /// Atrous wrote them or cannot read their kind, are told to `note`.
  /// - Throws: For a single image whatever fails; for a folder that it is missing or empty.
  public func run(
    _ path: String, note: (String) -> Void = { _ in }, found: (Finding) -> Void,
    failed: (_ file: String, _ error: any Error) -> Void
  ) throws {
    let decode = decoder
    guard FileSystem.isFolder(path) else {
      let input = try decode(path)
      return found(try write(input, predict(input)))
    }
    let names = try images(in: path, note)
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
  }

  private func predict(_ input: Input) throws -> Prediction {
    try session.predict(input.image, file: input.file)
  }

  private func write(_ input: Input, _ prediction: Prediction) throws -> Finding {
    let written = try files.write(prediction, of: input.file, input.image, truth: input.truth)
    return Finding(
      file: input.file, size: input.image.size, prediction: prediction, written: written)
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
    let files = try imageFiles(folder, note: note)
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
