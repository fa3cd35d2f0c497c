import ArgumentParser
import Evaluation

/// `atrous data`: what is done with data sets on the disk.
struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data",
    abstract:
      "Look at data sets and at files made for them, find wrong labels, convert annotations.",
    subcommands: [
      DataInspect.self, DataBrowse.self, DataAudit.self, DataConvert.self, DataSpeed.self,
      VerifySubmission.self,
    ])
}

/// `atrous data verify-submission`: whether the Cityscapes server would take predictions.
struct VerifySubmission: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify-submission",
    abstract: "Check predictions for the Cityscapes server: names, sizes, label ids.")

  @Argument(help: "The folder of predictions.")
  var predictions: String

  @Option(help: "The folder that holds leftImg8bit.")
  var root: String

  @Option(help: "The split that is predicted.")
  var split = "test"

  func run() throws {
    try reportingErrors {
      let report = try CityscapesSubmission.verify(predictions, root: root, split: split)
      for line in report.warnings { print("warning: \(line)") }
      for line in report.errors { complain(line) }
      print(
        "\(report.images) images, \(report.errors.count) errors, \(report.warnings.count) warnings")
      if !report.errors.isEmpty { throw ExitCode(1) }
    }
  }
}
