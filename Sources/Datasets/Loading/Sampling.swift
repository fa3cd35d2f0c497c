/// Which samples an epoch visits how often, and which pixels random crops show, so that rare classes are seen
/// more often than they occur.
///
/// An epoch has as many visits as there are samples, whatever the rule.
public struct Sampling: Sendable, Equatable {
  /// How often samples are visited.
  public enum Images: Sendable, Equatable {
    /// Once an epoch.
    case uniform
    /// In proportion to their repeat factors: the largest of max(1, √(`threshold` / f)) over a sample's classes,
    /// where f is the share of samples that hold the class (Gupta, Dollár and Girshick, "LVIS", CVPR 2019, section
    /// 4.2).
    case repeatFactor(threshold: Double)
    /// As if a class were drawn by ``Sampling/classes`` and then one of the samples that hold it (class-aware
    /// sampling: Shen, Lin and Huang, "Relay Backpropagation", ECCV 2016, section 4.1). A sample in which nothing
    /// is labelled is never visited.
    case balanced
  }

  /// How a class is drawn of those that there are.
  public enum Classes: String, Sendable, CaseIterable {
    /// Each alike.
    case uniform
    /// In inverse proportion to the root of its share of the labelled pixels.
    case sqrtInverseFrequency
    /// In inverse proportion to its share of the labelled pixels.
    case inverseFrequency
  }

  /// How often samples are visited.
  public var images: Images
  /// The probability that a random crop shows a pixel of a class that is drawn of those in the image, 0 to 1.
  public var crops: Double
  /// How a class is drawn, for balanced images and for crops.
  public var classes: Classes

  /// A rule for samples and crops.
  public init(
    images: Images = .uniform, crops: Double = 0, classes: Classes = .sqrtInverseFrequency
  ) {
    (self.images, self.crops, self.classes) = (images, crops, classes)
  }

  /// Each sample once an epoch, cut anywhere.
  public static let uniform = Sampling()

  /// Whether the labels have to be looked at.
  public var needsOccurrence: Bool { images != .uniform || crops > 0 }

  /// How often each sample is visited in proportion to the others; nil for alike.
  ///
  /// - Throws: `DatasetError.invalidSetting` if nothing is labelled.
  func weights(_ occurrence: ClassOccurrence) throws -> [Double]? {
    switch images {
    case .uniform: return nil
    case .repeatFactor(let threshold):
      var factors = [Double](repeating: 1, count: occurrence.count)
      for samples in occurrence.samples where !samples.isEmpty {
        let share = Double(samples.count) / Double(occurrence.count)
        let factor = (threshold / share).squareRoot()
        for sample in samples { factors[sample] = max(factors[sample], factor) }
      }
      return factors
    case .balanced:
      let weights = classWeights(occurrence.histogram)
      var factors = [Double](repeating: 0, count: occurrence.count)
      for (samples, weight) in zip(occurrence.samples, weights) where !samples.isEmpty {
        for sample in samples { factors[sample] += weight / Double(samples.count) }
      }
      guard factors.contains(where: { $0 > 0 }) else {
        throw DatasetError.invalidSetting(
          name: "train.sampling.images", value: "balanced",
          expected: "uniform, as no pixel of the training images has a class")
      }
      return factors
    }
  }

  /// Where random crops are put; nil for anywhere.
  func focus(_ occurrence: ClassOccurrence?) -> CropFocus? {
    guard crops > 0, let occurrence else { return nil }
    return CropFocus(probability: crops, weights: classWeights(occurrence.histogram))
  }

  /// How often a class is drawn in proportion to the others; 0 for one that does not occur.
  private func classWeights(_ histogram: ClassHistogram) -> [Double] {
    switch classes {
    case .uniform: histogram.counts.map { $0 > 0 ? 1 : 0 }
    case .sqrtInverseFrequency: histogram.inverseFrequencyWeights.map { $0.squareRoot() }
    case .inverseFrequency: histogram.inverseFrequencyWeights
    }
  }
}

/// Random crops that show a pixel of a class that is drawn: the window lies anywhere around it.
struct CropFocus: Sendable, Equatable {
  /// How often; the other crops lie anywhere.
  let probability: Double
  /// How often each class is drawn of those in the picture.
  let weights: [Double]

  /// A pixel of the picture that is to be cut; nil for any.
  func pixel(
    of mask: ClassMask, x: Axis, y: Axis, _ random: inout SampleRandom
  ) -> (x: Int, y: Int)? {
    guard random.chance(probability) else { return nil }
    let counts = countClasses(mask, x: x, y: y)
    let present = weights.enumerated().map { counts[$0.offset] > 0 ? $0.element : 0 }
    guard let label = random.place(weights: present) else { return nil }
    return place(
      of: UInt8(label), number: random.integer(below: counts[label]), in: mask, x: x, y: y)
  }
}
