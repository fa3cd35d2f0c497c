import Datasets
import Files
import Foundation
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
    var length = "\(steps) iterations"
    if case .minutes(let minutes) = settings.length, steps == longest {
      length = "as many iterations as fit into \(ConsoleMonitor.duration(minutes * 60))"
    }
    return "\(loader.dataset.name): \(loader.dataset.count) images, \(stepsPerEpoch) iterations of"
      + " \(imagesPerStep) an epoch; \(length)\(begun). \(trained) of \(total)"
      + " parameters are trained, on \(device) with \(Engine.threads) threads\(shared). \(scored)"
  }

  func progress(_ rate: Double) -> TrainingProgress {
    TrainingProgress(
      step: step, steps: steps == longest ? nil : steps,
      epoch: Double(step) / Double(stepsPerEpoch),
      loss: meter.loss, learningRate: rate, imagesPerSecond: meter.imagesPerSecond,
      waiting: meter.waitingShare, secondsLeft: secondsLeft,
      isLogged: step % settings.logEvery == 0 || step == steps)
  }

  /// What the rest takes at the speed of the last iterations, scoring not counted.
  var secondsLeft: Double { meter.secondsPerStep * Double(steps - step) }

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
    page?.add(line)
    try events?.write(line)
  }
}

extension Trainer {
  /// What can be done with a run that is finished, as commands.
  public var nextSteps: String {
    let run = folder.path.inShell
    // Where there is nothing else to score, the images that trained the network are there.
    let split = configuration.isScored ? "" : " --split train"
    return """
      next:
        atrous evaluate \(run)\(split) --output \("\(folder.path)/scores".inShell)   # tables, and a page of what fails where
        atrous predict \(run) photo.jpg   # labels and overlay of your own images
      curves, scores and predictions: \(folder.file(RunPage.name))
      """
  }

  /// Writes the run's page if it is due; a page that cannot be written does not end the run.
  func writePage(_ status: RunPage.Status) {
    guard steps < longest, let page else { return }
    do {
      try page.write(status, step: step, of: steps, best: standing.best, yaml)
    } catch {
      monitor.message("warning: \(error); the run goes on without its page")
      self.page = nil
    }
  }
}
