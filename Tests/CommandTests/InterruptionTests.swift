import Foundation
import TestSupport
import Testing

@Suite("Interrupting and resuming")
struct InterruptionTests {
  /// Starts a run that a signal ends once its log tells of `step`.
  private func stop(
    _ whole: Run, at step: Int, with signal: Int32, _ output: String
  ) throws -> Command.Outcome {
    // Where the machine is busy a run may be at its end before the signal comes.
    for _ in 0..<5 {
      try? FileManager.default.removeItem(atPath: output)  // may fail: it need not be there
      let command = try Command(whole.training(output))
      while Run.loggedStep(output) < step && command.isRunning { usleep(1000) }
      command.send(signal)
      let outcome = command.wait()
      if outcome.status != 0 { return outcome }
    }
    throw Unstoppable()
  }

  private struct Unstoppable: Error {}

  /// Goes on with a run and expects the bytes of the one that was never interrupted.
  private func expectSameEnd(_ output: String, _ whole: Run) throws {
    let outcome = try Command(whole.training(output, "--resume")).wait()
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("mean IoU"))
    let expected = try #require(Run.checkpoint(whole.path))
    #expect(Run.checkpoint(output) == expected, "other weights")
    #expect(Run.savedStep(output) == Run.steps)
    let leftovers = try FileManager.default.contentsOfDirectory(atPath: output).filter {
      $0.hasSuffix(".part")
    }
    #expect(leftovers == [])
  }

  @Test("Ctrl-C finishes the step and saves; --resume ends with the same bytes")
  func interrupt() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let output = folder.path + "/run"
    let outcome = try stop(whole, at: 3, with: SIGINT, output)
    #expect(outcome.status == 130, "\(outcome)")
    #expect(outcome.errors.contains("--resume goes on from here"))
    let line = (["atrous"] + whole.training(output, "--resume")).joined(separator: " ")
    #expect(outcome.errors.contains("go on with:\n  \(line)\n"), "\(outcome)")
    let step = try #require(Run.savedStep(output))
    #expect(step >= 3 && step < Run.steps)
    try expectSameEnd(output, whole)
  }

  @Test("a kill between two checkpoints loses the steps since the first; --resume mends that")
  func killed() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let output = folder.path + "/run"
    let outcome = try stop(whole, at: Run.checkpointEvery + 3, with: SIGKILL, output)
    #expect(outcome.status == -SIGKILL)
    let step = Run.loggedStep(output)
    #expect(step < Run.steps)
    let saved = try #require(Run.savedStep(output))
    #expect(saved % Run.checkpointEvery == 0 && saved > 0 && saved <= step)
    try expectSameEnd(output, whole)
  }

  @Test("ten kills at random moments, while a checkpoint is written too, end with the same bytes")
  func tenKills() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let often = [
      "train.checkpointEvery=2", "train.evaluateEvery=12", "train.snapshots={every: 3, keep: 2}",
      "train.earlyStopping={patience: 50}",
    ].flatMap { ["--set", $0] }
    func start(_ output: String) throws -> Command {
      try Command(whole.training("\(folder.path)/\(output)") + often + ["--resume"])
    }
    #expect(try start("whole").wait().status == 0)
    let killed = folder.path + "/killed"
    var moments: [String] = []
    for kill in 0..<10 {
      let command = try start("killed")
      let begun = Run.savedStep(killed) ?? 0
      if kill % 5 == 4 {
        // While everything is made ready.
        usleep(.random(in: 0..<400_000))
      } else {
        let checkpoints = Int.random(in: 1...2)
        while command.isRunning && Run.savedStep(killed) ?? 0 < begun + 2 * checkpoints {
          usleep(200)
        }
        usleep(.random(in: 0..<30_000))
      }
      command.send(SIGKILL)
      let outcome = command.wait()
      moments.append("\(begun)...\(Run.savedStep(killed) ?? 0)")
      #expect(outcome.status == -SIGKILL || outcome.status == 0, "\(outcome)")
    }
    #expect(try start("killed").wait().status == 0)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path + "/whole")
      .filter { $0.hasSuffix(".safetensors") || $0 == "record.json" }
    #expect(names.count == 5, "\(names)")
    for name in names {
      #expect(
        FileManager.default.contents(atPath: "\(killed)/\(name)")
          == FileManager.default.contents(atPath: "\(folder.path)/whole/\(name)"),
        "\(name), after kills at \(moments)")
    }
    let leftovers = try FileManager.default.contentsOfDirectory(atPath: killed)
      .filter { $0.hasSuffix(".part") }
    #expect(leftovers == [])
  }

  @Test(
    "a disk that fills up while training leaves the last checkpoint, and training goes on later")
  func fullDisk() throws {
    let whole = try Run.finished()
    let folder = try TemporaryFolder()
    let output = folder.path + "/run"
    #expect(try stop(whole, at: 2, with: SIGINT, output).status == 130)
    let before = try #require(Run.checkpoint(output))
    // The shell counts blocks of 512 or 1024 bytes; logs fit, checkpoints do not.
    #expect(before.count > 40_000)
    let line = ([Command.program] + whole.training(output, "--resume")).map { "'\($0)'" }
    let full = try Command("/bin/sh", ["-c", "ulimit -f 20; exec \(line.joined(separator: " "))"])
      .wait()
    full.expectRefusal("\(output)/last.safetensors: cannot be written")
    #expect(Run.checkpoint(output) == before)
    #expect(FileManager.default.fileExists(atPath: output + "/config.yaml"))
    try expectSameEnd(output, whole)
  }

  @Test("a finished run is neither trained again nor overwritten by accident")
  func finished() throws {
    let whole = try Run.finished()
    let before = try #require(Run.checkpoint(whole.path))
    let again = try Command(whole.training()).wait()
    again.expectRefusal("\(whole.path): holds a run already", "--resume", "--overwrite")
    let resumed = try Command(whole.training(nil, "--resume")).wait()
    #expect(resumed.status == 0)
    #expect(resumed.errors.contains("all \(Run.steps) iterations are done already"))
    #expect(Run.checkpoint(whole.path) == before)
  }
}
