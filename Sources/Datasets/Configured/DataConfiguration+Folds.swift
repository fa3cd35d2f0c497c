import Configuration

// The keys `fold` and `folds` of the section `data`.
extension DataConfiguration {
  /// The part that is held out; nil where the parts of the data are what they are.
  static func fold(_ section: Section) throws -> Fold? {
    guard let text = try section.optionalString("fold") else { return nil }
    guard let fold = Fold(text: text) else {
      throw section.invalid("fold", "'\(text)'", expected: Fold.expected)
    }
    return fold
  }

  /// How images are divided.
  static func foldRule(_ section: Section) throws -> FoldRule {
    var rule = FoldRule()
    guard let inner = try section.optionalSection("folds") else { return rule }
    let ways = ["prefix", "groups", "list"].filter(inner.has)
    guard ways.count <= 1 else {
      throw inner.invalid(
        ways[1], "given beside '\(ways[0])'", expected: "one of prefix, groups and list")
    }
    inner.declare("prefix", as: .other("a number of letters, 1 to 1000, or a text"))
    if let prefix = try inner.optionalString("prefix") {
      guard !prefix.isEmpty, Int(prefix).map({ (1...1000).contains($0) }) ?? true else {
        throw inner.invalid(
          "prefix", "'\(prefix)'",
          expected: "a number of letters from 1, or the text that a beginning ends at")
      }
      rule.grouping = Int(prefix).map { .letters($0) } ?? .before(prefix)
    }
    if let file = try inner.optionalPath("groups") { rule.grouping = .groups(file) }
    if let file = try inner.optionalPath("list") { rule.grouping = .list(file) }
    rule.parts = try inner.strings("of", default: rule.parts)
    guard !rule.parts.isEmpty, Set(rule.parts).count == rule.parts.count else {
      throw inner.invalid("of", "\(rule.parts)", expected: "parts of the data, each once")
    }
    rule.seed = UInt64(try inner.int("seed", default: 0, in: 0...Int.max))
    return rule
  }

  /// The images that folds are made of, all together.
  ///
  /// - Throws: As ``listing(_:)``; `DatasetError.ambiguousPartner` for a name that two parts have.
  package func foldedImages() throws -> FileDataset {
    try .joined(foldRule.parts.map { try wholeListing($0) })
  }

  /// The images of `train`, or those that are held out, which are `val`.
  func listing(_ role: String, of fold: Fold) throws -> FileDataset {
    let all = try foldedImages()
    let names = all.items.map(\.name) + all.unpaired.map(\.name)
    let folds = try foldRule.folds(of: Array(Set(names)), count: fold.count)
    let isHeldOut = role == "val"
    let title = isHeldOut ? "fold \(fold) of \(all.name)" : "\(all.name) without fold \(fold)"
    return try all.filtered(as: title) { (folds[$0] == fold.number) == isHeldOut }
  }

  /// The part that a network of this configuration is scored on, where `split` is what the section
  /// `evaluate` says: what is held out, if anything is.
  package func scoredPart(_ split: String) -> String { fold == nil ? split : "val" }
}
