import Configuration
import Datasets
import Evaluation
import Files
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// How a network is written for other programs.
package struct ONNXForm: Sendable {
  /// What the network takes.
  package enum Input: String, Sendable, CaseIterable {
    /// Normalized float32 numbers (N, C, H, W), as torchvision's networks do.
    case normalized
    /// Red, green and blue of 8 bits (N, H, W, 3); the network normalizes them itself.
    case rgb
  }

  /// What the network gives at the image's size.
  package enum Output: String, Sendable, CaseIterable {
    /// The scores of each class (N, classes, H, W).
    case logits
    /// The shares of each class (N, classes, H, W).
    case probabilities
    /// The best class of each pixel (N, H, W), in 8 bits.
    case labels
  }

  /// The images' size, a batch of one; nil for batches of any number and size.
  package var size: Size?
  package var input: Input
  package var output: Output
  package var opset: Int
  /// How ranges are found for products of whole numbers of eight bits; nil for a file of float32.
  package var calibration: Calibration?
  /// The most bytes of weights in the file itself; more of them go to a file beside it.
  package var mostInside = ONNXFile.mostInside

  /// A network for images of `size`, of any if nil, the version of whose operators is `opset`.
  package init(
    _ size: Size?, input: Input = .normalized, output: Output = .logits,
    opset: Int = ONNXFile.usualOpset
  ) {
    (self.size, self.input, self.output, self.opset) = (size, input, output, opset)
  }
}

extension TrainedNetwork {
  /// Writes the network as an ONNX file, and what it gives for an image of noise if that is wanted.
  ///
  /// - Parameters:
  ///   - path: The file to write.
  ///   - form: What the file's network takes and gives.
  ///   - example: A folder for `input_0.pb` and `output_0.pb`, in the form of ONNX's own test data: an image
  ///     of noise and what the network here gives for it; two small ones for a network for any size.
  ///   - check: Is called with the path of the whole file before it takes its name; what it throws keeps the
  ///     file from being there.
  /// - Returns: What was written, for a summary.
  /// - Throws: ``ONNXComparison/Failure`` for a file whose network gives something else than the network here,
  ///   which does not take its name; `ONNXError`, `ConfigurationError` for an input that the network does not take, `GraphError`, `TorchError`
  ///   for a size that the network cannot take, `SizeDependence` for a network that cannot be written for any
  ///   size, `WriteError` and `FolderError`.
  package func writeONNX(
    _ path: String, _ form: ONNXForm, example: String? = nil,
    check: (String) throws -> Void = { _ in }
  ) throws -> WrittenONNX {
    let takesRGB = model.inputChannels == 3 && encoding.scale == [255, 255, 255]
    guard form.input == .normalized || takesRGB else {
      throw ConfigurationError.invalid(
        place: "--takes", key: "takes", value: "rgb",
        expected: "normalized, as the network does not take red, green and blue of 8 bits")
    }
    let isRGB = form.input == .rgb
    func shape(_ size: InputSize) -> [Int] {
      let sides = [size.height, size.width]
      return [size.batch] + (isRGB ? sides + [3] : [model.inputChannels] + sides)
    }
    func run(_ image: Tensor) -> Tensor {
      let logits = model(isRGB ? normalized(image) : image)
      return switch form.output {
      case .logits: logits
      case .probabilities: logits.softmax(1)
      case .labels: logits.argmax(1).to(.uint8)
      }
    }
    func record(_ size: InputSize) throws -> Graph {
      try Graph(recording: model, input: shape(size), isRGB ? .uint8 : .float32, run)
    }
    let sizes = InputSize.telling(
      stride: max(model.backbone.strides.max() ?? 1, model.backbone.sideMultiple))
    let fixed = form.size.map { InputSize(height: $0.height, width: $0.width) }
    var ranges: ResultRanges?, photograph: Tensor?
    if let calibration = form.calibration {
      ranges = try model.calibratedResults { runner in
        try calibration.look(at: self, through: runner) { photograph = $0 }
      }
    }
    let graphs =
      if let fixed {
        SizedGraphs(try record(fixed))
      } else {
        try SizedGraphs(recording: sizes, record)
      }
    let file = try ONNXFile(
      graphs, opset: form.opset, input: "image", output: form.output.rawValue,
      metadata: metadata(form), ranges: ranges)
    let tried = fixed ?? sizes[sizes.count - 1]
    var comparison = ONNXComparison(tried, isRounded: ranges != nil)
    let image =
      photograph.map { shown($0, tried, isRGB: isRGB) } ?? noise(shape(tried), isRGB: isRGB)
    try file.write(to: path, mostInside: form.mostInside) { written in
      try comparison.compare(written, named: path, image, with: run)
      try check(written)
    }
    if let example {
      try FileSystem.makeOutputFolder(example)
      let input = noise(shape(fixed ?? sizes[0]), isRGB: isRGB)
      let output = try attempt { inferenceMode { run(input) } }
      try ONNXFile.write(input, named: "image", to: "\(example)/input_0.pb")
      try ONNXFile.write(output, named: form.output.rawValue, to: "\(example)/output_0.pb")
    }
    return WrittenONNX(file: file, comparison: comparison)
  }

  /// An image that the network takes.
  private func noise(_ shape: [Int], isRGB: Bool) -> Tensor {
    let image = Tensor(uninitialized: shape)
    if isRGB { image.drawUniform(0, 256) } else { image.drawNormal() }
    return isRGB ? image.to(.uint8) : image
  }

  /// What the network takes of a photograph (1, C, H, W), at another size.
  private func shown(_ photograph: Tensor, _ size: InputSize, isRGB: Bool) -> Tensor {
    let one = photograph.resized(height: size.height, width: size.width)
    let image = concatenate([Tensor](repeating: one, count: size.batch), along: 0)
    guard isRGB else { return image.contiguous() }
    let levels = image * ofBands(encoding.deviation) + ofBands(encoding.mean)
    return (levels + 0.5).clamped(0, 255).to(.uint8).permuted(0, 2, 3, 1).contiguous()
  }

  /// Levels (1, H, W, 3) as the network takes them.
  private func normalized(_ levels: Tensor) -> Tensor {
    let x = levels.to(.float32).permuted(0, 3, 1, 2)
    let y = (x - ofBands(encoding.mean)) / ofBands(encoding.deviation)
    guard encoding.missing.contains(where: { $0 != nil }) else { return y }
    // No level equals that of a band without one.
    let missing = Tensor(
      encoding.missing.map { Float($0 ?? -1) }, [1, encoding.missing.count, 1, 1])
    return y.filled(with: 0, where: x.equal(to: missing))
  }

  /// Numbers of bands, as shares of the largest level, in levels (1, C, 1, 1).
  private func ofBands(_ shares: [Double]) -> Tensor {
    Tensor(zip(shares, encoding.scale).map { Float($0 * $1) }, [1, shares.count, 1, 1])
  }

  /// What belongs to the network; lists are JSON.
  private func metadata(_ form: ONNXForm) -> [(key: String, value: String)] {
    func list<T: Encodable>(_ values: [T]) -> String {
      (try? JSONEncoder().encode(values)).map { String(decoding: $0, as: UTF8.self) } ?? "[]"
    }
    var result: [(String, String)] = [
      ("mean", list(encoding.mean)), ("deviation", list(encoding.deviation)),
      ("scale", list(encoding.scale)), ("stride", "\(model.backbone.strides.max() ?? 1)"),
    ]
    if encoding.missing.contains(where: { $0 != nil }) {
      result.append(("missing", list(encoding.missing)))
    }
    if let classes = labelMap?.classes {
      let colors = classes.map { [$0.color.red, $0.color.green, $0.color.blue].map(Int.init) }
      result += [("classes", list(classes.map(\.name))), ("colors", list(colors))]
    }
    // What a checkpoint says of its network, so that the file stands where a checkpoint may.
    if let record, let text = try? JSONEncoder().encode(record) {
      result.append((Checkpoint.metadataKey, String(decoding: text, as: UTF8.self)))
    }
    if let scoring = record?.scoring { result.append(("protocol", scoring.summary)) }
    return result
  }
}
