import Datasets
import Torch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// For the positions of a result along one axis the two cells of a coarse grid that they lie
/// between, and how much a window counts there.
struct GridAxis: Sendable {
  /// The first position that the grid covers.
  let start: Int
  /// For each position from `start`: the lower cell, and whether the next one is another.
  private(set) var lower: [Int] = []
  private(set) var upper: [Int] = []
  /// The share of the upper cell.
  private(set) var fraction: [Float] = []
  /// What the position counts.
  var weight: [Float] = []

  var end: Int { start + lower.count }

  /// What a grid is of a larger one, whose cells it was cut from: its first pixel and cell there, and the
  /// larger one's cells and extent.
  struct Part {
    let pixel: Int
    let cell: Float
    let cells: Float
    let extent: Int
  }

  /// - Parameters:
  ///   - cells: The grid's cells.
  ///   - extent: The pixels that the grid covers, of which some may lie beyond the image.
  ///   - origin: Where it begins in the image.
  ///   - length: How many pixels of the image it is asked for.
  ///   - image: The image's pixels.
  ///   - target: The result's pixels, which cover the image.
  ///   - isMirrored: Whether the image was seen from its end.
  ///   - part: Where the cells lie in a larger grid, which they are enlarged like; nil for a grid of its
  ///     own.
  init(
    cells: Int, extent: Int, origin: Int, length: Int, image: Int, target: Int,
    alignCorners: Bool, isMirrored: Bool = false, part: Part? = nil
  ) {
    let whole = part ?? Part(pixel: 0, cell: 0, cells: Float(cells), extent: extent)
    // As libtorch computes positions, in single precision.
    let cellsAPixel = whole.cells / Float(whole.extent)
    let pixelsAPosition = Float(image) / Float(target)
    let cornerCells = whole.extent > 1 ? (whole.cells - 1) / Float(whole.extent - 1) : 0
    let first = Float(whole.pixel)
    let cornerPixels = target > 1 ? Float(image - 1) / Float(target - 1) : 0
    var start: Int?
    for position in 0..<target {
      let seen = Float(isMirrored ? target - 1 - position : position)
      let cell: Float
      let pixel: Float
      if alignCorners {
        pixel = seen * cornerPixels - Float(origin)
        cell = (pixel + first) * cornerCells - whole.cell
      } else {
        let edge = image == target ? seen + 0.5 : (seen + 0.5) * pixelsAPosition
        pixel = edge - 0.5 - Float(origin)
        cell = (edge - Float(origin) + first) * cellsAPixel - 0.5 - whole.cell
      }
      guard pixel > -0.75, pixel < Float(length) - 0.25 else { continue }
      if start == nil { start = position }
      let inside = max(0, cell)
      let below = min(Int(inside), cells - 1)
      lower.append(below)
      upper.append(min(below + 1, cells - 1))
      fraction.append(min(max(inside - Float(below), 0), 1))
      weight.append(1)
    }
    self.start = start ?? 0
  }

  /// The cells that the positions lie between.
  var cells: Range<Int> { (lower.min() ?? 0)..<(upper.max() ?? -1) + 1 }

  /// The same positions on a grid whose first `count` cells were left out.
  func without(first count: Int) -> GridAxis {
    var axis = self
    axis.lower = lower.map { $0 - count }
    axis.upper = upper.map { $0 - count }
    return axis
  }

  /// Some of the positions.
  func cut(_ positions: Range<Int>) -> GridAxis {
    let covered = positions.clamped(to: start..<end)
    let own = covered.lowerBound - start..<covered.upperBound - start
    return GridAxis(
      start: covered.lowerBound - positions.lowerBound, lower: Array(lower[own]),
      upper: Array(upper[own]), fraction: Array(fraction[own]), weight: Array(weight[own]))
  }

  private init(start: Int, lower: [Int], upper: [Int], fraction: [Float], weight: [Float]) {
    (self.start, self.lower, self.upper) = (start, lower, upper)
    (self.fraction, self.weight) = (fraction, weight)
  }

  /// Makes the weights of the windows along an axis add up to one at every position.
  static func normalize(_ axes: inout [GridAxis], _ target: Int) {
    var sums = [Float](repeating: 0, count: target)
    for axis in axes {
      for (i, weight) in axis.weight.enumerated() { sums[axis.start + i] += weight }
    }
    for a in axes.indices {
      for i in axes[a].weight.indices { axes[a].weight[i] /= max(sums[axes[a].start + i], 1e-30) }
    }
  }
}

/// The scores that a network gave on a coarse grid, and where they lie in the result.
///
/// They stay as the network left them, in its own memory.
struct PlacedScores: Sendable {
  /// (1, classes, h, w) in the processor's memory; nil if an operator failed, which `attempt` reports.
  private let scores: Tensor?
  private let strides: [Int]
  let width: Int
  let classes: Int
  /// How many times eight classes there are, the last filled up.
  let groups: Int
  let rows: GridAxis
  let columns: GridAxis

  /// Takes scores (1, classes, h, w) to where they lie.
  init(_ scores: Tensor, rows: GridAxis, columns: GridAxis) {
    self.rows = rows
    self.columns = columns
    // What an operator that failed gives has no shape.
    guard scores.shape.count == 4 else {
      (self.scores, strides, width, classes, groups) = (nil, [], 0, 0, 0)
      return
    }
    let own = scores.to(.cpu).to(.float32)
    self.scores = own
    strides = own.strides
    classes = own.size(1)
    groups = (classes + 7) / 8
    width = own.width
  }

  /// The same of some rows of the result.
  func cut(rows positions: Range<Int>) -> PlacedScores {
    PlacedScores(self, rows: rows.cut(positions))
  }

  private init(_ other: PlacedScores, rows: GridAxis) {
    (scores, strides, width) = (other.scores, other.strides, other.width)
    (classes, groups, columns) = (other.classes, other.groups, other.columns)
    self.rows = rows
  }

  /// Whether there is nothing to look up.
  var isEmpty: Bool { width == 0 }

  /// A row of cells without scores: what a class that does not exist has is far below all others,
  /// and yet finite between cells.
  var emptyRow: [SIMD8<Float>] {
    [SIMD8<Float>](repeating: SIMD8(repeating: -1e30), count: width * groups)
  }

  /// Copies row `y` of the grid, cell by cell, into `row`.
  func copy(_ y: Int, to row: inout [SIMD8<Float>]) {
    let (classes, step, width) = (classes, groups * 8, width)
    let (byClass, byColumn) = (strides[1], strides[3])
    _ = scores?.withMemory { memory in
      let from = memory.assumingMemoryBound(to: Float.self) + y * strides[2]
      row.withUnsafeMutableBytes { raw in
        let to = raw.assumingMemoryBound(to: Float.self)
        for x in 0..<width {
          for k in 0..<classes {
            to[x &* step &+ k] = from[x &* byColumn &+ k &* byClass]
          }
        }
      }
    }
  }
}

/// Bilinear interpolation of coarse scores and the best class of every pixel in one pass.
///
/// Only rows exist at full size, one a core: interpolated down first, then along, then compared.
/// Where scores of several windows or scales meet, what they say is averaged in the same row.
package enum ScoreFusion {
  /// The best class of each pixel of a result (H, W), row-major; of equal ones the first.
  ///
  /// `sureness` is filled with what is asked for beside the classes.
  static func classes(
    _ parts: [PlacedScores], width: Int, height: Int, averaging: InferenceMode.Averaging?,
    sureness: PixelSureness? = nil
  ) -> [UInt8] {
    guard let first = parts.first, !parts.contains(where: \.isEmpty) else { return [] }
    guard let sureness else {
      return Self.classes(parts, width, height, averaging, nil)
    }
    sureness.begin(width: width, height: height, classes: first.classes)
    return sureness.filling(width: width) {
      Self.classes(parts, width, height, averaging, $0)
    }
  }

  private static func classes(
    _ parts: [PlacedScores], _ width: Int, _ height: Int, _ averaging: InferenceMode.Averaging?,
    _ rows: PixelSureness.Rows?
  ) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: width * height) { result, count in
      count = width * height
      nonisolated(unsafe) let result = result
      nonisolated(unsafe) let rows = rows
      let bands = max(1, min(height, 64))
      inParallel(bands) { band in
        var row = Row(parts, width: width)
        for y in band * height / bands..<(band + 1) * height / bands {
          let out = UnsafeMutableBufferPointer(rebasing: result[y * width..<(y + 1) * width])
          row.write(parts, y, averaging, to: out)
          if let rows { row.write(parts, y, averaging, to: rows) }
        }
      }
    }
  }

  /// The probability of each class at every pixel in shares of 255, (H, W, classes): the weighted mean over
  /// the parts, softened by a temperature.
  static func shares(
    _ parts: [PlacedScores], width: Int, height: Int, temperature: Temperature? = nil
  ) -> [UInt8] {
    guard let first = parts.first, !parts.contains(where: \.isEmpty) else { return [] }
    let classes = first.classes
    let softening = Softening(temperature)
    return [UInt8](unsafeUninitializedCapacity: width * height * classes) { result, count in
      count = width * height * classes
      nonisolated(unsafe) let result = result
      let bands = max(1, min(height, 64))
      inParallel(bands) { band in
        var row = Row(parts, width: width)
        for y in band * height / bands..<(band + 1) * height / bands {
          let line = width * classes
          row.writeShares(
            parts, y, classes, softening,
            to: UnsafeMutableBufferPointer(rebasing: result[y * line..<(y + 1) * line]))
        }
      }
    }
  }

  /// The best class of each pixel of an image that the scores (1, classes, h, w) cover.
  package static func classes(_ scores: Tensor, width: Int, height: Int, alignCorners: Bool)
    -> [UInt8]
  {
    func axis(_ cells: Int, _ target: Int) -> GridAxis {
      GridAxis(
        cells: cells, extent: target, origin: 0, length: target, image: target, target: target,
        alignCorners: alignCorners)
    }
    let part = PlacedScores(
      scores, rows: axis(scores.height, height), columns: axis(scores.width, width))
    return classes([part], width: width, height: height, averaging: nil)
  }

  /// The memory of one row.
  struct Row {
    let groups: Int, classes: Int
    /// For each part the rows of its grid around this one: those of even and of odd number.
    private var grids: [Grid]
    /// What the part that came last says, interpolated down.
    private(set) var line: [SIMD8<Float>] = []
    /// The weighted sums over the parts, where they are averaged.
    private(set) var sums: [SIMD8<Float>]
    /// Room for the scores of a pixel.
    var scores: [SIMD8<Float>]

    private struct Grid {
      var even: [SIMD8<Float>], odd: [SIMD8<Float>]
      var evenNumber = -1, oddNumber = -1

      init(_ part: PlacedScores) { (even, odd) = (part.emptyRow, part.emptyRow) }

      mutating func load(_ y: Int, _ part: PlacedScores) {
        if y & 1 == 0, evenNumber != y {
          part.copy(y, to: &even)
          evenNumber = y
        } else if y & 1 == 1, oddNumber != y {
          part.copy(y, to: &odd)
          oddNumber = y
        }
      }
    }

    init(_ parts: [PlacedScores], width: Int) {
      (groups, classes) = (parts.first?.groups ?? 0, parts.first?.classes ?? 0)
      scores = [SIMD8<Float>](repeating: .zero, count: groups)
      grids = parts.map { Grid($0) }
      sums = [SIMD8<Float>](repeating: .zero, count: width * groups)
    }

    mutating func write(
      _ parts: [PlacedScores], _ y: Int, _ averaging: InferenceMode.Averaging?,
      to out: UnsafeMutableBufferPointer<UInt8>
    ) {
      if averaging != nil { for i in sums.indices { sums[i] = .zero } }
      for (index, part) in parts.enumerated() where (part.rows.start..<part.rows.end).contains(y) {
        interpolateDown(part, index, y)
        switch averaging {
        case nil: best(part, out)
        case .probabilities: add(part, y, isLogarithmic: false)
        case .logProbabilities: add(part, y, isLogarithmic: true)
        }
      }
      guard averaging != nil else { return }
      sums.withUnsafeBufferPointer { sums in
        for x in out.indices {
          var (value, index) = (sums[x * groups], Self.lanes)
          for group in 1..<max(groups, 1) {
            let other = sums[x * groups + group]
            let isBetter = other .> value
            value.replace(with: other, where: isBetter)
            index.replace(with: Self.lanes &+ Int32(group * 8), where: isBetter)
          }
          out[x] = Self.first(value, index)
        }
      }
    }

    mutating func writeShares(
      _ parts: [PlacedScores], _ y: Int, _ classes: Int, _ softening: Softening,
      to out: UnsafeMutableBufferPointer<UInt8>
    ) {
      let groups = groups
      for i in sums.indices { sums[i] = .zero }
      for (index, part) in parts.enumerated() where (part.rows.start..<part.rows.end).contains(y) {
        interpolateDown(part, index, y)
        add(part, y, isLogarithmic: false)
      }
      sums.withUnsafeMutableBytes { raw in
        let sums = raw.assumingMemoryBound(to: Float.self)
        for x in 0..<out.count / classes {
          if !softening.isNone, let first = sums.baseAddress {
            softening.apply(first + x * groups * 8, classes)
          }
          for k in 0..<classes {
            out[x * classes + k] = UInt8(min(max(sums[x * groups * 8 + k], 0), 1) * 255 + 0.5)
          }
        }
      }
    }

    /// The row of the grid that row `y` of the result lies on.
    private mutating func interpolateDown(_ part: PlacedScores, _ index: Int, _ y: Int) {
      let i = y - part.rows.start
      let (above, below, share) = (part.rows.lower[i], part.rows.upper[i], part.rows.fraction[i])
      grids[index].load(above, part)
      grids[index].load(below, part)
      let count = part.width * groups
      if line.count != count { line = [SIMD8<Float>](repeating: .zero, count: count) }
      func blend(_ above: [SIMD8<Float>], _ below: [SIMD8<Float>]) {
        above.withUnsafeBufferPointer { above in
          below.withUnsafeBufferPointer { below in
            line.withUnsafeMutableBufferPointer { line in
              for k in 0..<count { line[k] = above[k] * (1 - share) + below[k] * share }
            }
          }
        }
      }
      switch (above & 1, below & 1) {
      case (0, 0): blend(grids[index].even, grids[index].even)
      case (0, _): blend(grids[index].even, grids[index].odd)
      case (_, 0): blend(grids[index].odd, grids[index].even)
      default: blend(grids[index].odd, grids[index].odd)
      }
    }

    private func best(_ part: PlacedScores, _ out: UnsafeMutableBufferPointer<UInt8>) {
      let (columns, groups) = (part.columns, groups)
      line.withUnsafeBufferPointer { line in
        for i in 0..<columns.lower.count {
          let (a, b) = (columns.lower[i] * groups, columns.upper[i] * groups)
          let share = columns.fraction[i]
          var value = line[a] * (1 - share) + line[b] * share
          var index = Self.lanes
          for group in 1..<max(groups, 1) {
            let other = line[a + group] * (1 - share) + line[b + group] * share
            let isBetter = other .> value
            value.replace(with: other, where: isBetter)
            index.replace(with: Self.lanes &+ Int32(group * 8), where: isBetter)
          }
          out[columns.start + i] = Self.first(value, index)
        }
      }
    }

    /// Adds probabilities, or their logarithms, to the sums.
    private mutating func add(_ part: PlacedScores, _ y: Int, isLogarithmic: Bool) {
      let (columns, groups, classes) = (part.columns, groups, part.classes)
      let rowWeight = part.rows.weight[y - part.rows.start]
      var scores = [Float](repeating: 0, count: groups * 8)
      line.withUnsafeBufferPointer { line in
        sums.withUnsafeMutableBytes { raw in
          let sums = raw.assumingMemoryBound(to: Float.self)
          for i in 0..<columns.lower.count {
            let (a, b) = (columns.lower[i] * groups, columns.upper[i] * groups)
            let share = columns.fraction[i]
            var peak = SIMD8<Float>(repeating: -.greatestFiniteMagnitude)
            for group in 0..<groups {
              let value = line[a + group] * (1 - share) + line[b + group] * share
              peak = pointwiseMax(peak, value)
              for lane in 0..<8 { scores[group * 8 + lane] = value[lane] }
            }
            let top = peak.max()
            var total: Float = 0
            let at = (columns.start + i) * groups * 8
            let weight = rowWeight * columns.weight[i]
            if isLogarithmic {
              for k in 0..<classes { total += expf(scores[k] - top) }
              let shift = top + logf(total)
              for k in 0..<classes { sums[at + k] += weight * (scores[k] - shift) }
              for k in classes..<groups * 8 { sums[at + k] = -1e30 }
            } else {
              for k in 0..<classes {
                scores[k] = expf(scores[k] - top)
                total += scores[k]
              }
              let factor = weight / total
              for k in 0..<classes { sums[at + k] += factor * scores[k] }
            }
          }
        }
      }
    }

    private static let lanes = SIMD8<Int32>(0, 1, 2, 3, 4, 5, 6, 7)

    /// The smallest index among the lanes that hold the largest value.
    @inline(__always)
    private static func first(_ value: SIMD8<Float>, _ index: SIMD8<Int32>) -> UInt8 {
      let top = SIMD8<Float>(repeating: value.max())
      let candidates = SIMD8<Int32>(repeating: .max).replacing(with: index, where: value .== top)
      return UInt8(truncatingIfNeeded: candidates.min())
    }
  }
}
