import Imaging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How sure a network is at every pixel: what is asked for beside the classes, filled in while these are found.
final class PixelSureness {
  /// The class whose log-odds are asked for, in the steps of a ``ForegroundHistogram``: one of two.
  let foreground: Int?
  /// What else is asked for.
  let wanted: Predictor.Wanted
  /// How many times each pixel is seen: at all scales, and mirrored.
  let views: Int
  /// What probabilities are softened by; the foreground's log-odds never are.
  let temperature: Temperature?
  /// Whether the entropy of each pixel's probabilities is asked for.
  let wantsEntropy: Bool
  /// A step for each pixel, row-major; empty unless asked for.
  private(set) var levels: [UInt16] = []
  /// The probability of each pixel's class, row-major; empty unless asked for.
  private(set) var confidence: [Float] = []
  /// The probability of each class at each pixel, (classes, H, W); empty unless asked for.
  private(set) var probabilities: [Float] = []
  /// The entropy of each pixel's probabilities in nats, row-major; empty unless asked for.
  private(set) var entropy: [Float] = []

  init(
    foreground: Int? = nil, wanted: Predictor.Wanted = [], views: Int = 1,
    temperature: Temperature? = nil, wantsEntropy: Bool = false
  ) {
    (self.foreground, self.wanted, self.views) = (foreground, wanted, views)
    (self.temperature, self.wantsEntropy) = (temperature, wantsEntropy)
  }

  /// The same wishes for another image, which is seen once.
  var empty: PixelSureness {
    PixelSureness(
      foreground: foreground, wanted: wanted, temperature: temperature, wantsEntropy: wantsEntropy)
  }

  /// Makes room for a result of a size.
  func begin(width: Int, height: Int, classes: Int) {
    let count = width * height
    levels = [UInt16](repeating: 0, count: foreground != nil && classes == 2 ? count : 0)
    confidence = [Float](repeating: 0, count: wanted.contains(.confidence) ? count : 0)
    probabilities = [Float](
      repeating: 0, count: wanted.contains(.probabilities) ? count * classes : 0)
    entropy = [Float](repeating: 0, count: wantsEntropy ? count : 0)
  }

  /// Where a row of a result is written to.
  struct Rows {
    let foreground: Int?
    let views: Float
    let softening: Softening
    fileprivate let width: Int
    fileprivate let levels: UnsafeMutableBufferPointer<UInt16>
    fileprivate let confidence, probabilities, entropy: UnsafeMutableBufferPointer<Float>

    /// The steps of a row; nil unless asked for.
    func levels(_ y: Int) -> UnsafeMutableBufferPointer<UInt16>? {
      levels.isEmpty ? nil : .init(rebasing: levels[y * width..<(y + 1) * width])
    }

    /// The confidence of a row; nil unless asked for.
    func confidence(_ y: Int) -> UnsafeMutableBufferPointer<Float>? {
      confidence.isEmpty ? nil : .init(rebasing: confidence[y * width..<(y + 1) * width])
    }

    /// The entropy of a row; nil unless asked for.
    func entropy(_ y: Int) -> UnsafeMutableBufferPointer<Float>? {
      entropy.isEmpty ? nil : .init(rebasing: entropy[y * width..<(y + 1) * width])
    }

    /// The first class's probability at a row's beginning, and how far classes are apart; nil unless asked
    /// for.
    func probabilities(_ y: Int, classes: Int) -> (UnsafeMutablePointer<Float>, plane: Int)? {
      probabilities.baseAddress.flatMap {
        probabilities.isEmpty ? nil : ($0 + y * width, probabilities.count / classes)
      }
    }
  }

  /// What `body` does with the rows of a result, for which room was made.
  func filling<Result>(width: Int, _ body: (Rows) -> Result) -> Result {
    levels.withUnsafeMutableBufferPointer { levels in
      confidence.withUnsafeMutableBufferPointer { confidence in
        probabilities.withUnsafeMutableBufferPointer { probabilities in
          entropy.withUnsafeMutableBufferPointer { entropy in
            body(
              Rows(
                foreground: foreground, views: Float(views), softening: Softening(temperature),
                width: width, levels: levels, confidence: confidence, probabilities: probabilities,
                entropy: entropy))
          }
        }
      }
    }
  }

  /// Takes `count` pixels of another result of as many classes, which begin at `from` there and at `to` here.
  func copy(
    _ other: PixelSureness, from: Int, to: Int, _ count: Int, pixels: (own: Int, other: Int)
  ) {
    func copy<Value>(_ source: [Value], _ target: inout [Value]) {
      guard !target.isEmpty, source.count % max(1, pixels.other) == 0 else { return }
      for plane in 0..<min(target.count / pixels.own, source.count / pixels.other) {
        let (first, start) = (plane * pixels.other + from, plane * pixels.own + to)
        target.replaceSubrange(start..<start + count, with: source[first..<first + count])
      }
    }
    copy(other.levels, &levels)
    copy(other.confidence, &confidence)
    copy(other.probabilities, &probabilities)
    copy(other.entropy, &entropy)
  }
}

extension ScoreFusion.Row {
  /// Writes what is asked for of the row whose classes were written last.
  mutating func write(
    _ parts: [PlacedScores], _ y: Int, _ averaging: InferenceMode.Averaging?,
    to rows: PixelSureness.Rows
  ) {
    if let foreground = rows.foreground, let out = rows.levels(y) {
      writeLevels(parts, averaging, foreground, rows.views, to: out)
    }
    let (confidence, planes) = (rows.confidence(y), rows.probabilities(y, classes: classes))
    let entropy = rows.entropy(y)
    guard confidence != nil || planes != nil || entropy != nil else { return }
    guard let averaging else {
      guard let columns = parts.last?.columns else { return }
      if let confidence, planes == nil, entropy == nil {
        return writeConfidence(columns, rows.softening, to: confidence)
      }
      let (line, groups) = (line, groups)
      line.withUnsafeBufferPointer { line in
        for i in 0..<columns.lower.count {
          let (a, b) = (columns.lower[i] * groups, columns.upper[i] * groups)
          let share = columns.fraction[i]
          for group in 0..<groups {
            scores[group] = line[a + group] * (1 - share) + line[b + group] * share
          }
          write(
            columns.start + i, confidence, planes, entropy, rows.softening, isLogarithmic: true)
        }
      }
      return
    }
    let isLogarithmic = averaging == .logProbabilities
    let factor: Float = isLogarithmic ? 1 / rows.views : 1
    for x in 0..<sums.count / max(1, groups) {
      for group in 0..<groups { scores[group] = sums[x * groups + group] * factor }
      write(x, confidence, planes, entropy, rows.softening, isLogarithmic: isLogarithmic)
    }
  }

  /// Writes the confidence of a row of one part: 1 over the sum of how probable classes are beside the best.
  ///
  /// Eight pixels are turned so that a class's scores stand side by side: nothing is then added up across lanes,
  /// and none are computed of classes that fill up a group.
  private func writeConfidence(
    _ columns: GridAxis, _ softening: Softening, to out: UnsafeMutableBufferPointer<Float>
  ) {
    let (groups, classes, count) = (groups, classes, columns.lower.count)
    guard groups > 0, count > 0 else { return }
    withUnsafeTemporaryAllocation(of: SIMD8<Float>.self, capacity: 8 * groups) { block in
      guard let base = block.baseAddress else { return }
      block.initialize(repeating: .zero)
      let scores = UnsafeRawPointer(base)
      let step = groups * SIMD8<Float>.scalarCount * MemoryLayout<Float>.stride
      @inline(__always)
      func column(_ k: Int) -> SIMD8<Float> {
        @inline(__always)
        func score(_ pixel: Int) -> Float {
          scores.load(
            fromByteOffset: pixel &* step &+ k &* MemoryLayout<Float>.stride, as: Float.self)
        }
        return SIMD8(
          score(0), score(1), score(2), score(3), score(4), score(5), score(6), score(7))
      }
      columns.lower.withUnsafeBufferPointer { lower in
        columns.upper.withUnsafeBufferPointer { upper in
          columns.fraction.withUnsafeBufferPointer { fraction in
            line.withUnsafeBufferPointer { line in
              for first in stride(from: 0, to: count, by: 8) {
                for pixel in 0..<8 {
                  let i = min(first &+ pixel, count &- 1)
                  let (a, b) = (lower[i] &* groups, upper[i] &* groups)
                  let share = fraction[i]
                  for group in 0..<groups {
                    base[pixel &* groups &+ group] =
                      line[a &+ group] * (1 - share) + line[b &+ group] * share
                  }
                }
                var top = column(0)
                for k in 1..<max(1, classes) {
                  let other = column(k)
                  top.replace(with: other, where: other .> top)
                }
                var total = SIMD8<Float>(repeating: 0)
                if softening.isNone {
                  for k in 0..<classes { total += exponential(column(k) - top) }
                } else {
                  var inverse = SIMD8<Float>(repeating: softening.inverse(0))
                  if softening.isByClass {
                    // From the last, so that of equal ones the first stays.
                    for k in (0..<classes).reversed() {
                      inverse.replace(with: softening.inverse(k), where: column(k) .== top)
                    }
                  }
                  for k in 0..<classes { total += exponential((column(k) - top) * inverse) }
                }
                let confidence = 1 / total
                for pixel in 0..<min(8, count - first) {
                  out[columns.start + first + pixel] = confidence[pixel]
                }
              }
            }
          }
        }
      }
    }
  }

  /// Writes a pixel of the scores of its classes: probabilities of any sum, or logarithms.
  @inline(__always)
  private mutating func write(
    _ x: Int, _ confidence: UnsafeMutableBufferPointer<Float>?,
    _ planes: (UnsafeMutablePointer<Float>, plane: Int)?,
    _ entropy: UnsafeMutableBufferPointer<Float>?, _ softening: Softening, isLogarithmic: Bool
  ) {
    let classes = classes
    scores.withUnsafeMutableBufferPointer { scores in
      var peak = scores[0]
      for group in 1..<max(1, scores.count) {
        peak.replace(with: scores[group], where: scores[group] .> peak)
      }
      let top = peak.max()
      var total: Float = 0
      // Of the best class before it is divided by the sum of all.
      var best: Float = 1
      if isLogarithmic {
        let found = softening.isByClass ? Self.place(of: top, scores) : 0
        let inverse = softening.isNone ? 1 : softening.inverse(found)
        for group in scores.indices {
          scores[group] = exponential((scores[group] - top) * inverse)
          total += scores[group].sum()
        }
      } else if softening.isNone {
        best = top
        for group in scores.indices { total += scores[group].sum() }
      } else if let base = UnsafeMutableRawPointer(scores.baseAddress) {
        // Sums to 1 then.
        softening.apply(base.assumingMemoryBound(to: Float.self), classes)
        total = 1
        best = scores.reduce(0) { max($0, $1.max()) }
      }
      let factor = 1 / max(total, .leastNormalMagnitude)
      confidence?[x] = best * factor
      if let entropy {
        var sum: Float = 0
        for k in 0..<classes {
          let share = scores[k >> 3][k & 7] * factor
          if share > 0 { sum -= share * logf(share) }
        }
        entropy[x] = sum
      }
      guard let (first, plane) = planes else { return }
      for k in 0..<classes { first[k * plane + x] = scores[k >> 3][k & 7] * factor }
    }
  }

  /// The first class whose score is `top`.
  private static func place(
    of top: Float, _ scores: UnsafeMutableBufferPointer<SIMD8<Float>>
  ) -> Int {
    for group in scores.indices {
      for lane in 0..<8 where scores[group][lane] == top { return group * 8 + lane }
    }
    return 0
  }

  /// The steps of the foreground's log-odds in the row of two classes that was written last.
  private func writeLevels(
    _ parts: [PlacedScores], _ averaging: InferenceMode.Averaging?, _ own: Int, _ views: Float,
    to out: UnsafeMutableBufferPointer<UInt16>
  ) {
    let other = 1 - own
    guard let averaging else {
      guard let columns = parts.last?.columns else { return }
      for i in 0..<columns.lower.count {
        let (a, b) = (line[columns.lower[i]], line[columns.upper[i]])
        let share = columns.fraction[i]
        out[columns.start + i] = ForegroundHistogram.level(
          (a[own] - a[other]) * (1 - share) + (b[own] - b[other]) * share)
      }
      return
    }
    for x in out.indices {
      let (a, b) = (sums[x][own], sums[x][other])
      out[x] = ForegroundHistogram.level(
        averaging == .logProbabilities
          ? (a - b) / views
          : logf(max(a, .leastNormalMagnitude) / max(b, .leastNormalMagnitude)))
    }
  }
}

/// e to the power of eight numbers that are none above 0: within 2 units in the last place, and 0 below −87.
@inline(__always)
func exponential(_ x: SIMD8<Float>) -> SIMD8<Float> {
  // x = n ln 2 + r, so that eˣ = 2ⁿ eʳ; adding 1.5 · 2²³ rounds to a whole number, which stands in the last bits.
  let isTiny = x .< -87
  let x = x.replacing(with: -87, where: isTiny)
  let shifted = x * 1.442695041 + 12_582_912
  let n = shifted - 12_582_912
  let r = x - n * 0.693359375 + n * 2.12194440e-4
  // The series of Cephes' expf.
  var y = r * 1.9875691500e-4 + 1.3981999507e-3
  y = y * r + 8.3334519073e-3
  y = y * r + 4.1665795894e-2
  y = y * r + 1.6666665459e-1
  y = y * r + 5.0000001201e-1
  y = y * r * r + r + 1
  let power = (unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- 0x4B40_0000 &+ 127) &<< 23
  return (y * unsafeBitCast(power, to: SIMD8<Float>.self)).replacing(with: 0, where: isTiny)
}
