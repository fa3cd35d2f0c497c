/// Colours for numbers in which equal steps look equally large, also in grey.
///
/// Seventeen control points of each map, evenly spaced, with linear mixtures between them; the maps
/// are those of Smith and van der Walt for Matplotlib (2015, in the public domain by CC0).
public enum ColorMap: String, Sendable, CaseIterable {
  /// From dark violet over green to yellow.
  case viridis
  /// From black over violet and orange to nearly white.
  case magma
  /// From black over red to light yellow.
  case inferno

  private var points: [UInt32] {
    switch self {
    case .viridis: Self.viridisPoints
    case .magma: Self.magmaPoints
    case .inferno: Self.infernoPoints
    }
  }

  private static let viridisPoints: [UInt32] = [
    0x440154, 0x47186a, 0x472c7b, 0x424085, 0x3a528b, 0x32628d, 0x2c728e, 0x26818e, 0x20908c,
    0x1e9f88, 0x28ae7f, 0x3ebc73, 0x5ec961, 0x83d34b, 0xaddc30, 0xd7e219, 0xfde724,
  ]
  private static let magmaPoints: [UInt32] = [
    0x000003, 0x0a0722, 0x1c1046, 0x350f6a, 0x50127b, 0x691c80, 0x822581, 0x9c2e7f, 0xb63679,
    0xd0416f, 0xe65162, 0xf56a5b, 0xfb8861, 0xfea671, 0xfec488, 0xfde1a3, 0xfbfcbf,
  ]
  private static let infernoPoints: [UInt32] = [
    0x000003, 0x0a0723, 0x200c4a, 0x3c0965, 0x570f6d, 0x70196e, 0x892269, 0xa32b61, 0xbb3754,
    0xd14643, 0xe45a31, 0xf1721d, 0xf98e08, 0xfbac10, 0xf8cb34, 0xf1e968, 0xfcfea4,
  ]

  /// The colour for a level from 0 to 1; levels outside take the end's.
  public func color(_ level: Double) -> Color {
    let points = points
    let place = max(0, min(1, level.isFinite ? level : 0)) * Double(points.count - 1)
    let index = min(Int(place), points.count - 2)
    let share = place - Double(index)
    func component(_ shift: UInt32) -> UInt8 {
      let (a, b) = (points[index] >> shift & 255, points[index + 1] >> shift & 255)
      return UInt8((Double(a) * (1 - share) + Double(b) * share).rounded())
    }
    return Color(component(16), component(8), component(0))
  }
}
