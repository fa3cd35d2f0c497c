import Datasets
import Imaging

/// How photographs are resized for a network.
public struct SeenScale: Sendable {
  /// The size that they get; nil for their own.
  public let size: SeenSize?
  private let rule: ImageResizing
  private let isTrained: Bool

  /// Photographs as they are.
  public static let none = SeenScale(nil)

  /// Photographs of a size, resized by a rule.
  ///
  /// - Parameters:
  ///   - size: The size; nil for their own.
  ///   - rule: Whose levels they take.
  ///   - isTrained: Whether the rule `own` is the way of training and scores; otherwise it is Pillow's, which programs
  ///     have whose networks see one size.
  public init(_ size: SeenSize?, rule: ImageResizing = .own, isTrained: Bool = true) {
    (self.size, self.rule, self.isTrained) = (size, rule, isTrained)
  }

  /// The size at which a photograph of `size` is seen.
  public func size(of size: Size) -> Size { self.size?.size(for: size) ?? size }

  /// A photograph as the network sees it.
  public func callAsFunction(_ image: Image) -> Image {
    let target = size(of: image.size)
    guard target != image.size else { return image }
    guard isTrained else { return image.resized(to: target, by: rule) }
    return (image.levels == nil ? image.rgb : image).resampled(to: target, by: rule)
  }
}
