import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

/// Segments image files with a checkpoint and writes what it found.
public struct Segmenter {
  /// What is made of an image besides its labels.
  public struct Options: Sendable {
    /// How much the overlay's colours cover, 0 to 1.
    public var opacity = 0.5
    /// Whether image, truth, prediction and overlay go side by side into one picture.
    public var panel = false
    /// A label file, the folder with label files of the images' names, or a `FileSelection`'s pattern.
    public var truth: String?
    /// The memory that an image may take, in bytes.
    public var memoryBudget = MemoryBudget.standard
    /// Whether an image that needs more is cut into tiles.
    public var tiles = false
    /// What images are extended by; nil for what the checkpoint's configuration says.
    public var padding: Padding?
    /// The form in which the network runs.
    public var form = InferenceForm()
    /// How ranges for int8 are found where the form has none.
    public var calibration = Calibration()
    /// Whether a GPU gets the work for sizes that come again as a whole; see `RecordedFunction`.
    public var graphs = false

    /// The usual options.
    public init() {}
  }

  /// What was found in an image.
  public struct Finding: Sendable {
    /// The image file.
    public let file: String
    /// The size of the image, which the label file has too.
    public let size: Size
    /// The share of each class that occurs, the largest first.
    public let shares: [(name: String, share: Double)]
    /// The files written.
    public let written: [String]
  }

  private let labelMap: LabelMap
  private let labelColors: [Color: UInt16]?
  private let orientation: ImageOrientation
  private let predictor: Predictor
  private let options: Options
  private let output: String

  /// A segmenter with a checkpoint's network; files go to the folder `output`, which is made.
  ///
  /// - Throws: ``CheckpointError``, `ConfigurationError`, `UnsupportedPrecision`, ``CalibrationError``,
  ///   ``RunError/notWritable(folder:reason:)``.
  public init(
    _ checkpoint: String, output: String, options: Options = Options(), overrides: [String] = [],
    device: Device = .cpu
  ) throws {
    let checkpoint = try Checkpoint(checkpoint)
    labelMap = try checkpoint.labelMap(overrides: overrides)
    labelColors = checkpoint.labelColors(overrides: overrides)
    orientation = try checkpoint.orientation(overrides: overrides)
    Engine.setFlushDenormal(true)
    let model = try checkpoint.model(overrides: overrides)
    model.move(to: device)
    let form = try options.calibration.completed(
      options.form, for: model, of: checkpoint, overrides: overrides, device: device)
    let precision = try form.apply(to: model, on: device)
    predictor = Predictor(
      model, normalization: try checkpoint.normalization(), device: device, precision: precision,
      memoryBudget: options.memoryBudget, oversize: options.tiles ? .tile : .refuse,
      mode: InferenceMode(
        padding: try options.padding ?? checkpoint.padding(overrides: overrides)),
      graphs: options.graphs)
    self.options = options
    self.output = output
    try RunFolder(path: output).make()
  }

  /// Segments an image, or every image in a folder; while the network runs the next is decoded and
  /// what was found in the one before is written.
  ///
  /// In a folder a failure is told to `failed` and the rest goes on; files that are passed over, as
  /// Atrous wrote them or cannot read their kind, are told to `note`.
  /// - Throws: For a single image whatever fails; for a folder that it is missing or empty.
  public func run(
    _ path: String, note: (String) -> Void = { _ in }, found: (Finding) -> Void,
    failed: (_ file: String, _ error: any Error) -> Void
  ) throws {
    guard FileSystem.isFolder(path) else { return found(try write(predict(decode(path)))) }
    let files = try images(in: path, note)
    let inputs = Ahead(count: files.count, depth: 1) { [decode = decoder] in try decode(files[$0]) }
    // Only that thread uses the network.
    nonisolated(unsafe) let segmenter = self
    let predictions = Ahead(count: files.count, depth: 1) { _ in
      try inputs.next().map { try segmenter.predict($0.get()) }
    }
    var index = 0
    while let next = predictions.next() {
      do {
        if let prediction = try next.get() { found(try write(prediction)) }
      } catch {
        failed(files[index], error)
      }
      index += 1
    }
  }

  // MARK: Reading

  /// An image with its truth, decoded.
  private struct Input: Sendable {
    let file: String
    let image: Image
    let truth: ClassMask?
  }

  private func decode(_ file: String) throws -> Input {
    // By its header, before memory for its pixels is taken.
    try predictor.check(ImageInfo(contentsOf: file, orientation: orientation).size, file: file)
    return try decoder(file)
  }

  /// Reads files on any thread.
  private var decoder: @Sendable (String) throws -> Input {
    let (truth, map, budget) = (options.truth, labelMap, options.memoryBudget)
    let (orientation, colors) = (orientation, labelColors)
    let labels = truth.flatMap { truth in
      FileSystem.isFolder(truth) || truth.contains("*")
        ? Result { try FileSelection(truth).files() } : nil
    }
    return { file in
      let image = try Image(contentsOf: file, budget: budget, orientation: orientation)
      guard let truth else { return Input(file: file, image: image, truth: nil) }
      guard let label = try labels.map({ try $0.get()[file.fileStem] }) ?? truth else {
        throw DatasetError.missingPartner(
          file: file,
          expected: truth.contains("*")
            ? "a label of its name among \(truth)" : "a label \(truth)/\(file.fileStem).png")
      }
      let mask = try map.classes(
        of: LabelImage(contentsOf: label, colors: colors), file: label)
      try checkSizes(
        image: file, image.size, label: label, mask.size, orientation: orientation)
      return Input(file: file, image: image, truth: mask)
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

  // MARK: Predicting

  /// An image with what the network found in it.
  private struct Prediction: Sendable {
    let input: Input
    let mask: ClassMask
  }

  private func predict(_ input: Input) throws -> Prediction {
    try predictor.check(input.image.size, file: input.file)
    return Prediction(
      input: input, mask: try predictor.classes(of: input.image, file: input.file))
  }

  // MARK: Writing

  private func write(_ prediction: Prediction) throws -> Finding {
    let (input, mask) = (prediction.input, prediction.mask)
    let (image, file) = (input.image, input.file)
    let stem = "\(output)/\(file.fileStem)"
    let colors = labelMap.palette
    var written = ["\(stem)_labels.png", "\(stem)_overlay.png"]
    try LabelImage(
      width: mask.width, height: mask.height, values: mask.classes.map(UInt16.init)
    ).writePNG(to: written[0], palette: colors, isOutput: true)
    let shares = shares(mask)
    let legend = shares.compactMap { share -> LegendEntry? in
      guard let index = labelMap.classes.firstIndex(where: { $0.name == share.name }) else {
        return nil
      }
      return index == labelMap.background
        ? LegendEntry("\(share.name), left clear", Color(255, 255, 255))
        : LegendEntry(share.name, colors[index])
    }
    let overlay = image.overlaid(
      classes: mask.classes, palette: colors, opacity: options.opacity,
      clear: labelMap.background)
    try overlay.withLegend(legend).write(to: written[1], isOutput: true)
    if options.panel {
      var parts = [("image", image)]
      if let truth = input.truth {
        parts.append(("truth", Image(classes: truth.classes, size: truth.size, palette: colors)))
      }
      parts.append(("prediction", Image(classes: mask.classes, size: mask.size, palette: colors)))
      parts.append(("overlay", overlay))
      written.append("\(stem)_panel.png")
      try Image.panel(parts, legend: labelMap.legend).write(to: written[2], isOutput: true)
    }
    return Finding(file: file, size: image.size, shares: shares, written: written)
  }

  private func shares(_ mask: ClassMask) -> [(name: String, share: Double)] {
    var histogram = ClassHistogram(classes: labelMap.count)
    histogram.add(mask)
    return zip(labelMap.classes, histogram.shares)
      .filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }.map { ($0.0.name, $0.1) }
  }
}
