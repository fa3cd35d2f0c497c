import Imaging

/// How an image goes through a network: at once or in windows, at which scales, mirrored or not.
public struct InferenceMode: Sendable, Equatable {
  /// What is averaged where several scores meet at a pixel.
  public enum Averaging: String, Sendable, CaseIterable {
    /// The arithmetic mean of probabilities.
    case probabilities
    /// The mean of their logarithms, which is the geometric mean; DenseASPP's official evaluation.
    case logProbabilities
  }

  /// A window that slides over the image.
  public struct Window: Sendable, Equatable {
    /// How much a pixel of a window counts where windows overlap.
    public enum Weights: String, Sendable, CaseIterable {
      /// As much as any other.
      case uniform
      /// Most in the centre: a Gaussian with a deviation of an eighth of the side.
      case gaussian
    }

    /// The window's size.
    public var size: Size
    /// The least share of a side that neighbours have in common, from 0 to below 1.
    public var overlap: Double
    /// The weights of its pixels.
    public var weights: Weights

    /// A window; it is cut where the image is smaller.
    public init(_ size: Size, overlap: Double = 1.0 / 3, weights: Weights = .uniform) {
      self.size = size
      self.overlap = overlap
      self.weights = weights
    }
  }

  /// The factors by which the image is resized.
  public var scales: [Double]
  /// Whether each is seen mirrored, too.
  public var flip: Bool
  /// What is averaged.
  public var averaging: Averaging
  /// The window; nil for the whole image at once.
  public var window: Window?
  /// What images and windows are extended by; nil where nothing is said, which is ``Padding/unchanged``.
  public var padding: Padding?

  /// A mode; without arguments the whole image once, as it is.
  public init(
    scales: [Double] = [1], flip: Bool = false, averaging: Averaging = .probabilities,
    window: Window? = nil, padding: Padding? = nil
  ) {
    self.scales = scales
    self.flip = flip
    self.averaging = averaging
    self.window = window
    self.padding = padding
  }

  /// Whether the network sees each pixel once, so that nothing is averaged.
  public var isPlain: Bool { scales == [1] && !flip && window == nil }

  /// How many times the network sees each pixel but for windows that overlap: at all scales, and mirrored.
  var views: Int { scales.count * (flip ? 2 : 1) }

  /// How the image is cut and what is averaged, for the protocol.
  public var summary: String {
    var parts = ["whole image"]
    if let window {
      let size = "\(window.size.width)×\(window.size.height)"
      parts = [
        "windows of \(size), overlap \(number((window.overlap * 1000).rounded() / 1000)), \(window.weights.rawValue) weights"
      ]
    }
    if scales.count > 1 || flip || window != nil {
      parts.append(
        averaging == .probabilities ? "mean of probabilities" : "mean of log-probabilities")
    }
    return parts.joined(separator: ", ")
  }

  /// Refuses what cannot be done.
  ///
  /// - Throws: ``ScoringError/setting(name:value:expected:)``.
  public func check() throws {
    guard !scales.isEmpty, scales.allSatisfy({ $0.isFinite && $0 >= 0.05 && $0 <= 20 }) else {
      throw ScoringError.setting(
        name: "the scales", value: scales.map { number($0) }.joined(separator: ", "),
        expected: "numbers from 0.05 to 20")
    }
    guard let window else { return }
    guard window.size.width >= 8, window.size.height >= 8 else {
      throw ScoringError.setting(
        name: "the window", value: "\(window.size.width)×\(window.size.height)",
        expected: "at least 8×8")
    }
    guard window.overlap >= 0, window.overlap <= 0.9 else {
      throw ScoringError.setting(
        name: "the overlap", value: number(window.overlap), expected: "a number from 0 to 0.9")
    }
  }

  /// Where windows of `side` begin along `length` so that neighbours share `overlap` of a side at
  /// least; the last ends where the image does.
  static func starts(_ length: Int, side: Int, overlap: Double) -> [Int] {
    guard side < length else { return [0] }
    let step = max(1, Int(Double(side) * (1 - overlap)))
    let count = (length - side + step - 1) / step + 1
    return (0..<count).map { $0 == count - 1 ? length - side : $0 * step }
  }
}
