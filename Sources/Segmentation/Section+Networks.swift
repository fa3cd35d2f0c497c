import Configuration

/// What configurations of networks have in common.
extension Section {
  /// The whole numbers at `key`, or nothing; `count` of them where that is given.
  func optionalInts(
    _ key: String, count: Int? = nil, in range: ClosedRange<Int>
  ) throws -> [Int]? {
    guard has(key) else { return nil }
    let values = try ints(key, in: range)
    if values.isEmpty || values.count != count ?? values.count {
      throw invalid(
        key, "\(values)",
        expected: count.map { "\($0) whole numbers, one for each stage" } ?? "at least one number")
    }
    return values
  }

  /// Refuses lists of another length than one entry for each of `count` stages.
  func checkStages(_ count: Int, _ lists: [String: [Int]]) throws {
    for (key, list) in lists.sorted(by: { $0.key < $1.key }) where list.count != count {
      throw invalid(key, "\(list)", expected: "\(count) numbers, one for each stage")
    }
  }

  /// Refuses `heads` that do not share out the features of each width evenly.
  func checkHeads(_ heads: [Int], of widths: [Int]) throws {
    for (count, width) in zip(heads, widths) where width % count != 0 {
      throw invalid("heads", "\(heads)", expected: "a divisor of the width, \(width)")
    }
  }
}
