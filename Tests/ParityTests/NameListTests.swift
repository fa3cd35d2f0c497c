import Configuration
import Foundation
import Segmentation
import TestSupport
import Testing
import Torch

private let lists = URL(fileURLWithPath: shared).appending(path: "names")
private let listsAreHere = FileManager.default.fileExists(atPath: lists.path)

/// A list of the names and shapes of a public file, and the network that it is for.
struct NameList: Sendable, CustomTestStringConvertible {
  let files: [String]
  let convention: String
  let model: String
  /// What our names begin with that the list leaves out.
  var without: [String] = []

  init(_ files: String..., is convention: String, without: [String] = [], _ model: String) {
    (self.files, self.convention, self.model, self.without) = (files, convention, model, without)
  }

  var testDescription: String { files.joined(separator: ", ") }

  /// The names and shapes.
  func entries() throws -> [String: [Int]] {
    var result: [String: [Int]] = [:]
    for file in files {
      let text = try String(
        contentsOf: lists.appending(path: "\(file).tsv"), encoding: .utf8)
      for line in text.split(separator: "\n") where !line.hasPrefix("#") {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
        guard fields.count > 1 else { continue }
        result[String(fields[0])] = fields[1].split { !$0.isNumber }.compactMap { Int($0) }
      }
    }
    return result
  }

  static let all: [NameList] = [
    .init(
      "hf-segformer_b0_ade", is: "huggingface",
      "{backbone: {name: mit_b0}, head: {name: segformer, levels: matrix}, classes: 150}"),
    .init(
      "hf-upernet_swin_tiny_backbone", "hf-upernet_heads_tiny", is: "huggingface",
      """
      {backbone: {name: swin_t, form: mmsegmentation, merging: positions}, head: {name: upernet},
       auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150}
      """),
    .init(
      "hf-upernet_convnext_tiny_backbone", "hf-upernet_heads_tiny", is: "huggingface",
      """
      {backbone: {name: convnext_tiny, form: mmsegmentation}, head: {name: upernet},
       auxiliary: [{name: fcn, level: 2, channels: 256}], classes: 150}
      """),
    .init(
      "hf-deeplabv3_mobilenet_v2_1.0_513", is: "huggingface",
      """
      {backbone: {name: mobilenet_v2, outputStride: 8, lastConvolution: false, padding: tensorflow,
                  eps: 1e-3},
       head: {name: deeplabv3, rates: [1], poolFirst: true, refine: false}, classes: 21}
      """),
  ]
}

@Suite("Lists of names", .serialized)
struct NameListTests {
  @Test(
    "of public files have a place for every tensor, and every tensor has one",
    .enabled(if: listsAreHere, "skipped: the lists of names are not beside the checkout"),
    arguments: NameList.all)
  func complete(_ list: NameList) throws {
    let shapes = try list.entries()
    try #require(!shapes.isEmpty)
    let model = try shapesOnly {
      try ModelBuilder.build(Section(yaml: list.model, named: "test"))
    }
    let convention = try #require(
      NamingConvention.conventions(of: model).first { $0.name == list.convention })
    let recipes = convention.recipes(of: model)
    var used: Set<String> = []
    var faults: [String] = []
    for (name, tensor) in model.state {
      // Constants are in no file of these; counters of batches are in none of the lists.
      if name.hasSuffix("num_batches_tracked") || (tensor as? Buffer)?.isConstant == true {
        continue
      }
      if list.without.contains(where: name.hasPrefix) { continue }
      guard let recipe = recipes[name], let shape = recipe.shape({ shapes[$0] }) else {
        faults.append("\(name) is not in the list: \(recipes[name]?.description ?? "no name")")
        continue
      }
      used.formUnion(recipe.names)
      if shape.filter({ $0 != 1 }) != tensor.shape.filter({ $0 != 1 }) {
        faults.append("\(name): \(tensor.shape), there \(shape)")
      }
    }
    faults += shapes.keys.filter { !used.contains($0) && !convention.isUnused($0) }
      .map { "\($0) is left over" }
    #expect(faults == [])
  }
}
