import ArgumentParser
import Foundation
import Training

/// `atrous predict`: segments photographs.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict", abstract: "Segment a photograph, or all in a folder.")
  func run() throws {}
}
