import Foundation
import TestSupport
import Testing

@testable import Imaging

@Suite("PNG")
struct PNGTests {
  @Test("grey, RGB and RGBA come back", arguments: [1, 3, 4])
  func roundTrip(channels: Int) throws {
    let image = noise(13, 7, channels: channels)
    let back = try Image(decoding: image.png(), named: "a.png")
    #expect(back == image.rgb)
    if channels == 4 { #expect(back.pixels[3..<6] == image.pixels[4..<7]) }
  }

  @Test("pictures in RGB are those that libspng decodes, whichever filters the rows have")
  func plainPictures() throws {
    let smooth = Image(
      width: 61, height: 47,
      pixels: (0..<61 * 47 * 3).map { i in
        let (x, y, channel) = (i / 3 % 61, i / 183, i % 3)
        return UInt8((x * 3 + y * (channel + 1) + x * y / 40) & 255)
      })
    for image in [noise(13, 7, channels: 3), smooth, noise(1, 1, channels: 3)] {
      let bytes = try image.png()
      #expect(PNG.plainPicture(bytes) == image)
      for at in stride(from: 8, to: bytes.count, by: 7) {
        // A file that is not in order is left to libspng.
        var broken = bytes
        broken[at] ^= 0x10
        #expect(PNG.plainPicture(broken) == nil)
      }
    }
  }

  @Test("values of 8 and of 16 bits come back, each in the smallest file that holds them")
  func values() throws {
    var random = Noise(3)
    let narrow = LabelImage(width: 16, height: 16, values: (0..<256).map { UInt16($0) })
    let wide = LabelImage(
      width: 9, height: 4, values: (0..<36).map { _ in UInt16(random.integer(below: 65_536)) })
    for (labels, depth) in [(narrow, UInt8(8)), (wide, 16)] {
      let bytes = try labels.png()
      // Depth and colour type stand behind the size in the header.
      #expect(bytes[24..<26] == [depth, 0])
      #expect(try LabelImage(decoding: bytes, named: "a.png") == labels)
    }
  }

  @Test("with a palette labels are indices, and the same file is a picture in colours")
  func indexed() throws {
    let palette = (0..<256).map { Color(UInt8($0), UInt8(255 - $0), UInt8($0 / 2)) }
    let labels = LabelImage(width: 32, height: 8, values: (0..<256).map { UInt16($0) })
    let bytes = try labels.png(palette: palette)
    #expect(bytes[24..<26] == [8, 3])
    #expect(try LabelImage(decoding: bytes, named: "a.png") == labels)
    let picture = try Image(decoding: bytes, named: "a.png")
    #expect(picture.pixels == palette.flatMap { [$0.red, $0.green, $0.blue] })
  }

  @Test("a palette too short for the values goes on in black; values past 255 have none")
  func shortPalette() throws {
    let labels = LabelImage(width: 3, height: 1, values: [0, 1, 255])
    let bytes = try labels.png(palette: [Color(9, 8, 7)])
    #expect(try LabelImage(decoding: bytes, named: "a.png") == labels)
    let picture = try Image(decoding: bytes, named: "a.png")
    #expect(picture.pixels == [9, 8, 7, 0, 0, 0, 0, 0, 0])
    let wide = LabelImage(width: 2, height: 1, values: [0, 256])
    #expect(try LabelImage(decoding: wide.png(palette: [Color(1, 2, 3)]), named: "a") == wide)
  }

  @Test("indices of 1, 2 and 4 bits, whose rows end inside a byte", arguments: [1, 2, 4])
  func packed(bits: Int) throws {
    let bytes = try #require(Written.indexed[bits])
    let count = 1 << bits
    let expected = (0..<20).map { (i: Int) -> Int in (i % 5 + i / 5) % count }
    let colors = expected.flatMap { (i: Int) -> [Int] in [10 * i, 5 * i, 255 - i] }
    #expect(try LabelImage(decoding: bytes, named: "a.png").values.map(Int.init) == expected)
    let picture = try Image(decoding: bytes, named: "a.png")
    #expect(picture.pixels.map(Int.init) == colors)
  }

  @Test("16 bits become 8 in a picture and stay in labels")
  func sixteen() throws {
    let labels = LabelImage(width: 4, height: 1, values: [0, 0x1234, 0xFF00, 0xFFFF])
    let bytes = try labels.png()
    #expect(
      try Image(decoding: bytes, named: "a").pixels
        == [0, 0x12, 0xFF, 0xFF].flatMap { [$0, $0, $0] })
  }

  @Test("coloured labels need a table, and each colour must be in it")
  func colours() throws {
    let table = [Color(1, 2, 3): UInt16(7), Color(4, 5, 6): 300]
    let image = Image(width: 3, height: 1, pixels: [1, 2, 3, 4, 5, 6, 1, 2, 3])
    let bytes = try image.png()
    #expect(try LabelImage(decoding: bytes, named: "a", colors: table).values == [7, 300, 7])
    let opaque = Image(width: 2, height: 1, channels: 4, pixels: [1, 2, 3, 255, 4, 5, 6, 255])
    #expect(
      try LabelImage(decoding: opaque.png(), named: "a", colors: table).values == [7, 300])
    #expect(throws: ImageError.notLabels(file: "a", found: "a coloured PNG (RGB, 8 bits)")) {
      try LabelImage(decoding: bytes, named: "a")
    }
    #expect(throws: ImageError.unknownColor(file: "a", x: 1, y: 0, color: Color(4, 5, 6))) {
      try LabelImage(decoding: bytes, named: "a", colors: [Color(1, 2, 3): 7])
    }
    #expect(throws: ImageError.notLabels(file: "a", found: "an RGBA PNG that is not opaque")) {
      let clear = Image(width: 1, height: 1, channels: 4, pixels: [1, 2, 3, 0])
      return try LabelImage(decoding: clear.png(), named: "a", colors: table)
    }
    #expect(throws: ImageError.notLabels(file: "a", found: "a coloured PNG (RGB, 16 bits)")) {
      let deep = try [UInt8](repeating: 1, count: 6).withUnsafeBytes {
        try PNG.encoded($0, Size(width: 1, height: 1), colorType: 2, depth: 16, file: "a")
      }
      return try LabelImage(decoding: deep, named: "a", colors: table)
    }
    #expect(throws: ImageError.notLabels(file: "a", found: "a grey PNG with opacity")) {
      try LabelImage(decoding: Written.greyAlpha, named: "a", colors: table)
    }
    #expect(try Image(decoding: Written.greyAlpha, named: "a").pixels[3..<6] == [50, 50, 50])
  }
}
