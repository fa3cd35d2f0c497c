/// Between what numbers the inputs of a network's layers lie, which products of whole numbers need.
public struct InputRanges: Codable, Sendable, Equatable {
  /// The least and the largest number of what a layer takes, by the layers' dotted names.
  public var layers: [String: [Float]]

  /// The ranges of some layers.
  public init(layers: [String: [Float]]) { self.layers = layers }

  /// The names of layers whose range is none or that `module` has no such layer for.
  public func unknown(in module: Module) -> [String] {
    let known = Set(module.wholeLayers.map(\.name))
    return layers.filter { name, range in
      !known.contains(name) || range.count != 2 || !range.allSatisfy(\.isFinite)
        || range[0] > range[1]
    }.keys.sorted()
  }
}

extension Module {
  /// The ranges of what layers take while `body` runs the module, prepared in float32, on images.
  ///
  /// An image's range leaves out the ten-thousandth part of its numbers at either end, and the ranges of
  /// images are averaged. The weights stay.
  public final func calibrated(_ body: () throws -> Void) rethrows -> InputRanges {
    let layers = wholeLayers
    prepared()
    for (_, conv) in layers { conv.watch = InputWatch() }
    defer { for (_, conv) in layers { conv.watch = nil } }
    try body()
    return InputRanges(
      layers: Dictionary(
        uniqueKeysWithValues: layers.compactMap { name, conv in
          conv.watch?.range.map { (name, $0) }
        }))
  }

  /// Gives layers the ranges of what they take.
  final func take(_ ranges: InputRanges?) {
    for (name, conv) in wholeLayers { conv.inputRange = ranges?.layers[name] }
  }

  /// The convolutions that gain from whole numbers.
  final var wholeLayers: [(name: String, conv: Conv2d)] {
    modules.compactMap { name, module in
      (module as? Conv2d).flatMap { $0.gainsFromWholeNumbers ? (name, $0) : nil }
    }
  }
}

extension Conv2d {
  /// Whether the products of whole numbers save more time than rounding the inputs takes.
  fileprivate var gainsFromWholeNumbers: Bool {
    kernel == 1 && padding == 0 && endPadding == 0 && groups == 1
      && weight.size(1) >= InferencePrecision.manyInputs
  }
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
