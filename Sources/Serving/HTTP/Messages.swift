import Foundation
import NIOHTTP1

/// A request whose body is there.
struct Request: Sendable {
  let method: HTTPMethod
  /// The path without the query, as it was sent.
  let path: String
  /// What the query says.
  let parameters: Parameters
  let headers: HTTPHeaders
  let body: [UInt8]
}

/// An answer to a request.
struct Answer: Sendable {
  var status = HTTPResponseStatus.ok
  var headers = HTTPHeaders()
  var body: [UInt8] = []

  /// An answer of some media type.
  init(_ body: [UInt8], type: String, status: HTTPResponseStatus = .ok) {
    (self.status, self.body) = (status, body)
    headers.add(name: "Content-Type", value: type)
  }

  /// An answer of text.
  init(text: String, type: String) { self.init(Array(text.utf8), type: type) }

  /// A value as JSON.
  ///
  /// - Throws: `EncodingError` for numbers that are none.
  init(json value: some Encodable, type: String = "application/json") throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    self.init(Array(try encoder.encode(value)), type: type)
  }
}

/// Why a request is refused, with the answer that RFC 9457 gives a form to.
struct Problem: Error, Sendable, Equatable {
  let status: HTTPResponseStatus
  /// What was found and what was expected.
  let detail: String
  /// The seconds after which the client may try again.
  var retryAfter: Int?
  /// The methods that the path has.
  var allowed: [HTTPMethod] = []

  init(_ status: HTTPResponseStatus, _ detail: String) {
    (self.status, self.detail) = (status, detail)
  }

  /// The answer: `application/problem+json`.
  var answer: Answer {
    struct Body: Encodable {
      let title: String, status: UInt, detail: String
    }
    let body = Body(title: status.reasonPhrase, status: status.code, detail: detail)
    var answer =
      (try? Answer(json: body, type: "application/problem+json"))
      ?? Answer(text: "{}", type: "application/problem+json")
    answer.status = status
    if let retryAfter { answer.headers.add(name: "Retry-After", value: "\(retryAfter)") }
    if !allowed.isEmpty {
      answer.headers.add(name: "Allow", value: allowed.map(\.rawValue).joined(separator: ", "))
    }
    if status == .unauthorized {
      answer.headers.add(name: "WWW-Authenticate", value: "Bearer realm=\"atrous\"")
    }
    return answer
  }
}
