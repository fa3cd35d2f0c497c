import ArgumentParser
import Datasets

/// Which images are held out of training.
struct FoldOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Hold out a part of the training images, 2/5 the second of five, and score it; see data.folds.",
      valueName: "part"))
  var fold: String?

  func validate() throws {
    guard let fold, Fold(text: fold) == nil else { return }
    throw ValidationError("--fold is '\(fold)', expected a part such as 2/5, the second of five.")
  }

  /// What the option changes in the configuration.
  var overrides: [String] { fold.map { ["data.fold=\($0)"] } ?? [] }
}
