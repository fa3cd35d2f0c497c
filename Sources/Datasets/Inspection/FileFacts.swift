import Foundation
import Imaging

/// What there is to know of an image file, whatever its labels mean.
struct ImageFacts: Codable, Sendable {
  /// The columns and rows; 0 if the file is no image.
  var width = 0, height = 0
  /// Two numbers that equal pixels share and different pixels practically never.
  var digest: [UInt64] = []
  /// The sums of the levels of red, green and blue.
  var sums: [UInt64] = []
  /// The sums of the squares of the levels.
  var squares: [UInt64] = []
  /// Of images of levels: how many of each band are there, their sums and the sums of their squares.
  var levelCounts: [Double]?, levelSums: [Double]?, levelSquares: [Double]?
  /// The pixels of which nothing was measured.
  var missing: Int64?
  /// The orientation that a camera noted, 1 to 8; 1 for none.
  var orientation = 1
  /// Why the file cannot be read.
  var failure: String?

  init(failure: any Error) { self.failure = "\(failure)" }

  init(_ image: Image, orientation: Int) {
    self.orientation = orientation
    (width, height) = (image.width, image.height)
    digest = Self.digest(of: image)
    var first = SIMD3<UInt64>()
    var second = SIMD3<UInt64>()
    image.pixels.withUnsafeBufferPointer { pixels in
      for i in stride(from: 0, to: pixels.count / 3 * 3, by: 3) {
        let level = SIMD3(UInt64(pixels[i]), UInt64(pixels[i + 1]), UInt64(pixels[i + 2]))
        first &+= level
        second &+= level &* level
      }
    }
    sums = [first.x, first.y, first.z]
    squares = [second.x, second.y, second.z]
  }

  /// The facts of an image of which nothing has been looked at.
  init(_ size: Size) { (width, height) = (size.width, size.height) }

  /// Adds what a strip holds, from top to bottom.
  mutating func add(_ strip: Image) {
    let own = Self.digest(of: strip)
    digest = digest.isEmpty ? own : zip(digest, own).map { ($0 &* 0x9E37_79B9_7F4A_7C15) ^ $1 }
    guard strip.levels != nil else {
      let facts = ImageFacts(strip, orientation: 1)
      sums = sums.isEmpty ? facts.sums : zip(sums, facts.sums).map { $0 &+ $1 }
      squares = squares.isEmpty ? facts.squares : zip(squares, facts.squares).map { $0 &+ $1 }
      return
    }
    var all = LevelSums(
      counts: levelCounts ?? [], sums: levelSums ?? [], squares: levelSquares ?? [])
    all.add(strip)
    (levelCounts, levelSums, levelSquares) = (all.counts, all.sums, all.squares)
    missing = (missing ?? 0) + Int64(strip.missing?.count { $0 } ?? 0)
  }

  /// Two sums of products over the words of the picture, in the manner of wyhash: fast, and no guard
  /// against somebody who wants two pictures to agree.
  private static func digest(of image: Image) -> [UInt64] {
    func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 {
      let product = a.multipliedFullWidth(by: b)
      return product.high ^ product.low
    }
    var first = mixed(UInt64(image.width) | 1 << 32, 0xA076_1D64_78BD_642F)
    var second = mixed(UInt64(image.height) | 1 << 33, 0xE703_7ED1_A0B4_28DB)
    func take(_ bytes: UnsafeRawBufferPointer) {
      let words = bytes.count / 8
      for i in 0..<words {
        let word = bytes.loadUnaligned(fromByteOffset: 8 * i, as: UInt64.self)
        first = mixed(first ^ word, 0x8EBC_6AF0_9C88_C6E3)
        second = mixed(second ^ word, 0x5899_65CC_7537_4CC3)
      }
      for i in 8 * words..<bytes.count {
        first = mixed(first ^ UInt64(bytes[i]), 0x1D8E_4E27_C47D_124F)
        second = mixed(second ^ UInt64(bytes[i]), 0xEB44_ACCA_B455_D165)
      }
    }
    if let levels = image.levels {
      levels.values.withUnsafeBytes(take)
    } else {
      image.pixels.withUnsafeBytes(take)
    }
    return [first, second]
  }
}

/// What there is to know of a label file, whatever its values mean.
struct LabelFacts: Codable, Sendable {
  /// A value that occurs: how often, and where first in reading order.
  struct Value: Codable, Sendable {
    var value: Int
    var count: Int64
    var first: Int
  }

  /// The columns and rows; 0 if the file has no labels.
  var width = 0, height = 0
  /// The values that occur, ascending.
  var values: [Value] = []
  /// Why the file cannot be read.
  var failure: String?

  init(failure: any Error) { self.failure = "\(failure)" }

  init(_ label: LabelImage) {
    (width, height) = (label.width, label.height)
    add(label, from: 0)
  }

  /// The facts of labels of which nothing has been looked at.
  init(_ size: Size) { (width, height) = (size.width, size.height) }

  /// Adds what rows of the labels hold; `row` is the first.
  mutating func add(_ label: LabelImage, from row: Int) {
    var counts = [Int64](repeating: 0, count: 65_536)
    var firsts = [Int](repeating: 0, count: 65_536)
    label.values.withUnsafeBufferPointer { values in
      for i in values.indices {
        let value = Int(values[i])
        if counts[value] == 0 { firsts[value] = i }
        counts[value] += 1
      }
    }
    for value in values {
      if counts[value.value] == 0 || value.first < firsts[value.value] + row * width {
        firsts[value.value] = value.first - row * width
      }
      counts[value.value] += value.count
    }
    values = counts.indices.compactMap {
      counts[$0] > 0
        ? Value(value: $0, count: counts[$0], first: firsts[$0] + row * width) : nil
    }
  }
}
