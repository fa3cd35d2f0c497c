import Files
import Foundation

/// The command line, byte for byte: Swift's own list loses what is not UTF-8.
enum Arguments {
  /// The arguments after the program's name, with the home folder where a path begins with `~`.
  static let own: [String] = (1..<max(1, Int(CommandLine.argc))).compactMap { index in
    CommandLine.unsafeArgv[index].map { argument in
      let bytes = UnsafeBufferPointer(start: argument, count: strlen(argument))
      return String(pathBytes: bytes.map(UInt8.init(bitPattern:))).argumentWithHomeFolder
    }
  }

  /// The command, for a shell, that goes on with what this one has begun.
  static var resuming: String {
    let given = own.filter { $0 != "--overwrite" && $0 != "--resume" }
    return (["atrous"] + given + ["--resume"]).map(\.inShell).joined(separator: " ")
  }
}
