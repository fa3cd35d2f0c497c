import Files
import Foundation
import Torch

/// Starts this program several times on this machine, as processes of one job, and watches over them.
///
/// The first process has this one's outputs; what the others write is kept for the case that they
/// fail. When one ends before its time, all end.
package final class Launcher {
  /// The exit status of a process that ended because of another.
  package static let endedByPeer: Int32 = 86

  /// How a launched job ended.
  package enum Outcome: Sendable, Equatable {
    case finished
    /// All have stopped as asked to, with this exit status.
    case interrupted(status: Int32)
    /// A process failed; the message says which, and how. The first has said so itself.
    case failed(message: String?)
  }

  private struct Child {
    let rank: Int
    let id: pid_t
    /// What it writes to its standard error output; nil for the first, which writes to ours.
    let errors: FileHandle?
    /// The word of `waitpid`, once it is there.
    var end: Int32?

    var signal: Int32? { end.flatMap { $0 & 0x7F == 0 ? nil : $0 & 0x7F } }
    var status: Int32? { end.flatMap { $0 & 0x7F == 0 ? $0 >> 8 & 0xFF : nil } }
    var hasFailed: Bool { end != nil && status != 0 }
    var isInterrupted: Bool { status == 128 + SIGINT || status == 128 + SIGTERM }
  }

  private var children: [Child] = []
  /// While this process holds its end, the children know that it lives.
  private let life = Pipe()

  /// Starts `count` processes with these arguments.
  ///
  /// - Throws: ``LaunchError``.
  package init(_ count: Int, _ arguments: [String]) throws {
    guard let program = Bundle.main.executablePath else {
      throw LaunchError(what: "this program", reason: "its file is not known")
    }
    for end in [life.fileHandleForReading, life.fileHandleForWriting] {
      _ = fcntl(end.fileDescriptor, F_SETFD, FD_CLOEXEC)
    }
    guard let meeting = ProcessGroup.Meeting.onThisMachine(), let socket = meeting.listeningSocket
    else {
      throw LaunchError(what: "a port of this machine", reason: String(cString: strerror(errno)))
    }
    defer { close(socket) }
    for rank in 0..<count {
      var variables = ProcessInfo.processInfo.environment
      variables.merge([
        "RANK": "\(rank)", "WORLD_SIZE": "\(count)", "LOCAL_RANK": "\(rank)",
        "LOCAL_WORLD_SIZE": "\(count)", "MASTER_ADDR": meeting.host,
        "MASTER_PORT": "\(meeting.port)",
        Job.Own.launcher: "\(getpid())",
      ]) { _, own in own }
      var descriptors: [(from: Int32, to: Int32)] = [
        (life.fileHandleForReading.fileDescriptor, 0)
      ]
      var errors: FileHandle?
      if rank == 0 {
        variables[Job.Own.socket] = "\(Self.childSocket)"
        descriptors.append((socket, Self.childSocket))
      } else {
        let file = try Self.temporaryFile()
        descriptors += [(file.fileDescriptor, 1), (file.fileDescriptor, 2)]
        errors = file
      }
      do {
        let id = try Self.spawn(program, arguments, variables, descriptors)
        children.append(Child(rank: rank, id: id, errors: errors))
      } catch {
        end(with: SIGKILL)
        throw error
      }
    }
  }

  /// Waits for all processes; passes on a request to stop as soon as `shouldStop` says so.
  package func run(shouldStop: () -> Bool) -> Outcome {
    var (isAsked, limit): (Bool, ContinuousClock.Instant?) = (false, nil)
    while collect() {
      if !isAsked && shouldStop() {
        end(with: SIGTERM)
        isAsked = true
      }
      if limit == nil, children.contains(where: { $0.hasFailed && !$0.isInterrupted }) {
        // The others notice when they next hear nothing from it, and tell so themselves.
        limit = .now + .seconds(3)
      }
      if let limit, .now > limit { end(with: SIGKILL) }
      usleep(10_000)
    }
    if children.allSatisfy({ $0.status == 0 }) { return .finished }
    let own = children[0].status
    if isAsked { return .interrupted(status: own.map { max($0, 1) } ?? 128 + SIGTERM) }
    if children.allSatisfy({ $0.isInterrupted }) {
      return .interrupted(status: own ?? 128 + SIGTERM)
    }
    return .failed(message: message)
  }

  /// Looks who has ended; whether any has not.
  private func collect() -> Bool {
    for index in children.indices where children[index].end == nil {
      var word: Int32 = 0
      let answer = waitpid(children[index].id, &word, WNOHANG)
      if answer != 0 { children[index].end = answer < 0 ? 1 << 8 : word }
    }
    return children.contains { $0.end == nil }
  }

  private func end(with signal: Int32) {
    for child in children where child.end == nil { kill(child.id, signal) }
  }

  /// What went wrong: the first cause, not what followed from it.
  private var message: String? {
    // Those ended here had SIGKILL too, but only after another had failed by itself.
    let own = children.first { $0.hasFailed && $0.signal == nil && $0.status != Self.endedByPeer }
    let killed = children.first { $0.signal != nil }
    let late = children.first { $0.hasFailed }
    guard let child = own ?? killed ?? late else { return "a process failed" }
    let name = "the process of rank \(child.rank) (\(child.id))"
    if child.rank == 0, child.signal == nil, child.status != Self.endedByPeer { return nil }
    let rest = "; the others were stopped. --resume goes on from the last checkpoint"
    if let signal = child.signal {
      return "\(name) was ended by signal \(signal) (\(String(cString: strsignal(signal))))" + rest
    }
    var text = "\(name) ended with status \(child.status ?? 1); the others were stopped"
    if let errors = child.errors {
      try? errors.seek(toOffset: 0)
      let words = String(decoding: (try? errors.readToEnd()) ?? Data(), as: UTF8.self)
        .trimmingCharacters(in: .whitespacesAndNewlines)
      if !words.isEmpty { text += ". It says:\n\(words.suffix(8000))" }
    }
    return text
  }

  // MARK: Starting

  /// The descriptor by which the first child knows the socket.
  private static let childSocket: Int32 = 3

  /// A file that is gone when nobody has it open.
  private static func temporaryFile() throws -> FileHandle {
    let path = NSTemporaryDirectory() + "atrous-\(UUID().uuidString)"
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, 0o600)
    guard descriptor >= 0 else {
      throw LaunchError(what: path, reason: String(cString: strerror(errno)))
    }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    unlink(path)
    return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ variables: [String: String],
    _ descriptors: [(from: Int32, to: Int32)]
  ) throws -> pid_t {
    var start = ProcessStart(program, arguments)
    start.variables = variables
    start.descriptors = descriptors.map { ($0.to, .copy(of: $0.from)) }
    do {
      return try start()
    } catch let failure as ProcessStart.Failure {
      throw LaunchError(what: program, reason: String(cString: strerror(failure.code)))
    }
  }

  /// Ends this process as soon as the launcher that started it is gone; its standard input is the
  /// launcher's sign of life.
  package static func endWithLauncher() {
    let thread = Thread {
      var byte: UInt8 = 0
      while true {
        let count = read(STDIN_FILENO, &byte, 1)
        if count == 0 || (count < 0 && errno != EINTR) { _exit(endedByPeer) }
      }
    }
    thread.name = "launcher's sign of life"
    thread.start()
  }
}

/// What kept processes from being started.
package struct LaunchError: Error, Sendable, CustomStringConvertible {
  let what, reason: String

  /// The message for a person.
  package var description: String { "\(what): cannot be used to start processes: \(reason)" }
}
