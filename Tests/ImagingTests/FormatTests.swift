import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite("JPEG, TIFF, WebP and PNM")
struct FormatTests {
  /// A picture that JPEG keeps nearly as it is.
  private func smooth(_ width: Int, _ height: Int, channels: Int = 3) -> Image {
    Image(
      width: width, height: height, channels: channels,
      pixels: (0..<width * height * channels).map { i -> UInt8 in
        let (x, y, channel) = (i / channels % width, i / channels / width, i % channels)
        return UInt8((x * 3 + y * 2 + channel * 40) % 256)
      })
  }

  private func largestDifference(_ a: Image, _ b: Image) -> Int {
    a.size == b.size ? zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0 : 256
  }

  @Test("a JPEG comes back nearly", arguments: [1, 3, 4])
  func jpeg(channels: Int) throws {
    let image = smooth(33, 21, channels: channels)
    let back = try Image(decoding: image.jpeg(quality: 97), named: "a.jpg")
    #expect(largestDifference(back, image.rgb) <= 5)
    #expect(throws: ImageError.notLabels(file: "a", found: "a JPEG image, which alters values")) {
      try LabelImage(decoding: image.jpeg(), named: "a")
    }
  }

  /// Where each of six fields ends up, as `PIL.ImageOps.exif_transpose` has it for
  /// `[[0, 1, 2], [3, 4, 5]]`.
  static let orientations: [(Int, [[Int]])] = [
    (1, [[0, 1, 2], [3, 4, 5]]), (2, [[2, 1, 0], [5, 4, 3]]), (3, [[5, 4, 3], [2, 1, 0]]),
    (4, [[3, 4, 5], [0, 1, 2]]), (5, [[0, 3], [1, 4], [2, 5]]), (6, [[3, 0], [4, 1], [5, 2]]),
    (7, [[5, 2], [4, 1], [3, 0]]), (8, [[2, 5], [1, 4], [0, 3]]),
  ]

  @Test("a JPEG is turned as its EXIF orientation says", arguments: orientations)
  func orientation(value: Int, expected: [[Int]]) throws {
    let side = 16
    let plain = Image(
      width: 3 * side, height: 2 * side, channels: 1,
      pixels: (0..<6 * side * side).map { i -> UInt8 in
        let (x, y) = (i % (3 * side), i / (3 * side))
        return UInt8((y / side * 3 + x / side) * 40)
      })
    let stored = try plain.jpeg(quality: 100)
    for isLittle in [true, false] {
      let bytes = withOrientation(stored, value, isLittle: isLittle)
      let image = try Image(decoding: bytes, named: "a.jpg")
      #expect(image.size == Size(width: expected[0].count * side, height: expected.count * side))
      #expect(try ImageInfo(bytes, named: "a.jpg").size == image.size)
      for (row, fields) in expected.enumerated() {
        for (column, field) in fields.enumerated() {
          let centre = (row * side + side / 2) * image.width + column * side + side / 2
          #expect(abs(Int(image.pixels[3 * centre]) - field * 40) <= 2)
        }
      }
    }
  }

  @Test("an orientation that makes no sense is none", arguments: [0, 9, 65_535])
  func noOrientation(value: Int) throws {
    let bytes = withOrientation(try smooth(20, 10).jpeg(), value, isLittle: true)
    #expect(try Image(decoding: bytes, named: "a").size == Size(width: 20, height: 10))
  }

  /// A JPEG with an EXIF segment behind its first marker.
  private func withOrientation(_ jpeg: [UInt8], _ value: Int, isLittle: Bool) -> [UInt8] {
    func number(_ value: Int, _ count: Int) -> [UInt8] {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
      return isLittle ? bytes : bytes.reversed()
    }
    var segment = Array("Exif\0\0".utf8) + Array((isLittle ? "II" : "MM").utf8)
    segment += number(42, 2) + number(8, 4)
    // Two entries: the width of the image, then the orientation.
    segment += number(2, 2)
    segment += number(0x0100, 2) + number(4, 2) + number(1, 4) + number(7, 4)
    segment += number(0x0112, 2) + number(3, 2) + number(1, 4) + number(value, 2) + [0, 0]
    segment += number(0, 4)
    let length = segment.count + 2
    let marker: [UInt8] = [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)]
    return Array(jpeg[..<2]) + marker + segment + Array(jpeg[2...])
  }

  @Test("TIFF: pictures, and labels of 8 and 16 bits")
  func tiff() throws {
    #expect(try Image(decoding: Written.tiff, named: "a") == Written.picture)
    for (bytes, factor) in [(Written.tiffGrey, 50), (Written.tiffGrey16, 13_000)] {
      let expected = (0..<20).map { (i: Int) -> Int in i % 5 * factor + i / 5 }
      #expect(try LabelImage(decoding: bytes, named: "a").values.map(Int.init) == expected)
    }
    #expect(throws: ImageError.self) { try LabelImage(decoding: Written.tiff, named: "a") }
    let pixels = Written.picture.pixels
    var table: [Color: UInt16] = [:]
    for i in 0..<20 {
      table[Color(pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2])] = UInt16(i)
    }
    #expect(
      try LabelImage(decoding: Written.tiff, named: "a", colors: table).values == Array(0..<20))
  }

  @Test("WebP, with and without loss")
  func webP() throws {
    #expect(try Image(decoding: Written.webP, named: "a") == Written.picture)
    #expect(
      try Image(decoding: Written.webPLossy, named: "a").size == Size(width: 16, height: 16))
    #expect(throws: ImageError.notLabels(file: "a", found: "a WebP image, which alters values")) {
      try LabelImage(decoding: Written.webP, named: "a")
    }
  }

  @Test("PNM: grey and colours, 8 and 16 bits, comments in the header")
  func pnm() throws {
    let colours = Array("P6 # a comment\n2 1\n255\n".utf8) + [1, 2, 3, 4, 5, 6]
    #expect(
      try Image(decoding: colours, named: "a")
        == Image(width: 2, height: 1, pixels: [1, 2, 3, 4, 5, 6]))
    let grey = Array("P5\n#\n3\n#x\n1\n200\n".utf8) + [0, 100, 200]
    #expect(
      try Image(decoding: grey, named: "a").pixels == [0, 0, 0, 128, 128, 128, 255, 255, 255])
    #expect(try LabelImage(decoding: grey, named: "a").values == [0, 100, 200])
    let wide = Array("P5 2 1 65535 ".utf8) + [0x12, 0x34, 0xFF, 0xFF]
    #expect(try LabelImage(decoding: wide, named: "a").values == [0x1234, 0xFFFF])
    #expect(try Image(decoding: wide, named: "a").pixels == [18, 18, 18, 255, 255, 255])
    for header in ["P5 2 1 0 ", "P5 0 1 255 ", "P5 2 x 255 ", "P5 2", "P5 12345678901 1 255 "] {
      #expect(throws: ImageError.self) { try Image(decoding: Array(header.utf8), named: "a") }
    }
  }

  @Test("the content decides on the format, not the name")
  func content() throws {
    let folder = try TemporaryFolder()
    let file = folder.path + "/photo.jpg"
    let image = noise(5, 4)
    try Data(image.png()).write(to: URL(fileURLWithPath: file))
    #expect(try Image(contentsOf: file) == image)
    #expect(
      try ImageInfo(contentsOf: file)
        == ImageInfo(image.png(), named: ""))
    #expect(throws: ImageError.notAnImage(file: "a", found: "a text file")) {
      try Image(decoding: Array("Hello.\n".utf8), named: "a")
    }
    #expect(throws: ImageError.notAnImage(file: "a", found: "empty")) {
      try Image(decoding: [], named: "a")
    }
    #expect(throws: ImageError.notAnImage(file: "a", found: "of an unknown format")) {
      try Image(decoding: [1, 2, 3, 4], named: "a")
    }
  }
}
