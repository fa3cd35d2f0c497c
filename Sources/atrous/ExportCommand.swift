import ArgumentParser
import Checkpoints
import Files
import Foundation
import Inference
import Training

/// `atrous export`: weights for other programs.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write weights as safetensors, or as a .pth file that PyTorch opens.",
    discussion: """
      A checkpoint of a run is written with the averaged weights where there are some, under the \
      names of torchvision or those of --names. Any other file of weights is written as it is. \
      PyTorch opens a .pth file with torch.load(FILE, weights_only=True).

      With --checkpoint the file is a checkpoint for evaluate, predict and the analyses, without \
      what only training needs.
      """)

  @ArgumentParser.Argument(help: "A run's folder, a checkpoint, or any file of weights.")
  var file: String

  @Option(help: "The file to write; .safetensors or .pth.")
  var output: String

  @Option(
    help: "The convention of the names: torchvision, mmsegmentation, milesial or denseaspp-2018.")
  var names: String?

  @Flag(help: "Write a checkpoint: the weights with the configuration, classes and scores.")
  var checkpoint = false

  @Flag(help: "Kernels and matrices of the checkpoint in half precision.")
  var half = false

  @OptionGroup var settings: ConfigurationOptions

  func validate() throws {
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

  private var format: WeightFile.Format? {
    switch output.fileSuffix {
    case "safetensors": .safetensors
    case "pth", "pt": .pytorch
    default: nil
    }
  }

  func run() throws {
    try reportingErrors {
      try FileSystem.makeOutputFolder(of: output)
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
