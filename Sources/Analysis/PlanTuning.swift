import Evaluation
import Foundation
import Graphs
import Segmentation
import Torch

/// Measures which ways the 3×3 convolutions of a network take fastest, and keeps them for this machine.
package struct PlanTuning: JSONReport {
  /// A layer that was measured.
  package struct Layer: Encodable, Sendable {
    /// The channels, the map, the rate.
    package let layer: String
    /// The way that was chosen; nil for the rules'.
    package let way: String?
    /// The time of the way, and of the rules'.
    package let milliseconds: Double, ruleMilliseconds: Double
  }

  /// The processor and its instructions, and the threads of an operator.
  package let machine: String, threads: Int
  /// The layers that were measured.
  package private(set) var layers: [Layer] = []
  /// The median seconds of an image by rules and by the plans.
  package private(set) var ruleSeconds = 0.0, planSeconds = 0.0
  /// Whether an image is faster by the plans; they are kept only then.
  package private(set) var isFaster = false
  /// Where plans are kept, and how many there are.
  package private(set) var file = "", plans = 0

  /// Measures `model`, which is prepared for it, on noise, and writes the plans.
  ///
  /// - Parameter repeats: How often each way of a layer, and each image, is timed.
  /// - Throws: `TorchError` if the network cannot run at this size; `Plans.Unusable` if the plans cannot be
  ///   written.
  package init(_ model: SegmentationModel, height: Int, width: Int, repeats: Int) throws {
    (machine, threads) = (Plans.machine, Engine.threads)
    guard Plans.file != nil else { throw Plans.Unusable.turnedOff }
    let image = model.noiseImage(height: height, width: width)
    let runner = model.runner()
    try Plans.use([])
    let measured = try attempt {
      inferenceMode {
        // The first time packs kernels.
        _ = runner(image)
        return Plans.measuring(repeats: repeats) { _ = runner(image) }
      }
    }
    let found = measured.filter(\.isPlanned).map(\.plan)
    layers = measured.map { Layer($0) }.sorted { $0.gain > $1.gain }
    let start = ContinuousClock.now
    /// The time of the thread where there is one, which others on the machine do not count in.
    var now: Double {
      let own = threads == 1 ? ProcessUsage.current?.processorSeconds : nil
      return own ?? (ContinuousClock.now - start) / .seconds(1)
    }
    var seconds: [[Double]] = [[], []]
    for turn in 0...repeats {
      for which in turn % 2 == 0 ? [0, 1] : [1, 0] {
        try Plans.use(which == 0 ? [] : found)
        let before = now
        inferenceMode { _ = runner(image) }
        if turn > 0 { seconds[which].append(now - before) }
      }
    }
    (ruleSeconds, planSeconds) = (seconds[0].median, seconds[1].median)
    // What was measured beside other work may be of no use without it.
    isFaster = planSeconds < ruleSeconds
    let kept = try Plans.keep(isFaster ? found : [], for: measured)
    (file, plans) = (kept.file, kept.plans.count)
    try Plans.use(kept.plans)
  }

  /// The report as text.
  package var text: String {
    var lines = ["machine        \(machine), \(threads) threads"]
    for layer in layers {
      let times = String(format: "%9.3f → %9.3f ms  ", layer.ruleMilliseconds, layer.milliseconds)
      lines.append(times + "\(layer.layer): \(layer.way ?? "as the rules say")")
    }
    let changed = layers.count { $0.way != nil }
    lines.append("changed        \(changed) of \(layers.count) layers")
    lines.append(
      String(
        format: "an image       %.3f s by rules, %.3f s by plans, %.3f times as fast", ruleSeconds,
        planSeconds, ruleSeconds / max(planSeconds, 1e-9)))
    if changed > 0, !isFaster { lines.append("not kept       an image is not faster by them") }
    lines.append("kept           \(plans) plans in \(file)")
    return lines.joined(separator: "\n")
  }
}

extension PlanTuning.Layer {
  fileprivate init(_ measured: MeasuredLayer) {
    let plan = measured.plan
    layer =
      "\(plan.inputs) → \(plan.outputs) channels on \(plan.images > 1 ? "\(plan.images) × " : "")"
      + "\(plan.width)×\(plan.height), rate \(plan.rate)\(plan.normalizes ? ", normalized" : "")"
    way =
      measured.isPlanned
      ? "\(plan.together) \(plan.order == .tiles ? "tiles" : "products") at once by \(plan.order), "
        + "\(plan.largestTile)×\(plan.largestTile) outputs each"
      : nil
    (milliseconds, ruleMilliseconds) = (plan.milliseconds, plan.ruleMilliseconds)
  }

  /// The time that is saved.
  fileprivate var gain: Double { ruleMilliseconds - milliseconds }
}
