import Foundation
import Synchronization

/// Another program, found on `PATH`, whose standard input and output are pipes of this one.
///
/// It is in a process group of its own, so that Ctrl-C reaches this process alone. What it writes to its standard
/// error output is kept, the last of it. Letting go of the object ends the program.
package final class ChildProcess: Sendable {
  /// A program that cannot be run, or that failed.
  package struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The program.
    package let program: String
    /// What happened.
    package let reason: String
    /// Whether the program is not there.
    package var isMissing = false

    /// The message for a person.
    package var description: String { "\(program): \(reason)" }

    /// A failure.
    package init(_ program: String, _ reason: String, isMissing: Bool = false) {
      (self.program, self.reason, self.isMissing) = (program, reason, isMissing)
    }
  }

  /// A pipe's end at this process.
  package enum Pipe: Sendable { case input, output, extra }

  private let program: String
  private let id: pid_t
  private struct State {
    var descriptors: [Pipe: Int32] = [:]
    var end: Int32?
    var errors: [UInt8] = []
  }
  private let state: Mutex<State>
  private let errorsEnded = DispatchSemaphore(value: 0)

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - pipes: Which of its standard input, standard output and descriptor 3 are pipes; without, the input and
  ///     the output are empty.
  /// - Throws: ``Failure``.
  package init(_ program: String, _ arguments: [String], pipes: Set<Pipe>) throws {
    self.program = program
    var start = ProcessStart(program, arguments)
    start.findsOnPath = true
    start.standardSignals = [SIGINT, SIGTERM, SIGPIPE, SIGXFSZ]
    var own: [Pipe: Int32] = [:], theirs: [Int32] = []
    defer { for descriptor in theirs { Foundation.close(descriptor) } }
    /// A pipe of which this process reads, or writes, one end.
    func pipe(reads: Bool) throws -> (own: Int32, other: Int32) {
      var ends: [Int32] = [-1, -1]
      guard Foundation.pipe(&ends) == 0 else {
        throw Failure(program, "cannot be started: \(FileSystem.reason(errno))")
      }
      // Numbers below 10 would be in the way of those that the program has.
      for i in 0..<2 {
        let high = fcntl(ends[i], F_DUPFD_CLOEXEC, 10)
        Foundation.close(ends[i])
        ends[i] = high
      }
      theirs.append(reads ? ends[1] : ends[0])
      return reads ? (ends[0], ends[1]) : (ends[1], ends[0])
    }
    for (kind, number, reads) in [
      (Pipe.input, Int32(0), false), (.output, 1, true), (.extra, 3, true),
    ] {
      guard pipes.contains(kind) else {
        if number < 3 { start.descriptors.append((number, .nothing(writes: reads))) }
        continue
      }
      let (mine, other) = try pipe(reads: reads)
      own[kind] = mine
      start.descriptors.append((number, .copy(of: other)))
    }
    let (errors, other) = try pipe(reads: true)
    start.descriptors.append((2, .copy(of: other)))
    do {
      id = try start()
    } catch let failure as ProcessStart.Failure {
      for descriptor in own.values { Foundation.close(descriptor) }
      Foundation.close(errors)
      let isMissing = failure.code == ENOENT
      throw Failure(
        program,
        isMissing
          ? "is not there, expected it on PATH"
          : "cannot be started: \(FileSystem.reason(failure.code))", isMissing: isMissing)
    }
    state = Mutex(State(descriptors: own))
    let thread = Thread { [weak self] in
      var buffer = [UInt8](repeating: 0, count: 4096)
      while true {
        let count = Foundation.read(errors, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { break }
        self?.keep(buffer[..<count])
      }
      Foundation.close(errors)
      self?.errorsEnded.signal()
    }
    thread.name = "errors of \(program)"
    thread.start()
  }

  deinit {
    state.withLock { state in
      for descriptor in state.descriptors.values { Foundation.close(descriptor) }
      guard state.end == nil else { return }
      kill(id, SIGKILL)
      var word: Int32 = 0
      while waitpid(id, &word, 0) < 0 && errno == EINTR {}
    }
  }

  private func keep(_ bytes: ArraySlice<UInt8>) {
    state.withLock { state in
      state.errors += bytes
      if state.errors.count > 65_536 { state.errors.removeFirst(state.errors.count - 32_768) }
    }
  }

  private func descriptor(_ pipe: Pipe) -> Int32 {
    state.withLock { $0.descriptors[pipe] ?? -1 }
  }

  /// Fills `buffer` from a pipe; the bytes that came before its end, which are fewer there.
  package func read(_ pipe: Pipe = .output, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let descriptor = descriptor(pipe)
    var done = 0
    while done < buffer.count, let base = buffer.baseAddress {
      let count = Foundation.read(descriptor, base + done, buffer.count - done)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { break }
      done += count
    }
    return done
  }

  /// A pipe's next line without its end; nil at the pipe's end.
  ///
  /// It reads byte by byte, so that nothing that follows is taken away.
  package func line(_ pipe: Pipe, upTo limit: Int = 4096) -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while withUnsafeMutableBytes(of: &byte, { self.read(pipe, into: $0) }) == 1 {
      if byte == UInt8(ascii: "\n") || bytes.count >= limit {
        return String(decoding: bytes, as: UTF8.self)
      }
      bytes.append(byte)
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// All that a pipe still gives.
  package func rest(_ pipe: Pipe = .output) -> [UInt8] {
    var (all, buffer) = ([UInt8](), [UInt8](repeating: 0, count: 65_536))
    while true {
      let count = buffer.withUnsafeMutableBytes { read(pipe, into: $0) }
      all += buffer[..<count]
      if count < buffer.count { return all }
    }
  }

  /// Writes to the program's standard input; false where it does not read any more.
  package func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let descriptor = descriptor(.input)
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let count = Foundation.write(descriptor, base + done, bytes.count - done)
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return false }
      done += count
    }
    return true
  }

  /// Ends a pipe.
  package func close(_ pipe: Pipe) {
    state.withLock { state in
      if let descriptor = state.descriptors.removeValue(forKey: pipe) {
        _ = Foundation.close(descriptor)
      }
    }
  }

  /// Sends a signal to the program if it is still there.
  package func send(_ signal: Int32) {
    state.withLock { if $0.end == nil { _ = kill(id, signal) } }
  }

  /// Waits until the program has ended.
  ///
  /// - Throws: ``Failure`` with the program's own last line, where its status is not 0.
  package func wait() throws {
    var word: Int32 = 0
    let known = state.withLock { $0.end }
    if let known {
      word = known
    } else {
      while waitpid(id, &word, 0) < 0 && errno == EINTR {}
      state.withLock { $0.end = word }
      // Something that it started may hold the output open.
      _ = errorsEnded.wait(timeout: .now() + 1)
    }
    guard word != 0 else { return }
    let signal = word & 0x7F
    let what =
      signal == 0 ? "failed with status \(word >> 8 & 0xFF)" : "was ended by signal \(signal)"
    throw Failure(program, what + (lastLine.map { ": \($0)" } ?? ""))
  }

  /// The last line that the program wrote to its standard error output; nil if it wrote none.
  package var lastLine: String? {
    let text = state.withLock { String(decoding: $0.errors, as: UTF8.self) }
    return text.split(whereSeparator: \.isNewline).last { !$0.allSatisfy(\.isWhitespace) }
      .map { $0.trimmingCharacters(in: .whitespaces) }
  }
}
