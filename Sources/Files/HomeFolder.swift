import Foundation

extension String {
  /// The path with the home folder for `~` at its beginning, and that of another user for `~name`.
  ///
  /// Shells do this for words that begin with `~` only, and nobody does it in a file. A user that is
  /// not known stays as written, as in a shell.
  package var withHomeFolder: String {
    guard hasPrefix("~") else { return self }
    let name = dropFirst().prefix { $0 != "/" }
    guard let home = name.isEmpty ? Self.ownHome : Self.home(of: String(name)) else { return self }
    let rest = dropFirst(name.count + 1)
    return home == "/" && !rest.isEmpty ? String(rest) : home + rest
  }

  /// A command-line argument with the home folder where a path begins, that of `--option=~/path`
  /// included.
  package var argumentWithHomeFolder: String {
    guard hasPrefix("--"), let equals = firstIndex(of: "=") else { return withHomeFolder }
    let value = self[index(after: equals)...]
    return value.hasPrefix("~") ? self[...equals] + String(value).withHomeFolder : self
  }

  private static var ownHome: String? {
    if let home = getenv("HOME"), home.pointee != 0 { return text(home) }
    return getpwuid(getuid()).flatMap { $0.pointee.pw_dir }.map { text($0) }
  }

  private static func home(of user: String) -> String? {
    user.withPath { getpwnam($0) }.flatMap { $0.pointee.pw_dir }.map { text($0) }
  }

  private static func text(_ bytes: UnsafePointer<CChar>) -> String {
    let buffer = UnsafeBufferPointer(start: bytes, count: strlen(bytes))
    return String(pathBytes: buffer.map(UInt8.init(bitPattern:)))
  }
}
