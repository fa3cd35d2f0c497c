import ArgumentParser
import Foundation
import Torch
import Training

/// Several processes that train together.
struct JobOptions: ParsableArguments {
  @Option(
    help: """
      Train with so many processes on this machine, which share each batch. Without it the \
      environment of torchrun, srun and PyTorchJob says; 1 is this process alone.
      """)
  var processes: Int?

  @Option(help: "How many seconds a process waits for the others.")
  var timeout = 600.0

  func validate() throws {
    if let processes, !(1...1024).contains(processes) {
      throw ValidationError("--processes is \(processes), expected a number from 1 to 1024.")
    }
    guard timeout > 0, timeout < 1e8 else {
      throw ValidationError("--timeout is \(timeout), expected a number of seconds above 0.")
    }
  }

  /// Refuses to be one of several processes.
  func requireOne(_ option: String) throws {
    guard processes != 1, let job = try Job(environment: ProcessInfo.processInfo.environment) else {
      return
    }
    throw OneProcessOnly(option: option, size: job.size)
  }

  /// Starts the processes that the command line asks for and waits for them; false if there is nothing
  /// to start, as this is the one that works.
  func launch() throws -> Bool {
    guard let processes, processes > 1, !Job.isLaunchedHere else { return false }
    if let job = try Job(environment: ProcessInfo.processInfo.environment) {
      throw OtherLauncher(processes: processes, size: job.size)
    }
    Interruption.watch()
    let launcher = try Launcher(processes, Arguments.own)
    switch launcher.run(shouldStop: { Interruption.signalNumber != nil }) {
    case .finished: return true
    case .interrupted(let status):
      throw ExitCode(Interruption.signalNumber.map { 128 + $0 } ?? status)
    case .failed(let message):
      if let message { complain(message) }
      throw ExitCode(1)
    }
  }

  /// Meets the other processes, if the environment tells of any, and runs `body`.
  func run(
    on place: DeviceOptions, _ body: (Device, Processes) throws -> Void
  ) throws {
    if Job.isLaunchedHere { Launcher.endWithLauncher() }
    guard processes != 1, let job = try Job(environment: ProcessInfo.processInfo.environment) else {
      return try body(place.prepared(), .one)
    }
    let device = try place.prepared(localRank: job.localRank)
    let backend: ProcessGroup.Backend =
      !device.isCPU && ProcessGroup.Backend.nccl.isAvailable ? .nccl : .gloo
    let processes = try Processes(job, backend: backend, timeout: timeout)
    do {
      try body(device, processes)
    } catch {
      let reason = PeerError.explained(error, in: processes)
      // The launcher tells what happened to the other.
      if Job.isLaunchedHere, reason is PeerError { throw ExitCode(Launcher.endedByPeer) }
      throw reason
    }
  }
}

/// An option for one process in a job of several.
struct OneProcessOnly: Error, CustomStringConvertible {
  let option: String, size: Int
  var description: String {
    "\(option): a launcher has started this process as one of \(size); expected one alone, or"
      + " --processes 1"
  }
}

/// `--processes` for a process that is one of several already.
struct OtherLauncher: Error, CustomStringConvertible {
  let processes, size: Int
  var description: String {
    "--processes \(processes): another launcher has started this process as one of \(size);"
      + " expected one of the two"
  }
}
