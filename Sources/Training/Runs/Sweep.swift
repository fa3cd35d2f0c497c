import Configuration
import Evaluation
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// One value of a configuration varied, the rest kept: what is trained how often.
public struct SweepPlan: Sendable, Equatable {
  /// The key of the configuration, such as `model.head.baseRate`.
  public let key: String
  /// Its values as YAML, in order.
  public let values: [String]

  /// Reads `key=1...12`, `key=1...12:3` with steps of 3, or `key=1,2,4`; a key that begins with no
  /// section of the configuration belongs to the section `model`.
  ///
  /// - Throws: `ConfigurationError` for text of another form, or more than 1000 values.
  public init(_ text: String) throws {
    func wrong() -> ConfigurationError {
      .invalid(
        place: "--over", key: "over", value: "'\(text)'",
        expected: "key=1...12, key=1...12:3 or key=1,2,4")
    }
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else { throw wrong() }
    let key = String(text[..<equals]), list = String(text[text.index(after: equals)...])
    let sections = ["data", "model", "train", "evaluate"]
    let first = key.split(separator: ".").first.map(String.init) ?? ""
    self.key = sections.contains(first) ? key : "model.\(key)"
    if let dots = list.range(of: "...") {
      let tail = list[dots.upperBound...].split(separator: ":", omittingEmptySubsequences: false)
      guard let low = Int(list[..<dots.lowerBound]), (1...2).contains(tail.count),
        let high = tail.first.flatMap({ Int($0) }), low <= high,
        let step = tail.count == 2 ? Int(tail[1]) : 1, step > 0,
        high.subtractingReportingOverflow(low).partialValue / step < 1000
      else { throw wrong() }
      values = stride(from: low, through: high, by: step).map(String.init)
    } else {
      values = list.split(separator: ",", omittingEmptySubsequences: false).map {
        $0.trimmingCharacters(in: .whitespaces)
      }
    }
    guard !values.isEmpty, values.count <= 1000, !values.contains(""),
      Set(values).count == values.count
    else { throw wrong() }
  }
}

/// What trainings with different values of a key came to (Kim et al., 2023, Tables 2 to 6).
public struct SweepResult: JSONReport {
  /// The runs of one value.
  public struct Entry: Sendable, Encodable {
    /// The value.
    public let value: String
    /// The mean IoU of each finished run at its last iteration.
    public let scores: [Double]

    /// The mean, if there is a run.
    public var mean: Double? { Spread(values: scores).mean }
    /// The standard deviation with n − 1, from two runs on.
    public var deviation: Double? { Spread(values: scores).deviation }

    private enum CodingKeys: String, CodingKey { case value, scores, mean, deviation }
    /// Writes the scores with what follows from them.
    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(value, forKey: .value)
      try values.encode(scores, forKey: .scores)
      try values.encode(mean, forKey: .mean)
      try values.encode(deviation, forKey: .deviation)
    }
  }

  /// The key that was varied, and the value that the rest is compared with.
  public let key: String, reference: String?
  /// r* of the rule for the configuration's crop, if the key is a rate.
  public let optimal: Double?
  /// The values in order.
  public let entries: [Entry]

  /// The results as text; the value nearest to r* has a star.
  public var text: String {
    let base = entries.first { $0.value == reference }?.mean
    let best = entries.compactMap(\.mean).max()
    let nearest = optimal.flatMap { optimal in
      entries.min {
        abs((Double($0.value) ?? .infinity) - optimal)
          < abs((Double($1.value) ?? .infinity) - optimal)
      }?.value
    }
    var lines = TextTable.lines(
      [key, "runs", "mean IoU %", "sd", "difference", ""],
      entries.map { entry in
        [
          entry.value, "\(entry.scores.count)", entry.mean.map { fixed($0 * 100) } ?? "-",
          entry.deviation.map { fixed($0 * 100) } ?? "-",
          entry.mean.flatMap { mean in
            base.map {
              entry.value == reference ? "default" : String(format: "%+.2f", (mean - $0) * 100)
            }
          } ?? "-",
          [
            entry.value == nearest ? "* nearest to r*" : "",
            entry.mean != nil && entry.mean == best ? "best" : "",
          ].filter { !$0.isEmpty }.joined(separator: ", "),
        ]
      })
    if let optimal { lines += ["", "r* = \(fixed(optimal)) for the shorter side of the crop"] }
    return lines.joined(separator: "\n")
  }

  /// The mean scores with their deviations over the values; values that are no numbers are numbered.
  public var chart: LineChart {
    var chart = LineChart()
    chart.title = "Mean IoU over \(key)"
    chart.xLabel = key
    chart.yLabel = "mean IoU in per cent"
    let points = entries.enumerated().compactMap { index, entry in
      entry.mean.map {
        LineChart.Point(
          Double(entry.value) ?? Double(index), $0 * 100, deviation: (entry.deviation ?? 0) * 100)
      }
    }
    chart.curves = [("mean IoU", points)]
    if let optimal { chart.marks = [("r* = \(fixed(optimal))", optimal)] }
    return chart
  }
}

/// Trains a configuration once for each value and repeat, in folders of their own; what is finished
/// is not trained again, and what was interrupted goes on.
public struct Sweep {
  private let file: String, overrides: [String], plan: SweepPlan
  private let repeats: Int, folder: String, reference: String?, device: Device
  private let first: TrainingConfiguration

  /// Gets everything ready; every configuration is checked before anything runs.
  ///
  /// - Parameters:
  ///   - file: The configuration.
  ///   - overrides: Changes of it, of the form `key.path=value`.
  ///   - plan: The key and its values.
  ///   - repeats: How often each value is trained; the seeds are the configuration's and those after.
  ///   - folder: Where the runs and the result go.
  ///   - reference: The value to compare with; the configuration's own if nil.
  ///   - device: Where networks are trained.
  /// - Throws: `ConfigurationError` naming the value that cannot be.
  public init(
    _ file: String, overrides: [String] = [], over plan: SweepPlan, repeats: Int,
    folder: String, reference: String? = nil, device: Device = .cpu
  ) throws {
    (self.file, self.overrides, self.plan, self.repeats) = (file, overrides, plan, repeats)
    (self.folder, self.device) = (folder, device)
    for value in plan.values {
      _ = try TrainingConfiguration(
        contentsOf: file, overrides: overrides + ["\(plan.key)=\(value)"])
    }
    first = try TrainingConfiguration(
      contentsOf: file, overrides: overrides + ["\(plan.key)=\(plan.values[0])"])
    try first.requireScores()
    self.reference = try reference ?? Self.own(plan.key, file, overrides)
  }

  /// The configuration's own value of a key.
  private static func own(_ key: String, _ file: String, _ overrides: [String]) throws -> String? {
    var section = try Section(contentsOf: file, overrides: overrides)
    let path = key.split(separator: ".").map(String.init)
    for part in path.dropLast() { section = try section.section(part) }
    guard let last = path.last, section.has(last) else {
      // DeepLab's rule where nothing else is said.
      return path.last == "baseRate" ? "6" : nil
    }
    return try? section.string(last)
  }

  /// r* for the crops of the configuration, in the key's own terms.
  var optimal: Double? {
    guard let crop = first.cropSize, let last = plan.key.split(separator: ".").last else {
      return nil
    }
    let stride: Int
    switch last {
    // A base rate is that of an output stride of 16, whichever the network has.
    case "baseRate": stride = 16
    case "rate":
      let built = try? shapesOnly { try first.buildModel(pretrained: false).headStride }
      guard let own = built else { return nil }
      stride = own
    default: return nil
    }
    return RateRule(width: crop.width, height: crop.height, stride: stride).optimal
  }

  /// Trains what is not finished.
  ///
  /// - Parameters:
  ///   - monitor: Is told how each run goes.
  ///   - shouldStop: Whether to stop after the current iteration; running again goes on.
  /// - Throws: What training throws, and `WriteError`.
  /// - Returns: The results so far, and whether everything is finished.
  public func run(
    monitor: any TrainingMonitor = SilentMonitor(), shouldStop: () -> Bool = { false }
  ) throws -> (result: SweepResult, isFinished: Bool) {
    let lock = try RunFolder(path: folder).lock(monitor)
    defer { withExtendedLifetime(lock) {} }
    var scores = [[Double]](repeating: [], count: plan.values.count)
    var isFinished = true
    // Repeats outside, so that every value has a score early.
    outer: for number in 0..<repeats {
      for (index, value) in plan.values.enumerated() {
        guard let score = try train(value, number, monitor, shouldStop) else {
          isFinished = false
          break outer
        }
        scores[index].append(score)
        try write(scores)
      }
    }
    return (result(scores), isFinished)
  }

  private func result(_ scores: [[Double]]) -> SweepResult {
    SweepResult(
      key: plan.key, reference: reference, optimal: optimal,
      entries: zip(plan.values, scores).map { .init(value: $0, scores: $1) })
  }

  private func write(_ scores: [[Double]]) throws {
    let result = result(scores)
    try AtomicFile.write("\(folder)/sweep.json", result.json())
    try AtomicFile.write("\(folder)/sweep.txt", Array((result.text + "\n").utf8))
    try result.chart.image().write(to: "\(folder)/sweep.png", isOutput: true)
  }

  /// The mean IoU of a run that is finished, or is now; nil if it was interrupted.
  private func train(
    _ value: String, _ number: Int, _ monitor: any TrainingMonitor, _ shouldStop: () -> Bool
  ) throws -> Double? {
    let seed = Int(truncatingIfNeeded: first.train.seed) &+ number
    let configuration = try TrainingConfiguration(
      contentsOf: file,
      overrides: overrides + ["\(plan.key)=\(value)", "train.seed=\(max(0, seed))"])
    let safe = value.map { $0.isLetter || $0.isNumber || $0 == "." ? $0 : "_" }
    let run = RepeatedRun(
      configuration: configuration,
      folder: RunFolder(path: "\(folder)/\(String(safe))-\(number + 1)"))
    let scores = try run.scores(
      "\(plan.key) = \(value), run \(number + 1) of \(repeats)", device: device, monitor: monitor,
      shouldStop: shouldStop)
    return scores.map { $0.meanIoU ?? 0 }
  }
}
