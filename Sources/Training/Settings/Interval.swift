import Configuration

/// How often something happens.
public enum Interval: Sendable, Equatable {
  /// After every so many iterations.
  case iterations(Int)
  /// After every so many epochs.
  case epochs(Int)
  /// Only at the end.
  case never

  private static let expected = "a number of iterations, 0 or 'epoch', or '5 epochs'"

  init(_ section: Section, _ key: String, default fallback: Interval) throws {
    section.declare(key, as: .other(Self.expected), default: fallback.text)
    guard section.has(key) else {
      self = fallback
      return
    }
    if let count = try? section.int(key) {
      guard count >= 0 else {
        throw section.invalid(key, "\(count)", expected: Self.expected)
      }
      self = count == 0 ? .never : .iterations(count)
    } else {
      let text = try section.string(key)
      let words = text.split(separator: " ")
      if text == "epoch" {
        self = .epochs(1)
      } else if words.count == 2, words[1] == "epochs" || words[1] == "epoch",
        let count = Int(words[0]), (1...longest).contains(count)
      {
        self = .epochs(count)
      } else {
        throw section.invalid(key, "'\(text)'", expected: Self.expected)
      }
    }
  }

  /// As it is written in a configuration.
  private var text: String {
    switch self {
    case .iterations(let count): "\(count)"
    case .epochs(1): "epoch"
    case .epochs(let count): "\(count) epochs"
    case .never: "0"
    }
  }

  /// Whether it happens after `done` iterations, of `perEpoch` an epoch.
  func isDue(_ done: Int, perEpoch: Int) -> Bool {
    switch self {
    case .iterations(let count): done % count == 0
    case .epochs(let count): done % perEpoch == 0 && done / perEpoch % count == 0
    case .never: false
    }
  }
}

/// The most iterations and epochs that can be meant; with more, their product would not be a number.
let longest = 1_000_000_000
