import NIOCore
import NIOHTTP1

/// What a connection needs of the service behind it.
protocol RequestReceiver: AnyObject, Sendable {
  /// What a client may send, and how long that may take.
  var limits: ServiceLimits { get }
  /// Whether the service takes no more requests.
  var isStopping: Bool { get }
  /// Looks at a request before its body comes.
  ///
  /// - Throws: ``Problem`` for what is refused.
  /// - Returns: The most bytes of its body.
  func admit(_ head: HTTPRequestHead) throws -> Int
  /// Takes a whole request; `answer` is called once, on any thread.
  func take(
    _ head: HTTPRequestHead, _ body: [UInt8], ticket: Ticket,
    answer: @escaping @Sendable (Answer) -> Void)
  /// Adds to the bytes of all bodies; false if they are too many then.
  func hold(_ bytes: Int) -> Bool
  /// Takes bytes off again.
  func release(_ bytes: Int)
  /// Is told of an answer, and how long after the request's headers it is sent.
  func note(_ head: HTTPRequestHead?, _ answer: Answer, after duration: Duration)
}

/// One connection: collects requests within the limits, one after the other, and sends the answers.
///
/// A request that is refused before it is there as a whole is answered at once; what still comes of it is
/// thrown away for a moment, so that the client can read the answer, and the connection ends.
final class ConnectionHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private enum State {
    /// The next request may come.
    case idle
    /// The body comes.
    case receiving
    /// The body of a request that is refused comes, and is so small that the connection can stay.
    case discarding(Problem)
    /// The request is there, and its answer not yet sent.
    case answering
    /// The answer is sent, or being sent, and the connection ends.
    case ending
  }

  /// Bodies of refused requests that are read to their end.
  private static let smallBody = 1 << 16
  /// The bytes of an answer that are given to the socket at once.
  private static let piece = 1 << 18

  private let receiver: any RequestReceiver
  /// Whether there are more connections than there may be.
  private let isBeyond: Bool
  private var state = State.idle
  private var context: ChannelHandlerContext?
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []
  private var bodyLimit = 0
  private var held = 0
  private var ticket = Ticket()
  private var began = ContinuousClock.now
  private var timer: Scheduled<Void>?

  init(_ receiver: any RequestReceiver, isBeyond: Bool) {
    (self.receiver, self.isBeyond) = (receiver, isBeyond)
  }

  // MARK: Coming in

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    forget()
  }

  func channelActive(context: ChannelHandlerContext) {
    waitForRequest()
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    forget()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): begin(head)
    case .body(let part): add(part)
    case .end: end()
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A client that goes in the middle of a request is told nothing.
    guard let error = error as? HTTPParserError, context.channel.isActive else {
      context.close(promise: nil)
      return
    }
    if case .ending = state { return }
    let problem =
      error == .headerOverflow
      ? Problem(
        .requestHeaderFieldsTooLarge,
        "the headers are larger than \(HTTPLimits.headers) bytes, or more than \(HTTPLimits.fields)"
      )
      : Problem(.badRequest, "this is no request of HTTP/1.1")
    refuse(problem)
  }

  private func begin(_ head: HTTPRequestHead) {
    guard case .idle = state else { return }
    self.head = head
    (ticket, began) = (Ticket(), .now)
    after(receiver.limits.upload) { $0.tooSlow() }
    let expects = head.headers.contains(name: "expect")
    do {
      if isBeyond {
        var problem = Problem(.serviceUnavailable, "there are too many connections")
        problem.retryAfter = 1
        throw problem
      }
      bodyLimit = try receiver.admit(head)
      state = .receiving
      // HTTP/1.0 knows no answer before the answer.
      if expects, head.version == .http1_1 {
        write(.head(.init(version: head.version, status: .continue)), flush: true)
      }
    } catch {
      let problem = error as? Problem ?? Problem(.internalServerError, "\(error)")
      let length = head.headers.first(name: "content-length").flatMap { Int($0) }
      let isSmall =
        head.headers.contains(name: "transfer-encoding") ? false : (length ?? 0) <= Self.smallBody
      if isSmall && !expects && !isBeyond { state = .discarding(problem) } else { refuse(problem) }
    }
  }

  private func add(_ part: ByteBuffer) {
    guard case .receiving = state else { return }
    let count = part.readableBytes
    guard body.count + count <= bodyLimit else { return refuse(.tooLong(limit: bodyLimit)) }
    guard receiver.hold(count) else {
      var problem = Problem(.serviceUnavailable, "too much is being sent at once")
      problem.retryAfter = 5
      return refuse(problem)
    }
    held += count
    part.withUnsafeReadableBytes { body.append(contentsOf: $0) }
  }

  private func end() {
    timer?.cancel()
    switch state {
    case .receiving:
      guard let head, let context else { return }
      state = .answering
      let whole = body
      body = []
      let loop = context.eventLoop
      let handler = NIOLoopBound(self, eventLoop: loop)
      receiver.take(head, whole, ticket: ticket) { answer in
        loop.execute { handler.value.answer(answer) }
      }
    case .discarding(let problem):
      state = .answering
      answer(problem.answer)
    case .idle, .answering, .ending: break
    }
  }

  // MARK: Going out

  /// Answers a request that has not come as a whole, and ends the connection.
  private func refuse(_ problem: Problem) {
    state = .ending
    ticket.cancel()
    send(problem.answer, keepsAlive: false)
  }

  private func tooSlow() {
    switch state {
    case .discarding(let problem): refuse(problem)
    case .receiving:
      refuse(
        Problem(
          .requestTimeout, "the request did not come within \(receiver.limits.upload) seconds"))
    case .idle, .answering, .ending: context?.close(promise: nil)
    }
  }

  private func answer(_ answer: Answer) {
    guard case .answering = state, let head else { return }
    let keepsAlive = head.isKeepAlive && !receiver.isStopping
    if !keepsAlive { state = .ending }
    send(answer, keepsAlive: keepsAlive)
  }

  private func send(_ answer: Answer, keepsAlive: Bool) {
    letGo()
    receiver.note(head, answer, after: ContinuousClock.now - began)
    var headers = answer.headers
    headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.count)")
    headers.replaceOrAdd(name: "X-Content-Type-Options", value: "nosniff")
    if !headers.contains(name: "Cache-Control") {
      headers.add(name: "Cache-Control", value: "no-store")
    }
    if !keepsAlive { headers.replaceOrAdd(name: "Connection", value: "close") }
    if keepsAlive, head?.version == .http1_0 {
      headers.replaceOrAdd(name: "Connection", value: "keep-alive")
    }
    let version = head?.version.major == 1 ? head?.version ?? .http1_1 : .http1_1
    let hasBody = head?.method != .HEAD
    write(.head(.init(version: version, status: answer.status, headers: headers)), flush: false)
    head = nil
    sendPiece(hasBody ? answer.body[...] : [], keepsAlive: keepsAlive)
  }

  /// Sends the first piece of what is left, and the others once the client has fetched it.
  private func sendPiece(_ rest: ArraySlice<UInt8>, keepsAlive: Bool) {
    guard let context else { return }
    guard !rest.isEmpty else {
      timer?.cancel()
      if keepsAlive { state = .idle }
      write(.end(nil), flush: true)
      guard keepsAlive else { return linger() }
      // The next request may have come already, and begun while the end was written.
      if case .idle = state { waitForRequest() }
      return
    }
    let piece = rest.prefix(Self.piece)
    after(receiver.limits.fetch) { $0.context?.close(promise: nil) }
    let promise = context.eventLoop.makePromise(of: Void.self)
    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
    promise.futureResult.whenComplete { result in
      let handler = handler.value
      switch result {
      case .success: handler.sendPiece(rest.dropFirst(piece.count), keepsAlive: keepsAlive)
      case .failure: handler.context?.close(promise: nil)
      }
    }
    context.writeAndFlush(
      wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: piece)))), promise: promise)
  }

  private func write(_ part: HTTPServerResponsePart, flush: Bool) {
    guard let context else { return }
    if flush {
      context.writeAndFlush(wrapOutboundOut(part), promise: nil)
    } else {
      context.write(wrapOutboundOut(part), promise: nil)
    }
  }

  /// Ends the connection once the client has had time to read the answer: at once, what is still on its way
  /// would be answered by a reset, which takes the answer away.
  private func linger() {
    guard let context else { return }
    context.channel.close(mode: .output, promise: nil)
    after(2) { $0.context?.close(promise: nil) }
  }

  // MARK: Time

  private func waitForRequest() {
    state = .idle
    after(receiver.limits.idle) { $0.context?.close(promise: nil) }
  }

  private func after(_ seconds: Double, _ body: @escaping @Sendable (ConnectionHandler) -> Void) {
    timer?.cancel()
    guard let loop = context?.eventLoop else { return }
    let handler = NIOLoopBound(self, eventLoop: loop)
    timer = loop.scheduleTask(in: .milliseconds(Int64(seconds * 1000))) { body(handler.value) }
  }

  private func letGo() {
    receiver.release(held)
    (held, body) = (0, [])
  }

  private func forget() {
    timer?.cancel()
    ticket.cancel()
    letGo()
    state = .ending
  }
}

extension Problem {
  /// A body that is too long.
  static func tooLong(limit: Int) -> Problem {
    Problem(
      .payloadTooLarge,
      limit == 0
        ? "this takes no body" : "the body is too long, expected at most \(limit) bytes")
  }
}

/// What is fixed of requests besides ``ServiceLimits``.
enum HTTPLimits {
  /// The bytes of all headers, and of the request line.
  static let headers = 1 << 14
  /// The number of headers.
  static let fields = 64
}
