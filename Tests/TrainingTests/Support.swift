import Foundation
import Inference
import TestSupport

@testable import Training

/// The bytes of a checkpoint that the run ended with.
func lastCheckpoint(_ folder: String) throws -> Data {
  try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(Checkpoint.Name.last)"))
}

/// A trainer of the tiny network on the pairs in `folder`, for the run `output` in it.
func tinyTrainer(
  _ folder: TemporaryFolder, _ output: String, iterations: Int = 7, _ overrides: [String] = [],
  resume: Bool = false
) throws -> Trainer {
  try Trainer(
    TrainingConfiguration(
      yaml: tinyYAML(folder.path, iterations: iterations), named: "test", overrides: overrides),
    output: "\(folder.path)/\(output)", existing: resume ? .resume : .refuse)
}
