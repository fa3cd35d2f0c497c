import ArgumentParser
import Checkpoints
import Configuration
import Files
import Foundation
import Segmentation
import Torch
import Training

/// `atrous import`: weights of another toolkit, for a network of a configuration.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Read weights that another toolkit wrote, whatever it calls them.",
    discussion: """
      Reads safetensors and PyTorch files of any age, TorchScript, torch.export, NumPy's arrays \
      and TensorFlow Lite, and recognises the names of torchvision, timm, EfficientNet-PyTorch, \
      MMSegmentation, milesial's U-Net and DenseASPP. Prints what loads, what is missing, what is \
      left over and which shapes disagree. The exit status is 1 if the weights do not fit. Without \
      --model it lists the file's tensors: name, shape, type and sum.
      """)

  @ArgumentParser.Argument(help: "The file of weights, or a folder with one.")
  var file: String

  @Option(
    help: "The configuration (YAML) with a section 'model'; without it the tensors are listed.")
  var model: String?

  @OptionGroup var settings: ConfigurationOptions

  @Flag(help: "Only print what would load.")
  var dryRun = false

  @Option(help: "A YAML file with rules that rewrite the file's names first.")
  var rules: String?

  @Option(help: "The dictionary of a PyTorch file to read, such as ema.")
  var part: String?

  @Flag(help: "Load the rest if only the classifier differs.")
  var ignoreClassifier = false

  @Flag(help: "Print all names, and the file's of every tensor that loads.")
  var verbose = false

  @Flag(help: "Print the list of tensors as JSON.")
  var json = false

  @Option(help: "Where the weights go, as a checkpoint for evaluate, predict and export.")
  var output: String?

  func validate() throws {
    guard dryRun || output != nil else {
      throw ValidationError("Either --output or --dry-run is needed.")
    }
    guard model != nil || output == nil else {
      throw ValidationError("--output needs --model, the network that the weights are for.")
    }
    guard model == nil || !json else {
      throw ValidationError("--json lists the file's tensors, without --model.")
    }
  }

  func run() throws {
    try reportingErrors {
      let rules = try rules.map { try NameMap(contentsOf: $0) }
      guard let model else { return try list(rules) }
      if !dryRun, let output { try FileSystem.makeOutputFolder(of: output) }
      let weights = try WeightFile.open(file, part: part)
      let network = try ConfiguredModel(model, overrides: settings.overrides)
      let plan = WeightImport(weights, for: network.model, rules: rules)
      print("\(file): \(weights.format.rawValue), \(weights.entries.count) tensors")
      for note in weights.notes { print("note: \(note)") }
      print(plan.text(names: verbose ? nil : 12))
      if verbose {
        print("what loads:")
        for (ours, theirs) in plan.names { print("  \(theirs) -> \(ours)") }
      }
      for line in plan.geometryNotes(for: network.model) { print(line) }
      let fits =
        plan.report.isComplete || plan.onlyClassifierIsLeftOver || plan.lacksOnlyAuxiliary
        || ignoreClassifier && plan.classCounts != nil
      guard fits else {
        if plan.classCounts != nil { print("--ignore-classifier loads the rest") }
        throw ExitCode(1)
      }
      guard !dryRun, let output else { return }
      try plan.load([])
      try network.write(to: output)
      print("wrote \(output)")
    }
  }

  /// Lists the tensors under the names that the file has.
  private func list(_ rules: NameMap?) throws {
    var weights = try WeightFile.open(file, part: part, unwrapping: false)
    if let rules { weights = weights.renamed { rules($0) } }
    let listing = try WeightListing(weights)
    print(json ? try listing.json() : listing.text)
  }
}
