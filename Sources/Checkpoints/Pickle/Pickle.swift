/// Limits that keep a pickle's cost below what its file can justify.
enum Pickle {
  /// The most dimensions that a tensor may have.
  static let maximumRank = 64
  /// The most values that a pickle may make: some twenty for each tensor of a state dictionary.
  static let maximumValues = 2_000_000
  /// The longest name of a function, class or storage.
  static let maximumName = 512
}
