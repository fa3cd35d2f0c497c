import Foundation
import TestSupport

@testable import Imaging

/// Noise that is the same on every run.
typealias Noise = SeededNumbers

extension SeededNumbers {
  /// A whole number from 0 to `limit` - 1.
  mutating func integer(below limit: Int) -> Int { Int(next() % UInt64(max(limit, 1))) }
}

/// How many mutations of a file are tried: `usual` ones, or as many as `Benchmarks/fuzz/images.sh` asks for.
func mutationCount(_ usual: Int) -> Int {
  ProcessInfo.processInfo.environment["ATROUS_FUZZ"].flatMap { Int($0) } ?? usual
}

/// A picture of noise.
func noise(_ width: Int, _ height: Int, channels: Int = 3, seed: UInt64 = 1) -> Image {
  var random = Noise(seed)
  return Image(
    width: width, height: height, channels: channels,
    pixels: (0..<width * height * channels).map { _ in UInt8(random.integer(below: 256)) })
}

/// The files that Pillow 13 wrote of a picture of 5 columns and 4 rows whose pixel (x, y) is
/// (50 x, 60 y, 20 x y); of 50 x + y in 8 bits, of 13000 x + y in 16 bits, and of the index
/// (x + y) mod 2, 4 and 16 with the colours (10 i, 5 i, 255 - i).
enum Written {
  static let webP = file("UklGRiwAAABXRUJQVlA4TB8AAAAvBMAAALkyRPQ/dhHR/4BAIAlsf7QZRmYoIiBJQZIHAA==")
  static let tiff = file(
    """
    SUkqAEYAAACAACBDKBGSBJaBMiBAAeAAZDwKGQeChLDweMgeFAAHiHHgUGQ8FBLHg8Mg8KAALSHLQeGRaHhLLRaM
    haPCAgoAAAEDAAEAAAAFAAAAAQEDAAEAAAAEAAAAAgEDAAMAAADEAAAAAwEDAAEAAAAFAAAABgEDAAEAAAACAAAA
    EQEEAAEAAAAIAAAAFQEDAAEAAAADAAAAFgEDAAEAAAAEAAAAFwEEAAEAAAA+AAAAHAEDAAEAAAABAAAAAAAAAAgA
    CAAIAA==
    """)
  static let tiffGrey = file(
    """
    SUkqACYAAAB4nGMwSpl2gtE4dfpJJpO0GaeYTdNnngYASwoH7wAJAAABAwABAAAABQAAAAEBAwABAAAABAAAAAIB
    AwABAAAACAAAAAMBAwABAAAACAAAAAYBAwABAAAAAQAAABEBBAABAAAACAAAABYBAwABAAAABAAAABcBBAABAAAA
    HQAAABwBAwABAAAAAQAAAAAAAAA=
    """)
  static let tiffGrey16 = file(
    """
    SUkqADgAAACAAAAMgZJAylhMCBlgEAMkZJEyllMCFlgIAMoZJIylpMCJlgMAMsZJMyltMCNlwEAJAAABAwABAAAA
    BQAAAAEBAwABAAAABAAAAAIBAwABAAAAEAAAAAMBAwABAAAABQAAAAYBAwABAAAAAQAAABEBBAABAAAACAAAABYB
    AwABAAAABAAAABcBBAABAAAAMAAAABwBAwABAAAAAQAAAAAAAAA=
    """)
  /// Indexed PNG by the number of bits of an index.
  static let indexed = [
    1: file(
      """
      iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEAQMAAAB8/WcDAAAABlBMVEUAAP8KBf5RhxG2AAAAEElEQVR4nGMIYFjB
      EMCwAgAHGAHx2SFeGgAAAABJRU5ErkJggg==
      """),
    2: file(
      """
      iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEAgMAAAA7XR3TAAAADFBMVEUAAP8KBf4UCv0eD/y+8Z8oAAAAFElEQVR4
      nGOQZmAJvMLiKsJ47BcADfcDY5aile8AAAAASUVORK5CYII=
      """),
    4: file(
      """
      iVBORw0KGgoAAAANSUhEUgAAAAUAAAAEBAMAAAC0HehzAAAAMFBMVEUAAP8KBf4UCv0eD/woFPsyGfo8HvlGI/hQ
      KPdaLfZkMvVuN/R4PPOCQfKMRvGWS/AdDImnAAAAEUlEQVR4nGNkVJJlEhQUgGEABzsA3vU0jUUAAAAASUVORK5C
      YII=
      """),
  ]
  /// Grey with opacity: (50 x, 255 - y).
  static let greyAlpha = file(
    """
    iVBORw0KGgoAAAANSUhEUgAAAAUAAAAECAQAAADsOj3LAAAAFklEQVR4nGNk+G/EAIEsDP8ZoAA7EwCEqgTSxa28
    2AAAAABJRU5ErkJggg==
    """)
  /// Any picture of 16 columns and rows, with loss.
  static let webPLossy = file(
    """
    UklGRmgAAABXRUJQVlA4IFwAAACQAgCdASoQABAAAMASJbACdLoB+ABWAAm7lfJmAAD+//4vLrS4LkRK86D01HnZ
    zGi6mzq/EINxjN4X3/5dKdn15f9e/cpNF4pKj/tb+76G3/cUv3yfnGBM7XLwAA==
    """)

  private static func file(_ base64: String) -> [UInt8] {
    Array(Data(base64Encoded: base64, options: .ignoreUnknownCharacters) ?? Data())
  }

  /// The picture in colours.
  static let picture = Image(
    width: 5, height: 4,
    pixels: (0..<20).flatMap { i -> [UInt8] in
      let (x, y) = (i % 5, i / 5)
      return [50 * x, 60 * y, 20 * x * y].map { UInt8(truncatingIfNeeded: $0) }
    })
}

/// A PNG whose checksums are right again after a change.
func resealed(_ png: [UInt8]) -> [UInt8] {
  var bytes = png
  var position = 8
  while position + 12 <= bytes.count {
    let length = bytes[position..<position + 4].reduce(0) { (sum: Int, byte) in sum << 8 | Int(byte)
    }
    let end = position + 8 + length
    guard end + 4 <= bytes.count else { break }
    let sum = crc(bytes[(position + 4)..<end])
    for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: sum >> (24 - 8 * index)) }
    position = end + 4
  }
  return bytes
}

/// The checksum of PNG's chunks (ISO 3309).
private func crc(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var sum = UInt32.max
  for byte in bytes {
    sum ^= UInt32(byte)
    for _ in 0..<8 {
      let isOdd = sum & 1 == 1
      sum >>= 1
      if isOdd { sum ^= 0xEDB8_8320 }
    }
  }
  return ~sum
}
