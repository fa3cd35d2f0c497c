import Foundation
import SwiftProtobuf
import Testing

@testable import TensorBoard

@Suite("TensorBoard's event files")
struct EventFileTests {
  @Test("checksums are CRC-32C's")
  func checksums() {
    // RFC 3720, B.4.
    #expect(TFRecord.crc32c([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(TFRecord.crc32c([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(TFRecord.crc32c([UInt8](0..<32)) == 0x46DD_794E)
    #expect(TFRecord.crc32c([UInt8]((0..<32).reversed())) == 0x113F_DB5C)
    #expect(TFRecord.crc32c(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test("a record is framed as TensorFlow's writer does")
  func framing() {
    // What RecordWriter of the tensorboard package makes of b"abc".
    #expect(
      TFRecord.framed(Array("abc".utf8)) == [
        3, 0, 0, 0, 0, 0, 0, 0, 0xB0, 0x99, 0x49, 0x0E, 0x61, 0x62, 0x63, 0x6E, 0x57, 0xF1, 0x21,
      ])
  }

  /// The events of a file, each record's checksums checked.
  private func events(_ path: String) throws -> [Tensorboard_Event] {
    var bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))[...]
    var result: [Tensorboard_Event] = []
    while !bytes.isEmpty {
      let length = bytes.prefix(8).enumerated().reduce(0) {
        $0 + Int($1.element) << (8 * $1.offset)
      }
      let whole = Array(bytes.prefix(length + 16))
      let body = Array(whole[12..<12 + length])
      #expect(TFRecord.framed(body) == whole)
      result.append(try Tensorboard_Event(serializedBytes: body))
      bytes = bytes.dropFirst(length + 16)
    }
    return result
  }

  @Test("events say what was written, after a version and the step that the file begins at")
  func events() throws {
    let folder = NSTemporaryDirectory() + "atrous-events-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = try EventFile(in: folder, from: 8)
    try file.scalars([("train/loss", 0.5), ("rate", 1e-3)], step: 9)
    try file.image("picture", png: [1, 2, 3], width: 7, height: 5, step: 10)
    try file.histogram("classes", counts: [4, 0, 2], step: 10)
    let second = try EventFile(in: folder, from: 10)
    #expect(
      EventFile.files(in: folder)
        == [file.path, second.path].map { ($0 as NSString).lastPathComponent })
    let events = try events(file.path)
    #expect(events.count == 5)
    #expect(events[0].fileVersion == "brain.Event:2")
    #expect(abs(events[0].wallTime - Date().timeIntervalSince1970) < 600)
    #expect(events[1].sessionLog.status == .start && events[1].step == 8)
    #expect(events[2].step == 9)
    #expect(events[2].summary.value.map(\.tag) == ["train/loss", "rate"])
    #expect(events[2].summary.value.map(\.simpleValue) == [0.5, 1e-3])
    let picture = events[3].summary.value[0].image
    #expect((picture.width, picture.height, picture.colorspace) == (7, 5, 3))
    #expect(picture.encodedImageString == Data([1, 2, 3]))
    let classes = events[4].summary.value[0].histo
    #expect(classes.bucketLimit == [0.5, 1.5, 2.5] && classes.bucket == [4, 0, 2])
    #expect((classes.min, classes.max, classes.num, classes.sum) == (-0.5, 2.5, 6, 4))
    #expect(classes.sumSquares == 8)
  }

  @Test("a folder that is not there is an error with the file's name")
  func missingFolder() {
    let error = #expect(throws: EventFileError.self) {
      try EventFile(in: "/nowhere/at/all", from: 0)
    }
    #expect(error?.description.contains("/nowhere/at/all/events.out.tfevents.") == true)
  }
}
