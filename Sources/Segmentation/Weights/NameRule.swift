/// A line of a table of names: which of ours, and what of theirs it is made of.
///
/// In our name `#` stands for a number and `*`, at the end, for the rest; in theirs `$1`, `$2` for the
/// numbers, `$1+1` and `$1-2` for other ones, and `*` for the rest. Of several lines that fit the first
/// holds.
struct NameRule: Sendable {
  let ours: String
  let theirs: WeightRecipe
  private let parts: [Part]

  private enum Part: Sendable {
    case text([UInt8]), number, rest
  }

  /// One of ours that is theirs as it is.
  init(_ ours: String, _ theirs: String) { self.init(ours, .tensor(theirs)) }

  /// One of ours that is made of theirs.
  init(_ ours: String, _ theirs: WeightRecipe) {
    (self.ours, self.theirs) = (ours, theirs)
    var parts: [Part] = []
    var text: [UInt8] = []
    for byte in ours.utf8 {
      guard byte == UInt8(ascii: "#") || byte == UInt8(ascii: "*") else {
        text.append(byte)
        continue
      }
      if !text.isEmpty { parts.append(.text(text)) }
      text = []
      parts.append(byte == UInt8(ascii: "#") ? .number : .rest)
    }
    if !text.isEmpty { parts.append(.text(text)) }
    self.parts = parts
  }

  /// The rule for names that have something before them.
  func after(_ own: String, _ other: String) -> NameRule {
    NameRule(own + ours, theirs.renamed { other + $0 })
  }

  /// What the tensor of ours that is called `name` is made of; nil if the rule is not about it.
  func callAsFunction(_ name: String) -> WeightRecipe? {
    guard let found = captures(name) else { return nil }
    return theirs.renamed { Self.fill($0, found.numbers, found.rest) }
  }

  /// What the numbers and the rest of a name are.
  private func captures(_ name: String) -> (numbers: [Int], rest: String)? {
    let bytes = Array(name.utf8)
    var place = 0
    var numbers: [Int] = []
    for part in parts {
      switch part {
      case .text(let text):
        guard bytes[place...].starts(with: text) else { return nil }
        place += text.count
      case .number:
        let digits = bytes[place...].prefix { (48...57).contains($0) }
        // No network has so many parts that more digits are needed.
        guard !digits.isEmpty, digits.count < 9 else { return nil }
        numbers.append(digits.reduce(0) { 10 * $0 + Int($1) - 48 })
        place += digits.count
      case .rest:
        guard place < bytes.count else { return nil }
        return (numbers, String(decoding: bytes[place...], as: UTF8.self))
      }
    }
    return place == bytes.count ? (numbers, "") : nil
  }

  private static func fill(_ template: String, _ numbers: [Int], _ rest: String) -> String {
    var result = ""
    var left = template[...]
    while let character = left.popFirst() {
      if character == "*" {
        result += rest
      } else if character == "$", let index = left.first?.wholeNumberValue,
        numbers.indices.contains(index - 1)
      {
        left.removeFirst()
        var number = numbers[index - 1]
        if let sign = left.first, sign == "+" || sign == "-",
          let step = left.dropFirst().first?.wholeNumberValue
        {
          number += sign == "+" ? step : -step
          left.removeFirst(2)
        }
        result += "\(number)"
      } else {
        result.append(character)
      }
    }
    return result
  }
}

extension [NameRule] {
  /// The rules of a part of a network, whose names have something before them.
  func after(_ own: String, _ other: String) -> [NameRule] { map { $0.after(own, other) } }

  /// What the tensor of ours that is called `name` is made of.
  func recipe(_ name: String) -> WeightRecipe? {
    for rule in self {
      if let recipe = rule(name) { return recipe }
    }
    return nil
  }

  /// The rules of a table of our names and theirs, all of which have something before them.
  static func table(
    _ own: String, _ other: String, _ names: KeyValuePairs<String, String>
  ) -> [NameRule] {
    names.map { NameRule(own + $0.key, other + $0.value) }
  }

  /// The rules of a table of our names and theirs.
  static func table(_ names: KeyValuePairs<String, String>) -> [NameRule] { table("", "", names) }

  /// The rules for a convolution and its normalization, numbered 0 and 1 here.
  static func unit(_ ours: String, _ convolution: String, _ norm: String) -> [NameRule] {
    [NameRule("\(ours).0.*", "\(convolution).*"), NameRule("\(ours).1.*", "\(norm).*")]
  }

  /// The rules for a convolution and its normalization, which have these numbers here, where the
  /// convolution has a bias there.
  static func folded(
    _ ours: String, _ numbers: (Int, Int), _ convolution: String, _ norm: String
  ) -> [NameRule] {
    folded(("\(ours).\(numbers.0)", "\(ours).\(numbers.1)"), convolution, norm)
  }

  /// The rules for a convolution and its normalization where the convolution has a bias there.
  static func folded(
    _ ours: (String, String), _ convolution: String, _ norm: String
  ) -> [NameRule] {
    let (mean, bias) = ("\(norm).running_mean", "\(convolution).bias")
    return [
      NameRule("\(ours.0).weight", "\(convolution).weight"),
      NameRule("\(ours.1).running_mean", .difference(.tensor(mean), .tensor(bias))),
      NameRule("\(ours.1).*", "\(norm).*"),
    ]
  }

  /// The rules for a 1×1 convolution that is a matrix there.
  static func matrix(_ ours: String, _ theirs: String) -> [NameRule] {
    [
      NameRule("\(ours).weight", .kernel(.tensor("\(theirs).weight"))),
      NameRule("\(ours).bias", "\(theirs).bias"),
    ]
  }

  /// The rule for queries, keys and values that stand apart there, as `query`, `key` and `value`.
  static func attention(_ ours: String, _ theirs: String) -> [NameRule] {
    [NameRule(ours + "*", .joined(["query", "key", "value"].map { "\(theirs)\($0).*" }))]
  }
}
