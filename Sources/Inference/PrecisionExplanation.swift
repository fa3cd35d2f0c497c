import Evaluation
import Files
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// What each layer of a network in whole numbers of eight bits takes away from its scores, and how long it takes.
public struct PrecisionExplanation: JSONReport {
  /// A layer.
  public struct Layer: Sendable, Encodable {
    /// The layer's dotted name, and how it is computed.
    public let name, way: String
    /// Its time, in milliseconds.
    public let milliseconds: Double
    /// How far the scores move where this layer alone multiplies whole numbers: the root of the mean square, in
    /// deviations of the scores; nil for a layer of higher precision.
    public let error: Double?
  }

  /// The file of the network, and the size of the image.
  public let model: String, image: [Int]
  /// The convolutions and matrices in the order in which they run.
  public let layers: [Layer]
  /// How far the scores move where all do, and what all take beside the rest, in milliseconds.
  public let error: Double, milliseconds: Double

  /// Runs a network with each layer's range alone, on the first image of a calibration.
  ///
  /// - Throws: As the calibration does; `UnsupportedPrecision`.
  public init(_ path: String, overrides: [String], calibration: Calibration) throws {
    try InferencePrecision.int8.check()
    let network = try TrainedNetwork(checkpoint: path, overrides: overrides)
    var form = InferenceForm(precision: .int8)
    form = try calibration.completed(form, for: network)
    let ranges = form.ranges ?? InputRanges(layers: [:])
    let (first, _, _) = try calibration.found(for: network).load(0)
    let predictor = Predictor(
      network.model, NetworkForm(), encoding: network.encoding, device: .cpu)
    let without = try Pass.switchedOffByEnvironment()
    func runner(_ layers: [String: [Float]]) -> Runner {
      network.model.runner(
        Runner.Options(
          precision: .int8, ranges: InputRanges(layers: layers), keepsWeights: true,
          without: without))
    }
    let x = predictor.input(first)
    (model, image) = (path, [first.width, first.height])
    (layers, error, milliseconds) = try attempt {
      inferenceMode {
        let plain = runner([:])(x)
        func moved(_ layers: [String: [Float]]) -> Double {
          let apart = (runner(layers)(x) - plain).to(.float64)
          let deviation = plain.to(.float64).standardDeviation(correction: 0).item
          return (apart * apart).mean().item.squareRoot() / max(deviation, 1e-30)
        }
        let whole = runner(ranges.layers)
        _ = whole(x)
        let times = whole.profile(x)
        var found: [Layer] = []
        for time in times where time.isProduct {
          let own = ranges.layers.filter {
            $0.key == time.layer || $0.key.hasPrefix(time.layer + " ")
          }
          let isWhole = time.way.contains("int8")
          found.append(
            Layer(
              name: time.layer, way: time.way, milliseconds: time.milliseconds,
              error: isWhole && !own.isEmpty ? moved(own) : nil))
        }
        return (found, moved(ranges.layers), times.reduce(0) { $0 + $1.milliseconds })
      }
    }
  }

  /// The layers as a table, those first that move the scores most.
  public var text: String {
    let order = layers.sorted {
      ($0.error ?? -1, $0.milliseconds) > ($1.error ?? -1, $1.milliseconds)
    }
    let rows = order.map { layer in
      [
        layer.name, layer.way, String(format: "%.2f", layer.milliseconds),
        layer.error.map { String(format: "%.5f", $0) } ?? "in higher precision",
      ]
    }
    let higher = layers.filter { $0.error == nil }.reduce(0) { $0 + $1.milliseconds }
    let table = TextTable.lines(["layer", "way", "ms", "error alone"], rows, left: 2)
    return
      (["\(model.shown): int8, \(image[0])x\(image[1])", ""] + table.map { "  " + $0 }
      + [
        "",
        String(
          format:
            "  all together %.5f of the scores' deviation; %.1f ms, %.1f of them in higher precision",
          error, milliseconds, higher),
      ]).joined(separator: "\n")
  }
}

extension NodeTime {
  /// Whether it is of a convolution or a matrix.
  fileprivate var isProduct: Bool { kind.hasPrefix("fused::") && kind != "fused::decode" }
}
