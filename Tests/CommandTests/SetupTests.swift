import Foundation
import TestSupport
import Testing

/// The script that sets a checkout up, before it changes anything.
@Suite("Scripts/setup")
struct SetupTests {
  private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Scripts/setup")

  /// What the script says to a `swift` that does as `body` says, and its status.
  private func said(_ body: String) throws -> (text: String, status: Int32) {
    let folder = try TemporaryFolder()
    let swift = folder.path + "/swift"
    try "#!/bin/sh\n\(body)\n".write(toFile: swift, atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: swift)
    let process = Process()
    process.executableURL = Self.script
    process.environment = ["PATH": "\(folder.path):/usr/bin:/bin", "ATROUS_NO_INSTALL": "1"]
    let errors = Pipe()
    (process.standardError, process.standardOutput) = (errors, FileHandle.nullDevice)
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (text, process.terminationStatus)
  }

  @Test("passes on what a swift that does not run says, and names versions that are too old")
  func wrongSwift() throws {
    let broken = try said("echo 'swift: cannot open libncurses.so.6' >&2; exit 127")
    #expect(broken.status == 1)
    #expect(broken.text == "setup: swift does not run:\nswift: cannot open libncurses.so.6\n")
    let old = try said("echo 'Swift version 5.10.1 (swift-5.10.1-RELEASE)'")
    #expect(old.status == 1)
    #expect(old.text == "setup: swift is 5.10; Atrous needs 6.1 or later.\n")
  }
}
