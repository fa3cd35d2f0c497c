import Evaluation
import Foundation
import Imaging
import Segmentation
import Torch

/// How much of a backbone's maps lies above the frequencies that atrous kernels carry.
///
/// A kernel of rate r reads every r-th position, so that what oscillates faster than 1/(2 r) cycles a position
/// looks to it like something slower: Chen et al., "Frequency-Adaptive Dilated Convolution for Semantic
/// Segmentation", CVPR 2024, §3. A share is the power above that frequency along rows or columns, over the power
/// of everything but the channels' means. Maps are weighted by Hann's window first, so that opposite borders do
/// not meet as an edge.
public struct RateSpectrum: JSONReport {
  /// The maps of one output stride.
  public struct Stage: Sendable, Encodable {
    /// The output stride, and the channels.
    public let stride: Int, channels: Int
    /// The size of the map.
    public let width: Int, height: Int
    /// For each rate the share of the power that lies above what the rate carries, 0 to 1.
    public let above: [Double]
  }

  /// What the network is called, and what it saw.
  public let network: String, images: String
  /// The size at which images went in.
  public let width: Int, height: Int
  /// The rates, ascending.
  public let rates: [Int]
  /// The network's own rates among them: those of its heads and of its backbone's dilations.
  public let own: [Int]
  /// The backbone's maps, finest first.
  public let stages: [Stage]

  /// Measures the maps that a network makes of images.
  ///
  /// - Parameters:
  ///   - model: The network.
  ///   - name: What it is called.
  ///   - images: The images; each counts alike.
  ///   - width: The width to which they are cut.
  ///   - height: The height to which they are cut.
  ///   - extra: Rates that are looked at besides 2, 4, 8 and the network's own.
  ///   - progress: Is told how many images of how many are done.
  /// - Throws: What reading an image throws, `TorchError`.
  public init(
    _ model: SegmentationModel, named name: String, _ images: ImageSource, width: Int, height: Int,
    rates extra: [Int] = [], progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    let parts = NetworkRates(model, named: name, width: width, height: height, sizeFrom: "")
    let own = Set(parts.backboneDilations + parts.parts.flatMap(\.rates)).filter { $0 > 1 }
    let rates = Set(own + extra + [2, 4, 8]).sorted()
    (self.own, self.rates) = (own.sorted(), rates)
    (network, self.images, self.width, self.height) = (name, images.name, width, height)
    let wasTraining = model.isTraining
    model.train(false)
    defer { model.train(wasTraining) }
    var sums: [[Double]] = []
    var shapes: [[Int]] = []
    for index in 0..<images.count {
      let x = try images.input(index, size: Size(width: width, height: height))
      let shares = try attempt {
        withoutGradients {
          let maps = model.backbone.features(x)
          shapes = maps.map(\.shape)
          return maps.map { Self.shares($0.to(.cpu).to(.float32).contiguous(), rates) }
        }
      }
      if sums.isEmpty { sums = shares.map { $0.map { _ in 0 } } }
      for (stage, values) in shares.enumerated() {
        for (at, value) in values.enumerated() { sums[stage][at] += value }
      }
      progress(index + 1, images.count)
    }
    let (strides, count) = (model.backbone.strides, Double(max(1, images.count)))
    stages = zip(sums, shapes).enumerated().map { index, stage in
      Stage(
        stride: strides[index], channels: stage.1[1], width: stage.1[3], height: stage.1[2],
        above: stage.0.map { $0 / count })
    }
  }

  /// For each rate the share of the power of a map (1, C, H, W) above 1/(2 rate) cycles a position.
  static func shares(_ map: Tensor, _ rates: [Int]) -> [Double] {
    let (rows, columns) = (map.height, map.width)
    let window =
      Tensor(hann(rows), [1, 1, rows, 1]) * Tensor(hann(columns), [1, 1, 1, columns])
    let mean = (map * window).sum([2, 3], keep: true) / window.sum([2, 3], keep: true)
    let centred = (map - mean) * window
    let (across, down) = (waves(columns), waves(rows))
    let (even, odd) = (centred.matmul(across.even), centred.matmul(across.odd))
    let real = down.even.matmul(even) - down.odd.matmul(odd)
    let imaginary = down.even.matmul(odd) + down.odd.matmul(even)
    let power = (real * real + imaginary * imaginary).sum([0, 1], keep: false).floats
    let total = power.reduce(0) { $0 + Double($1) }
    guard total > 0 else { return rates.map { _ in 0 } }
    return rates.map { rate in
      let limit = 1 / (2 * Double(rate))
      var above = 0.0
      for row in 0..<rows {
        let vertical = frequency(row, rows)
        for column in 0..<columns
        where max(vertical, frequency(column, columns)) > limit + 1e-12 {
          above += Double(power[row * columns + column])
        }
      }
      return above / total
    }
  }

  /// The frequency of a coefficient of `count`, in cycles a position, 0 to 1/2.
  private static func frequency(_ index: Int, _ count: Int) -> Double {
    Double(min(index, count - index)) / Double(count)
  }

  private static func hann(_ count: Int) -> [Float] {
    (0..<count).map { Float(0.5 - 0.5 * cos(2 * .pi * (Double($0) + 0.5) / Double(count))) }
  }

  /// The cosines and sines of the discrete Fourier transform of `count` positions, (count, count).
  private static func waves(_ count: Int) -> (even: Tensor, odd: Tensor) {
    func wave(_ function: (Double) -> Double) -> Tensor {
      let turn = 2 * Double.pi / Double(count)
      let table = (0..<count).map { Float(function(turn * Double($0))) }
      return Tensor(
        (0..<count * count).map { table[($0 / count) * ($0 % count) % count] }, [count, count])
    }
    return (wave(cos), wave(sin))
  }

  /// The report as text.
  public var text: String {
    let marked = rates.map { own.contains($0) ? "rate \($0)*" : "rate \($0)" }
    let rows = stages.map { stage in
      ["\(stage.stride)", "\(stage.width)x\(stage.height)", "\(stage.channels)"]
        + stage.above.map { fixed($0 * 100, 1) }
    }
    let lines = [
      "network          \(network)",
      "images           \(images), seen at \(width)x\(height)",
      "",
      "Power of the backbone's maps above 1/(2 rate) cycles, which a kernel of the rate cannot tell from"
        + " slower changes, in %:",
      "",
    ]
    let table = TextTable.lines(["stride", "map", "channels"] + marked, rows, left: 0)
    let note = own.isEmpty ? [] : ["* rates of the network"]
    return (lines + table + note + ["", reading]).joined(separator: "\n")
  }

  /// What to read from the last map, on which heads work.
  public var reading: String {
    guard let last = stages.last, let largest = own.last ?? rates.last,
      let share = rates.firstIndex(of: largest).map({ last.above[$0] })
    else { return "" }
    let above = fixed(share * 100, 1)
    return "Of the map of stride \(last.stride), rate \(largest) leaves \(above) % above what it"
      + " carries: a map before it that is smoother, or smaller rates where the picture is fine, would lose less."
  }
}
