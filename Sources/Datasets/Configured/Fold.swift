/// A part of the images that is held out: which of how many, from 1.
public struct Fold: Sendable, Hashable, CustomStringConvertible {
  /// The most parts that images are divided into.
  package static let most = 1000

  /// Which part it is, from 1.
  public let number: Int
  /// How many there are, at least 2.
  public let count: Int

  /// A part; nil for a number beyond the count.
  public init?(_ number: Int, of count: Int) {
    guard (2...Self.most).contains(count), (1...count).contains(number) else { return nil }
    (self.number, self.count) = (number, count)
  }

  /// A part such as `2/5`; nil for other text.
  public init?(text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let number = parts[0], let count = parts[1] else { return nil }
    self.init(number, of: count)
  }

  /// All parts of so many.
  package static func all(_ count: Int) -> [Fold] {
    (1...max(1, count)).compactMap { Fold($0, of: count) }
  }

  /// The part as configurations have it.
  public var description: String { "\(number)/\(count)" }
  /// What a text is expected to be.
  package static let expected = "a part such as 2/5, the second of five"
}
