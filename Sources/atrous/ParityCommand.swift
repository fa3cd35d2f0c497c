import ArgumentParser
import Files
import Foundation
import Parity
import Torch

/// `atrous parity`: compares networks with reference results.
struct ParityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "Compare networks built here with reference results of the original implementations.",
    discussion: """
      Prints one line per file; the exit status is 1 if any disagrees or is unknown. If one holds a \
      receptive field, convolutions keep to AVX2, where the kit was made.
      """)

  @Argument(help: "Files of the parity kit (JSON).")
  var files: [String]

  @Flag(help: "List every disagreement, not only the first few.")
  var verbose = false

  func run() throws {
    if files.contains(where: Parity.dependsOnLastBits) { Engine.limitInstructions(to: "AVX2") }
    var failures = 0
    for file in files {
      let name = file.fileName
      do {
        let result = try Parity.check(file)
        if result.agrees {
          let worst = String(format: "%.2g", result.worst)
          print(
            "agrees     \(name): \(result.checked); largest difference \(worst) of the tolerance")
          continue
        }
        failures += 1
        print("DISAGREES  \(name): \(result.disagreements.count) of \(result.checked)")
        let shown = verbose ? result.disagreements[...] : result.disagreements.prefix(8)
        for line in shown { print("             \(line)") }
        if shown.count < result.disagreements.count { print("             …") }
      } catch {
        failures += 1
        print("FAILED     \(name): \(error)")
      }
    }
    if failures > 0 {
      print("\(failures) of \(files.count) files disagree or failed.")
      throw ExitCode(1)
    }
  }
}
