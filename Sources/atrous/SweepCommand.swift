import ArgumentParser
import Evaluation
import Training

/// `atrous sweep`: what a value of the configuration is worth.
struct SweepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sweep",
    abstract: "Train a configuration for several values of a key and compare the scores.",
    discussion: """
      Prints mean and deviation of the mean IoU by value, and differences from the configuration's \
      own. Ctrl-C keeps what is done; the same command goes on. Writes sweep.png, .json and .txt.
      """)

  @Argument(help: "The configuration (YAML).")
  var configuration: String

  @Option(help: "The key and its values: head.baseRate=1...12, or head.baseRate=1,2,4.")
  var over: String

  @Option(help: "How often each value is trained, each time from another seed.")
  var repeats = 1

  @Option(help: "Where the runs and the results go.")
  var output: String

  @Option(help: "The value to compare with, instead of the configuration's own.")
  var reference: String?

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var place: DeviceOptions

  func validate() throws {
    guard (1...1000).contains(repeats) else {
      throw ValidationError("--repeats is \(repeats), expected a number from 1 to 1000.")
    }
  }

  func run() throws {
    try reportingErrors {
      let sweep = try Sweep(
        configuration, overrides: settings.overrides, over: SweepPlan(over), repeats: repeats,
        folder: output, reference: reference, device: place.prepared())
      Interruption.watch()
      let (result, isFinished) = try sweep.run(
        monitor: ConsoleMonitor(), shouldStop: { Interruption.signalNumber != nil })
      try show(result, text: result.text, asJSON: json)
      if !isFinished {
        note("stopped; the same command goes on")
        throw ExitCode(128 + (Interruption.signalNumber ?? 2))
      }
    }
  }
}
