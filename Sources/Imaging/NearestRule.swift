import Foundation

/// Which pixel another size takes its labels from: a library's rule, so that figures made with it can be repeated.
///
/// All mean "nearest" and give other pixels. But for ``onnx`` each gives exactly what the library gives, its rounding included,
/// found by comparing with the libraries at sizes from 1 to 3000: Pillow 12.3 and 13.0, OpenCV 4.14 and 5.0, torch 2.11.
public enum NearestRule: String, Sendable, CaseIterable {
  /// The pixel in which the centre lies, computed exactly; on an edge the one behind it.
  case centre
  /// Pillow's `NEAREST`: as ``centre``, with places added up one after the other in double precision.
  case pillow
  /// OpenCV's `INTER_NEAREST`: the pixel in which the first corner lies.
  case opencv
  /// `INTER_NEAREST_EXACT` of OpenCV 4: centres in sixteen binary places.
  case opencv4Exact = "opencv4-exact"
  /// `INTER_NEAREST_EXACT` of OpenCV 5, which is Pillow's rule.
  case opencv5Exact = "opencv5-exact"
  /// torch's `nearest`, which torchvision takes for masks: the first corner in single precision.
  case torch
  /// torch's `nearest-exact`: the centre in single precision.
  case torchExact = "torch-exact"
  /// ONNX's Resize at its defaults, `half_pixel` and `round_prefer_floor`, computed exactly: on an edge the pixel before it.
  ///
  /// ONNX Runtime 1.32 computes in single precision and takes the one behind it at a few edges (in 4 of 511 pairs of sizes).
  case onnx

  /// For each of `target` positions the one of `source` that it takes.
  public func positions(_ source: Int, _ target: Int) -> [Int] {
    guard source > 0, target > 0 else { return [] }
    func clamped(_ position: Int) -> Int { min(max(position, 0), source - 1) }
    switch self {
    case .centre:
      return (0..<target).map { clamped((2 * $0 + 1) * source / (2 * target)) }
    case .pillow, .opencv5Exact:
      let step = Double(source) / Double(target)
      var place = step * 0.5
      return (0..<target).map { _ in
        defer { place += step }
        return clamped(Int(place))
      }
    case .opencv:
      // OpenCV divides twice.
      let step = 1 / (Double(target) / Double(source))
      return (0..<target).map { clamped(Int((Double($0) * step).rounded(.down))) }
    case .opencv4Exact:
      let step = ((source << 16) + target / 2) / target
      let first = step / 2 - source % 2
      return (0..<target).map { clamped((step * $0 + first) >> 16) }
    case .torch:
      let step = Float(source) / Float(target)
      return (0..<target).map { clamped(Int((Float($0) * step).rounded(.down))) }
    case .torchExact:
      let step = Float(source) / Float(target)
      return (0..<target).map { clamped(Int(((Float($0) + 0.5) * step).rounded(.down))) }
    case .onnx:
      return (0..<target).map { clamped(((2 * $0 + 1) * source - 1) / (2 * target)) }
    }
  }
}
