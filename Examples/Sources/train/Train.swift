import Evaluation
import Training

/// `swift run -c release train images labels runs/mine`: trains a small U-Net on two folders.
@main
enum Train {
  static func main() throws {
    let paths = Array(CommandLine.arguments.dropFirst())
    guard paths.count == 3 else {
      return print("expected a folder of images, one of labels, and one for the run")
    }
    let result = try train(paths[0], paths[1], to: paths[2], monitor: ConsoleMonitor())
    print(result?.text ?? "there was nothing to score")
  }

  /// Trains, and gives the scores on the fifth of the images that was held out.
  static func train(
    _ images: String, _ labels: String, to run: String, overrides: [String] = [],
    monitor: any TrainingMonitor = SilentMonitor()
  ) throws -> EvaluationResult? {
    let configuration = try TrainingConfiguration(
      images: images, labels: labels, overrides: overrides)
    let trainer = try Trainer(
      configuration, output: run, existing: .overwrite, monitor: monitor)
    _ = try trainer.fit()
    return trainer.lastResult
  }
}
