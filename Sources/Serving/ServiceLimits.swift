/// What a service takes at most, so that no client can take all of it.
public struct ServiceLimits: Sendable {
  /// The bytes of a request's body.
  public var body = 32 << 20
  /// The pixels of an image, by its header.
  public var pixels = 25_000_000
  /// The bytes of an answer.
  public var answer = 256 << 20
  /// The requests that wait for the network; what comes beyond them is refused with 503.
  public var queue = 64
  /// The connections that are open; what comes beyond them is refused with 503.
  public var connections = 512
  /// The bytes of all bodies that are being received or wait.
  public var received = 512 << 20
  /// The seconds that a connection may be open without a whole request line and headers.
  public var idle = 30.0
  /// The seconds that the body of a request may take from its headers on.
  public var upload = 30.0
  /// The seconds that 256 KiB of an answer may take to be fetched.
  public var fetch = 30.0
  /// The seconds that what was accepted may take once the service is to stop.
  public var stopping = 60.0

  /// The usual limits.
  public init() {}
}
