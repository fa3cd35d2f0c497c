import Foundation

/// An answer as it came over the wire.
struct Reply {
  let status: Int
  let headers: [String: String]
  let body: [UInt8]

  var json: [String: Any] {
    let value = try? JSONSerialization.jsonObject(with: Data(body))  // may fail: no JSON, no fields
    return value as? [String: Any] ?? [:]
  }
}

/// A connection on which tests write what they like.
final class Wire {
  private let descriptor: Int32
  private var rest: [UInt8] = []

  init(_ port: Int) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
    }
    guard status == 0 else { throw POSIXError(.ECONNREFUSED) }
    var wait = timeval(tv_sec: 30, tv_usec: 0)
    setsockopt(
      descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// Sends bytes; false once the other side takes no more.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      guard count > 0 else { return false }
      sent += count
    }
    return true
  }

  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  /// Whether the other side has closed the connection, which is waited for.
  var isClosed: Bool {
    var byte: UInt8 = 0
    while true {
      let count = recv(descriptor, &byte, 1, 0)
      if count <= 0 { return count == 0 || errno == ECONNRESET }
    }
  }

  /// The next answer; nil if the connection ends before it.
  func reply(hasBody: Bool = true) -> Reply? {
    let end = Array("\r\n\r\n".utf8)
    while rest.firstRange(of: end) == nil { guard fill() else { return nil } }
    guard let blank = rest.firstRange(of: end) else { return nil }
    let lines = String(decoding: rest[..<blank.lowerBound], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    let status = Int(lines[0].split(separator: " ")[1]) ?? 0
    let length = hasBody && status != 100 ? Int(headers["content-length"] ?? "") ?? 0 : 0
    while rest.count < blank.upperBound + length { guard fill() else { return nil } }
    let body = Array(rest[blank.upperBound..<blank.upperBound + length])
    rest.removeFirst(blank.upperBound + length)
    return Reply(status: status, headers: headers, body: body)
  }

  private func fill() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    guard count > 0 else { return false }
    rest += buffer[..<count]
    return true
  }
}

/// A request with a body of known length.
func request(
  _ method: String, _ target: String, _ body: [UInt8] = [], type: String? = nil,
  headers: [String] = []
) -> [UInt8] {
  var lines = ["\(method) \(target) HTTP/1.1", "Host: localhost"] + headers
  if let type { lines.append("Content-Type: \(type)") }
  if !body.isEmpty || method == "POST" { lines.append("Content-Length: \(body.count)") }
  return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
}

/// Sends a request and gives the answer.
func ask(
  _ port: Int, _ method: String, _ target: String, _ body: [UInt8] = [], type: String? = nil,
  headers: [String] = []
) throws -> Reply {
  let wire = try Wire(port)
  wire.send(request(method, target, body, type: type, headers: headers))
  guard let reply = wire.reply(hasBody: method != "HEAD") else { throw POSIXError(.ECONNRESET) }
  return reply
}
