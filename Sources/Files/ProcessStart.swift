import Foundation

/// How another process is started: in a group of its own, so that Ctrl-C reaches this process alone.
package struct ProcessStart {
  /// What one of the new process's descriptors is.
  package enum Descriptor {
    /// One of this process's.
    case copy(of: Int32)
    /// Nothing to read, or nowhere to write.
    case nothing(writes: Bool)
  }

  /// The program: its path, or with ``findsOnPath`` its name.
  package var program: String
  /// The words behind its name.
  package var arguments: [String]
  /// What it finds in its environment; this process's where nil.
  package var variables: [String: String]?
  /// Its descriptors by their numbers; others are this process's that stay open across programs.
  package var descriptors: [(number: Int32, is: Descriptor)] = []
  /// Whether the program is looked for on `PATH`.
  package var findsOnPath = false
  /// Signals that the process handles as a new one does, though this one may ignore or hold them back.
  package var standardSignals: [Int32] = []

  /// The start of a program with these words.
  package init(_ program: String, _ arguments: [String]) {
    (self.program, self.arguments) = (program, arguments)
  }

  /// The system's number of what kept a process from being started.
  package struct Failure: Error { package let code: Int32 }

  /// Starts the process.
  ///
  /// - Returns: Its number.
  /// - Throws: ``Failure``.
  package func callAsFunction() throws -> pid_t {
    #if os(Linux)
      var (actions, attributes) = (posix_spawn_file_actions_t(), posix_spawnattr_t())
    #else
      var (actions, attributes): (posix_spawn_file_actions_t?, posix_spawnattr_t?) = (nil, nil)
    #endif
    posix_spawn_file_actions_init(&actions)
    posix_spawnattr_init(&attributes)
    defer {
      posix_spawn_file_actions_destroy(&actions)
      posix_spawnattr_destroy(&attributes)
    }
    for (number, descriptor) in descriptors {
      switch descriptor {
      case .copy(let own): posix_spawn_file_actions_adddup2(&actions, own, number)
      case .nothing(let writes):
        posix_spawn_file_actions_addopen(
          &actions, number, "/dev/null", writes ? O_WRONLY : O_RDONLY, 0)
      }
    }
    var flags = Int16(POSIX_SPAWN_SETPGROUP)
    posix_spawnattr_setpgroup(&attributes, 0)
    if !standardSignals.isEmpty {
      var (none, defaults) = (sigset_t(), sigset_t())
      sigemptyset(&none)
      sigemptyset(&defaults)
      for signal in standardSignals { sigaddset(&defaults, signal) }
      posix_spawnattr_setsigmask(&attributes, &none)
      posix_spawnattr_setsigdefault(&attributes, &defaults)
      flags |= Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
    }
    posix_spawnattr_setflags(&attributes, flags)
    var id: pid_t = 0
    let spawn = findsOnPath ? posix_spawnp : posix_spawn
    let code = withCStrings([program] + arguments) { words in
      guard let variables else { return spawn(&id, program, &actions, &attributes, words, environ) }
      return withCStrings(variables.map { "\($0)=\($1)" }) { variables in
        spawn(&id, program, &actions, &attributes, words, variables)
      }
    }
    guard code == 0 else { throw Failure(code: code) }
    return id
  }
}

/// Texts as a list of C strings that ends with nothing.
package func withCStrings<R>(
  _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R
) -> R {
  let pointers = texts.map { $0.withPath { strdup($0) } }
  defer { for pointer in pointers { free(pointer) } }
  return body(pointers + [nil])
}
