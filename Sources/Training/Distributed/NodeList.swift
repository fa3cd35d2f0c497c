/// Slurm's short form of lists of hosts: `node[01-03,7],rack[1-2]n[1-8],login`.
///
/// https://slurm.schedmd.com/scontrol.html, "show hostnames".
enum NodeList {
  /// The hosts in order; nil for text that is no such list, or names more than a million.
  static func hosts(_ text: String) -> [String]? {
    var result: [String] = []
    for part in split(text) {
      guard let hosts = expanded(part), result.count + hosts.count <= most else { return nil }
      result += hosts
    }
    return result.isEmpty || result.contains("") ? nil : result
  }

  private static let most = 1_000_000

  /// The parts between commas that are in no brackets.
  private static func split(_ text: String) -> [Substring] {
    var depth = 0
    return text.split(omittingEmptySubsequences: false) { character in
      if character == "[" { depth += 1 }
      if character == "]" { depth -= 1 }
      return character == "," && depth == 0
    }
  }

  /// A part with each of its brackets replaced by all that it stands for.
  private static func expanded(_ part: Substring) -> [String]? {
    guard let open = part.firstIndex(of: "[") else {
      return part.contains("]") ? nil : [String(part)]
    }
    guard let close = part[open...].firstIndex(of: "]"), !part[..<open].contains("]"),
      let rest = expanded(part[part.index(after: close)...])
    else { return nil }
    var inner: [String] = []
    for range in part[part.index(after: open)..<close]
      .split(separator: ",", omittingEmptySubsequences: false)
    {
      guard let numbers = numbers(range), (inner.count + numbers.count) * rest.count <= most else {
        return nil
      }
      inner += numbers
    }
    return inner.flatMap { number in rest.map { part[..<open] + number + $0 } }
  }

  /// `07` as it is, `08-10` as 08, 09 and 10.
  private static func numbers(_ range: Substring) -> [String]? {
    let ends = range.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count <= 2, let from = ends.first, let to = ends.last,
      ends.allSatisfy({ !$0.isEmpty && $0.allSatisfy({ ("0"..."9").contains($0) }) }),
      let first = Int(from), let last = Int(to), first <= last, last - first < most
    else { return nil }
    return (first...last).map { number in
      let digits = "\(number)"
      return String(repeating: "0", count: max(0, from.count - digits.count)) + digits
    }
  }
}
