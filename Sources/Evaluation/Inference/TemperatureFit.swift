import Datasets

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The pixels that a ``Temperature`` is fitted to: the most likely one for what they truly are.
///
/// Of large sets pixels are drawn, equally many of each image, so that memory does not grow with their number. The
/// negative log likelihood is convex in 1 / T, and its minimum is found by Newton's steps within bounds.
package struct TemperatureFit: Sendable {
  /// The numbers that are kept of all pixels: of 11 classes three million pixels.
  private static let budget = 1 << 25
  /// Between these 1 / T is looked for.
  private static let bounds: ClosedRange<Double> = 0.02...50
  /// Fewer pixels of a class do not make a temperature of its own.
  static let fewest = 1000

  private let classes: Int, perImage: Int
  /// The logarithms of the probabilities, (pixels, classes).
  private var logarithms: [Float] = []
  private var truth: [UInt8] = [], found: [UInt8] = []
  private var images = 0

  /// No pixels yet, of `images` images in all.
  package init(classes: Int, images: Int) {
    self.classes = classes
    perImage = max(1, Self.budget / max(1, classes) / max(1, images))
  }

  /// The pixels that are kept.
  package var pixels: Int { truth.count }

  /// Takes in an image's labelled pixels, or as many of them as are its share.
  ///
  /// - Parameters:
  ///   - mask: The true classes.
  ///   - prediction: The classes that were found.
  ///   - probabilities: As the network gives them.
  package mutating func add(
    truth mask: ClassMask, found prediction: ClassMask, _ probabilities: ClassProbabilities
  ) {
    var places = mask.classes.indices.filter { Int(mask.classes[$0]) < classes }
    if places.count > perImage {
      var random = SampleRandom(seed: 0, epoch: 0, index: images)
      for i in 0..<perImage {
        places.swapAt(i, i + random.integer(below: places.count - i))
      }
      places.removeSubrange(perImage...)
    }
    let count = probabilities.pixels
    for place in places where Int(prediction.classes[place]) < classes {
      truth.append(mask.classes[place])
      found.append(prediction.classes[place])
      for k in 0..<classes {
        logarithms.append(
          logf(max(probabilities.values[k * count + place], .leastNormalMagnitude)))
      }
    }
    images += 1
  }

  /// The most likely temperature; nil without a pixel.
  ///
  /// - Parameter byClass: Whether each class that is found gets one; classes found at fewer than 1000 pixels take that
  ///   of all.
  package func fitted(byClass: Bool) -> Temperature? {
    guard pixels > 0 else { return nil }
    let all = minimum(Array(truth.indices), from: 1)
    guard byClass else { return Temperature([1 / all]) }
    let groups = Dictionary(grouping: truth.indices) { Int(found[$0]) }
    return Temperature(
      (0..<classes).map { k in
        let own = groups[k] ?? []
        return 1 / (own.count < Self.fewest ? all : minimum(own, from: all))
      })
  }

  /// How well the probabilities of the pixels that are kept fit, before and after; borders are not told apart.
  package func reliability(_ temperature: Temperature) -> ReliabilityScores {
    func scores(_ softening: Softening) -> Reliability {
      var counts = ReliabilityCounts()
      var own = [Float](repeating: 0, count: classes)
      for i in truth.indices {
        for k in 0..<classes { own[k] = expf(logarithms[i * classes + k]) }
        own.withUnsafeMutableBufferPointer { own in
          if !softening.isNone, let base = own.baseAddress { softening.apply(base, classes) }
        }
        counts.add(
          confidence: own[Int(found[i])], isRight: found[i] == truth[i],
          truth: own[Int(truth[i])], squares: own.reduce(0) { $0 + $1 * $1 })
      }
      return Reliability(counts)
    }
    let none = Reliability(ReliabilityCounts())
    return ReliabilityScores(
      all: scores(Softening(nil)), borders: none, ratio: ReliabilityTally.ratio,
      calibrated: .init(
        temperature: temperature, all: scores(Softening(temperature)), borders: none))
  }

  /// The mean of −ln of the true class's probability with 1 / T, as a test asks for it.
  func loss(_ inverse: Double) -> Double {
    var sum = 0.0
    for i in truth.indices {
      let own = logarithms[i * classes..<(i + 1) * classes].map { Double($0) * inverse }
      let top = own.max() ?? 0
      sum += top + log(own.reduce(0) { $0 + exp($1 - top) }) - own[Int(truth[i])]
    }
    return sum / Double(max(1, truth.count))
  }

  /// 1 / T at which the loss over these pixels is least.
  private func minimum(_ chosen: [Int], from start: Double) -> Double {
    var (low, high) = (Self.bounds.lowerBound, Self.bounds.upperBound)
    var inverse = min(max(start, low), high)
    for _ in 0..<60 {
      let (slope, curvature) = derivatives(chosen, inverse)
      if slope > 0 { high = inverse } else { low = inverse }
      var next = curvature > 0 ? inverse - slope / curvature : -1
      // A step that leaves the bounds is halved between them.
      if !(low < next && next < high) { next = (low + high) / 2 }
      let isNear = abs(next - inverse) < 1e-7 * inverse
      inverse = next
      if isNear { break }
    }
    return inverse
  }

  /// The first and the second derivative of the loss by 1 / T.
  private func derivatives(_ chosen: [Int], _ inverse: Double) -> (Double, Double) {
    let (bands, classes) = (max(1, min(chosen.count / 1000, 64)), classes)
    var parts = [(Double, Double)](repeating: (0, 0), count: bands)
    parts.withUnsafeMutableBufferPointer { parts in
      logarithms.withUnsafeBufferPointer { logarithms in
        chosen.withUnsafeBufferPointer { chosen in
          truth.withUnsafeBufferPointer { truth in
            nonisolated(unsafe) let (parts, logarithms) = (parts, logarithms)
            nonisolated(unsafe) let (chosen, truth) = (chosen, truth)
            inParallel(bands) { band in
              var (first, second) = (0.0, 0.0)
              let factor = Float(inverse)
              for i in band * chosen.count / bands..<(band + 1) * chosen.count / bands {
                let row = logarithms.baseAddress.unsafelyUnwrapped + chosen[i] * classes
                var top = row[0]
                for k in 1..<max(1, classes) { top = max(top, row[k]) }
                // Of logarithms counted from the largest, with the weights of this temperature.
                var (total, mean, square): (Float, Float, Float) = (0, 0, 0)
                for k in 0..<classes {
                  let own = row[k] - top
                  let weight = expf(own * factor)
                  total += weight
                  mean += weight * own
                  square += weight * own * own
                }
                mean /= total
                square /= total
                first += Double(mean - (row[Int(truth[chosen[i]])] - top))
                second += Double(max(0, square - mean * mean))
              }
              parts[band] = (first, second)
            }
          }
        }
      }
    }
    return parts.reduce((0, 0)) { ($0.0 + $1.0, $0.1 + $1.1) }
  }
}
