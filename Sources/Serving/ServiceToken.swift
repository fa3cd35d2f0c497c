import Files
import Foundation

/// Why there is no token.
public enum ServiceTokenError: Error, CustomStringConvertible {
  /// The file cannot be read.
  case unreadable(file: String)
  /// The token is too short to be one, or has characters that a header cannot have.
  case unfit(source: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file): "\(file): cannot be read, expected a file with the token"
    case .unfit(let source):
      "\(source): is no token, expected at least 16 letters, digits and signs in one line"
    }
  }
}

/// What clients have to know.
///
/// A command line is seen by everybody on the machine, so that a token comes from a file or the environment.
public enum ServiceToken {
  /// The environment variable that holds a token.
  public static let variable = "ATROUS_TOKEN"

  /// The token in a file, else in the environment, if there is one.
  ///
  /// - Throws: ``ServiceTokenError``.
  public static func found(
    file: String?, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> String? {
    if let file {
      let bytes = FileSystem.beginning(file, 4097)
      guard !bytes.isEmpty else { throw ServiceTokenError.unreadable(file: file) }
      return try checked(String(decoding: bytes, as: UTF8.self), file)
    }
    return try environment[variable].map { try checked($0, variable) }
  }

  private static func checked(_ text: String, _ source: String) throws -> String {
    let token = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard (16...4096).contains(token.utf8.count), token.utf8.allSatisfy({ (33...126).contains($0) })
    else { throw ServiceTokenError.unfit(source: source) }
    return token
  }

  /// What to say of a service that others can reach without a token; nil where there is nothing to say.
  public static func warning(host: String, token: String?) -> String? {
    let isLocal = host.hasPrefix("127.") || host == "::1" || host == "localhost"
    guard !isLocal, token == nil else { return nil }
    return "everybody who reaches \(host) may use the service; \(variable) or --token-file sets a"
      + " token"
  }
}
