import Foundation

/// The arms of the star that a pyramid of atrous convolutions leaves in an effective receptive field.
///
/// The profile is the field's mean along the eight rays of the star (0°, 45°, …) less that along the
/// eight rays half-way between them (22.5°, …), by Chebyshev distance from the middle; the arm ends
/// where it is largest beyond a quarter of the image.
public struct StarArms: Sendable, Codable, Equatable {
  /// The pixels between the ends of opposite arms.
  public let length: Int
  /// The profile by distance in pixels, from 0.
  public let profile: [Float]
  /// The profile at the arm's end as a share of the field's mean on both kinds of rays there: about
  /// 0 for a network whose field has no star.
  public let contrast: Double
  /// Whether there is a star: a contrast of at least 0.15.
  public var isStar: Bool { contrast >= 0.15 }

  /// Measures a field of `height` rows and `width` columns around its middle; nil if it is small.
  ///
  /// Numbers are averaged over squares of `2 * reach + 1` pixels first, since single gradients are
  /// noise. `start` replaces the quarter of the image from which on the end is looked for.
  public init?(
    _ map: [Float], height: Int, width: Int, reach: Int = 8, start: Int? = nil
  ) {
    let side = min(height, width)
    guard map.count == height * width, side >= 16 else { return nil }
    let smooth = Self.means(map, height, width, reach)
    let (row, column) = (height / 2, width / 2)
    let last = (side - 1) / 2
    func value(_ y: Int, _ x: Int) -> Float {
      smooth[min(max(y, 0), height - 1) * width + min(max(x, 0), width - 1)]
    }
    let rays = (0...last).map { distance -> (on: Float, off: Float) in
      let near = Int((Double(distance) * 0.414_213_562).rounded())
      func mean(_ across: [Int]) -> Float {
        // The eight images of (distance, across) under the symmetries of the square.
        var sum: Float = 0
        for offset in across {
          for (y, x) in [
            (offset, distance), (offset, -distance), (distance, offset), (-distance, offset),
          ] { sum += value(row + y, column + x) }
        }
        return sum / Float(4 * across.count)
      }
      let straight = mean([0])
      let diagonal =
        (value(row + distance, column + distance) + value(row - distance, column - distance)
          + value(row + distance, column - distance) + value(row - distance, column + distance)) / 4
      return ((straight + diagonal) / 2, mean([near, -near]))
    }
    let profile = rays.map { $0.on - $0.off }
    let from = max(1, start ?? side / 4)
    guard from < profile.count,
      let end = (from..<profile.count).max(by: { profile[$0] < profile[$1] })
    else { return nil }
    self.profile = profile
    length = 2 * end
    let both = (rays[end].on + rays[end].off) / 2
    // The tail of a hill is higher on the rays, too, but next to nothing.
    let isTail = both <= 0.005 * smooth[row * width + column]
    contrast = isTail ? 0 : Double(profile[end] / both)
  }

  /// Means over squares, which shrink at the edges.
  static func means(_ map: [Float], _ height: Int, _ width: Int, _ reach: Int) -> [Float] {
    var sums = [Double](repeating: 0, count: (height + 1) * (width + 1))
    for y in 0..<height {
      var line = 0.0
      for x in 0..<width {
        line += Double(map[y * width + x])
        sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + line
      }
    }
    return (0..<height * width).map { index in
      let (y, x) = (index / width, index % width)
      let (top, bottom) = (max(0, y - reach), min(height, y + reach + 1))
      let (left, right) = (max(0, x - reach), min(width, x + reach + 1))
      let total =
        sums[bottom * (width + 1) + right] - sums[top * (width + 1) + right]
        - sums[bottom * (width + 1) + left] + sums[top * (width + 1) + left]
      return Float(total / Double((bottom - top) * (right - left)))
    }
  }
}
