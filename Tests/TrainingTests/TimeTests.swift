import Datasets
import Evaluation
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Time that a run is given")
struct TimeTests {
  @Test("the length is what fits beside the scoring, at the speed of all iterations but the first")
  func length() {
    var budget = TimeBudget(minutes: 10)
    #expect(!budget.isMeasured)
    for seconds in [30.0, 1, 1.5, 1, 2, 1, 1, 1, 1, 1, 1, 1, 1] { budget.add(seconds) }
    #expect(budget.isMeasured)
    #expect(budget.secondsPerStep == 1)
    // Next to nothing of the ten minutes has passed yet.
    #expect((598...600).contains(budget.steps(done: 0, scoring: 0, every: nil)))
    #expect((548...550).contains(budget.steps(done: 0, scoring: 50, every: nil)))
    // 400 iterations, three times 50 s after a hundred each, and 50 s at the end.
    #expect((398...400).contains(budget.steps(done: 0, scoring: 50, every: 100)))
    #expect(budget.steps(done: 13, scoring: 1e6, every: 1) == 14, "one more iteration at least")
    #expect(TimeBudget(minutes: 1e6).steps(done: 5, scoring: 0, every: nil) <= longest)
  }

  @Test("a run of given minutes sets its length once, and resumes with it")
  func resumes() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, _ more: [String] = [], resume: Bool = false) throws -> Trainer
      {
        try tinyTrainer(
          folder, output,
          ["train.minutes=0.05", "train.iterations=null", "train.evaluateEvery=0"] + more,
          resume: resume)
      }
      let first = try trainer("run")
      #expect(first.steps == longest)
      #expect(try first.fit { first.steps < longest && first.step < first.steps } == .interrupted)
      let (steps, done) = (first.steps, first.step)
      #expect(steps > done)
      let second = try trainer("run", resume: true)
      #expect(second.steps == steps)
      #expect(second.step == done)
      #expect(try second.fit() == .finished)
      #expect(second.step == steps)
      // The schedule falls to its end within the run.
      let rate = try #require(
        try String(contentsOfFile: "\(folder.path)/run/log.jsonl", encoding: .utf8)
          .split(separator: "\n").last { $0.contains("\"train\"") })
      #expect(rate.contains("\"step\":\(steps)"))
    }
  }

  @Test("a run that began with minutes names them, and another length how to train longer")
  func otherLength() {
    let folder = RunFolder(path: "runs/my eyes")
    let (minutes, iterations) = (
      "train: {minutes: 5.0, iterations: null}", "train: {iterations: 9}"
    )
    func problem(_ now: String, _ before: String) -> String {
      do {
        try folder.check(now, against: before)
        return ""
      } catch { return "\(error)" }
    }
    let first = problem(iterations, minutes)
    #expect(
      first.contains("train.minutes = 5.0 and the configuration now says nothing"), "\(first)")
    #expect(first.contains("expected the same to resume (--minutes 5.0)"), "\(first)")
    #expect(first.contains("--set 'train.startFrom=runs/my eyes' --output OTHER"), "\(first)")
    #expect(problem(minutes, iterations).contains("(without --minutes)"))
    #expect(problem("train: {iterations: 12}", iterations).contains("(--set train.iterations=9)"))
    #expect(
      problem("train: {iterations: 9, seed: 3}", iterations).contains("(--set train.seed=null)"))
    #expect(problem("train: {iterations: 9, epochs: null}", iterations) == "")
  }

  @Test("the loss that is shown is the log's, and before there is a line the mean so far")
  func loss() {
    var meter = Meter()
    func add(_ loss: Double) { meter.add(loss: loss, norm: nil, images: 1, waited: 0) }
    add(4)
    add(2)
    #expect(meter.loss == 3)
    add(6)
    #expect(meter.takeLoss() == 4 && meter.loss == 4)
    add(100)
    #expect(meter.loss == 4)
    #expect(meter.takeLoss() == 100 && meter.loss == 100)
  }

  @Test("one length is given, neither none nor two")
  func lengths() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 2)
    func problem(_ overrides: [String]) -> String {
      do {
        _ = try TrainingConfiguration(
          yaml: tinyYAML(folder.path), named: "test", overrides: overrides)
        return ""
      } catch { return "\(error)" }
    }
    #expect(problem(["train.iterations=null"]).contains("iterations or epochs, or minutes"))
    #expect(problem(["train.minutes=3"]).contains("'minutes' is 3.0, expected nothing"))
    #expect(problem(["train.minutes=0", "train.iterations=null"]).contains("from 0.01"))
    #expect(problem(["train.minutes=3", "train.iterations=null"]) == "")
  }
}

@Suite("The page of a run")
struct RunPageTests {
  @Test("a run leaves a page with curves, classes and pictures, which names nothing elsewhere")
  func page() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let trainer = try tinyTrainer(folder, "run", ["train.tensorBoard=false"])
      func page() throws -> String {
        try String(contentsOfFile: "\(folder.path)/run/index.html", encoding: .utf8)
      }
      #expect(try trainer.fit { trainer.step == 5 } == .interrupted)
      let interrupted = try page()
      #expect(interrupted.contains("Iteration 5 of 7: interrupted"))
      #expect(!interrupted.contains("http-equiv"))
      #expect(
        try tinyTrainer(folder, "run", ["train.tensorBoard=false"], resume: true).fit() == .finished
      )
      let done = try page()
      #expect(done.contains("Iteration 7 of 7: finished"))
      for text in [
        "ground", "thing", "Loss: training", "Scores in %", "last, iteration 7", "evaluateEvery",
      ] {
        #expect(done.contains(text), "\(text)")
      }
      #expect(done.components(separatedBy: "data:image/jpeg").count == 5, "four images are shown")
      for word in ["http:", "https:", "<link", "<script src"] { #expect(!done.contains(word)) }
    }
  }

  @Test("the page of a run that trains loads itself anew")
  func again() throws {
    let folder = try TemporaryFolder()
    let map = try LabelMap(name: "m", classes: ["a", "b<c"], values: [0: "a", 1: "b<c"])
    let page = RunPage(in: folder.path, title: "run & more", map, lines: [])
    page.add(LogLine(kind: "train", step: 10, epoch: 1, loss: 0.5, learningRate: 1e-3, seconds: 3))
    page.add(
      LogLine(
        kind: "evaluate", step: 10, epoch: 1, meanIoU: 0.25, pixelAccuracy: 0.75,
        classes: ["a": 0.5, "b<c": 0], seconds: 4))
    let text = try page.html(
      .training(secondsLeft: 75), step: 10, of: 40,
      best: .init(metric: "mean IoU", value: 0.25, step: 10), "train: {epochs: 4}")
    for part in [
      "http-equiv=\"refresh\"", "Iteration 10 of 40: about 1 min 15 s left", "run &amp; more",
      "b&lt;c",
      "25.00<small> %</small>", "best mean IoU, iteration 10", "0.5000",
      "<td>50.00</td><td>50.00</td>", "Dice of b&lt;c, last",
    ] { #expect(text.contains(part), "\(part)") }
  }

  @Test("long curves are thinned to means")
  func thinned() {
    let points = (0..<4000).map { LineChart.Point(Double($0), Double($0 % 10)) }
    let few = RunPage.thinned(points)
    #expect(few.count == 400)
    #expect(few.allSatisfy { $0.y == 4.5 })
    #expect(few.first?.x == 4.5)
    #expect(RunPage.thinned(few).count == 400)
  }
}
