import Foundation
import Testing

@Suite("atrous serve")
struct ServeCommandTests {
  @Test("serves the packaged network until SIGTERM, and ends with 0")
  func untilSignal() throws {
    let command = try Command(["serve", "--port", "0"])
    while !command.outputSoFar.contains("serving "), command.isRunning { usleep(5000) }
    let output = command.outputSoFar
    #expect(output.hasPrefix("serving camvid at http://127.0.0.1:"), "\(output)")
    command.send(SIGTERM)
    let outcome = command.wait()
    #expect(outcome.status == 0, "\(outcome)")
    // What the network may be used for, and nothing else.
    #expect(outcome.errors.hasPrefix("note: the packaged network"), "\(outcome)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
  }

  @Test("refuses what cannot be served")
  func refuses() throws {
    let port = try Command.run("serve", "--port", "70000")
    #expect(port.status == 64 && port.errors.contains("from 0 to 65535"), "\(port)")
    let host = try Command.run("serve", "--host", "192.0.2.1", "--port", "0")
    host.expectRefusal("192.0.2.1:0: cannot be listened on", "expected an address of this machine")
    try Command.run("serve", "none.safetensors").expectRefusal("none.safetensors")
    try Command.run("serve", "--token-file", "none.token").expectRefusal(
      "none.token", "expected a file with the token")
  }
}
