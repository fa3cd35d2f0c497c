import CMinpack
import Foundation

/// A number with the standard deviation that its fit leaves.
public struct FittedNumber: Sendable, Codable, Equatable {
  /// The best value and its standard deviation.
  public let value, deviation: Double
}

/// A two-dimensional Gaussian with any orientation on a constant floor, fitted to a map by least
/// squares (Kim et al., 2023, Table 7).
///
/// The fit is MINPACK's Levenberg–Marquardt method by the library cminpack, with exact derivatives;
/// deviations are the square roots of the diagonal of its covariance, scaled by the residuals.
public struct GaussianFit: Sendable, Codable, Equatable {
  /// The centre in pixels; the middle of the first pixel is (0, 0).
  public let x, y: FittedNumber
  /// The standard deviations along the axis nearer to the horizontal, and along the other.
  public let sigmaX, sigmaY: FittedNumber
  /// The angle of the first axis against the horizontal in degrees, within ±45, positive downwards.
  public let angle: FittedNumber
  /// The height above the floor, and the floor.
  public let height, floor: FittedNumber
  /// The share of the map's variance that the fit explains.
  public let explained: Double

  /// Fits a map of `height` rows and `width` columns; nil if the map is flat, has fewer than 8
  /// numbers, or no fit is found.
  public init?(_ map: [Float], height rows: Int, width columns: Int) {
    let count = rows * columns
    guard map.count == count, count >= 8, let start = Self.start(map, rows, columns) else {
      return nil
    }
    // Numbers near 1, whatever the scale of the map is.
    let top = Double(map.max() ?? 1), low = Double(map.min() ?? 0)
    let scale = max(top - low, .leastNormalMagnitude)
    let problem = Problem(map: map.map { (Double($0) - low) / scale }, columns: columns)
    var x = start
    let n = x.count
    var residuals = [Double](repeating: 0, count: count)
    var jacobian = [Double](repeating: 0, count: count * n)
    var pivots = [Int32](repeating: 0, count: n)
    var work = [Double](repeating: 0, count: 5 * n + count)
    let (m, workCount) = (Int32(count), Int32(5 * n + count))
    let status = lmder1(
      Self.evaluate, Unmanaged.passUnretained(problem).toOpaque(), m, Int32(n), &x, &residuals,
      &jacobian, m, 1e-10, &pivots, &work, workCount)
    let squares = withExtendedLifetime(problem) { residuals.reduce(0) { $0 + $1 * $1 } }
    guard (1...4).contains(status), x.allSatisfy(\.isFinite), count > n else { return nil }
    var space = [Double](repeating: 0, count: n)
    covar1(m, Int32(n), squares, &jacobian, m, &pivots, 1e-14, &space)
    let deviations = (0..<n).map { max(0, jacobian[$0 * count + $0]).squareRoot() }
    func number(_ index: Int, _ factor: Double = 1, plus offset: Double = 0) -> FittedNumber {
      FittedNumber(value: x[index] * factor + offset, deviation: deviations[index] * abs(factor))
    }
    // The same ellipse has many descriptions; the first axis is the one nearer to the horizontal.
    var turns = (x[5] / (.pi / 2)).rounded()
    if !turns.isFinite || abs(turns) > 1e6 { turns = 0 }
    let isSwapped = Int(turns) % 2 != 0
    let (first, second) = isSwapped ? (4, 3) : (3, 4)
    self.x = number(1)
    y = number(2)
    sigmaX = FittedNumber(value: abs(x[first]), deviation: deviations[first])
    sigmaY = FittedNumber(value: abs(x[second]), deviation: deviations[second])
    angle = number(5, 180 / .pi, plus: -turns * 90)
    height = number(0, scale)
    floor = number(6, scale, plus: low)
    let mean = problem.map.reduce(0, +) / Double(count)
    let variance = problem.map.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    explained = variance > 0 ? 1 - squares / variance : 0
  }

  /// Height, centre, deviations, angle and floor to begin with: the map's moments.
  private static func start(_ map: [Float], _ rows: Int, _ columns: Int) -> [Double]? {
    let sorted = map.sorted()
    guard let high = sorted.last, let low = sorted.first, high > low, high.isFinite, low.isFinite
    else { return nil }
    let floor = sorted[sorted.count / 2]
    var (sum, x, y, xx, yy) = (0.0, 0.0, 0.0, 0.0, 0.0)
    for (index, value) in map.enumerated() where value > floor {
      let weight = Double(value - floor)
      let (column, row) = (Double(index % columns), Double(index / columns))
      sum += weight
      x += weight * column
      y += weight * row
      xx += weight * column * column
      yy += weight * row * row
    }
    guard sum > 0 else { return nil }
    func deviation(_ square: Double, _ mean: Double) -> Double {
      max(0.5, (square / sum - mean * mean).squareRoot())
    }
    return [
      0.5, x / sum, y / sum, deviation(xx, x / sum), deviation(yy, y / sum), 0.01,
      Double((floor - low) / (high - low)),
    ]
  }

  /// What the optimizer asks about.
  private final class Problem {
    let map: [Double], columns: Int
    init(map: [Double], columns: Int) {
      self.map = map
      self.columns = columns
    }
  }

  /// Residuals (`flag` 1) or their derivatives (`flag` 2), as MINPACK asks for them.
  private static let evaluate: cminpack_funcder_mn = {
    data, m, _, x, residuals, jacobian, _, flag in
    guard let data, let x, let residuals, let jacobian else { return -1 }
    let problem = Unmanaged<Problem>.fromOpaque(data).takeUnretainedValue()
    let (height, sx, sy) = (x[0], x[3], x[4])
    let (c, s) = (cos(x[5]), sin(x[5]))
    let count = Int(m)
    for index in 0..<count {
      let dx = Double(index % problem.columns) - x[1]
      let dy = Double(index / problem.columns) - x[2]
      let (u, v) = (c * dx + s * dy, c * dy - s * dx)
      let (a, b) = (u / (sx * sx), v / (sy * sy))
      let bell = exp(-0.5 * (u * a + v * b))
      if flag == 1 {
        residuals[index] = height * bell + x[6] - problem.map[index]
      } else {
        let slope = height * bell
        jacobian[index] = bell
        jacobian[count + index] = slope * (a * c - b * s)
        jacobian[2 * count + index] = slope * (a * s + b * c)
        jacobian[3 * count + index] = slope * u * a / sx
        jacobian[4 * count + index] = slope * v * b / sy
        jacobian[5 * count + index] = slope * (b * u - a * v)
        jacobian[6 * count + index] = 1
      }
    }
    return 0
  }
}

/// The library that fits.
public enum LeastSquares {
  /// Its name, and whether it answers: cminpack tells no version.
  public static var library: String {
    dpmpar(1) == .ulpOfOne ? "cminpack" : "cminpack, which does not know the machine's precision"
  }
}
