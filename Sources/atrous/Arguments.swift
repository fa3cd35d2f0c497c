import Files
import Foundation

/// The command line, byte for byte: Swift's own list loses what is not UTF-8.
enum Arguments {
  /// The arguments after the program's name, with the home folder where a path begins with `~`.
  static let own: [String] = bytes.map { String(pathBytes: $0).argumentWithHomeFolder }

  /// The same as bytes.
  private static var bytes: [[UInt8]] {
    let count = Int(CommandLine.argc)
    // Swift's runtime finds none in programs that it is linked into together with some libraries; the kernel knows them.
    guard count > 0 else {
      let line = FileManager.default.contents(atPath: "/proc/self/cmdline") ?? Data()
      let words = line.split(separator: 0, omittingEmptySubsequences: false)
      return words.dropFirst().dropLast().map { Array($0) }
    }
    return (1..<max(1, count)).compactMap { index in
      CommandLine.unsafeArgv[index].map { argument in
        UnsafeBufferPointer(start: argument, count: strlen(argument)).map(UInt8.init(bitPattern:))
      }
    }
  }

  /// The command, for a shell, that goes on with what this one has begun.
  static var resuming: String {
    let given = own.filter { $0 != "--overwrite" && $0 != "--resume" }
    return (["atrous"] + given + ["--resume"]).map(\.inShell).joined(separator: " ")
  }
}
