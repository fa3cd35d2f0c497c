import Evaluation
import Files
import Foundation

/// How far a run is.
public struct TrainingProgress: Sendable {
  /// The iterations done.
  public var step: Int
  /// The iterations of the whole run; nil while they are not known.
  public var steps: Int?
  /// The epochs done, with a fraction.
  public var epoch: Double
  /// The loss of the log's last line: the mean of the iterations since the line before.
  ///
  /// Until there is a line, the mean so far.
  public var loss: Double
  /// The learning rate of the last iteration.
  public var learningRate: Double
  /// The speed of the last iterations.
  public var imagesPerSecond: Double
  /// The share of the time in which the network waited for images.
  public var waiting: Double
  /// The time that the rest will take, in seconds, scoring not counted.
  public var secondsLeft: Double
  /// Whether this iteration's line is in the log.
  public var isLogged: Bool
}

/// Is told how a run goes.
public protocol TrainingMonitor: AnyObject {
  /// The run begins.
  func begin(_ description: String)
  /// An iteration is done.
  func step(_ progress: TrainingProgress)
  /// `done` of `count` images are scored.
  func evaluating(_ done: Int, _ count: Int)
  /// The network was scored after iteration `step`.
  func evaluated(_ result: EvaluationResult, _ step: Int)
  /// Something that a person should know.
  func message(_ text: String)
}

/// Says nothing.
public final class SilentMonitor: TrainingMonitor {
  /// A monitor that says nothing.
  public init() {}
  /// The run begins.
  public func begin(_ description: String) {}
  /// An iteration is done.
  public func step(_ progress: TrainingProgress) {}
  /// Some images are scored.
  public func evaluating(_ done: Int, _ count: Int) {}
  /// The network was scored.
  public func evaluated(_ result: EvaluationResult, _ step: Int) {}
  /// Something that a person should know.
  public func message(_ text: String) {}
}

/// Shows a bar on a terminal, and plain lines elsewhere.
public final class ConsoleMonitor: TrainingMonitor {
  private let isTerminal: Bool
  private var lastDraw = ContinuousClock.now - .seconds(1)
  private var isBarShown = false

  /// A monitor of the standard error output, so that the standard output holds results only.
  public init() { isTerminal = isatty(STDERR_FILENO) == 1 }

  /// The run begins.
  public func begin(_ description: String) { line(description) }

  /// An iteration is done.
  public func step(_ progress: TrainingProgress) {
    let text = Self.text(progress)
    guard isTerminal else {
      if progress.isLogged { line(text) }
      return
    }
    draw(
      done: progress.steps == nil ? 0 : progress.step, of: progress.steps ?? 1, text,
      isLast: progress.step == progress.steps)
  }

  /// Some images are scored.
  public func evaluating(_ done: Int, _ count: Int) {
    if isTerminal { draw(done: done, of: count, "scoring \(done)/\(count)", isLast: false) }
  }

  /// Some parts of a piece of work are done.
  public func progress(_ done: Int, _ count: Int, _ what: String) {
    if isTerminal { draw(done: done, of: count, "\(done)/\(count) \(what)", isLast: false) }
  }

  /// The network was scored.
  public func evaluated(_ result: EvaluationResult, _ step: Int) {
    let scores = result.scores
    line(
      "iteration \(step): mean IoU \(percent(scores.meanIoU)) % over \(scores.coveredClasses)"
        + " classes, pixel accuracy \(percent(scores.pixelAccuracy)) %, \(result.images) images in"
        + " \(Self.duration(result.seconds))")
  }

  /// Something that a person should know.
  public func message(_ text: String) { line(text) }

  /// Takes the bar away.
  public func finish() {
    if isBarShown { write("\r\u{1B}[K") }
    isBarShown = false
  }

  private static func text(_ progress: TrainingProgress) -> String {
    guard let steps = progress.steps else {
      return "iteration \(progress.step): finding out how many fit into the time"
    }
    return String(
      format: "%d/%d  epoch %.2f  loss %.4f  rate %.2e  %.1f images/s  waiting %.0f %%  ",
      progress.step, steps, progress.epoch, progress.loss, progress.learningRate,
      progress.imagesPerSecond, progress.waiting * 100) + duration(progress.secondsLeft) + " left"
  }

  private func draw(done: Int, of count: Int, _ text: String, isLast: Bool) {
    let now = ContinuousClock.now
    guard isLast || now - lastDraw > .milliseconds(100) else { return }
    lastDraw = now
    let width = 20
    let full = count == 0 ? width : done * width / count
    let bar =
      String(repeating: "━", count: full) + String(repeating: "─", count: width - full)
    write("\r\u{1B}[K\(bar) \(text)\(isLast ? "\n" : "")")
    isBarShown = !isLast
  }

  private func line(_ text: String) {
    write((isBarShown ? "\r\u{1B}[K" : "") + text.shown + "\n")
    isBarShown = false
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }

  /// A time for people: `1 h 02 min`, `3 min 20 s`, `12 s`.
  public static func duration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e9 else { return "?" }
    let whole = Int(seconds.rounded())
    if whole >= 3600 { return String(format: "%d h %02d min", whole / 3600, whole / 60 % 60) }
    if whole >= 60 { return String(format: "%d min %02d s", whole / 60, whole % 60) }
    return "\(whole) s"
  }
}

/// Measures the speed of a run, scoring left out.
struct Meter {
  private let start = ContinuousClock.now
  private var lastStep = ContinuousClock.now
  private var pausedAt: ContinuousClock.Instant?
  private var waited = 0.0
  private var lossSum = 0.0, lossCount = 0
  private var loggedLoss: Double?
  /// The time of an iteration, smoothed; the time waited in it, too.
  private(set) var secondsPerStep = 0.0
  /// The time of the last iteration.
  private(set) var lastSeconds = 0.0
  private var waitedPerStep = 0.0, images = 0
  private var count = 0
  /// The norm of the gradients of the last iteration, where it was computed.
  private(set) var norm: Double?

  /// The time since the beginning, in seconds.
  var total: Double { (ContinuousClock.now - start) / .seconds(1) }
  var imagesPerSecond: Double { secondsPerStep > 0 ? Double(images) / secondsPerStep : 0 }
  var waitingShare: Double { secondsPerStep > 0 ? min(waitedPerStep / secondsPerStep, 1) : 0 }

  /// Takes in an iteration; `waited` is the time waited since the epoch began.
  mutating func add(loss: Double, norm: Double?, images: Int, waited: Double) {
    let now = ContinuousClock.now
    count += 1
    // A plain mean at first, then the last 50 or so.
    let weight = max(1 / Double(count), 0.02)
    func mix(_ old: Double, _ new: Double) -> Double { old + weight * (new - old) }
    lastSeconds = (now - lastStep) / .seconds(1)
    secondsPerStep = mix(secondsPerStep, lastSeconds)
    waitedPerStep = mix(waitedPerStep, max(waited - self.waited, 0))
    self.images = images
    self.norm = norm
    self.waited = waited
    lossSum += loss
    lossCount += 1
    lastStep = now
  }

  /// The loss that a line of the log has said last, or the mean so far before there is one: a person reads
  /// the same number in the log, on the console and on the page.
  var loss: Double { loggedLoss ?? meanLoss }

  private var meanLoss: Double { lossCount == 0 ? 0 : lossSum / Double(lossCount) }

  /// The mean loss since the last call, for a line of the log.
  mutating func takeLoss() -> Double {
    let mean = meanLoss
    (lossSum, lossCount, loggedLoss) = (0, 0, mean)
    return mean
  }

  /// A new epoch counts its waiting anew.
  mutating func forgetWaiting() { waited = 0 }

  mutating func pause() { pausedAt = .now }

  mutating func resume() {
    if let pausedAt { lastStep += .now - pausedAt }
    pausedAt = nil
  }
}
