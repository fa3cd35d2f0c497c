import Configuration
import Torch

/// The head of DPT (Ranftl et al., 2021): four maps of one size reassembled at four sizes, and fused
/// from the coarsest on by residual convolutions, each fusion doubling the map.
///
/// Names are those of MMSegmentation's `DPTHead`.
public final class DPT: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels of the reassembled maps, and of all fusions.
    public var reassembled = [96, 192, 384, 768], channels = 256
    /// What becomes of the class token, where maps have it beside every position.
    public var readout = Readout.project
    /// Whether convolutions of a fusion have a normalization rather than a bias.
    public var normalizesFusions = true
    /// The weight of the loss of a second classifier on the last map; nil for none.
    public var auxiliaryWeight: Double?
    /// The share of elements that training drops before the classifier.
    public var dropout = 0.1
    /// Whether the head doubles its scores with the corners' centres aligned, as transformers' does.
    public var enlargesScores = false

    /// The head for ViT-B/16.
    public init() {}
  }

  /// What becomes of the class token (§3, "Read").
  public enum Readout: String, Sendable, CaseIterable {
    /// It is left out.
    case ignore
    /// It is added to every position.
    case add
    /// A matrix mixes it with every position.
    case project
  }

  let reassemble: [Reassemble]
  let convs: [Conv2d], fusionBlocks: [Fusion]
  let project: ConvNorm
  let classifier: Conv2d
  let auxiliary: FCN?
  private let dropout: Dropout
  private let auxiliaryWeight: Double
  /// Whether scores are doubled here.
  let enlargesScores: Bool

  /// A head on maps of `input` channels to `classes` scores.
  ///
  /// - Parameters:
  ///   - input: The channels of each map.
  ///   - classes: The number of scores at each position.
  ///   - hasClassToken: Whether the second half of each map's channels is the class token.
  ///   - configuration: The sizes of the head.
  public init(
    _ input: [Int], classes: Int, hasClassToken: Bool, _ configuration: Configuration = .init()
  ) {
    let channels = configuration.channels
    reassemble = zip(input, configuration.reassembled).enumerated().map { level, sizes in
      Reassemble(sizes.0, sizes.1, level: level, hasClassToken ? configuration.readout : nil)
    }
    convs = configuration.reassembled.map { Conv2d($0, channels, kernel: 3, bias: false) }
    fusionBlocks = convs.indices.map {
      Fusion(channels, isFirst: $0 == 0, normalizes: configuration.normalizesFusions)
    }
    project = ConvNorm(channels, channels)
    classifier = Conv2d(channels, classes)
    auxiliaryWeight = configuration.auxiliaryWeight ?? 0
    enlargesScores = configuration.enlargesScores
    var helper = FCN.Configuration()
    helper.channels = channels
    auxiliary = configuration.auxiliaryWeight.map { _ in FCN(channels, classes: classes, helper) }
    dropout = Dropout(configuration.dropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) at twice the size of the first reassembled map, or at four times that.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    fused(maps).map(classified) ?? image
  }

  private func classified(_ x: Tensor) -> Tensor {
    let y = classifier(dropout(project(x)))
    return enlargesScores
      ? y.resized(height: 2 * y.height, width: 2 * y.width, alignCorners: true) : y
  }

  /// The scores, and those of the second classifier.
  public func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores {
    guard let fused = fused(maps) else { return TrainingScores(logits: image) }
    return TrainingScores(
      logits: classified(fused),
      helpers: auxiliary.map { [HelperScores($0(fused), weight: auxiliaryWeight)] } ?? [])
  }

  /// The map that all levels are fused into, (N, channels, H, W).
  private func fused(_ maps: [Tensor]) -> Tensor? {
    let sizes = maps.indices.map { convs[$0](reassemble[$0](maps[$0])) }
    return zip(fusionBlocks, sizes.reversed()).reduce(nil as Tensor?) { coarser, level in
      level.0(level.1, into: coarser)
    }
  }
}

/// A map of tokens at the size of its level: four times larger, twice, the same, or half.
final class Reassemble: Layer {
  let readoutProjects: Sequential?
  let projects: Conv2d
  let resizeLayers: Layer
  private let level: Int, readout: DPT.Readout?

  init(_ input: Int, _ output: Int, level: Int, _ readout: DPT.Readout?) {
    let width = readout == nil ? input : input / 2
    readoutProjects =
      readout == .project
      ? Sequential {
        Linear(input, width)
        Activation.gelu.layer
      } : nil
    projects = Conv2d(width, output)
    resizeLayers =
      switch level {
      case 0: ConvTranspose2d(output, output, kernel: 4, stride: 4)
      case 1: ConvTranspose2d(output, output, kernel: 2, stride: 2)
      case 2: Identity()
      default: Conv2d(output, output, kernel: 3, stride: 2)
      }
    (self.level, self.readout) = (level, readout)
  }

  override func forward(_ x: Tensor) -> Tensor { resizeLayers(projects(read(x))) }

  private func read(_ x: Tensor) -> Tensor {
    guard let readout else { return x }
    if let readoutProjects {
      return readoutProjects(x.permuted(0, 2, 3, 1)).permuted(0, 3, 1, 2)
    }
    let width = x.size(1) / 2
    let spots = x.sliced(1, 0, width)
    return readout == .add ? spots + x.sliced(1, width, 2 * width) : spots
  }
}

/// The sum of a level and what is coarser, refined and doubled.
final class Fusion: Layer {
  let resConvUnit1: ResidualUnit?, resConvUnit2: ResidualUnit
  let project: Conv2d

  init(_ channels: Int, isFirst: Bool, normalizes: Bool) {
    resConvUnit1 = isFirst ? nil : ResidualUnit(channels, normalizes: normalizes)
    resConvUnit2 = ResidualUnit(channels, normalizes: normalizes)
    project = Conv2d(channels, channels)
  }

  func callAsFunction(_ level: Tensor, into coarser: Tensor?) -> Tensor {
    let sum =
      coarser.map { $0 + (resConvUnit1?(level.resized(like: $0)) ?? level) } ?? level
    let x = resConvUnit2(sum)
    return project(x.resized(height: 2 * x.height, width: 2 * x.width, alignCorners: true))
  }
}

/// Two convolutions around a shortcut, each after its activation.
final class ResidualUnit: Layer {
  let conv1: Layer, conv2: Layer

  init(_ channels: Int, normalizes: Bool) {
    func convolution() -> Layer {
      normalizes ? ConvNorm(channels, channels, .none) : Conv2d(channels, channels, kernel: 3)
    }
    conv1 = convolution()
    conv2 = convolution()
  }

  override func forward(_ x: Tensor) -> Tensor { conv2(conv1(x.relu()).relu()) + x }
}

extension DPT: SegmentationHead {
  /// `dpt`.
  static let entries = [
    "dpt": HeadEntry(
      needs: "four maps of one size", of: { $0.strides.count == 4 && Set($0.strides).count == 1 }
    ) { input, section in
      var configuration = Configuration()
      configuration.channels = try section.int("channels", default: 256, in: 1...8192)
      configuration.reassembled = try section.ints(
        "reassembled", default: configuration.reassembled, in: 1...8192)
      if configuration.reassembled.count != 4 {
        throw section.invalid(
          "reassembled", "\(configuration.reassembled)", expected: "four numbers of channels")
      }
      configuration.readout = try section.choice("readout", default: .project)
      configuration.normalizesFusions = try section.bool("normalizeFusions", default: true)
      configuration.auxiliaryWeight = try section.optionalDouble("auxiliaryWeight", in: 0...100)
      configuration.dropout = try section.double("dropout", default: 0.1, in: 0...0.99)
      configuration.enlargesScores = try section.bool("enlargeScores", default: false)
      return DPT(
        input.channels, classes: input.classes, hasClassToken: input.joinsClassToken,
        configuration)
    }
  ]
}

// Convolutions without a normalization are units there too.
extension DPT: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    if child.hasPrefix("reassemble.") { return "reassemble_blocks" }
    return child.hasPrefix("convs.") ? "\(child).conv" : child == "classifier" ? "conv_seg" : child
  }
}

extension Reassemble: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    "\(child).\(level)" + (child == "projects" ? ".conv" : "")
  }
}

extension Fusion: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    child == "project" ? "project.conv" : child
  }
}
