import Foundation

extension ProcessGroup.Meeting {
  /// A place to meet on this machine: a free port, at which a socket listens already.
  ///
  /// The socket is closed by the group of rank 0 that gets it, or else by the caller. Programs that are
  /// started do not inherit it.
  /// - Returns: nil if the system gives none; `errno` says why.
  package static func onThisMachine() -> Self? {
    #if os(Linux)
      let stream = Int32(SOCK_STREAM.rawValue)
    #else
      let stream = SOCK_STREAM
    #endif
    let descriptor = socket(AF_INET, stream, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { address in
      address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && listen(descriptor, 1024) == 0
          && getsockname(descriptor, address, &length) == 0
      }
    }
    guard descriptor >= 0, isBound else { return nil }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    return Self(
      host: "127.0.0.1", port: Int(UInt16(bigEndian: address.sin_port)),
      listeningSocket: descriptor)
  }
}
