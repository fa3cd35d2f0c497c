import Foundation

/// Where the elements of a resized dimension come from, by the standard's formulas.
struct ONNXResampling {
  /// The lengths before and after.
  let from, to: Int
  /// Elements after for one before.
  let scale: Double
  /// How places are turned into each other.
  let mode: String
  /// The part that is enlarged, as a share of the dimension, for `tf_crop_and_resize`.
  var part = (start: 0.0, end: 1.0)

  /// The place before of the element `index` after.
  func place(_ index: Int) throws -> Double {
    let x = Double(index)
    switch mode {
    case "half_pixel": return (x + 0.5) / scale - 0.5
    case "pytorch_half_pixel": return to > 1 ? (x + 0.5) / scale - 0.5 : 0
    case "align_corners": return to == 1 ? 0 : x * Double(from - 1) / Double(to - 1)
    case "asymmetric": return x / scale
    case "tf_half_pixel_for_nn": return (x + 0.5) / scale
    case "half_pixel_symmetric":
      let shift = Double(from) / 2 * (1 - Double(to) / (scale * Double(from)))
      return shift + (x + 0.5) / scale - 0.5
    case "tf_crop_and_resize":
      let last = Double(from - 1)
      return to > 1
        ? part.start * last + x * (part.end - part.start) * last / Double(to - 1)
        : 0.5 * (part.start + part.end) * last
    default: throw ONNXRefusal("coordinate_transformation_mode is '\(mode)'")
    }
  }

  /// The nearest place of each element, rounded as `rule` says.
  func nearest(_ rule: String) throws -> [Int] {
    try (0..<to).map { index in
      let place = try place(index)
      let rounded: Double
      switch rule {
      case "round_prefer_floor": rounded = (place - 0.5).rounded(.up)
      case "round_prefer_ceil": rounded = (place + 0.5).rounded(.down)
      case "floor": rounded = place.rounded(.down)
      case "ceil": rounded = place.rounded(.up)
      default: throw ONNXRefusal("nearest_mode is '\(rule)'")
      }
      return min(max(rounded.clampedInt, 0), from - 1)
    }
  }

  /// The weights of all places before, row by row for each element after.
  ///
  /// - Parameters:
  ///   - cubic: The coefficient of cubic interpolation; nil for linear.
  ///   - excludesOutside: Whether places outside count for nothing instead of as the edge.
  ///   - antialias: Whether the filter is as wide as an element after.
  ///   - outside: What elements from outside are where they are not taken from the edge; nil for the edge.
  /// - Returns: The weights, and the elements that lie outside altogether.
  func weights(
    cubic: Double?, excludesOutside: Bool, antialias: Bool, isCropped: Bool
  ) throws -> (matrix: [Float], outside: [Bool]) {
    let stretch = antialias ? max(1, 1 / scale) : 1
    let reach = (cubic == nil ? 1.0 : 2.0) * stretch
    var matrix = [Float](repeating: 0, count: to * from),
      outside = [Bool](repeating: false, count: to)
    for index in 0..<to {
      let place = try place(index)
      guard place.isFinite, abs(place) < 1e9 else { throw ONNXRefusal("a place is \(place)") }
      outside[index] = isCropped && (place < 0 || place > Double(from - 1))
      var row: [Int: Double] = [:], sum = 0.0
      for tap in Int((place - reach).rounded(.down))...Int((place + reach).rounded(.up)) {
        let weight = Self.kernel((Double(tap) - place) / stretch, cubic)
        guard weight != 0 else { continue }
        if excludesOutside, tap < 0 || tap >= from { continue }
        row[min(max(tap, 0), from - 1), default: 0] += weight
        sum += weight
      }
      for (tap, weight) in row where sum != 0 { matrix[index * from + tap] = Float(weight / sum) }
    }
    return (matrix, outside)
  }

  /// The weight of a place at this distance.
  private static func kernel(_ distance: Double, _ cubic: Double?) -> Double {
    let x = abs(distance)
    guard let a = cubic else { return max(0, 1 - x) }
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
  }
}
