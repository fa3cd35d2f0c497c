import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Imaging

@Suite("Odd files, unread formats and orientation")
struct NoteTests {
  /// The result of `body`, and the texts of the notes that it sent.
  private func noting<R>(_ body: () throws -> R) rethrows -> (R, [String]) {
    let notes = Mutex<[String]>([])
    let result = try ImageNotes.$local.withValue({ note in
      notes.withLock { $0.append(note.text) }
    }) { try body() }
    return (result, notes.withLock { $0 })
  }

  /// A JPEG changed so that libjpeg warns of it, and a word of the note.
  static let harmless: [(String, @Sendable ([UInt8]) -> [UInt8])] = [
    ("JFIF", { replaced($0, at: 11, [0, 0]) }),
    (
      "parameters",
      {
        let scan = marker(0xDA, in: $0)
        return replaced($0, at: scan + 5 + 2 * Int($0[scan + 4]), [0, 0])
      }
    ),
    ("stray", { Array($0.dropLast(2)) + [0x12, 0x34, 0x56, 0xFF, 0xD9] }),
    ("ends it", { Array($0.dropLast(2)) }),
    (
      "Adobe",
      {
        let marker = [0xFF, 0xEE, 0, 14] + Array("Adobe".utf8) + [0, 100, 0, 0, 0, 0, 9]
        // In the place of JFIF's segment, beside which it would not count.
        return Array($0[..<2]) + marker + Array($0[20...])
      }
    ),
  ]

  private static func replaced(_ bytes: [UInt8], at: Int, _ new: [UInt8]) -> [UInt8] {
    Array(bytes[..<at]) + new + Array(bytes[(at + new.count)...])
  }

  private static func marker(_ kind: UInt8, in bytes: [UInt8]) -> Int {
    (0..<bytes.count - 1).first { bytes[$0] == 0xFF && bytes[$0 + 1] == kind } ?? 0
  }

  @Test("a JPEG with an odd header is read with a note", arguments: 0..<harmless.count)
  func jpeg(index: Int) throws {
    let (word, change) = Self.harmless[index]
    let plain = try FixtureTests.bytes("RGB.jpg")
    let (image, notes) = try noting { try Image(decoding: change(plain), named: "a") }
    #expect(image.pixels == FixtureTests.all["RGB.jpg"]?.picture)
    #expect(notes.count == 1 && notes.allSatisfy { $0.contains(word) }, "\(notes)")
    let (_, none) = try noting {
      try Image(decoding: plain + [1, 2, 3], named: "a")
    }
    #expect(none.isEmpty)
  }

  @Test("a JPEG whose pixels are missing or broken is refused")
  func broken() throws {
    for name in ["RGB.jpg", "progressive.jpg"] {
      let plain = try FixtureTests.bytes(name)
      var codes = plain
      let scan = Self.marker(0xDA, in: plain) + 20
      // No code is all ones; a byte of ones is followed by one of zeros that does not count.
      for at in scan..<min(scan + 40, plain.count - 2) {
        codes[at] = (at - scan) % 2 == 0 ? 0xFF : 0
      }
      for bytes in [codes, Array(plain[..<(plain.count * 3 / 4)])] {
        #expect(throws: ImageError.self) { try Image(decoding: bytes, named: "a") }
      }
    }
  }

  @Test("odd PNG, GIF and BMP files that others read are read")
  func others() throws {
    var png = try FixtureTests.bytes("indexed4-adam7.png")
    // A chunk that nobody needs, with a wrong check sum; and bytes behind the end.
    let chunk = [0, 0, 0, 1] + Array("tEXt".utf8) + [65, 1, 2, 3, 4]
    png = Array(png[..<33]) + chunk + Array(png[33...])
    let labels = try LabelImage(decoding: png + [9, 9], named: "a")
    #expect(labels.values == FixtureTests.all["indexed4-adam7.png"]?.labels)
    let gif = try FixtureTests.bytes("rows.gif")
    #expect(
      try LabelImage(decoding: Array(gif.dropLast()), named: "a").values
        == FixtureTests.all["rows.gif"]?.labels)
  }

  @Test("the first files of each kind are shown, the others counted, none twice")
  func summary() {
    let lines = Mutex<[String]>([])
    let summary = NoteSummary { line in lines.withLock { $0.append(line) } }
    for file in ["a", "a", "b", "c", "b"] { summary.add(ImageNote(file: file, text: "odd")) }
    summary.add(ImageNote(file: "a", text: "strange"))
    summary.finish()
    #expect(lines.withLock { $0 } == ["a: odd", "a: strange", "2 further files: odd"])
  }

  @Test(
    "a format that is not read is named",
    arguments: [
      ("HEIC", [0, 0, 0, 24] + Array("ftypheic".utf8)),
      ("AVIF", [0, 0, 0, 24] + Array("ftypavif".utf8)),
      ("JPEG 2000", [0, 0, 0, 12, 0x6A, 0x50, 0x20, 0x20, 13, 10, 0x87, 10]),
      ("JPEG XL", [0xFF, 0x0A, 1, 2]), ("PSD", Array("8BPS".utf8) + [0, 1]),
    ] as [(String, [UInt8])])
  func unread(name: String, bytes: [UInt8]) {
    let error = #expect(throws: ImageError.self) { try Image(decoding: bytes, named: "a") }
    let text = "\(error.map { "\($0)" } ?? "")"
    #expect(text.contains("is \(name)"), "\(text)")
    #expect(text.contains("which is not read, expected a PNG"), "\(text)")
  }

  @Test("coloured labels without a table show how to list their colours")
  func hint() throws {
    let error = #expect(throws: ImageError.self) {
      try LabelImage(
        decoding: Image(width: 3, height: 1, pixels: [1, 2, 3, 4, 5, 6, 1, 2, 3]).png(), named: "a")
    }
    let text = "\(error.map { "\($0)" } ?? "")"
    #expect(text.contains("data.colors: {class0: [1, 2, 3], class1: [4, 5, 6], …}"), "\(text)")
  }

  @Test("an orientation in a TIFF, PNG or WebP is that of a JPEG", arguments: 1...8)
  func orientation(value: Int) throws {
    let folder = try TemporaryFolder()
    let tag: [UInt8] = [0x12, 1, 3, 0, 1, 0, 0, 0, UInt8(value), 0, 0, 0]
    let exif = Array("II*\0".utf8) + [8, 0, 0, 0, 1, 0] + tag + [0, 0, 0, 0]
    var png = try FixtureTests.bytes("rgb8-rows.png")
    let chunk = [0, 0, 0, UInt8(exif.count)] + Array("eXIf".utf8) + exif + [0, 0, 0, 0]
    png = resealed(Array(png[..<33]) + chunk + Array(png[33...]))
    var tiff = try FixtureTests.bytes("bands3-contig.tif")
    // The tag that says that bands are interleaved, as is usual, gives way to the orientation.
    let planar: [UInt8] = [0x1C, 1, 3, 0]
    let entry = try #require((0..<tiff.count - 12).first { tiff[$0...].starts(with: planar) })
    tiff.replaceSubrange(entry..<entry + 12, with: tag)
    // The extended header of WebP says that EXIF follows, and the size less one: 13 by 7.
    let pixels = Array(try FixtureTests.bytes("colours.webp").dropFirst(12))
    let extended = Array("VP8X".utf8) + [10, 0, 0, 0, 8, 0, 0, 0, 12, 0, 0, 6, 0, 0]
    let body =
      Array("WEBP".utf8) + extended + pixels + Array("EXIF".utf8)
      + [UInt8(exif.count), 0, 0, 0] + exif
    let length = [UInt8(body.count & 255), UInt8(body.count >> 8), 0, 0]
    let webP = Array("RIFF".utf8) + length + body
    for (name, bytes, plain) in [
      ("a.png", png, "rgb8-rows.png"), ("a.tif", tiff, "bands3-contig.tif"),
      ("a.webp", webP, "colours.webp"),
    ] {
      let stored = try Image(decoding: FixtureTests.bytes(plain), named: plain)
      let file = "\(folder.path)/\(name)"
      try Data(bytes).write(to: URL(fileURLWithPath: file))
      let info = try ImageInfo(contentsOf: file)
      let upright = Orientation(value).upright(stored)
      #expect(info.orientation == value)
      #expect(info.storedSize == stored.size)
      #expect(info.size == upright.size)
      #expect(try ImageInfo(contentsOf: file, orientation: .stored).size == stored.size)
      #expect(try Image(contentsOf: file) == upright)
      #expect(try Image(contentsOf: file, orientation: .stored) == stored)
    }
  }

  @Test("values that no label has are named with their pixel; pixels without data are 65535")
  func strange() throws {
    for (name, message) in [
      ("negative.tif", "(3, 1) is -7"), ("fraction.tif", "(2, 0) is 1.5"),
      ("large.tif", "(0, 1) is 70000"),
    ] {
      let error = #expect(throws: ImageError.self) {
        try LabelImage(decoding: FixtureTests.bytes("strange/\(name)"), named: name)
      }
      let text = "\(error.map { "\($0)" } ?? "")"
      #expect(text == "\(name): the value at \(message), expected a whole number from 0 to 65535")
    }
    let (labels, notes) = try noting {
      try LabelImage(decoding: FixtureTests.bytes("strange/no-data.tif"), named: "a")
    }
    #expect(labels.values == [0, 1, 65_535, 2])
    #expect(notes.contains { $0.contains("65535") })
  }
}
