import Configuration
import Foundation
import Testing

@testable import Training

@Suite("The reference of all keys", .serialized)
struct ReferenceTests {
  private static let page: String = {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    return tests.deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("docs/configuration.md").path
  }()

  @Test("has a sentence and an example for every key that a reader asks for, and no other")
  func whole() throws {
    let gaps = try ConfigurationReference.reference().gaps
    #expect(gaps.isEmpty, "\(gaps.joined(separator: "\n"))")
  }

  @Test("has examples that their readers accept")
  func examples() throws {
    let refused = try ConfigurationReference.topics().flatMap { try $0.refusedExamples() }
    #expect(refused.isEmpty, "\(refused.joined(separator: "\n"))")
  }

  @Test("is docs/configuration.md")
  func committed() throws {
    let page = try String(contentsOfFile: Self.page, encoding: .utf8)
    let made = try ConfigurationReference.markdown()
    let difference = zip(page.split(separator: "\n"), made.split(separator: "\n"))
      .first { $0 != $1 }
    #expect(
      page == made,
      """
      docs/configuration.md has fallen behind: \(difference.map { "\($0.0)\nnow is\n\($0.1)" } ?? "its length").
      Make it again: swift run atrous help configuration --markdown > docs/configuration.md
      """)
  }

  @Test(
    "explains what configurations are made of",
    arguments: [
      ("train.optimizer", ["learningRate", "required", "adamW", "betas"]),
      ("data", ["chase-db1", "fit", "hold", "folders", "imageSuffix"]),
      ("ohem", ["keep", "100000"]),
      ("rotation", ["[-10, 10]"]),
      ("resnet50", ["multiGrid", "contractDilation"]),
      ("evaluate.imageSize", ["1024x512"]),
      ("tensorBoard.images", ["whole number, 0 to 1000", "default 4"]),
    ])
  func text(_ key: String, _ words: [String]) throws {
    let text = try ConfigurationReference.text(of: key)
    for word in words { #expect(text.contains(word)) }
  }

  @Test(
    "and a wrong key's message name the command that explains keys",
    arguments: [
      ("train.optimiser={name: sgd}", "'atrous help configuration train' explains them"),
      ("train.optimizer.rate=1", "'atrous help configuration train.optimizer' explains them"),
      ("train.augmentation=[{flip: 1}]", "'atrous help configuration train.augmentation' explains"),
      ("model.head.rats=[1]", "'atrous help configuration model.head' explains them"),
      ("modle=1", "('atrous help configuration' explains them)"),
    ])
  func hint(_ override: String, _ words: String) throws {
    let yaml = """
      data: {layout: camvid, root: data}
      model: {backbone: {name: unet, widths: [2, 2]}, head: {name: linear}}
      train: {iterations: 1, optimizer: {name: sgd, learningRate: 1}}
      """
    let error = #expect(throws: ConfigurationError.self) {
      try TrainingConfiguration(yaml: yaml, named: "x.yaml", overrides: [override])
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }

  @Test(
    "is right in its hints for pairs of numbers",
    arguments: [
      (
        "rotation: [10, -10]",
        "'rotation' is [10.0, -10.0], expected a lower and an upper bound, such as [-10, 10]"
      ),
      ("randomResize: 2", "such as [0.5, 2.0]"),
      ("photometricDistortion: {contrast: 2}", "such as [0.5, 1.5]"),
      ("horizontalFlip: 2", "'horizontalFlip' is 2.0, expected a number from 0.0 to 1.0"),
      ("colorJitter: {hue: 1}", "'hue' is 1.0, expected a number from 0.0 to 0.5"),
      ("colorJitter: {contrast: -1}", "'contrast' is -1.0, expected a number of at least 0.0"),
      (
        "randomResize: [0, 2]",
        "0.0...2.0 for the ratio of randomResize, expected above 0, up to 100"
      ),
    ])
  func pairs(_ entry: String, _ words: String) throws {
    let section = try Section(yaml: "augmentation: [{\(entry)}]", named: "x.yaml")
    let error = #expect(throws: ConfigurationError.self) {
      try TrainingSettings.augmentation(section, classes: [])
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }
}
