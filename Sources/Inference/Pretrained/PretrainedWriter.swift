import Checkpoints
import Files
import Segmentation
import Torch

/// Writes a network as another program's file or folder, which that program loads without a word on names.
public struct PretrainedWriter: Sendable {
  /// The program, as `atrous export --as` calls it.
  public let family: String
  /// What is written, in words.
  public let result: String
  /// Writes the network to a path; what was written and what a person should know, a line each.
  let write: @Sendable (_ network: TrainedNetwork, _ path: String) throws -> [String]

  /// The programs, by name.
  public static let all: [PretrainedWriter] = [
    PretrainedWriter(
      family: "hf", result: "a folder for transformers' from_pretrained",
      write: HuggingFaceWriter.write),
    PretrainedWriter(
      family: "mmsegmentation", result: "a checkpoint NAME.pth, and NAME.py, its configuration",
      write: MMSegmentationWriter.write),
    PretrainedWriter(
      family: "smp", result: "a folder for segmentation_models.pytorch's from_pretrained",
      write: SMPWriter.write),
    PretrainedWriter(
      family: "timm", result: "a state dictionary of the backbone, NAME.pth or NAME.safetensors",
      write: TimmWriter.write),
    PretrainedWriter(
      family: "torchvision", result: "a state dictionary, NAME.pth or NAME.safetensors",
      write: TorchvisionWriter.write),
  ]

  /// Writes the network of a run, a checkpoint or another program's file.
  ///
  /// - Parameters:
  ///   - file: The run, the checkpoint or the file.
  ///   - family: One of ``all``.
  ///   - path: The file or folder that is written.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  /// - Throws: ``PretrainedError/notWritable(family:reason:)`` for a network that the program has not;
  ///   `WriteError`; what reading it throws.
  public static func write(
    _ file: String, as family: String, to path: String, overrides: [String] = []
  ) throws -> [String] {
    guard let writer = all.first(where: { $0.family == family }) else {
      throw PretrainedError.notWritable(
        family: family, reason: "expected \(all.map(\.family).joined(separator: ", "))")
    }
    try TrainedNetwork.refuseONNX(file, for: "export --as")
    return try writer.write(TrainedNetwork(file, overrides: overrides), path)
  }

  /// Refuses a network that computes something else than `twin`, the one that the other program will build.
  ///
  /// Their tensors must have the same names and shapes here, and with the same drawn weights, through which
  /// all layers show, both must answer the same to noise. Auxiliary heads are left out. `twin` has the
  /// network's weights afterwards.
  /// - Throws: ``PretrainedError/notWritable(family:reason:)``.
  static func check(
    _ model: SegmentationModel, isLike twin: SegmentationModel, _ title: String, family: String
  ) throws {
    func failure(_ reason: String) -> PretrainedError {
      .notWritable(family: family, reason: reason)
    }
    // What is constant follows from the rest.
    let own = model.state.filter {
      !$0.name.hasPrefix("aux_classifier") && ($0.tensor as? Buffer)?.isConstant != true
    }
    let theirs = Dictionary(
      twin.state.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
    for (name, tensor) in own where theirs[name]?.shape != tensor.shape {
      throw failure(
        "\(title) has \(theirs[name].map { "'\(name)' of \($0.shape)" } ?? "no '\(name)'"), here it is"
          + " \(tensor.shape)")
    }
    let names = Set(own.map(\.name))
    for (name, tensor) in twin.state
    where !names.contains(name) && !name.hasPrefix("aux_classifier")
      && (tensor as? Buffer)?.isConstant != true
    {
      throw failure("\(title) has '\(name)' \(tensor.shape), which the network here has not")
    }
    let difference = try attempt {
      withDrawnWeights(own, theirs) { () -> Double in
        twin.train(false)
        let side = 4 * max(32, model.headStride)
        let x = Tensor(uninitialized: [1, model.inputChannels, side, side + 32])
        x.drawNormal()
        let (a, b) = (model(x), twin(x))
        // Biases of classes are no answer to the image.
        let answer = b - b.mean([2, 3], keep: true)
        let scale = max(1e-12, answer.standardDeviation(correction: 0).item)
        return a.shape == b.shape
          ? (a - b).abs().maximum(along: [0, 1, 2, 3]).item / scale : .infinity
      }
    }
    guard difference < 1e-3 else {
      throw failure(
        "it has the tensors of \(title), which computes something else: scores differ by"
          + " \(difference) of their deviation with drawn weights. Rates, corners or what normalizations add differ;"
          + " atrous import --dry-run --model shows the network's")
    }
  }
}

extension PretrainedWriter {
  /// What `body` gives while two networks have the same drawn weights; both have the first one's own
  /// afterwards.
  ///
  /// The memory is the same, too: sums are rounded by how it is aligned, which gates and activations can make
  /// much of.
  static func withDrawnWeights<Result>(
    _ own: [(name: String, tensor: Tensor)], _ theirs: [String: Tensor], _ body: () -> Result
  ) -> Result {
    let weights = own.map { $0.tensor.detached() }
    defer {
      for (entry, value) in zip(own, weights) {
        entry.tensor.adopt(value)
        theirs[entry.name]?.adopt(value)
      }
    }
    for (name, tensor) in own {
      if tensor.dtype.isFloatingPoint {
        tensor.adopt(drawn(name, tensor.shape, tensor.dtype))
      }
      theirs[name]?.adopt(tensor.detached())
    }
    return inferenceMode(body)
  }

  /// A tensor drawn so that what passes neither shrinks nor swells.
  private static func drawn(_ name: String, _ shape: [Int], _ dtype: DType) -> Tensor {
    let tensor = Tensor(uninitialized: shape, dtype)
    let fan = shape.dropFirst().reduce(1, *)
    if shape.count > 1 {
      tensor.drawNormal(deviation: (2 / Double(max(1, fan))).squareRoot())
    } else if name.hasSuffix("bias") || name.hasSuffix("running_mean") {
      tensor.drawUniform(-0.1, 0.1)
    } else {
      tensor.drawUniform(0.5, 1.5)
    }
    return tensor
  }
}

/// Writes torchvision's segmentation networks.
enum TorchvisionWriter {
  @Sendable
  static func write(_ network: TrainedNetwork, _ path: String) throws -> [String] {
    let model = network.model
    func failure(_ reason: String) -> PretrainedError {
      .notWritable(family: "torchvision", reason: reason)
    }
    guard let format = format(of: path) else {
      throw failure("'\(path)' is no name for it; expected NAME.pth or NAME.safetensors")
    }
    let shapes = Dictionary(
      model.state.map { ($0.name, $0.tensor.shape) }, uniquingKeysWith: { first, _ in first })
    guard let (known, classes) = TorchvisionNetwork.matching(shapes) else {
      let names = TorchvisionNetwork.all.map(\.name).joined(separator: ", ")
      throw failure("torchvision has no such network; it has \(names)")
    }
    let hasAuxiliary = !model.auxiliary.isEmpty
    let twin = Initialization.skipped {
      SegmentationModel.torchvision(known.name, classes: classes, auxiliary: hasAuxiliary)
    }
    guard let twin else { throw failure("torchvision has no \(known.name)") }
    try PretrainedWriter.check(
      model, isLike: twin, "torchvision's \(known.name)", family: "torchvision")
    let state = model.state.map { (name: $0.name, tensor: $0.tensor) }
    let own = Set(twin.state.map(\.name))
    try WeightFile.write(state.filter { own.contains($0.name) }, to: path, as: format)
    let extra =
      known.name.hasPrefix("lraspp") ? "" : ", aux_loss=\(hasAuxiliary ? "True" : "False")"
    return [
      "\(path): torchvision's \(known.name), \(state.count) tensors",
      "for torchvision.models.segmentation.\(known.name)(weights=None, weights_backbone=None,"
        + " num_classes=\(classes)\(extra))",
    ]
  }

  static func format(of path: String) -> WeightFile.Format? {
    ["pth": .pytorch, "pt": .pytorch, "safetensors": .safetensors][path.fileSuffix]
  }
}
