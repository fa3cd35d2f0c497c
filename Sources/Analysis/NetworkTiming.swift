import Evaluation
import Foundation
import Graphs
import Segmentation
import Torch

/// How long a network takes for an image, as it is and prepared for inference.
package struct NetworkTiming: JSONReport {
  /// The threads of an operator.
  package let threads: Int
  /// The images of a batch.
  package let images: Int
  /// The type in which the network multiplies: the prepared one, or that as it is where it is timed alone.
  package let precision: String
  /// The median seconds of an image, in the forms that were timed.
  package private(set) var plainSeconds: Double?, preparedSeconds: Double?
  /// The seconds from opening the network's file to the first result, in the prepared form.
  package private(set) var firstSeconds: Double?
  /// The most memory that the process has held, in megabytes.
  package private(set) var peakMegabytes: Double?
  /// Why the work for a GPU was not recorded, where that was asked for.
  package private(set) var notRecorded: String?
  /// The root of the mean squared difference of scores, in their standard deviations.
  package private(set) var relativeError: Double?
  /// The share of positions with the same best class.
  package private(set) var agreement: Double?
  /// What one more image costs the network as it is, by operator, the slowest first.
  package private(set) var operators: [OperatorTime]?
  /// What it costs the prepared network, by the nodes of its graph in their order.
  package private(set) var nodes: [NodeTime]?

  /// What the form in which a network is timed as it is has besides.
  package struct Plain {
    /// The type to which convolutions and matrix products are cast; nil for none.
    package var cast: DType?
    /// Whether a GPU gets the work as a whole; see `RecordedFunction`.
    package var graphs = false
    /// Whether scores are compared with those of the CPU in float32.
    package var againstCPU = false

    /// Nothing.
    package init() {}
  }

  /// Times `model` on noise, each form `repeats` times after one that does not count.
  ///
  /// - Parameters:
  ///   - model: The network, in evaluation mode; it has given its weights back afterwards if `prepared` is
  ///     set.
  ///   - images: The images of a batch.
  ///   - plain: How it is timed as it is; nil for not at all.
  ///   - prepared: Whether it is timed prepared for inference.
  ///   - precision: The type in which the prepared network multiplies.
  ///   - ranges: The ranges of what layers take, for int8; found on the noise if there are none.
  ///   - profile: Whether the operators of the last form are timed, too.
  ///   - opening: The seconds that the network took to open.
  /// - Throws: `TorchError` if the network cannot run at this size; `UnknownPass` for what the environment's
  ///   `ATROUS_PASSES` says.
  package init(
    _ model: SegmentationModel, height: Int, width: Int, images: Int = 1, repeats: Int,
    plain: Plain?, prepared: Bool, precision: InferencePrecision = .float32,
    ranges: InputRanges? = nil, profile: Bool, opening: Double? = nil
  ) throws {
    threads = Engine.threads
    self.images = images
    self.precision = precision.rawValue
    let passesOff = try Pass.switchedOffByEnvironment()
    try attempt {
      inferenceMode {
        measure(
          model, height: height, width: width, repeats: repeats, plain: plain,
          prepared: prepared, precision: precision, ranges: ranges, passesOff: passesOff,
          profile: profile, opening: opening)
      }
    }
  }

  private mutating func measure(
    _ model: SegmentationModel, height: Int, width: Int, repeats: Int, plain: Plain?,
    prepared: Bool, precision: InferencePrecision, ranges: InputRanges?, passesOff: Set<String>,
    profile: Bool, opening: Double?
  ) {
    let image = model.noiseImage(images, height: height, width: width)
    let device = model.state.first?.tensor.device ?? .cpu
    let input = image.to(device)
    var scores: [Tensor] = []
    var first = 0.0
    func medianTime(_ network: (Tensor) -> Tensor) -> Double {
      // The first time packs kernels and takes memory.
      first =
        ContinuousClock().measure {
          scores.append(network(input))
          Engine.synchronize(device)
        } / .seconds(1)
      return (0..<repeats).map { _ in
        ContinuousClock().measure {
          _ = network(input)
          Engine.synchronize(device)
        } / .seconds(1)
      }.median
    }
    func asItIs(_ x: Tensor) -> Tensor {
      autocast(to: plain?.cast, on: device) { model.output(x).logits }
    }
    if let plain {
      if plain.graphs {
        let recorded = RecordedFunction(on: device, asItIs)
        // The first call of a size computes, and the second one records.
        _ = recorded(input)
        plainSeconds = medianTime { recorded($0) }
        notRecorded = recorded.refusals[input.shape]
      } else {
        plainSeconds = medianTime(asItIs)
      }
    }
    var runner: Runner?
    if prepared {
      // What is measured afterwards needs no other form.
      let own = precision == .int8 ? ranges ?? model.calibrated { _ = $0(image) } : nil
      let made = model.runner(.init(precision: precision, ranges: own, without: passesOff))
      preparedSeconds = medianTime { made($0) }
      runner = made
      firstSeconds = opening.map { $0 + first }
    }
    peakMegabytes = ProcessUsage.current.map { $0.peakKilobytes / 1e3 }
    if plain?.againstCPU == true, scores.count == 1 {
      scores = [scores[0].to(.cpu).to(.float32)]
      model.move(to: .cpu)
      scores.append(model.output(image).logits)
      model.move(to: device)
    }
    if scores.count == 2 {
      let error = Self.square(scores[1] - scores[0])
      let spread = Self.square(scores[0] - scores[0].mean().item)
      relativeError = (error / max(spread, 1e-30)).squareRoot()
      agreement = scores[0].argmax(1).equal(to: scores[1].argmax(1)).to(.float32).mean().item
    }
    guard profile else { return }
    if let runner {
      nodes = runner.profile(input, repeats: repeats)
    } else {
      let profiler = Profiler()
      observing(profiler) { _ = asItIs(input) }
      operators = profiler.lines
    }
  }

  /// The mean of the squares.
  private static func square(_ x: Tensor) -> Double { (x * x).mean().item }

  /// The report as text.
  package var text: String {
    var lines = ["threads        \(threads)", "precision      \(precision)"]
    if images > 1 { lines.append("images         \(images)") }
    if let notRecorded { lines.append("not recorded   \(notRecorded)") }
    func add(_ name: String, _ value: Double?, _ format: String) {
      guard let value else { return }
      lines.append(name + String(format: format, value))
    }
    add("plain          ", plainSeconds, "%.3f s")
    add("prepared       ", preparedSeconds, "%.3f s")
    add("first result   ", firstSeconds, "%.3f s")
    if let plainSeconds, let preparedSeconds {
      add("times faster   ", plainSeconds / preparedSeconds, "%.2f")
    }
    add("peak memory    ", peakMegabytes, "%.0f MB")
    add("relative error ", relativeError, "%.1e")
    add("same class     ", agreement.map { $0 * 100 }, "%.4f %%")
    for line in operators ?? [] {
      lines.append(
        String(format: "%9.2f ms %4d  ", line.milliseconds, line.calls) + line.operation)
    }
    for node in nodes ?? [] {
      lines.append(String(format: "%9.2f ms  ", node.milliseconds) + node.text)
    }
    return lines.joined(separator: "\n")
  }
}

extension NodeTime {
  /// The shapes, the way, and the layer.
  fileprivate var text: String {
    func sides(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "x") }
    let given = shapes.prefix(2).map(sides).joined(separator: ", ")
    let name = kind.split(separator: ":").last.map(String.init) ?? kind
    return "\(name) \(given) → \(sides(result))  \(way)  \(layer)"
  }
}

/// The calls of one operator with the same shapes.
package struct OperatorTime: Sendable, Encodable {
  /// The operator's name and the shapes of what goes in and comes out.
  package let operation: String
  /// The number of calls.
  package internal(set) var calls = 0
  /// The time of them all.
  package internal(set) var milliseconds = 0.0
}

/// The time between calls through the door, by operator and shapes.
private final class Profiler: OperatorObserver {
  private var found: [String: OperatorTime] = [:]
  private var last = ContinuousClock.now

  func observe(_ call: OperatorCall) {
    let now = ContinuousClock.now
    let inputs = call.arguments.compactMap { argument -> String? in
      guard case .tensor(let tensor) = argument, tensor.rank > 1 else { return nil }
      return "\(tensor.shape)"
    }
    let name =
      "\(call.name) \(inputs.prefix(2).joined(separator: " "))"
      + (call.results.first.map { " → \($0.shape)" } ?? "")
    var line = found[name] ?? OperatorTime(operation: name)
    line.calls += 1
    line.milliseconds += (now - last) / .milliseconds(1)
    found[name] = line
    last = ContinuousClock.now
  }

  /// The slowest first.
  var lines: [OperatorTime] { found.values.sorted { $0.milliseconds > $1.milliseconds } }
}

extension SegmentationModel {
  /// Noise (images, channels, height, width) with adjacent channels, as decoded images have them.
  func noiseImage(_ images: Int = 1, height: Int, width: Int) -> Tensor {
    let image = Tensor(uninitialized: [images, height, width, inputChannels]).permuted(0, 3, 1, 2)
    image.drawNormal(deviation: 1)
    return image
  }
}

extension SegmentationModel {
  /// The ranges of what layers take for noise.
  package func rangesOfNoise(height: Int, width: Int) throws -> InputRanges {
    try attempt {
      inferenceMode { calibrated { _ = $0(noiseImage(height: height, width: width)) } }
    }
  }
}
