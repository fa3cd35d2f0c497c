import Files
import Foundation

/// By which rule images are divided into folds.
///
/// Groups of images stay together: what is learnt from one eye of a person or one frame of a film would tell of the
/// others. The largest group goes first, each to the fold that has the fewest images, as scikit-learn's `GroupKFold`
/// does it; groups of one size are dealt in an order drawn from the seed.
public struct FoldRule: Sendable, Equatable {
  /// Which images stay together.
  public enum Grouping: Sendable, Equatable {
    /// Each stands alone.
    case images
    /// Those whose names begin with the same so many letters.
    case letters(Int)
    /// Those whose names are the same up to the first of these texts.
    case before(String)
    /// Those that a file gives the same word, a line `name word` each.
    case groups(String)
    /// Those that a file gives the same number of a fold, a line `name number` each.
    case list(String)
  }

  /// Which images stay together.
  public var grouping = Grouping.images
  /// The parts of the data that are divided, all together.
  public var parts = ["train"]
  /// What the order of groups of one size is drawn from.
  public var seed: UInt64 = 0

  /// Images one by one, of those that are trained on.
  public init() {}

  /// The fold of each image, from 1.
  ///
  /// It depends on the names alone, not on their order.
  /// - Throws: `DatasetError.invalidSetting` for fewer groups than folds, or a name that a file lacks.
  public func folds(of names: [String], count: Int) throws -> [String: Int] {
    let names = names.sorted()
    if case .list(let file) = grouping { return try listed(names, count, file) }
    let groups = try grouped(names)
    guard groups.count >= count else {
      throw DatasetError.invalidSetting(
        name: "the number of folds", value: "\(count)",
        expected: "at most \(groups.count), the \(groupWord) that there are")
    }
    let order = SampleRandom.order(count: groups.count, seed: seed, epoch: 0)
    // The largest first; of one size as drawn.
    let sorted = order.enumerated().sorted {
      (-groups[$0.element].count, $0.offset) < (-groups[$1.element].count, $1.offset)
    }.map(\.element)
    var sizes = [Int](repeating: 0, count: count)
    var result: [String: Int] = [:]
    for index in sorted {
      let smallest = sizes.indices.min { (sizes[$0], $0) < (sizes[$1], $1) } ?? 0
      sizes[smallest] += groups[index].count
      for name in groups[index] { result[name] = smallest + 1 }
    }
    return result
  }

  /// The names of each group, in the order of the groups' words.
  private func grouped(_ names: [String]) throws -> [[String]] {
    var words: [String: String]?
    if case .groups(let file) = grouping { words = try Self.table(file) }
    var groups: [String: [String]] = [:]
    for name in names {
      let word: String
      switch grouping {
      case .images, .list: word = name
      case .letters(let count): word = String(name.prefix(count))
      case .before(let text):
        word = name.range(of: text).map { String(name[..<$0.lowerBound]) } ?? name
      case .groups(let file): word = try Self.entry(name, in: words ?? [:], file)
      }
      groups[word, default: []].append(name)
    }
    return groups.sorted { $0.key < $1.key }.map(\.value)
  }

  private var groupWord: String {
    switch grouping {
    case .images, .list: "images"
    case .letters, .before: "different beginnings of names"
    case .groups(let file): "groups in \(file)"
    }
  }

  /// The folds that a file gives to names.
  private func listed(_ names: [String], _ count: Int, _ file: String) throws -> [String: Int] {
    let words = try Self.table(file)
    var result: [String: Int] = [:]
    for name in names {
      let word = try Self.entry(name, in: words, file)
      guard let number = Int(word), (1...count).contains(number) else {
        throw DatasetError.invalidSetting(
          name: "\(file): the fold of \(name)", value: "'\(word)'",
          expected: "a number from 1 to \(count)")
      }
      result[name] = number
    }
    let empty = Set(1...count).subtracting(result.values).sorted()
    if let first = empty.first {
      throw DatasetError.invalidSetting(
        name: "\(file): fold \(first)", value: "no image",
        expected: "an image in each of \(count) folds")
    }
    return result
  }

  private static func entry(
    _ name: String, in words: [String: String], _ file: String
  ) throws -> String {
    guard let word = words[name] else {
      throw DatasetError.missingPartner(
        file: file, expected: "a line for the image \(name): its name, then its word")
    }
    return word
  }

  /// The lines of a file: a name, then a comma, a tab or spaces, then a word; # begins a remark.
  ///
  /// - Throws: `DatasetError`.
  private static func table(_ file: String) throws -> [String: String] {
    guard let text = FileSystem.text(file) else {
      throw DatasetError.missingFile(
        path: file, expected: "a text file with a name and a word a line")
    }
    var words: [String: String] = [:]
    for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = line.trimmingCharacters(in: .whitespaces)
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      // A name may have spaces in it, the word has none.
      guard let gap = line.lastIndex(where: { $0 == "," || $0.isWhitespace }) else {
        throw DatasetError.invalidSetting(
          name: "\(file), line \(index + 1)", value: "'\(line)'",
          expected: "an image's name, a comma or a space, and a word")
      }
      let name = line[..<gap].trimmingCharacters(in: CharacterSet(charactersIn: ", \t"))
      let word = String(line[line.index(after: gap)...])
      if let other = words[name], other != word {
        throw DatasetError.invalidSetting(
          name: "\(file), line \(index + 1)", value: "'\(name)' again",
          expected: "each image once")
      }
      words[name] = word
    }
    return words
  }
}
