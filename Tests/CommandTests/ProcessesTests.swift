import Checkpoints
import Foundation
import TestSupport
import Testing
import Torch

@Suite("Training with several processes")
struct ProcessesTests {
  /// One step of plain gradient descent at a rate of 1, so that weights show gradients.
  private func oneStep(_ folder: String) throws -> String {
    try writePairs(folder, count: 6)
    let yaml = """
      output: \(folder)/run
      \(pairsSection(folder))
      model:
        backbone: {name: densenet, blocks: [2, 2], growth: 8, stem: 16, outputStride: 8}
        head:
          {name: denseaspp, dilations: [1, 2], growth: 8, bottleneck: 16, classifierDropout: 0}
      train:
        iterations: 1
        batchSize: 4
        optimizer: {name: sgd, learningRate: 1}
        schedule: {name: constant}
        loss: {name: crossEntropy, classWeights: medianFrequency}
        synchronizeBatchNorm: true
        seed: 3
        threads: 1
        workers: 1
        augmentation: [{randomCrop: 32x32}, {horizontalFlip: 0.5}]
      """
    try Data(yaml.utf8).write(to: URL(fileURLWithPath: "\(folder)/step.yaml"))
    return "\(folder)/step.yaml"
  }

  private struct Record: Decodable {
    struct Scores: Decodable, Equatable {
      let meanIoU: Double?
      let pixelAccuracy: Double?
    }
    let scores: Scores?
    let processes: Int?
  }

  private func record(_ run: String) throws -> Record {
    try JSONDecoder().decode(
      Record.self, from: Data(contentsOf: URL(fileURLWithPath: "\(run)/record.json")))
  }

  @Test("two processes with synchronized batch norm have the gradients of one, to 1e-5")
  func sameGradients() throws {
    let folder = try TemporaryFolder()
    let file = try oneStep(folder.path)
    var weights: [WeightFile] = []
    for count in 1...2 {
      let run = "\(folder.path)/run\(count)"
      let outcome = try Command.run("train", file, "--output", run, "--processes", "\(count)")
      #expect(outcome.status == 0, "\(outcome)")
      weights.append(try WeightFile.open("\(run)/last.safetensors"))
      #expect(try record(run).processes == (count == 1 ? nil : 2))
    }
    var compared = 0
    for name in weights[0].entries.map(\.name) where !name.contains("/") {
      let (a, b) = (try weights[0].tensor(name).floats, try weights[1].tensor(name).floats)
      let difference = zip(a, b).map { abs($0 - $1) }.max() ?? 0
      #expect(a.count == b.count && difference < 1e-5, "\(name)")
      compared += 1
    }
    #expect(compared > 40)
  }

  @Test("scoring over two processes counts every image once: the numbers of one process")
  func sameScores() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    // A step that changes nothing, then the scores of an odd number of images.
    func scores(_ count: Int) throws -> (String, Record.Scores?) {
      let run = "\(folder.path)/run\(count)"
      let outcome = try Command(
        whole.training(run, "--processes", "\(count)")
          + ["iterations=1", "optimizer.learningRate=0", "optimizer.weightDecay=0", "ema=1"]
          .flatMap { ["--set", "train.\($0)"] } + ["--set", "evaluate.limit=5"]
      ).wait()
      #expect(outcome.status == 0, "\(outcome)")
      // The first line names the folder.
      let table = outcome.output.split(separator: "\n").dropFirst().joined(separator: "\n")
      return (table, try record(run).scores)
    }
    let (one, two) = (try scores(1), try scores(2))
    #expect(one.0 == two.0 && one.0.contains("mean IoU"))
    #expect(one.1 != nil && one.1 == two.1)
  }

  /// A command that has two processes in training, and their numbers.
  private func started(_ whole: Run, _ output: String) throws -> (Command, [pid_t]) {
    let command = try Command(
      whole.training(output, "--processes", "2") + ["--set", "train.iterations=100000"])
    while Run.loggedStep(output) < 3 && command.isRunning { usleep(1000) }
    return (command, command.children)
  }

  @Test("a process that is killed ends the job with its rank", arguments: [0, 1])
  func dead(_ rank: Int) throws {
    let folder = try TemporaryFolder()
    let (command, children) = try started(try Run.finished(), folder.path + "/run")
    try #require(children.count == 2)
    let start = ContinuousClock.now
    kill(children[rank], SIGKILL)
    let outcome = command.wait()
    outcome.expectRefusal("the process of rank \(rank) (\(children[rank]))", "signal 9")
    #expect(ContinuousClock.now - start < .seconds(60))
    for child in children { #expect(kill(child, 0) != 0) }
  }

  @Test("interrupted and resumed, two processes end with the bytes of an uninterrupted run")
  func resume() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let (run, expected) = (folder.path + "/run", folder.path + "/expected")
    let arguments = ["--processes", "2", "--set", "train.iterations=12"]
    let outcome = try Command(whole.training(expected) + arguments).wait()
    #expect(outcome.status == 0, "\(outcome)")

    let command = try Command(whole.training(run) + arguments)
    while Run.loggedStep(run) < 3 && command.isRunning { usleep(1000) }
    command.send(SIGINT)
    let stopped = command.wait()
    // Where the machine is busy the run may be at its end before the signal comes.
    if stopped.status != 0 {
      #expect(stopped.status == 130, "\(stopped)")
      #expect(stopped.errors.contains("--resume goes on from here"))
    }
    let resumed = try Command(whole.training(run, "--resume") + arguments).wait()
    #expect(resumed.status == 0, "\(resumed)")
    let bytes = try #require(Run.checkpoint(expected))
    #expect(Run.checkpoint(run) == bytes)
  }

  @Test("an error in all processes is told once; wrong counts are refused")
  func refusals() throws {
    let whole = try Run.finished()
    let outcome = try Command(whole.training(nil, "--processes", "2")).wait()
    outcome.expectRefusal("\(whole.path): holds a run already")
    #expect(outcome.errors.components(separatedBy: "error: ").count == 2, "\(outcome)")
    let folder = try TemporaryFolder()
    let uneven = try Command(
      whole.training(folder.path + "/run", "--processes", "2") + ["--set", "train.batchSize=3"]
    ).wait()
    uneven.expectRefusal("'batchSize' is 3, expected a multiple of 2")
    #expect(try Command(whole.training(nil, "--processes", "0")).wait().status == 64)
  }
}
