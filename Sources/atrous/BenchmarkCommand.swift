import ArgumentParser
import Foundation
import Segmentation
import Torch
import Training

/// `atrous benchmark`: how long a network takes for an image.
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract: "Time a network on an image of noise, as it is and prepared for inference.",
    discussion: """
      Both forms are timed in turn. Prints the median of each, the most memory that the process \
      held, and how far the prepared network's scores are from the other's.
      """)

  @OptionGroup var network: NetworkOptions

  @Option(help: "The image's size, WIDTHxHEIGHT.")
  var size = "1024x512"

  @Option(help: "How often each form is timed.")
  var repeats = 3

  @Option(help: "What is timed: both, prepared or plain.")
  var form = Form.both

  @Option(help: "The threads of an operator; 0 for libtorch's choice.")
  var threads = 0

  @Flag(help: "Print the time of each operator of the prepared form, summed over an image.")
  var profile = false

  @Flag(help: "Print JSON.")
  var json = false

  enum Form: String, CaseIterable, ExpressibleByArgument { case both, prepared, plain }

  func validate() throws {
    guard ImageSize(size) != nil else {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 1024x512.")
    }
    guard (1...1000).contains(repeats) else {
      throw ValidationError("--repeats is \(repeats), expected a number from 1 to 1000.")
    }
    guard (0...4096).contains(threads) else {
      throw ValidationError("--threads is \(threads), expected a number from 0 to 4096.")
    }
  }

  func run() throws {
    try reportingErrors {
      if threads > 0 { Engine.threads = threads }
      Engine.setFlushDenormal(true)
      let model = try network.load().model
      let size = ImageSize(size) ?? ImageSize(width: 1024, height: 512)
      let report = try attempt { inferenceMode { measure(model, size) } }
      if json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
      } else {
        print(report.text)
      }
    }
  }

  private func measure(_ model: SegmentationModel, _ size: ImageSize) -> Report {
    let x = Tensor(uninitialized: [1, 3, size.height, size.width])
    x.drawNormal(deviation: 1)
    let image = x.contiguous(.channelsLast)
    var report = Report(threads: Engine.threads)
    var scores: [Tensor] = []
    func median() -> Double {
      // The first time packs kernels and takes memory.
      scores.append(model.output(image).logits)
      let seconds = (0..<repeats).map { _ in
        ContinuousClock().measure { _ = model.output(image).logits } / .seconds(1)
      }
      return seconds.sorted()[repeats / 2]
    }
    if form != .prepared { report.plainSeconds = median() }
    if form != .plain {
      model.prepared()
      report.preparedSeconds = median()
    }
    report.peakMegabytes = peakMemory
    if scores.count == 2 {
      let error = (scores[1] - scores[0]).square.item
      let centred = scores[0] - scores[0].mean().item
      report.relativeError = (error / max(centred.square.item, 1e-30)).squareRoot()
      report.agreement =
        scores[0].argmax(1).equal(to: scores[1].argmax(1)).to(.float32).mean().item
    }
    if profile {
      let profiler = Profiler()
      observing(profiler) { _ = model.output(image) }
      report.operators = profiler.lines
    }
    return report
  }

  /// What was found.
  private struct Report: Encodable {
    let threads: Int
    var plainSeconds: Double?, preparedSeconds: Double?
    var peakMegabytes: Double?
    /// The root of the mean squared difference of scores, in their standard deviations.
    var relativeError: Double?
    /// The share of positions with the same best class.
    var agreement: Double?
    var operators: [Profiler.Line]?

    var text: String {
      var lines = ["threads        \(threads)"]
      func add(_ name: String, _ value: Double?, _ format: String) {
        guard let value else { return }
        lines.append(name + String(format: format, value))
      }
      add("plain          ", plainSeconds, "%.3f s")
      add("prepared       ", preparedSeconds, "%.3f s")
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
      return lines.joined(separator: "\n")
    }
  }

  /// The most memory that this process has held, in megabytes.
  private var peakMemory: Double? {
    var usage = rusage()
    #if canImport(Darwin)
      let (who, unit) = (RUSAGE_SELF, 1e6)
    #else
      let (who, unit) = (__rusage_who_t(RUSAGE_SELF.rawValue), 1e3)
    #endif
    return getrusage(who, &usage) == 0 ? Double(usage.ru_maxrss) / unit : nil
  }
}

/// The time between calls through the door, by operator and shapes.
private final class Profiler: OperatorObserver {
  struct Line: Encodable {
    let operation: String
    var calls = 0
    var milliseconds = 0.0
  }

  private var found: [String: Line] = [:]
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
    var line = found[name] ?? Line(operation: name)
    line.calls += 1
    line.milliseconds += (now - last) / .milliseconds(1)
    found[name] = line
    last = ContinuousClock.now
  }

  /// The slowest first.
  var lines: [Line] { found.values.sorted { $0.milliseconds > $1.milliseconds } }
}

extension Tensor {
  /// The mean of the squares.
  fileprivate var square: Tensor { (self * self).mean() }
}
