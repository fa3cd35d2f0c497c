import Torch

/// The ranges of the inputs of layers, by their names, while a network is calibrated.
final class InputWatches {
  /// What becomes of the ends of a range.
  enum Ends {
    /// An image's ten-thousandth part at either end is left out, and the images' ranges are averaged.
    case cut
    /// All that was seen in any image counts.
    case whole
  }

  private var watches: [String: InputWatch] = [:]
  private let ends: Ends

  init(_ ends: Ends = .cut) { self.ends = ends }

  /// What looks at the inputs of a layer.
  subscript(layer: String) -> InputWatch {
    if let known = watches[layer] { return known }
    let watch = InputWatch(ends)
    watches[layer] = watch
    return watch
  }

  /// What was seen.
  var ranges: InputRanges { InputRanges(layers: watches.compactMapValues(\.range)) }
}

/// Between what numbers the inputs of a layer lie.
final class InputWatch {
  private var lows: [Float] = [], highs: [Float] = []
  private let ends: InputWatches.Ends

  init(_ ends: InputWatches.Ends) { self.ends = ends }

  /// The range of the images; nil if there was none.
  var range: [Float]? {
    guard let low = lows.min(), let high = highs.max() else { return nil }
    if ends == .whole { return [low, high] }
    return [lows, highs].map { $0.reduce(0, +) / Float($0.count) }
  }

  /// Adds an image's numbers, of which so many are looked at that lie evenly apart.
  func see(_ x: Tensor) {
    let most = 1 << 17, share = ends == .whole ? 0 : 1e-4
    let numbers = x.floats
    // An odd distance meets all channels, whose pixels are mostly even in number.
    let step = max(numbers.count / most, 1) | 1
    let places = stride(from: 0, to: numbers.count, by: step)
    let count = places.count { numbers[$0].isFinite }
    guard count > 0 else { return }
    let left = Int(Double(count - 1) * share)
    var least = Extremes(left + 1), largest = Extremes(left + 1)
    for place in places where numbers[place].isFinite {
      least.add(numbers[place])
      largest.add(-numbers[place])
    }
    lows.append(least.last)
    highs.append(-largest.last)
  }
}

/// The least of many numbers, so many of them as are wanted.
private struct Extremes {
  /// In rising order.
  private var numbers: [Float] = []
  private let most: Int

  init(_ most: Int) { self.most = most }

  /// The largest of the least; 0 if none was added.
  var last: Float { numbers.last ?? 0 }

  mutating func add(_ number: Float) {
    if numbers.count == most {
      guard number < last else { return }
      numbers.removeLast()
    }
    // Most numbers end above, so that few are moved.
    var place = numbers.count
    while place > 0, numbers[place - 1] > number { place -= 1 }
    numbers.insert(number, at: place)
  }
}
