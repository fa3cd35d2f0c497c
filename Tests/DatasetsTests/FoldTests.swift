import Configuration
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Folds")
struct FoldTests {
  @Test(
    "a part is written as a number of how many",
    arguments: ["0/5", "6/5", "1/1", "2", "a/b", "1/2/3", "1/1001"])
  func text(wrong: String) {
    #expect(Fold(text: wrong) == nil)
    #expect(Fold(text: "2/5").map { "\($0)" } == "2/5")
    #expect(Fold.all(3).map(\.number) == [1, 2, 3])
  }

  @Test("images one by one are dealt evenly, by their names and the seed alone")
  func images() throws {
    let names = (0..<23).map { "image\($0)" }
    var rule = FoldRule()
    let folds = try rule.folds(of: names, count: 5)
    let sizes = (1...5).map { number in folds.values.count { $0 == number } }
    #expect(sizes == [5, 5, 5, 4, 4])
    #expect(try rule.folds(of: names.reversed(), count: 5) == folds)
    // Neighbours do not follow each other into one fold after the other.
    #expect((0..<5).map { folds["image\($0)"] } != [1, 2, 3, 4, 5])
    rule.seed = 1
    #expect(try rule.folds(of: names, count: 5) != folds)
  }

  @Test("groups stay together and are dealt as scikit-learn 1.9.1's GroupKFold deals them")
  func groups() throws {
    // Of groups of different sizes the order is not drawn.
    let sizes = [7, 5, 6, 4, 3, 2, 1, 9, 8]
    let names = sizes.enumerated().flatMap { group, size in (0..<size).map { "\(group)_\($0)" } }
    var rule = FoldRule()
    rule.grouping = .before("_")
    let expected: [Int: [[Int]]] = [
      2: [[1, 2, 5, 6, 7], [0, 3, 4, 8]], 3: [[3, 4, 7], [1, 5, 8], [0, 2, 6]],
      4: [[5, 6, 7], [4, 8], [0, 3], [1, 2]],
    ]
    for (count, parts) in expected {
      let folds = try rule.folds(of: names, count: count)
      let found = (1...count).map { number in
        Set(folds.filter { $0.value == number }.compactMap { Int($0.key.prefix(1)) }).sorted()
      }
      #expect(found == parts)
      let together = Dictionary(grouping: folds, by: { $0.key.prefix(1) })
      #expect(together.values.allSatisfy { Set($0.map(\.value)).count == 1 })
    }
  }

  @Test("both eyes of a person stay together by the letters that their names begin with")
  func letters() throws {
    let names = (1...14).flatMap { person in
      ["L", "R"].map { String(format: "Image_%02d", person) + $0 }
    }
    var rule = FoldRule()
    rule.grouping = .letters(8)
    let folds = try rule.folds(of: names, count: 5)
    for person in 1...14 {
      let name = String(format: "Image_%02d", person)
      #expect(folds[name + "L"] == folds[name + "R"])
    }
    #expect((1...5).map { number in folds.values.count { $0 == number } } == [6, 6, 6, 6, 4])
    let error = #expect(throws: DatasetError.self) { try rule.folds(of: names, count: 15) }
    #expect(error?.description.contains("at most 14, the different beginnings of names") == true)
  }

  @Test("files say which images stay together, or which fold each is of")
  func files() throws {
    let folder = try TemporaryFolder()
    func write(_ text: String) throws -> String {
      let file = "\(folder.path)/folds.csv"
      try Data(text.utf8).write(to: URL(fileURLWithPath: file))
      return file
    }
    var rule = FoldRule()
    rule.grouping = .list(try write("# by hand\na, 2\nb\t1\n\nc d 2\nother 1\n"))
    #expect(try rule.folds(of: ["a", "b", "c d"], count: 2) == ["a": 2, "b": 1, "c d": 2])
    rule.grouping = .groups(try write("a x\nb y\nc x\nd y\n"))
    let folds = try rule.folds(of: ["a", "b", "c", "d"], count: 2)
    #expect(folds["a"] == folds["c"] && folds["b"] == folds["d"] && folds["a"] != folds["b"])
    for (text, names, message) in [
      ("a 1\n", ["a", "b"], "a line for the image b"), ("a 3\n", ["a"], "the fold of a"),
      ("a 1\n", ["a"], "fold 2"), ("a\n", ["a"], "line 1"),
      ("a 1\na 2\n", ["a"], "each image once"),
    ] {
      rule.grouping = .list(try write(text))
      let error = #expect(throws: DatasetError.self) { try rule.folds(of: names, count: 2) }
      #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
    }
    rule.grouping = .list("nowhere.csv")
    #expect(throws: DatasetError.self) { try rule.folds(of: ["a"], count: 2) }
  }

  private func read(_ yaml: String) throws -> DataConfiguration {
    let root = try Section(
      yaml: "data: {layout: folders, classes: [a, b], \(yaml)}", named: "c.yaml")
    let data = try DataConfiguration(root.section("data"))
    try root.finish()
    return data
  }

  @Test("what is held out is never trained on, and every image is held out once")
  func parts() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 7)
    try writePairs("\(folder.path)/more", count: 3)
    for index in 0..<3 {
      for kind in ["images", "labels"] {
        let path = "\(folder.path)/more/\(kind)"
        try FileManager.default.moveItem(
          atPath: "\(path)/\(index).png", toPath: "\(path)/more\(index).png")
      }
    }
    let pairs = "{images: \(folder.path)/images, labels: \(folder.path)/labels}"
    let more = "{images: \(folder.path)/more/images, labels: \(folder.path)/more/labels}"
    for (yaml, count) in [
      ("train: \(pairs)", 7), ("train: \(pairs), val: \(more)", 7),
      ("train: \(pairs), holdOut: 0.2", 7),
      ("train: \(pairs), val: \(more), folds: {of: [train, val]}", 10),
    ] {
      var heldOut: [String] = []
      for fold in Fold.all(3) {
        let data = try read("\(yaml), fold: \(fold)")
        #expect(data.has("val") && data.scoredPart("test") == "val" && data.fold == fold)
        let (train, val) = (try data.listing("train"), try data.listing("val"))
        #expect(train.count + val.count == count)
        #expect(Set(train.items.map(\.name)).isDisjoint(with: val.items.map(\.name)))
        #expect(val.name.hasPrefix("fold \(fold) of train"))
        heldOut += val.items.map(\.name)
      }
      #expect(heldOut.count == count && Set(heldOut).count == count)
    }
    let limited = try read("train: \(pairs), fold: 1/2, limitTrain: 2, limitVal: 1")
    #expect(try limited.dataset("train").count == 2 && limited.dataset("val").count == 1)
  }

  @Test(
    "what cannot be meant is refused by name",
    arguments: [
      ("fold: 6/5", "a part such as 2/5"), ("fold: 2", "a part such as 2/5"),
      ("folds: {prefix: 0}", "a number of letters from 1"),
      ("folds: {prefix: 2, list: x}", "one of prefix, groups and list"),
      ("folds: {of: []}", "parts of the data"), ("folds: {by: image}", "by"),
      ("fold: 1/2, folds: {of: [train, val]}", "'val' is missing"),
    ])
  func refused(yaml: String, message: String) {
    let error = #expect(throws: (any Error).self) {
      try read("train: {images: i, labels: l}, \(yaml)")
    }
    #expect(error.map { "\($0)".contains(message) } == true, "\(error.map { "\($0)" } ?? "")")
  }
}
