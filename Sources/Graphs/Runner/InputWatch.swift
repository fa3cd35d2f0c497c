import Torch

/// The ranges of the inputs of layers, by their names, while a network is calibrated.
final class InputWatches {
  private var watches: [String: InputWatch] = [:]
  private let method: InputRanges.Method
  /// Between what numbers those of an image may lie.
  private let image: ClosedRange<Float>?

  init(_ method: InputRanges.Method, image: ClosedRange<Float>? = nil) {
    (self.method, self.image) = (method, image)
  }

  /// What looks at the inputs of a layer.
  ///
  /// Of what reads the image itself all counts that an image may have: a bright sky that no image of the calibration
  /// had would else be cut off.
  subscript(layer: String, readsImage readsImage: Bool = false) -> InputWatch {
    if let known = watches[layer] { return known }
    let watch = readsImage ? InputWatch(.minmax, atLeast: image) : InputWatch(method)
    watches[layer] = watch
    return watch
  }

  /// What was seen.
  var ranges: InputRanges {
    InputRanges(
      layers: watches.compactMapValues(\.range),
      means: watches.compactMapValues(\.means))
  }
}

/// Between what numbers the inputs of a layer lie.
final class InputWatch {
  private var lows: [Float] = [], highs: [Float] = []
  /// The sums of the images' means of each channel, and how many images they are of.
  private var sums: [Float] = [], images = 0
  private let method: InputRanges.Method

  init(_ method: InputRanges.Method, atLeast range: ClosedRange<Float>? = nil) {
    self.method = method
    if let range { (lows, highs) = ([range.lowerBound], [range.upperBound]) }
  }

  /// The mean of each channel over the images; nil if there was none.
  var means: [Float]? { images == 0 ? nil : sums.map { $0 / Float(images) } }

  /// The range of the images; nil if there was none.
  var range: [Float]? {
    guard let low = lows.min(), let high = highs.max() else { return nil }
    if method == .minmax { return [low, high] }
    return [lows, highs].map { $0.reduce(0, +) / Float($0.count) }
  }

  /// Adds an image's numbers, of which so many are looked at that lie evenly apart.
  func see(_ x: Tensor) {
    let most = 1 << 17, share = method == .percentile ? 1e-4 : 0
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
    var range = (low: least.last, high: -largest.last)
    if method == .mse {
      range = LeastSquares(places.lazy.map { numbers[$0] }.filter(\.isFinite), range).range
    }
    lows.append(range.low)
    highs.append(range.high)
    guard x.rank == 4 else { return }
    let means = x.mean([0, 2, 3]).floats
    guard means.allSatisfy(\.isFinite), sums.isEmpty || sums.count == means.count else { return }
    sums = sums.isEmpty ? means : zip(sums, means).map(+)
    images += 1
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

/// The range of codes of eight bits whose rounding of numbers has the least squared error.
///
/// Numbers outside of the range are cut off. As in Banner et al., 2019 (ACIQ), but by a count of the numbers instead of a
/// law that they follow.
struct LeastSquares {
  /// The range.
  private(set) var range: (low: Float, high: Float)

  /// The best of ranges that are so many fiftieths of `whole`, between which all numbers lie.
  init(_ numbers: some Sequence<Float>, _ whole: (low: Float, high: Float)) {
    range = whole
    // Several bins for each code.
    let bins = 4096
    let low = Double(min(whole.low, 0)), high = Double(max(whole.high, 0))
    let width = (high - low) / Double(bins)
    guard width > 1e-30 else { return }
    var counts = [Int](repeating: 0, count: bins)
    for number in numbers {
      counts[min(max(Int((Double(number) - low) / width), 0), bins - 1)] += 1
    }
    var least = Double.infinity
    for part in (5...50).reversed() {
      let share = Double(part) / 50
      let code = Code(low: Float(low * share), high: Float(high * share))
      var error = 0.0
      for (bin, count) in counts.enumerated() where count > 0 {
        let number = low + (Double(bin) + 0.5) * width
        let rounded = (number / code.step).rounded() + Double(code.zero)
        let off = number - (min(max(rounded, 0), 255) - Double(code.zero)) * code.step
        error += Double(count) * off * off
      }
      if error < least {
        least = error
        range = (Float(low * share), Float(high * share))
      }
    }
  }
}
