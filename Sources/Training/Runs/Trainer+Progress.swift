import Datasets
import Torch

extension Trainer {
  /// What is trained on what, in one line.
  var description: String {
    let (total, trained) = model.parameters.reduce(into: (0, 0)) { sum, entry in
      sum.0 += entry.parameter.count
      sum.1 += entry.parameter.requiresGrad ? entry.parameter.count : 0
    }
    let begun = step > 0 ? ", going on after iteration \(step)" : ""
    let shared = processes.count > 1 ? " in each of \(processes.count) processes" : ""
    let scored =
      validation.map { "Scored on \($0.name): \($0.count) images." }
      ?? "Nothing is scored: \(configuration.unscoredReason)."
    return "\(loader.dataset.name): \(loader.dataset.count) images, \(stepsPerEpoch) iterations of"
      + " \(imagesPerStep) an epoch; \(steps) iterations\(begun). \(trained) of \(total)"
      + " parameters are trained, on \(device) with \(Engine.threads) threads\(shared). \(scored)"
  }

  func progress(_ rate: Double) -> TrainingProgress {
    TrainingProgress(
      step: step, steps: steps, epoch: Double(step) / Double(stepsPerEpoch), loss: meter.recentLoss,
      learningRate: rate, imagesPerSecond: meter.imagesPerSecond,
      waiting: meter.waitingShare, secondsLeft: meter.secondsPerStep * Double(steps - step),
      isLogged: step % settings.logEvery == 0 || step == steps)
  }

  func report(_ rate: Double) throws {
    try note(
      LogLine(
        kind: "train", step: step, epoch: Double(step) / Double(stepsPerEpoch),
        loss: meter.takeLoss(), learningRate: rate, gradientNorm: meter.norm,
        imagesPerSecond: meter.imagesPerSecond, waiting: meter.waitingShare, seconds: meter.total))
  }

  /// Writes a line to the log, and its numbers for TensorBoard.
  func note(_ line: LogLine) throws {
    try log?.write(line)
    try events?.write(line)
  }
}
