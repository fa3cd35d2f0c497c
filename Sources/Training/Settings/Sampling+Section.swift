import Configuration
import Datasets

extension TrainingSettings {
  /// The words for how often images are seen.
  private enum Images: String, CaseIterable { case uniform, repeatFactor, balanced }
  /// The share of images below which a class is rare if nobody says otherwise.
  private static let usualThreshold = 0.1

  /// What `sampling` says.
  ///
  /// ```yaml
  /// sampling: {images: balanced, crops: 0.5, classes: sqrtInverseFrequency}
  /// ```
  /// - Throws: `ConfigurationError` for a key that nothing would come of, too.
  static func sampling(_ train: Section, _ augmentation: Pipeline) throws -> Sampling {
    guard let section = try train.optionalSection("sampling") else { return .uniform }
    let images = try section.choice("images", Images.self, default: .uniform)
    let threshold = try section.double("threshold", default: usualThreshold, in: 1e-6...1)
    let sampling = Sampling(
      images: images == .balanced
        ? .balanced : images == .repeatFactor ? .repeatFactor(threshold: threshold) : .uniform,
      crops: try section.double("crops", default: 0, in: 0...1),
      classes: try section.choice("classes", default: .sqrtInverseFrequency))
    if images != .repeatFactor, section.has("threshold") {
      throw section.invalid(
        "threshold", "\(threshold)", expected: "nothing, as only images: repeatFactor looks at it")
    }
    if images != .balanced, sampling.crops == 0, section.has("classes") {
      throw section.invalid(
        "classes", "\(sampling.classes)",
        expected: "nothing, as only images: balanced and crops look at it")
    }
    let cuts = augmentation.transforms.contains {
      if case .randomCrop = $0 { true } else { false }
    }
    if sampling.crops > 0, !cuts {
      throw section.invalid(
        "crops", "\(sampling.crops)", expected: "0, as train.augmentation has no randomCrop")
    }
    return sampling
  }

  /// Whether all training labels are read before the first step.
  var countsLabels: Bool {
    classWeights.areCounted || sampling.needsOccurrence
      || augmentation.transforms.contains { if case .copyPaste = $0 { true } else { false } }
  }
}
