import Foundation
import TestSupport
import Testing

@Suite("Folds from the command line")
struct FoldCommandTests {
  @Test("a run of one fold scores what it held out, and a folder of folds is one ensemble")
  func folds() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 6)
    let file = "\(folder.path)/c.yaml"
    try Data(tinyYAML(folder.path, iterations: 4).utf8).write(to: URL(fileURLWithPath: file))
    let one = "\(folder.path)/one"
    let trained = try Command.run("train", file, "--fold", "2/3", "--output", one)
    #expect(trained.status == 0, "\(trained)")
    let scored = try Command.run("evaluate", one)
    #expect(scored.output.hasPrefix("fold 2/3 of train: 2 images"), "\(scored)")
    try Command.run("evaluate", one, "--fold", "1/3")
      .expectRefusal("was trained without fold 2/3, and on images of fold 1/3")
    let wrong = try Command.run("evaluate", one, "--fold", "4/3")
    #expect(wrong.status == 64 && wrong.errors.contains("--fold is '4/3'"), "\(wrong)")

    let all = "\(folder.path)/all"
    let command = ["train", file, "--folds", "3", "--output", all]
    let folds = try Command(command).wait()
    #expect(folds.status == 0, "\(folds)")
    #expect(folds.output.contains("folds 1/3, 2/3, 3/3"))
    #expect(folds.output.contains("train, out of 3 folds: 6 images"))
    let again = try Command(command).wait()
    #expect(again.output == folds.output)
    #expect(!again.errors.contains("iterations of"), "nothing is trained twice: \(again.errors)")
    let together = try Command.run("evaluate", all)
    #expect(together.output.contains("train, out of 3 folds: 6 images"), "\(together)")

    let image = "\(folder.path)/images/0.png"
    func labels(_ name: String, _ networks: [String]) throws -> Data? {
      let output = "\(folder.path)/\(name)"
      let outcome = try Command(["predict"] + networks + [image, "--output", output]).wait()
      #expect(outcome.status == 0, "\(outcome)")
      return FileManager.default.contents(atPath: "\(output)/0_labels.png")
    }
    let ensemble = try labels("by-folder", [all])
    #expect(ensemble != nil)
    #expect(
      try ensemble == labels("by-name", (1...3).map { "\(all)/fold-\($0)/last.safetensors" }))
    let weights = try Command.run("predict", all, image, "--weights", "1,2")
    #expect(weights.status == 64 && weights.errors.contains("there are 3"), "\(weights)")
  }
}
