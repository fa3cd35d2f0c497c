import Torch

/// Between what numbers the inputs of a network's layers lie, which products of whole numbers need.
public struct InputRanges: Codable, Sendable, Equatable {
  /// The least and the largest number of what a layer takes, by the layers' dotted names.
  public var layers: [String: [Float]]
  /// The mean of each channel of what a layer takes, by the layers' dotted names, for correcting biases; nil for none.
  public var means: [String: [Float]]?

  /// How a range follows from the numbers that were seen.
  public enum Method: String, Codable, Sendable, CaseIterable {
    /// Of each image all but the ten-thousandth part at either end; the mean of the images' ranges.
    case percentile
    /// Of each image the range whose rounding has the least squared error; the mean of the images' ranges.
    case mse
    /// All that was seen in any image.
    case minmax
  }

  /// The ranges of some layers.
  public init(layers: [String: [Float]], means: [String: [Float]]? = nil) {
    (self.layers, self.means) = (layers, means)
  }

  /// What the range of a layer's input is called before factors for its channels are multiplied with it.
  static func unscaled(_ layer: String) -> String { layer + unscaledSuffix }
  private static let unscaledSuffix = " before its factors"

  /// The names of layers whose range is none or that `module` has no such layer for.
  public func unknown(in module: Module) -> [String] {
    let known = Set(module.modules.filter { $0.module.mayTakeCodes }.map(\.name))
    func isKnown(_ name: String) -> Bool {
      known.contains(
        name.hasSuffix(Self.unscaledSuffix)
          ? String(name.dropLast(Self.unscaledSuffix.count)) : name)
    }
    return layers.filter { name, range in
      !isKnown(name) || range.count != 2 || !range.allSatisfy(\.isFinite)
        || range[0] > range[1]
    }.keys.sorted()
      + (means ?? [:]).filter { name, means in
        !isKnown(name) || !means.allSatisfy(\.isFinite)
      }.keys.sorted()
  }
}

extension Module {
  /// Whether this is a convolution, which may multiply whole numbers.
  fileprivate final var mayTakeCodes: Bool {
    self is Conv2d || self is ConvTranspose2d
  }
}
