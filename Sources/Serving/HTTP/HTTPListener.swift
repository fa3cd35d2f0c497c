import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Why a service does not begin.
public enum ListenError: Error, CustomStringConvertible {
  /// The address cannot be listened on.
  case address(host: String, port: Int, reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .address(let host, let port, let reason):
      "\(host):\(port): cannot be listened on: \(reason); expected an address of this machine and a port"
        + " that is free"
    }
  }
}

/// Accepts connections and gives their requests to a receiver.
final class HTTPListener: Sendable {
  private let receiver: any RequestReceiver
  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel
  private let connections: Connections

  /// The port that is listened on.
  var port: Int { channel.localAddress?.port ?? 0 }
  /// The number of connections that are open.
  var open: Int { connections.count }

  /// Listens.
  ///
  /// - Parameter port: The port; 0 for any that is free.
  /// - Throws: ``ListenError``.
  init(_ receiver: any RequestReceiver, host: String, port: Int) throws {
    self.receiver = receiver
    // What the sockets need is little beside the network.
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let limits = receiver.limits
    Self.raiseDescriptorLimit(to: 2 * limits.connections + 256)
    let connections = Connections()
    self.connections = connections
    self.group = group
    var decoding = NIOHTTPDecoderLimitConfiguration()
    decoding.maxHeaderFieldSize = HTTPLimits.headers
    decoding.maxHeaderListSize = HTTPLimits.headers
    decoding.maxHeaderFieldCount = HTTPLimits.fields
    let bootstrap = ServerBootstrap(group: group)
      .serverChannelOption(.backlog, value: 1024)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { [decoding] channel in
        channel.eventLoop.makeCompletedFuture {
          let count = connections.add(channel)
          // A few beyond the limit are told so; more are only closed.
          guard count <= limits.connections + 128 else { throw TooManyConnections() }
          let pipeline = channel.pipeline.syncOperations
          try pipeline.configureHTTPServerPipeline(
            withPipeliningAssistance: true, withServerUpgrade: nil, withErrorHandling: false,
            withOutboundHeaderValidation: true, withEncoderConfiguration: .init(),
            withDecoderLimitConfiguration: decoding)
          try pipeline.addHandler(
            ConnectionHandler(receiver, isBeyond: count > limits.connections))
        }
      }
    do {
      channel = try bootstrap.bind(host: host, port: port).wait()
    } catch {
      try? group.syncShutdownGracefully()
      throw ListenError.address(host: host, port: port, reason: Self.reason(error))
    }
  }

  /// Takes no more connections and requests, waits for the answers to what was accepted, and ends.
  ///
  /// - Returns: Whether all was answered within the time for that.
  func stop() -> Bool {
    try? channel.close().wait()
    connections.each { channel in
      channel.eventLoop.execute {
        channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
      }
    }
    let end = ContinuousClock.now + .seconds(receiver.limits.stopping)
    while connections.count > 0, ContinuousClock.now < end { usleep(10_000) }
    let isDone = connections.count == 0
    connections.each { $0.close(promise: nil) }
    try? group.syncShutdownGracefully()
    return isDone
  }

  private static func reason(_ error: any Error) -> String {
    (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
  }

  /// Lets the process have as many open files as connections need, as far as the system allows that.
  private static func raiseDescriptorLimit(to count: Int) {
    var limit = rlimit()
    #if canImport(Glibc)
      let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    #else
      let kind = RLIMIT_NOFILE
    #endif
    guard getrlimit(kind, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
    limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
    _ = setrlimit(kind, &limit)
  }
}

/// Why a connection is closed at once.
private struct TooManyConnections: Error {}

/// The connections that are open.
private final class Connections: Sendable {
  private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])

  var count: Int { channels.withLock { $0.count } }

  /// Adds a connection until it closes, and returns how many there are then.
  func add(_ channel: any Channel) -> Int {
    let key = ObjectIdentifier(channel)
    channel.closeFuture.whenComplete { _ in self.channels.withLock { $0[key] = nil } }
    return channels.withLock {
      $0[key] = channel
      return $0.count
    }
  }

  func each(_ body: (any Channel) -> Void) {
    for channel in channels.withLock({ Array($0.values) }) { body(channel) }
  }
}
