import Evaluation
import Foundation
import Segmentation
import Torch

/// The atrous rates that a network has beside those that the rule advises for images of a size.
public struct NetworkRates: JSONReport {
  /// A part of a head with atrous kernels.
  public struct Part: Sendable, Encodable {
    /// The name in the state dictionary, and the type.
    public let name: String, kind: String
    /// All of its branches or levels, of which the atrous ones have the rates.
    public let branches: [String], rates: [Int]
    /// The pixels between the outermost taps that an output depends on, centre to centre.
    public let span: Int
    /// The valid taps for the rates.
    public let taps: [TapShares]
  }

  /// What the network is called, and where the size comes from.
  public let network: String, sizeFrom: String
  /// The dilations of the backbone's convolutions, those above 1.
  public let backboneDilations: [Int]
  /// The parts of the heads.
  public let parts: [Part]
  /// What the rule says for the size.
  public let rule: RateReport
  /// What does not fit.
  public let warnings: [String]

  /// Looks at a network, which may be without memory for its weights.
  ///
  /// - Parameters:
  ///   - model: The network.
  ///   - name: What the network is called.
  ///   - width: The size of the images that it is trained on.
  ///   - height: Their height.
  ///   - sizeFrom: Where that size comes from, in words.
  public init(
    _ model: SegmentationModel, named name: String, width: Int, height: Int, sizeFrom: String
  ) {
    let stride = max(1, model.headStride)
    let rule = RateReport(width: width, height: height, stride: stride)
    network = name
    self.sizeFrom = sizeFrom
    self.rule = rule
    backboneDilations = Set(
      model.backbone.modules.compactMap { ($0.module as? Conv2d)?.dilation }.filter { $0 > 1 }
    ).sorted()
    parts = model.modules.compactMap { name, module in
      guard let atrous = module as? any AtrousModule, !atrous.atrousRates.isEmpty else {
        return nil
      }
      let rates = atrous.atrousRates
      return Part(
        name: name, kind: "\(type(of: module))",
        branches: (module as? any AblatableModule)?.partNames ?? rates.map { "rate \($0)" },
        rates: rates, span: atrous.atrousWidth * stride,
        taps: rates.map {
          TapShares(rate: $0, height: rule.mapHeight, width: rule.mapWidth)
        })
    }
    warnings = RateCheck.warnings(model, width: width, height: height)
  }

  /// The report as text.
  public var text: String {
    var lines = ["network          \(network), output stride \(rule.stride)"]
    if !backboneDilations.isEmpty {
      lines.append(
        "backbone         dilations \(backboneDilations.map(String.init).joined(separator: ", "))")
    }
    lines.append(
      "images           \(rule.width)x\(rule.height) (\(sizeFrom)): a map of"
        + " \(rule.mapWidth)x\(rule.mapHeight)")
    for part in parts {
      lines += [
        "", "\(part.name): \(part.kind) of \(part.branches.joined(separator: ", "))",
        "spans \(part.span) pixels between the centres of its outermost taps, of the"
          + " \(min(rule.width, rule.height)) that the images' shorter side has", "",
      ]
      lines += RateReport.table(part.taps)
    }
    return (lines + ["", advice]).joined(separator: "\n")
  }

  /// What to do about the rates, in a few sentences.
  public var advice: String {
    let rates = rule.rates.map(String.init).joined(separator: ", ")
    let rule =
      "the rule r* = (N - 32) / (6 s) of the shorter side gives \(fixed(self.rule.optimal)), so"
      + " rates \(rates)"
    if parts.isEmpty { return "The heads have no atrous kernels. For a pyramid \(rule)." }
    if warnings.isEmpty { return "The rates fit these images; for a pyramid \(rule)." }
    return (warnings.map { "warning: \($0)" } + ["For a pyramid on these images \(rule)."])
      .joined(separator: "\n")
  }
}
