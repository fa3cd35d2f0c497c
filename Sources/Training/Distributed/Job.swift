import Foundation
import Torch

/// The processes that train together, and which of them this is, as a launcher tells in the
/// environment.
package struct Job: Sendable, Equatable {
  /// Which of the processes this is, from 0, and how many there are.
  package var rank, size: Int
  /// Which of the processes of this machine it is, from 0, and how many there are where that is known.
  package var localRank: Int
  /// The processes of this machine, where that is known.
  package var localSize: Int?
  /// Where the processes meet.
  package var meeting: ProcessGroup.Meeting

  /// A job.
  package init(
    rank: Int, size: Int, localRank: Int = 0, localSize: Int? = nil, meeting: ProcessGroup.Meeting
  ) {
    self.rank = rank
    self.size = size
    self.localRank = localRank
    self.localSize = localSize
    self.meeting = meeting
  }

  /// The variables that this program's own launcher adds to torchrun's.
  enum Own {
    static let socket = "ATROUS_LISTENING_SOCKET"
    static let launcher = "ATROUS_LAUNCHER"
  }

  /// Whether `atrous train --processes` started this process.
  package static var isLaunchedHere: Bool {
    ProcessInfo.processInfo.environment[Own.launcher] != nil
  }

  /// The job that the environment tells of; nil for a process alone.
  ///
  /// torchrun and PyTorchJob set `RANK`, `WORLD_SIZE`, `MASTER_ADDR` and `MASTER_PORT`, torchrun also
  /// `LOCAL_RANK` and `LOCAL_WORLD_SIZE`. What srun starts has the variables of a Slurm step; there
  /// rank 0 is on the first node of the list, and the port follows from the job's number unless
  /// `MASTER_ADDR` and `MASTER_PORT` say otherwise. `GLOO_SOCKET_IFNAME` names network interfaces.
  /// - Throws: ``JobError`` for variables that are missing or make no sense.
  package init?(environment: [String: String]) throws {
    let variables = Variables(environment)
    if ["RANK", "WORLD_SIZE"].contains(where: variables.has) {
      try self.init(torchrun: variables)
    } else if variables.isSlurmStep, try variables.slurmSize() > 1 {
      try self.init(slurm: variables)
    } else if !variables.isSlurm,
      let given = ["MASTER_ADDR", "MASTER_PORT"].first(where: variables.has)
    {
      throw JobError.missing(name: "RANK", because: given)
    } else {
      return nil
    }
    guard rank < size else {
      throw JobError.invalid(
        name: variables.has("RANK") ? "RANK" : "SLURM_PROCID", value: "\(rank)",
        expected: "a number below the \(size) processes")
    }
    meeting.interfaces = variables.text("GLOO_SOCKET_IFNAME")
    guard size > 1 else { return nil }
  }

  private init(torchrun variables: Variables) throws {
    let because = variables.has("RANK") ? "RANK" : "WORLD_SIZE"
    func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int {
      guard let value = try variables.number(name, range) else {
        throw JobError.missing(name: name, because: because)
      }
      return value
    }
    rank = try number("RANK", 0...Variables.most)
    size = try number("WORLD_SIZE", 1...Variables.most)
    localRank = try variables.number("LOCAL_RANK", 0...Variables.most) ?? 0
    localSize = try variables.number("LOCAL_WORLD_SIZE", 1...Variables.most)
    guard let host = variables.text("MASTER_ADDR") else {
      throw JobError.missing(name: "MASTER_ADDR", because: because)
    }
    meeting = ProcessGroup.Meeting(host: host, port: try number("MASTER_PORT", 1...65_535))
    meeting.listeningSocket =
      try variables.number(Own.socket, 0...Variables.most).flatMap { Int32(exactly: $0) }
  }

  private init(slurm variables: Variables) throws {
    guard let rank = try variables.number("SLURM_PROCID", 0...Variables.most) else {
      throw JobError.missing(name: "SLURM_PROCID", because: "SLURM_NTASKS")
    }
    self.rank = rank
    size = try variables.slurmSize()
    localRank = try variables.number("SLURM_LOCALID", 0...Variables.most) ?? 0
    localSize = nil
    let host: String
    if let given = variables.text("MASTER_ADDR") {
      host = given
    } else if let name = ["SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"]
      .first(where: variables.has)
    {
      let list = variables.text(name) ?? ""
      guard let first = NodeList.hosts(list)?.first else {
        throw JobError.invalid(
          name: name, value: "'\(list)'", expected: "nodes such as node[01-04,07],other")
      }
      host = first
    } else {
      throw JobError.missing(name: "SLURM_STEP_NODELIST", because: "SLURM_NTASKS")
    }
    let number = try variables.number("SLURM_JOB_ID", 0...Int.max)
    meeting = ProcessGroup.Meeting(
      host: host,
      port: try variables.number("MASTER_PORT", 1...65_535) ?? 15_000 + (number ?? 0) % 10_000)
  }
}

/// What a launcher left out of the environment, or put there wrongly.
package enum JobError: Error, Sendable, Equatable, CustomStringConvertible {
  case missing(name: String, because: String)
  case invalid(name: String, value: String, expected: String)

  /// The message for a person.
  package var description: String {
    switch self {
    case .missing(let name, let because):
      "the environment has \(because) but no \(name); expected both, as torchrun, Slurm and"
        + " PyTorchJob set them, or --processes 1 to train with this process alone"
    case .invalid(let name, let value, let expected):
      "the environment's \(name) is \(value), expected \(expected)"
    }
  }
}

/// Variables of the environment; what is empty is not there.
private struct Variables {
  /// The most processes that can be meant.
  static let most = 1_000_000

  private let all: [String: String]

  init(_ all: [String: String]) { self.all = all.filter { !$0.value.isEmpty } }

  func has(_ name: String) -> Bool { all[name] != nil }

  func text(_ name: String) -> String? { all[name] }

  func number(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
    guard let text = all[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let bounds =
        range.upperBound < Int.max
        ? "from \(range.lowerBound) to \(range.upperBound)" : "of at least \(range.lowerBound)"
      throw JobError.invalid(name: name, value: "'\(text)'", expected: "a number \(bounds)")
    }
    return value
  }

  var isSlurm: Bool { has("SLURM_JOB_ID") || has("SLURM_NTASKS") }

  /// Whether srun started this process: the batch script has a SLURM_PROCID and SLURM_NTASKS too, but
  /// nothing of a step, and is one process.
  var isSlurmStep: Bool { all.keys.contains { $0.hasPrefix("SLURM_STEP") } }

  func slurmSize() throws -> Int {
    try number("SLURM_STEP_NUM_TASKS", 1...Self.most) ?? number("SLURM_NTASKS", 1...Self.most) ?? 1
  }
}
