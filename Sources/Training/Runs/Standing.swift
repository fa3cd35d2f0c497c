import Evaluation

/// What a run remembers of its scores from one evaluation to the next.
public struct Standing: Sendable, Codable, Equatable {
  /// The best score so far.
  public struct Best: Sendable, Codable, Equatable {
    /// What is scored, as ``Metric/description`` calls it.
    public var metric: String
    /// The score, and the step that had it.
    public var value: Double
    /// The step that had it.
    public var step: Int
  }

  /// The best score so far, if there is one.
  public internal(set) var best: Best?
  /// How far the learning rate has fallen, where the schedule follows the score.
  public internal(set) var plateau = Plateau()
  /// The scores since the last that was better.
  var stopping = EarlyStopping.State()
  /// Whether early stopping has ended the run.
  public internal(set) var hasStopped = false

  /// Takes note of a score, and says whether it is the best.
  mutating func observe(_ value: Double?, step: Int, _ settings: TrainingSettings) -> Bool {
    guard let value, value.isFinite else { return false }
    let metric = settings.best
    if case .plateau(let rule) = settings.schedule.curve {
      plateau.observe(value, rule, lowerIsBetter: metric.lowerIsBetter)
    }
    if let rule = settings.earlyStopping { hasStopped = stopping.observe(value, metric, rule) }
    if let best, best.metric == metric.description, !metric.isBetter(value, than: best.value) {
      return false
    }
    best = Best(metric: metric.description, value: value, step: step)
    return true
  }
}
