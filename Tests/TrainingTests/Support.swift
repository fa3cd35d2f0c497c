import Foundation

@testable import Training

/// The bytes of a checkpoint that the run ended with.
func lastCheckpoint(_ folder: String) throws -> Data {
  try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(Checkpoint.Name.last)"))
}
