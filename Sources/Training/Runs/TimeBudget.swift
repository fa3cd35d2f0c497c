import Datasets
import Evaluation
import Foundation
import Torch

/// How many iterations fit into a given time, by what the first of them take.
struct TimeBudget {
  /// The time of the whole run, in seconds.
  let seconds: Double
  private let start = ContinuousClock.now
  private var times: [Double] = []

  init(minutes: Double) { seconds = minutes * 60 }

  /// The time since the run began, in seconds.
  var elapsed: Double { (ContinuousClock.now - start) / .seconds(1) }

  /// Takes in the time of an iteration, in seconds.
  mutating func add(_ seconds: Double) { times.append(seconds) }

  /// Whether enough is known: the first iteration makes what the others find, so it does not count.
  var isMeasured: Bool { times.count > 3 && (times.count > 12 || elapsed > seconds / 20) }

  /// The median time of an iteration, in seconds.
  var secondsPerStep: Double { times.dropFirst().median }

  /// The iterations of the run, `done` of which are over.
  ///
  /// - Parameters:
  ///   - scoring: What it takes to score the network, in seconds.
  ///   - interval: After how many iterations it is scored, besides at the end; nil for never.
  func steps(done: Int, scoring: Double, every interval: Int?) -> Int {
    let left = seconds - elapsed
    func cost(_ more: Int) -> Double {
      let scorings = 1 + (interval.map { (done + more - 1) / $0 - done / $0 } ?? 0)
      return Double(more) * secondsPerStep + Double(scorings) * scoring
    }
    // The cost grows with the iterations, so the most that fit are found by halving.
    let atMost = min(left / max(secondsPerStep, 1e-9), Double(longest - done))
    var (fits, above) = (1, max(2, Int(atMost) + 1))
    while above - fits > 1 {
      let middle = (fits + above) / 2
      if cost(middle) <= left { fits = middle } else { above = middle }
    }
    return done + fits
  }
}

extension Trainer {
  /// Takes in the time of the last iteration of a run of given minutes, and sets its length once it can.
  ///
  /// The first process decides for all.
  func fitIntoTime() throws {
    guard var budget else { return }
    budget.add(meter.lastSeconds)
    self.budget = budget
    guard try attempt({ processes.any(budget.isMeasured) }) else { return }
    self.budget = nil
    meter.pause()
    defer { meter.resume() }
    let scoring = try secondsOfScoring()
    let interval: Int? =
      switch settings.evaluateEvery {
      case .iterations(let count): count
      case .epochs(let count): count * stepsPerEpoch
      case .never: nil
      }
    let found = budget.steps(done: step, scoring: scoring, every: interval)
    steps = Int(try attempt { processes.sum([processes.isFirst ? Double(found) : 0]) }[0])
    monitor.message(
      String(format: "an iteration takes %.2f s", budget.secondsPerStep)
        + ", scoring about \(ConsoleMonitor.duration(scoring)):"
        + " \(steps) iterations fit into \(ConsoleMonitor.duration(budget.seconds))")
  }

  /// About what it takes to score the network once, in seconds, by two of the images.
  private func secondsOfScoring() throws -> Double {
    guard let validation else { return 0 }
    func seconds(_ images: any Dataset) throws -> Double {
      try ContinuousClock().measure { try attempt { try evaluator.run(on: images) } } / .seconds(1)
    }
    return try withPreservedRandomState {
      // The first image measures the memory that the network needs.
      _ = try seconds(validation.spread(to: 1))
      let few = validation.spread(to: 2)
      return try seconds(few) * Double(validation.count) / Double(few.count * processes.count)
    }
  }
}
