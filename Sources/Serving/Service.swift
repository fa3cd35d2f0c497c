import Evaluation
import Foundation
import Inference
import NIOCore
import NIOHTTP1
import Synchronization

/// Networks behind HTTP: predictions, explanations, and a page that shows them.
///
/// Nothing of a request reaches the file system, and nothing is kept of it.
public final class Service: Sendable {
  /// What a service takes at most.
  public let limits: ServiceLimits
  /// The networks, the first of which answers where none is named.
  let networks: [ServedNetwork]
  let metrics = Metrics()
  let conveyor: Conveyor
  /// What a client has to know; nil if everybody may ask.
  private let token: [UInt8]?
  /// Whether requests have to give a token.
  var needsToken: Bool { token != nil }
  private let log: (@Sendable (String) -> Void)?
  private let stopping = Atomic<Bool>(false)
  private let bytes = Atomic<Int>(0)
  private let listener = Mutex<HTTPListener?>(nil)

  /// A service that answers once it listens.
  ///
  /// - Parameters:
  ///   - networks: At least one; equal names get numbers.
  ///   - limits: What requests may ask for.
  ///   - token: What requests have to give as `Authorization: Bearer`; nil for none.
  ///   - log: Is given a line for each answer.
  public init(
    _ networks: [ServedNetwork], limits: ServiceLimits = .init(), token: String? = nil,
    log: (@Sendable (String) -> Void)? = nil
  ) {
    precondition(!networks.isEmpty, "a service needs a network")
    self.networks = ServedNetwork.named(networks)
    (self.limits, self.log) = (limits, log)
    self.token = token.map { Array($0.utf8) }
    conveyor = Conveyor(capacity: limits.queue)
  }

  /// Begins to listen.
  ///
  /// - Parameters:
  ///   - host: The address, such as `127.0.0.1`.
  ///   - port: The port; 0 for any that is free.
  /// - Returns: The port.
  /// - Throws: ``ListenError``.
  public func listen(host: String, port: Int) throws -> Int {
    let own = try HTTPListener(self, host: host, port: port)
    listener.withLock { $0 = own }
    return own.port
  }

  /// Takes no more requests, answers those that were accepted, and ends.
  ///
  /// - Returns: Whether all were answered within the time for that.
  public func stop() -> Bool {
    stopping.store(true, ordering: .relaxed)
    return listener.withLock { listener in
      defer { listener = nil }
      return listener?.stop() ?? true
    }
  }

  /// The network that a request names, or the first.
  ///
  /// - Throws: ``Problem`` with 404.
  func network(_ parameters: Parameters) throws -> ServedNetwork {
    guard let name = parameters["model"] else { return networks[0] }
    if let network = networks.first(where: { $0.name == name }) { return network }
    throw Problem(
      .notFound,
      "there is no model '\(name.brief)', expected one of"
        + " \(networks.map(\.name).joined(separator: ", "))")
  }

  /// The names of the networks, for a person.
  public var names: String { networks.map(\.name).joined(separator: ", ") }

  /// The numbers that change, for ``Metrics``.
  var gauges: [(name: String, help: String, value: Double)] {
    let load = conveyor.load
    let open = listener.withLock { $0?.open ?? 0 }
    return [
      ("atrous_queue_waiting", "Requests that wait.", Double(load.waiting)),
      ("atrous_queue_inside", "Requests that are worked on.", Double(load.inside)),
      ("atrous_connections", "Connections that are open.", Double(open)),
      (
        "atrous_received_bytes", "Bytes of bodies that are being received or wait.",
        Double(bytes.load(ordering: .relaxed))
      ),
      (
        "process_resident_memory_bytes", "Memory of the process.",
        Double(ProcessUsage.residentBytes ?? 0)
      ),
    ]
  }
}

extension Service: RequestReceiver {
  var isStopping: Bool { stopping.load(ordering: .relaxed) }

  func hold(_ count: Int) -> Bool {
    guard bytes.add(count, ordering: .relaxed).newValue > limits.received else { return true }
    release(count)
    return false
  }

  func release(_ count: Int) { bytes.subtract(count, ordering: .relaxed) }

  func admit(_ head: HTTPRequestHead) throws -> Int {
    guard head.version.major == 1 else {
      throw Problem(.httpVersionNotSupported, "expected HTTP/1.1")
    }
    let hosts = head.headers["host"]
    guard hosts.count == 1 || hosts.isEmpty && head.version.minor == 0 else {
      throw Problem(.badRequest, "there are \(hosts.count) headers Host, expected one")
    }
    if let expected = head.headers.first(name: "expect"), expected.lowercased() != "100-continue" {
      throw Problem(.expectationFailed, "Expect is '\(expected.brief)', expected 100-continue")
    }
    let path = Self.path(head).path
    guard let route = Route.all.first(where: { $0.path == path }) else {
      throw Problem(
        .notFound,
        "there is nothing at '\(path.brief)', expected one of"
          + " \(Route.all.filter(\.isDescribed).map(\.path).joined(separator: ", "))")
    }
    guard route.methods.contains(head.method) else {
      var problem = Problem(
        .methodNotAllowed,
        "\(path) does not take \(head.method.rawValue.brief), expected"
          + " \(route.methods.map(\.rawValue).joined(separator: " or "))")
      problem.allowed = route.methods
      throw problem
    }
    // A page of another site must not use what only this machine can reach.
    if route.takesImage, head.headers.first(name: "sec-fetch-site") == "cross-site" {
      throw Problem(.forbidden, "this is asked for by a page of another site, expected this one's")
    }
    if !route.isOpen { try authorize(head.headers) }
    let limit = route.takesImage ? limits.body : 0
    if route.takesImage { try Upload.check(head.headers) }
    if let length = head.headers.first(name: "content-length").flatMap({ Int($0) }), length > limit
    {
      throw Problem.tooLong(limit: limit)
    }
    return limit
  }

  func take(
    _ head: HTTPRequestHead, _ body: [UInt8], ticket: Ticket,
    answer: @escaping @Sendable (Answer) -> Void
  ) {
    do {
      let (path, query) = Self.path(head)
      guard let route = Route.all.first(where: { $0.path == path }) else { return }
      let request = Request(
        method: head.method, path: path, parameters: try Parameters(query: query),
        headers: head.headers, body: body)
      switch route.work {
      case .now(let make):
        try request.parameters.check(known: [])
        answer(try make(self, request))
      case .aside(let make):
        try request.parameters.check(known: [])
        DispatchQueue.global().async {
          answer(Self.answer { try make(self, request) })
        }
      case .image(let steps):
        let isTaken = conveyor.take(ticket, steps(request, self)) { result, times in
          self.metrics.add(times)
          var made = Self.answer { try result.get() }
          made.headers.add(name: "Server-Timing", value: times.header)
          answer(made.body.count > self.limits.answer ? Self.tooLarge(self.limits.answer) : made)
        }
        guard !isTaken else { return }
        var problem = Problem(.serviceUnavailable, "\(limits.queue) requests wait already")
        problem.retryAfter = conveyor.retryAfter
        throw problem
      }
    } catch {
      answer(Problem(error).answer)
    }
  }

  func note(_ head: HTTPRequestHead?, _ answer: Answer, after duration: Duration) {
    let path = head.map { Self.path($0).path }
    let route = Route.all.first { $0.path == path }
    let seconds = duration / .seconds(1)
    metrics.add(route: route?.path ?? "other", status: answer.status.code, seconds: seconds)
    guard let log else { return }
    let milliseconds = String(format: "%.1f", seconds * 1000)
    log(
      "\(head?.method.rawValue.brief ?? "-") \(path?.brief ?? "-") \(answer.status.code)"
        + " \(answer.body.count) B \(milliseconds) ms")
  }

  private static func answer(_ body: () throws -> Answer) -> Answer {
    do { return try body() } catch { return Problem(error).answer }
  }

  private static func tooLarge(_ limit: Int) -> Answer {
    Problem(
      .payloadTooLarge, "the answer is larger than \(limit) bytes, expected a smaller image"
    ).answer
  }

  /// Refuses requests without the token.
  private func authorize(_ headers: HTTPHeaders) throws {
    guard let token else { return }
    let given = headers["authorization"]
    let parts = given.first?.split(separator: " ", maxSplits: 1) ?? []
    guard given.count == 1, parts.count == 2, parts[0].lowercased() == "bearer",
      Self.isEqual(Array(parts[1].utf8), token)
    else {
      throw Problem(.unauthorized, "expected the header Authorization: Bearer with the token")
    }
  }

  /// Compares in a time that does not tell how much is right.
  static func isEqual(_ given: [UInt8], _ token: [UInt8]) -> Bool {
    var difference: UInt8 = given.count == token.count && !token.isEmpty ? 0 : 1
    for index in given.indices where !token.isEmpty {
      difference |= given[index] ^ token[index % token.count]
    }
    return difference == 0
  }

  /// The path and the query of a request's target, which may be a whole URL (RFC 9112, 3.2.2).
  static func path(_ head: HTTPRequestHead) -> (path: String, query: Substring) {
    var target = head.uri[...]
    for scheme in ["http://", "https://"] where target.lowercased().hasPrefix(scheme) {
      target = target.dropFirst(scheme.count).drop { $0 != "/" && $0 != "?" }
      if target.first != "/" { target = "/" + target }
    }
    let path = target.prefix { $0 != "?" && $0 != "#" }
    return (String(path), target.dropFirst(path.count).prefix { $0 != "#" }.dropFirst())
  }
}

extension Conveyor.Times {
  /// The times as browsers show them.
  fileprivate var header: String {
    [("decode", decode), ("network", network), ("encode", encode)].map { name, time in
      "\(name);dur=\(String(format: "%.2f", time / .milliseconds(1)))"
    }.joined(separator: ", ")
  }
}

extension ProcessUsage {
  /// The memory that the process has now in bytes; nil where the system does not say.
  static var residentBytes: Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else {
      return nil
    }
    return text.split(separator: " ").dropFirst().first.flatMap { Int($0) }
      .map { $0 * Int(sysconf(Int32(_SC_PAGESIZE))) }
  }
}
