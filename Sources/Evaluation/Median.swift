extension Collection where Element == Double {
  /// The middle number in ascending order, of two the larger one; 0 of none.
  package var median: Double { isEmpty ? 0 : sorted()[count / 2] }
}
