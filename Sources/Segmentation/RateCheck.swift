import Torch

/// What of a network's atrous rates does not fit the size of the images that it is trained on.
public enum RateCheck {
  /// A line for each head that does not fit crops of this size, none if all is well.
  ///
  /// A pyramid does not fit if its base rate is more than a quarter and more than 1 away from the
  /// rule's r*, or if a kernel has all nine taps nowhere; a cascade only for the latter.
  public static func warnings(_ model: SegmentationModel, width: Int, height: Int) -> [String] {
    let stride = max(1, model.headStride)
    let (rows, columns) = ((height + stride - 1) / stride, (width + stride - 1) / stride)
    var lines: [String] = []
    for (name, module) in model.modules {
      guard let rates = (module as? any AtrousModule)?.atrousRates, !rates.isEmpty else { continue }
      let shares = rates.map { TapShares(rate: $0, height: rows, width: columns) }
      let crop = "crops of \(width)x\(height) at output stride \(stride)"
      let degenerate = shares.filter(\.isDegenerate).map { "\($0.rate)" }
      let cut = shares.filter { $0.nine == 0 && !$0.isDegenerate }.map { "\($0.rate)" }
      if !degenerate.isEmpty {
        lines.append(
          "\(name): on \(crop) the 3x3 kernels of rate \(degenerate.joined(separator: ", "))"
            + " are 1x1 everywhere")
      }
      let rule = RateRule(width: width, height: height, stride: stride)
      let base = module is ASPP ? rates.min() : nil
      let isAccepted = base.map(rule.accepts) ?? false
      // The rule's own rates may have no position with all nine taps in the outermost kernel.
      if !cut.isEmpty && !isAccepted {
        lines.append(
          "\(name): on \(crop) the kernels of rate \(cut.joined(separator: ", ")) have all nine"
            + " taps nowhere")
      }
      if let base, !isAccepted {
        lines.append(
          "\(name): the base rate is \(base), for \(crop) the rule (N - 32) / (6 s) of the"
            + " shorter side gives \((rule.optimal * 100).rounded() / 100):"
            + " rates \(rule.rates.map(String.init).joined(separator: ", "))")
      }
    }
    return lines
  }
}

/// A part of a head with atrous 3×3 kernels beside or after each other.
public protocol AtrousModule: Module {
  /// The rates of its 3×3 kernels.
  var atrousRates: [Int] { get }
  /// The features between the outermost taps that an output depends on.
  var atrousWidth: Int { get }
  /// The channels of the features.
  var inputs: Int { get }
  /// What the kernels give for features (N, inputs, H, W), without means of the whole map.
  func sampled(_ x: Tensor) -> [Tensor]
}

extension ASPP: AtrousModule {
  /// The rates of the branches that are no 1×1 convolution.
  public var atrousRates: [Int] { rates.filter { $0 > 1 } }
  /// Twice the largest rate: 6 r for the rates r, 2r, 3r.
  public var atrousWidth: Int { 2 * (atrousRates.max() ?? 0) }
}

extension DenseASPP: AtrousModule {
  /// The dilations of the levels.
  public var atrousRates: [Int] { configuration.dilations }
  /// Twice the sum of the dilations.
  public var atrousWidth: Int { 2 * configuration.dilations.reduce(0, +) }
  /// The whole cascade.
  public func sampled(_ x: Tensor) -> [Tensor] { [pyramid(x)] }
}

extension FCN: AtrousModule {
  /// The dilation of each convolution, if it is more than 1.
  public var atrousRates: [Int] {
    configuration.dilation > 1
      ? [Int](repeating: configuration.dilation, count: configuration.convolutions) : []
  }
  /// The convolutions stand one after the other: 4 r for two of rate r.
  public var atrousWidth: Int { 2 * atrousRates.reduce(0, +) }
  /// The convolutions before the one that joins their result and the features.
  public func sampled(_ x: Tensor) -> [Tensor] { [convs(x)] }
}
