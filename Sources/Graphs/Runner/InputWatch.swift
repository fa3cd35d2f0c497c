import Torch

/// The ranges of the inputs of layers, by their names, while a network is calibrated.
final class InputWatches {
  private var watches: [String: InputWatch] = [:]

  /// What looks at the inputs of a layer.
  subscript(layer: String) -> InputWatch {
    if let known = watches[layer] { return known }
    let watch = InputWatch()
    watches[layer] = watch
    return watch
  }

  /// What was seen.
  var ranges: InputRanges { InputRanges(layers: watches.compactMapValues(\.range)) }
}

/// Between what numbers the inputs of a layer lie.
final class InputWatch {
  private var lows: [Float] = [], highs: [Float] = []

  /// The mean of the images' ranges; nil if there was none.
  var range: [Float]? {
    guard !lows.isEmpty else { return nil }
    return [lows, highs].map { $0.reduce(0, +) / Float($0.count) }
  }

  /// Adds an image's numbers, of which so many are looked at that lie evenly apart.
  func see(_ x: Tensor) {
    let most = 1 << 17, share = 1e-4
    let numbers = x.floats
    // An odd distance meets all channels, whose pixels are mostly even in number.
    let step = max(numbers.count / most, 1) | 1
    let sorted = stride(from: 0, to: numbers.count, by: step).map { numbers[$0] }
      .filter(\.isFinite).sorted()
    guard !sorted.isEmpty else { return }
    let end = sorted.count - 1
    let left = Int(Double(end) * share)
    lows.append(sorted[left])
    highs.append(sorted[end - left])
  }
}
