import Configuration
import Datasets
import Segmentation
import Torch

/// What training leaves as it is, and where its results are kept.
///
/// ```yaml
/// freeze: backbone
/// featureCache: true          # false, a folder, or {folder: features, megabytes: 20000}
/// ```
public struct FreezeSettings: Sendable, Equatable {
  /// Whether the backbone is frozen, its normalizations included.
  public let backbone: Bool
  /// Whether features are kept; nil if whatever is possible is wanted.
  public let caches: Bool?
  /// Where features are kept; nil for the run's folder.
  public let folder: String?
  /// The most bytes that features may take.
  public let limit: Int

  private enum Part: String, CaseIterable { case none, backbone }
  private static let usualLimit = 10 << 30

  init(_ section: Section) throws {
    backbone = try section.choice("freeze", Part.self, default: Part.none) == .backbone
    var (folder, limit) = (String?.none, Self.usualLimit)
    if !section.has("featureCache") {
      caches = nil
    } else if let on = try? section.bool("featureCache") {
      caches = on
    } else {
      caches = true
      if let path = try? section.path("featureCache") {
        folder = path
      } else {
        let inner = try section.section("featureCache")
        folder = try inner.optionalPath("folder")
        limit = try inner.int("megabytes", default: limit >> 20, in: 1...1 << 40) << 20
      }
    }
    (self.folder, self.limit) = (folder, limit)
  }

  /// Why features of `model` cannot be kept; nil if they can.
  func obstacle(_ model: SegmentationModel, _ pipeline: Pipeline) -> String? {
    guard model.backbone.parameters.allSatisfy({ !$0.parameter.requiresGrad }) else {
      return "the backbone is not frozen"
    }
    return pipeline.transforms.first { transform in
      (try? Pipeline([transform]))?.isRandom == true
    }.map { "\("\($0)".prefix { $0 != "(" }) draws at random" }
  }
}
