import ArgumentParser
import Evaluation
import Files
import Foundation
import Inference
import Weights

/// What is written of how sure a network is.
struct SurenessOptions: ParsableArguments {
  @Flag(
    help: "Write the probability of each pixel's class as a grey picture NAME_confidence.png, too.")
  var confidence = false

  @Option(
    help: ArgumentHelp("The bits of that picture, 8 or 16; it is written then.", valueName: "8|16"))
  var confidenceBits: PredictionFiles.ConfidenceDepth?

  @Flag(
    help: ArgumentHelp(
      "Write the probability of each class as NAME_probabilities.tif, 255 for 1, too.",
      discussion: "Images that a network sees as they are go block by block for that."))
  var probabilities = false

  @Option(
    help: ArgumentHelp(
      "Write them as tiff, tiff16 (65535 for 1), npy (NAME_probabilities.npy, float16, classes × height × width) or png (of 16 bits, one for each class).",
      valueName: "form"))
  var probabilitiesAs: PredictionFiles.ProbabilityForm?

  @Flag(
    help: """
      Draw how unsure the network is as a heat map NAME_uncertainty.png, and with several networks how much \
      they disagree as NAME_disagreement.png.
      """)
  var uncertainty = false

  /// Sets what the options ask for.
  func apply(to files: inout PredictionFiles) {
    files.confidence = confidenceBits ?? (confidence ? .eight : nil)
    files.probabilities = probabilitiesAs ?? (probabilities ? .tiff : nil)
    files.uncertainty = uncertainty
  }

  /// The first of the options that is given.
  var given: String? {
    confidence || confidenceBits != nil
      ? "--confidence"
      : probabilities || probabilitiesAs != nil
        ? "--probabilities" : uncertainty ? "--uncertainty" : nil
  }
}

extension PredictionFiles.ConfidenceDepth: ExpressibleByArgument {}
extension PredictionFiles.ProbabilityForm: ExpressibleByArgument {}

/// The probability from which on a pixel is the foreground.
struct ThresholdOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Of two classes: the probability from which on a pixel is the foreground. (default: the more probable class)",
      valueName: "0..1"))
  var threshold: Double?

  func validate() throws {
    guard threshold.map({ (0...1).contains($0) }) ?? true else {
      throw ValidationError("--threshold is \(threshold ?? 0), expected a probability from 0 to 1.")
    }
  }
}

/// Networks that answer together.
struct EnsembleOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "What each of several networks counts, such as 2,1. (default: all the same)",
      valueName: "numbers"))
  var weights: String?

  /// The numbers.
  var values: [Double]? {
    weights?.split(separator: ",", omittingEmptySubsequences: false).compactMap { Double($0) }
  }

  func validate(networks: Int) throws {
    guard let weights else { return }
    guard values?.count == networks, networks > 1,
      weights.split(separator: ",", omittingEmptySubsequences: false).count == networks
    else {
      throw ValidationError(
        "--weights is '\(weights)', expected a number for each of several networks; there \(networks == 1 ? "is 1" : "are \(networks)")."
      )
    }
  }
}

/// A folder that several machines share, or that is gone on with.
struct ShardOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Segment only a part of a folder: 3/64 is the third of 64, auto what Slurm's array or torchrun says, auto/64 what Kubernetes' indexed job says.",
      valueName: "part"))
  var shard: String?

  @Flag(
    help: """
      Skip images of a folder whose files are whole and of the same network and settings, and go on with one \
      that was being segmented block by block when the command was stopped.
      """)
  var resume = false

  @Option(
    help: ArgumentHelp(
      "Only join the summaries that the parts of a folder left in this folder, and tell which are missing.",
      valueName: "folder"))
  var summarize: String?

  private var automatic: (isAsked: Bool, count: Int?) {
    guard let shard, shard.hasPrefix("auto") else { return (false, nil) }
    let rest = shard.dropFirst(4)
    return (true, rest.hasPrefix("/") ? Int(rest.dropFirst()) : nil)
  }

  func validate() throws {
    guard let shard, Shard(text: shard) == nil else { return }
    let (isAsked, count) = automatic
    guard isAsked, shard == "auto" || count.map({ (1...1_000_000).contains($0) }) == true else {
      throw ValidationError(
        "--shard is '\(shard)', expected a part such as 3/64, auto, or auto/64 with the number of parts."
      )
    }
  }

  /// The part that is asked for; nil for all.
  ///
  /// - Throws: `ShardError` where the environment does not tell it.
  func part() throws -> Shard? {
    let environment = ProcessInfo.processInfo.environment
    guard let shard else {
      // may fail: what is not asked for is only told of.
      if let told = try? Shard(environment: environment), told.count > 1 {
        note(
          "this is task \(told.index) of \(told.count) by the environment, and segments all images; expected --shard auto to deal them"
        )
      }
      return nil
    }
    if let part = Shard(text: shard) { return part }
    guard let part = try Shard(environment: environment, count: automatic.count) else {
      throw ShardError.missing(
        name: "a task (SLURM_ARRAY_TASK_ID, JOB_COMPLETION_INDEX, or RANK and WORLD_SIZE)")
    }
    return part
  }

  /// Joins the summaries in a folder and says what they hold.
  func join(_ folder: String) throws {
    let (summary, missing, count, written) = try PredictionSummary.joined(in: folder)
    print("\(summary.images.count) images of \(count - missing.count) of \(count) parts")
    for area in summary.total {
      print(String(format: "%8.2f %%  ", area.share * 100) + area.name)
    }
    print("written to \(written.map(\.shown).joined(separator: ", "))")
    if !summary.failed.isEmpty { warn("\(summary.failed.count) images failed") }
    guard missing.isEmpty else {
      let list = missing.prefix(20).map { "\($0)" }.joined(separator: ", ")
      complain(
        "\(missing.count) of \(count) parts are missing: \(list)\(missing.count > 20 ? ", …" : "")")
      throw ExitCode(1)
    }
  }
}

/// Which of the networks that come with the package runs where no checkpoint is named.
struct PackagedNetworkOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The network of the package that runs without a checkpoint: \(PackagedNetwork.names). (default: streets)",
      discussion: "`atrous models --packaged` tells what each finds."))
  var network: PackagedNetwork?

  /// The network that runs without a checkpoint.
  var chosen: PackagedNetwork { network ?? .streets }

  /// - Throws: `ValidationError` where checkpoints are named beside it.
  func validate(checkpoints: Int) throws {
    guard let network, checkpoints > 0 else { return }
    throw ValidationError(
      "--network \(network) is a network of the package, expected it without checkpoints.")
  }
}

extension PackagedNetwork: ExpressibleByArgument {
  /// The names of all, for help.
  static var names: String { allCases.map(\.rawValue).joined(separator: " or ") }
}
