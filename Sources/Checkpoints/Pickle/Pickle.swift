/// Limits that keep a pickle's cost below what its file can justify.
enum Pickle {
  /// The most dimensions that a tensor may have.
  static let maximumRank = 64
  /// The most values that a pickle may keep: some twenty for each tensor of a state dictionary.
  static let maximumValues = 2_000_000
  /// The longest name of a function, class or storage.
  static let maximumName = 512
  /// How many numbers of a list, and how many of a dictionary, are kept: histories of losses have
  /// millions, shapes and strides have few.
  static let maximumPlain = (list: maximumRank, dictionary: 4096)
}
