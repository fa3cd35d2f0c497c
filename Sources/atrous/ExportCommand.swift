import ArgumentParser
import Checkpoints
import Files
import Foundation
import Graphs
import Imaging
import Inference
import Training

/// `atrous export`: weights for other programs.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write weights as safetensors or .pth, the network as ONNX or for another program.",
    discussion: """
      A checkpoint of a run is written with the averaged weights where there are some, under the \
      names of torchvision or those of --names. Any other file of weights is written as it is. \
      PyTorch opens a .pth file with torch.load(FILE, weights_only=True).

      With --checkpoint the file is a checkpoint for evaluate, predict and the analyses, without \
      what only training needs.

      With --as a network is written as another program loads it: hf, a folder for transformers' \
      from_pretrained, smp, one for segmentation_models.pytorch's, mmsegmentation, a checkpoint with its \
      configuration, torchvision, a state dictionary, or timm, that of the backbone with features_only. A network \
      that the program has not, or would compute otherwise, is refused.

      With --onnx the network itself is written, for images of one size or with --dynamic of any, in the \
      standard's own operators: for ONNX Runtime, OpenVINO, TensorRT and others. A configuration gives one \
      with drawn weights.
      """)

  @ArgumentParser.Argument(help: "A run's folder, a checkpoint, or any file of weights.")
  var file: String

  @Option(help: "The file of weights to write; .safetensors or .pth.")
  var output: String?

  @Option(help: ArgumentHelp("The ONNX file to write.", valueName: "file.onnx"))
  var onnx: String?

  @Option(
    help: "The convention of the names: torchvision, mmsegmentation, milesial or denseaspp-2018.")
  var names: String?

  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "The program to write for: hf, mmsegmentation, smp, timm or torchvision.",
      valueName: "program"))
  var family: String?

  @Flag(help: "Write a checkpoint: the weights with the configuration, classes and scores.")
  var checkpoint = false

  @Flag(help: "Kernels and matrices of the checkpoint in half precision.")
  var half = false

  @Option(help: "ONNX: the images' size, WIDTHxHEIGHT. (default: 1024x512)")
  var size: String?

  @Flag(help: "ONNX: for batches and images of any size.")
  var dynamic = false

  @Option(
    help: "ONNX: what the network takes; normalized numbers, or rgb levels. (default: normalized)")
  var takes: String?

  @Option(help: "ONNX: what it gives; logits, probabilities or labels. (default: logits)")
  var gives: String?

  @Option(help: "ONNX: the version of the operators, 13 to 23. (default: 20)")
  var opset: Int?

  @Flag(
    help: "ONNX: products of whole numbers of 8 bits, by QuantizeLinear and DequantizeLinear.")
  var int8 = false

  @OptionGroup var calibrated: CalibrationOptions

  @Flag(
    help: ArgumentHelp(
      "ONNX: the weights in a file of their own, file.onnx.data, as they are above 2 GB anyway."))
  var externalData = false

  @Option(
    help: ArgumentHelp(
      "ONNX: a folder for an image of noise and what the network gives for it.",
      valueName: "folder"))
  var example: String?

  @OptionGroup var settings: ConfigurationOptions

  func validate() throws {
    guard calibrated.photographs == nil || int8 else {
      throw ValidationError("--calibrate-on expects --onnx and --int8.")
    }
    guard calibrated.method == nil || calibrated.method == .minmax else {
      throw ValidationError(
        "--calibration-method is '\(calibrated.method?.rawValue ?? "")', expected minmax for export."
      )
    }
    guard onnx == nil else { return try validateONNX() }
    let own = [("size", size), ("takes", takes), ("gives", gives), ("example", example)]
      .first { $0.1 != nil }?.0
    let flag = dynamic ? "dynamic" : externalData ? "external-data" : int8 ? "int8" : nil
    if let name = own ?? opset.map({ _ in "opset" }) ?? flag {
      throw ValidationError("--\(name) needs --onnx.")
    }
    if let family { return try validate(family) }
    guard let output else {
      throw ValidationError("Expected --output NAME.safetensors, NAME.pth, or --onnx NAME.onnx.")
    }
    guard format != nil else {
      throw ValidationError("--output is '\(output)', expected NAME.safetensors or NAME.pth.")
    }
    if checkpoint {
      guard format == .safetensors, names == nil else {
        throw ValidationError("--checkpoint takes no --names, and a file NAME.safetensors.")
      }
    } else if half || !settings.overrides.isEmpty {
      throw ValidationError("--half and --set need --checkpoint.")
    }
  }

  private func validate(_ family: String) throws {
    let known = PretrainedWriter.all.map(\.family)
    guard known.contains(family) else {
      throw ValidationError("--as is '\(family)', expected \(known.joined(separator: " or ")).")
    }
    guard output != nil else { throw ValidationError("--as needs --output, the folder or file.") }
    guard names == nil, !checkpoint, !half else {
      throw ValidationError("--as takes no --names, --checkpoint and --half.")
    }
  }

  private func validateONNX() throws {
    guard family == nil else { throw ValidationError("--onnx takes no --as.") }
    guard output == nil, names == nil, !checkpoint, !half else {
      throw ValidationError("--onnx takes no --output, --names, --checkpoint and --half.")
    }
    guard onnx?.fileSuffix == "onnx" else {
      throw ValidationError("--onnx is '\(onnx ?? "")', expected NAME.onnx.")
    }
    if let size, Size(text: size) == nil {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 1024x512.")
    }
    if dynamic, size != nil {
      throw ValidationError("--dynamic writes a network for any size, and takes no --size.")
    }
    if let takes, ONNXForm.Input(rawValue: takes) == nil {
      throw ValidationError("--takes is '\(takes)', expected normalized or rgb.")
    }
    if let gives, ONNXForm.Output(rawValue: gives) == nil {
      throw ValidationError("--gives is '\(gives)', expected logits, probabilities or labels.")
    }
    if let opset, !ONNXFile.opsets.contains(opset) {
      throw ValidationError("--opset is '\(opset)', expected 13 to 23.")
    }
  }

  /// The form of the ONNX file, whose options were found to be right.
  private var form: ONNXForm {
    var form = ONNXForm(
      dynamic ? nil : size.flatMap(Size.init(text:)) ?? Size(width: 1024, height: 512),
      input: takes.flatMap(ONNXForm.Input.init) ?? .normalized,
      output: gives.flatMap(ONNXForm.Output.init) ?? .logits, opset: opset ?? ONNXFile.usualOpset)
    if externalData { form.mostInside = 0 }
    if int8 { form.calibration = calibrated.calibration }
    return form
  }

  private var format: WeightFile.Format? {
    switch (output ?? "").fileSuffix {
    case "safetensors": .safetensors
    case "pth", "pt": .pytorch
    default: nil
    }
  }

  func run() throws {
    try reportingErrors {
      if let onnx {
        try FileSystem.makeOutputFolder(of: onnx)
        let network = try TrainedNetwork(file, overrides: settings.overrides)
        let written = try network.writeONNX(onnx, form, example: example)
        let size = form.size.map { "\($0.width)x\($0.height)" } ?? "any size"
        return print(
          "\(onnx): \(written.file.structure.graph.node.count) operators of version \(form.opset), "
            + "\(size), \(form.output.rawValue)\nread again: \(written.comparison.text)")
      }
      guard let output else { return }
      try FileSystem.makeOutputFolder(of: output)
      if let family {
        let lines = try PretrainedWriter.write(
          file, as: family, to: output, overrides: settings.overrides)
        return print(lines.joined(separator: "\n"))
      }
      if checkpoint {
        try Checkpoint(file).writeForUse(output, half: half, overrides: settings.overrides)
        return print("\(output): a checkpoint, to be used")
      }
      let tensors = try Checkpoint.exported(file, names: names)
      try WeightFile.write(tensors, to: output, as: format ?? .safetensors)
      print("\(output): \(tensors.count) tensors")
    }
  }
}
