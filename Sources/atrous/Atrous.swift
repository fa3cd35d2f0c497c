import ArgumentParser
import Files
import Foundation
import Imaging
import Torch

/// The command `atrous`.
@main
struct Atrous: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "atrous",
    abstract: "Train, score and run networks for semantic segmentation.",
    version: PackageVersion.current,
    subcommands: [
      TrainCommand.self,
      EvaluateCommand.self,
      ScoreCommand.self,
      CompareCommand.self,
      CalibrateCommand.self,
      DataCommand.self,
      PredictCommand.self,
      ServeCommand.self,
      ScenesCommand.self,
      SummaryCommand.self,
      BenchmarkCommand.self,
      ModelsCommand.self,
      RatesCommand.self,
      ReceptiveFieldCommand.self,
      FieldCommand.self,
      SimilarityCommand.self,
      AblateCommand.self,
      SweepCommand.self,
      ImportCommand.self,
      ExportCommand.self,
      ParityCommand.self,
      DoctorCommand.self,
      HelpCommand.self,
    ])

  /// What is odd about image files that were read all the same.
  private static let notes = NoteSummary { note($0) }

  static func main() {
    // A write past a limit is an error with a message, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    signal(SIGPIPE, SIG_IGN)
    Engine.keepFreedMemory()
    ImageNotes.receive { notes.add($0) }
    // However a command ends, what was found in further files is said last.
    atexit { Atrous.notes.finish() }
    start()
  }
}
