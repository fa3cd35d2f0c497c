import ArgumentParser
import Checkpoints
import Configuration
import Files
import Foundation
import Inference
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
      --model --dry-run lists the file's tensors: name, shape, type and sum, and --output takes what says \
      itself what network it is, such as a folder of segmentation_models.pytorch's save_pretrained or \
      a file of torchvision's networks, and writes the configuration that was used beside the weights.
      """)

  @ArgumentParser.Argument(help: "The file of weights, or a folder with one.")
  var file: String

  @Option(
    help: ArgumentHelp(
      "The configuration (YAML) with a section 'model'; not needed where the file says what it is.")
  )
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

  @Option(
    help: ArgumentHelp(
      "Where the weights go, as a checkpoint for evaluate, predict and export: NAME.safetensors, or a folder."
    ))
  var output: String?

  func validate() throws {
    guard dryRun || output != nil else {
      throw ValidationError("Either --output or --dry-run is needed.")
    }
    guard model == nil || !json else {
      throw ValidationError("--json lists the file's tensors, without --model.")
    }
  }

  func run() throws {
    try reportingErrors {
      let rules = try rules.map { try NameMap(contentsOf: $0) }
      if let model {
        let weights = try WeightFile.open(file, part: part)
        let network = try ConfiguredModel(model, overrides: settings.overrides)
        let plan = WeightImport(weights, for: network.model, rules: rules)
        tell(weights)
        let fits =
          plan.report.isComplete || plan.onlyClassifierIsLeftOver || plan.lacksOnlyAuxiliary
          || ignoreClassifier && plan.classCounts != nil
        return try load(plan, into: network, fits: fits) { try plan.load([]) }
      }
      if output == nil { try list(rules) }
      guard !json, rules == nil, part == nil else { return try refuse() }
      let pretrained: PretrainedNetwork
      do {
        guard let found = try PretrainedNetwork(file) else { return try refuse() }
        pretrained = found
      } catch  where output == nil {
        // The tensors are listed, which is what was asked for.
        return print("note: \(describe(error))")
      }
      for line in pretrained.lines { print(line) }
      let network = try ConfiguredModel(pretrained, overrides: settings.overrides)
      let plan = try pretrained.plan(for: network.model, network.network)
      if output != nil { tell(pretrained.source.weights) }
      if output == nil {
        return print(
          "weights: \(plan.weights.report.loaded.count) tensors load"
            + (plan.isWhole ? "" : "; of others atrous import FILE --output RUN says more"))
      }
      try load(plan.weights, into: network, fits: plan.isWhole) { try plan.load() }
    }
  }

  /// Ends where the file does not say what network it is, unless its tensors were all that was asked for.
  private func refuse() throws {
    if output != nil { throw PretrainedError.unknown(file: file) }
  }

  private func tell(_ weights: WeightFile) {
    print("\(file): \(weights.format.rawValue), \(weights.entries.count) tensors")
    for note in weights.notes { print("note: \(note)") }
  }

  private func load(
    _ plan: WeightImport, into network: ConfiguredModel, fits: Bool, _ copy: () throws -> Void
  ) throws {
    print(plan.text(names: verbose ? nil : 12))
    if verbose {
      print("what loads:")
      for (ours, theirs) in plan.names { print("  \(theirs) -> \(ours)") }
    }
    for line in plan.geometryNotes(for: network.model) { print(line) }
    guard fits else {
      if plan.classCounts != nil { print("--ignore-classifier loads the rest") }
      throw ExitCode(1)
    }
    guard !dryRun, let output else { return }
    try copy()
    for written in try network.write(to: output) { print("wrote \(written)") }
  }

  /// Lists the tensors under the names that the file has.
  private func list(_ rules: NameMap?) throws {
    var weights = try WeightFile.open(file, part: part, unwrapping: false)
    if let rules { weights = weights.renamed { rules($0) } }
    let listing = try WeightListing(weights)
    print(json ? try listing.json() : listing.text)
  }
}
