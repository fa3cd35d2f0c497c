import Files
import Foundation
import Testing

/// The command as a user runs it: a process with arguments, an exit status and two outputs.
final class Command {
  /// How a process ended, and what it wrote.
  struct Outcome: CustomStringConvertible {
    /// The exit status, or the number of the signal that ended the process below zero.
    let status: Int32
    let output: String
    let errors: String

    var description: String { "status \(status)\n\(output)\n\(errors)" }
  }

  /// The built program, which lies beside the tests; in a bundle on macOS.
  static let program: String = {
    let bundles = Bundle.allBundles.map(\.bundlePath) + [CommandLine.arguments[0]]
    let places = bundles.map { ($0 as NSString).deletingLastPathComponent }
    return places.map { $0 + "/atrous" }.first { FileManager.default.isExecutableFile(atPath: $0) }
      ?? "atrous"
  }()

  private let process: pid_t
  private let folder: String
  private let limit = ContinuousClock.now + .seconds(600)
  private var status: Int32?

  /// Starts the command with these arguments.
  convenience init(_ arguments: [String]) throws { try self.init(Self.program, arguments) }

  /// Starts any program.
  init(_ program: String, _ arguments: [String]) throws {
    folder = NSTemporaryDirectory() + "atrous-command-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    #if os(Linux)
      var actions = posix_spawn_file_actions_t()
    #else
      var actions: posix_spawn_file_actions_t?
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    for (descriptor, name) in [(Int32(1), "output"), (2, "errors")] {
      posix_spawn_file_actions_addopen(
        &actions, descriptor, "\(folder)/\(name)", O_WRONLY | O_CREAT, 0o600)
    }
    // Threads of a test may block signals, which a new process would inherit.
    #if os(Linux)
      var attributes = posix_spawnattr_t()
    #else
      var attributes: posix_spawnattr_t?
    #endif
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var (none, defaults) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigemptyset(&defaults)
    for signal in [SIGINT, SIGTERM, SIGPIPE] { sigaddset(&defaults, signal) }
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))

    let environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
    var pid: pid_t = 0
    let failure = withCStrings([program] + arguments) { arguments in
      withCStrings(environment) { environment in
        posix_spawn(&pid, program, &actions, &attributes, arguments, environment)
      }
    }
    process = pid
    guard failure == 0 else {
      throw POSIXError(POSIXErrorCode(rawValue: failure) ?? .EIO)
    }
  }

  deinit {
    if status == nil {
      kill(process, SIGKILL)
      _ = wait()
    }
    try? FileManager.default.removeItem(atPath: folder)  // may fail: in a deinit
  }

  /// Runs the command to its end.
  static func run(_ arguments: String...) throws -> Outcome { try Command(arguments).wait() }

  /// Sends a signal to the process if it is still there.
  func send(_ signal: Int32) { if isRunning { kill(process, signal) } }

  /// The processes that the command has started, in the order of their numbers.
  var children: [pid_t] {
    let ps = ["ps", "-A", "-o", "pid=,ppid="]
    // The tests that ask for children fail where there are none.
    guard let list = try? Command("/usr/bin/env", ps).wait() else {  // may fail: so
      return []
    }
    return list.output.split(separator: "\n").compactMap { line in
      let numbers = line.split(separator: " ").compactMap { pid_t($0) }
      return numbers.count == 2 && numbers[1] == process ? numbers[0] : nil
    }.sorted()
  }

  /// Whether the process is still there; after ten minutes it is not.
  var isRunning: Bool {
    if status == nil && ContinuousClock.now > limit { kill(process, SIGKILL) }
    poll()
    return status == nil
  }

  /// What the command has written to its standard output until now.
  var outputSoFar: String { text("output") }

  private func text(_ name: String) -> String {
    String(
      decoding: FileManager.default.contents(atPath: "\(folder)/\(name)") ?? Data(), as: UTF8.self)
  }

  /// Waits for the end.
  func wait() -> Outcome {
    while isRunning { usleep(2000) }
    return Outcome(status: status ?? -1, output: text("output"), errors: text("errors"))
  }

  private func poll() {
    guard status == nil else { return }  // may return: it has ended
    var word: Int32 = 0
    let answer = waitpid(process, &word, WNOHANG)
    guard answer != 0 else { return }  // may return: it runs
    // The word holds the signal in its low bits and the exit status above them.
    status = answer < 0 ? -1 : word & 0x7F == 0 ? word >> 8 & 0xFF : -(word & 0x7F)
  }
}

extension Command.Outcome {
  /// Expects a message that begins with `error: ` and has all of `parts`, and exit status 1.
  func expectRefusal(_ parts: String..., at location: SourceLocation = #_sourceLocation) {
    #expect(status == 1, "\(self)", sourceLocation: location)
    let begin = ("\n" + errors).range(of: "\nerror: ", options: .backwards)?.lowerBound
    #expect(begin != nil, "\(self)", sourceLocation: location)
    let message = begin.map { String(("\n" + errors)[$0...]) } ?? ""
    for part in parts {
      #expect(message.contains(part), "\(self)", sourceLocation: location)
    }
    for word in ["Fatal error", "Stack dump", "Optional(", "NSError"] {
      #expect(!errors.contains(word), "\(self)", sourceLocation: location)
    }
  }
}
