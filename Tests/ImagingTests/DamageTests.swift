import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Files that nobody should have to cope with: they are refused or read, and nothing crashes.
@Suite("Damaged files")
struct DamageTests {
  /// A file of every kind that is read.
  static let files: [(name: String, bytes: [UInt8])] = {
    let image = noise(24, 18)
    let labels = LabelImage(
      width: 24, height: 18, values: image.pixels.prefix(432).map { UInt16($0) })
    let wide = LabelImage(width: 24, height: 18, values: labels.values.map { $0 * 200 })
    let header = "24 18 255\n"
    /// An encoder that fails leaves its file out, which a test counts.
    func encoded(_ body: () throws -> [UInt8]) -> [UInt8]? { try? body() }  // may fail: counted
    let good: [(String, [UInt8]?)] = [
      ("RGB.png", encoded { try image.png() }),
      ("RGBA.png", encoded { try noise(24, 18, channels: 4).png() }),
      (
        "indexed.png", encoded { try labels.png(palette: (0..<256).map { Color(UInt8($0), 0, 9) }) }
      ),
      ("grey16.png", encoded { try wide.png() }), ("bits.png", Written.indexed[2]),
      ("photo.jpg", encoded { try image.jpeg() }),
      ("small.jpg", encoded { try image.jpeg(quality: 60) }),
      ("lossless.webp", Written.webP), ("lossy.webp", Written.webPLossy),
      ("RGB.tif", Written.tiff), ("grey.tif", Written.tiffGrey),
      ("grey16.tif", Written.tiffGrey16),
      ("colours.ppm", Array("P6 \(header)".utf8) + image.pixels),
      ("grey.pgm", Array("P5 \(header)".utf8) + image.pixels.prefix(432)),
    ]
    return good.compactMap { name, bytes in bytes.map { (name, $0) } }
  }()

  @Test("there is a file of every kind")
  func complete() { #expect(Self.files.count == 14) }

  /// Reads a file in all ways; false if it is refused by name, and an issue for any other error.
  private func isRead(_ bytes: [UInt8], _ name: String) -> Bool {
    let budget = 1 << 20
    var isRead = true
    do {
      let size = try ImageInfo(bytes, named: name).size
      let image = try Image(decoding: bytes, named: name, budget: budget)
      #expect(image.size == size)
      #expect(image.pixels.count <= budget)
    } catch let error as ImageError {
      #expect(error.description.hasPrefix("\(name): "))
      isRead = false
    } catch { Issue.record("\(error)") }
    do {
      _ = try LabelImage(
        decoding: bytes, named: name, colors: [Color(0, 0, 0): 0], budget: budget)
    } catch is ImageError {} catch { Issue.record("\(error)") }
    return isRead
  }

  @Test("whole files are read", arguments: files.map(\.name))
  func whole(name: String) throws {
    #expect(Self.files.count == 14)
    #expect(isRead(try bytes(name), name))
  }

  private func bytes(_ name: String) throws -> [UInt8] {
    try #require(Self.files.first { $0.name == name }).bytes
  }

  /// A PNG's pixels end before its last chunk, and what lies behind a TIFF's directory may be spare.
  @Test("a file that ends too early is refused", arguments: files.map(\.name))
  func cutShort(name: String) throws {
    let bytes = try bytes(name)
    let end = bytes.count - (name.hasSuffix("png") || name.hasSuffix("tif") ? 24 : 1)
    let step = max(1, end / 60)
    for length in Array(stride(from: 0, to: end, by: step)) + [end] {
      #expect(!isRead(Array(bytes.prefix(length)), name), "\(length) of \(bytes.count) bytes")
    }
  }

  @Test("files with changed bytes are read or refused", arguments: files.map(\.name))
  func mutated(name: String) throws {
    let original = try bytes(name)
    var random = Noise(UInt64(original.count))
    var refused = 0
    let count = mutationCount(300)
    for round in 0..<count {
      var bytes = original
      switch round % 4 {
      case 0:  // some bytes anywhere
        for _ in 0...random.integer(below: 6) {
          bytes[random.integer(below: bytes.count)] = UInt8(random.integer(below: 256))
        }
      case 1:  // a bit in the header
        bytes[random.integer(below: min(64, bytes.count))] ^= 1 << UInt8(random.integer(below: 8))
      case 2:  // an extreme number in the header
        let at = random.integer(below: min(80, bytes.count - 4))
        let value = [[0, 0, 0, 0], [255, 255, 255, 255], [127, 255, 255, 255], [0, 0, 0, 1]][
          random.integer(below: 4)]
        bytes.replaceSubrange(at..<at + 4, with: value.map { UInt8($0) })
      default:  // a part left out or twice there
        let at = random.integer(below: bytes.count)
        let end = min(bytes.count, at + 1 + random.integer(below: 40))
        if round % 8 == 3 {
          bytes.removeSubrange(at..<end)
        } else {
          bytes.insert(contentsOf: bytes[at..<end], at: at)
        }
      }
      // Without right checksums a PNG would be refused before anything is looked at.
      if name.hasSuffix("png") && round % 3 > 0 { bytes = resealed(bytes) }
      if !isRead(bytes, name) { refused += 1 }
    }
    #expect(refused > count / 20, "\(refused) of \(count)")
  }

  @Test("20,000×20,000 pixels beyond the budget are refused by the header, in every format")
  func budget() throws {
    let side = 20_000
    let big: [UInt8] = [0, 0, 0x4E, 0x20]
    var png = try noise(4, 4).png()
    png.replaceSubrange(16..<24, with: big + big)
    var jpeg = try noise(16, 16).jpeg()
    let marker: [UInt8] = [0xFF, 0xC0]
    let frame = try #require((0..<jpeg.count - 1).first { jpeg[$0...].starts(with: marker) })
    jpeg.replaceSubrange((frame + 5)..<(frame + 9), with: [0x4E, 0x20, 0x4E, 0x20])
    var tiff = Written.tiffGrey
    for tag in [UInt8(0), 1] {
      let start: [UInt8] = [tag, 1, 3, 0]
      let entry = try #require((0..<tiff.count - 12).first { tiff[$0...].starts(with: start) })
      tiff.replaceSubrange((entry + 8)..<(entry + 10), with: [0x20, 0x4E])
    }
    let pnm = Array("P6 20000 20000 255\n".utf8)
    for (name, bytes) in [
      ("a.png", resealed(png)), ("a.jpg", jpeg), ("a.tif", tiff), ("a.ppm", pnm),
    ] {
      let expected = ImageError.tooLarge(
        file: name, width: side, height: side, needed: 3 * side * side, budget: defaultImageBudget)
      #expect(throws: expected) { try Image(decoding: bytes, named: name) }
      #expect(throws: expected) { try LabelImage(decoding: bytes, named: name) }
      #expect(try ImageInfo(bytes, named: name).size == Size(width: side, height: side))
    }
    let text = ImageError.tooLarge(
      file: "a", width: side, height: side, needed: 3 * side * side, budget: 1 << 30
    ).description
    #expect(text == "a: 20000x20000 pixels need 1.1 GiB, the memory budget is 1.0 GiB")
    let image = noise(10, 10)
    #expect(throws: ImageError.self) { try Image(decoding: image.png(), named: "a", budget: 299) }
    #expect(try Image(decoding: image.png(), named: "a", budget: 300) == image)
  }
}
