import Imaging

/// Runs down the columns of an image, as COCO has them: first pixels that do not belong, then such that do,
/// and so on.
enum Runs {
  /// Fills what the runs say belongs.
  ///
  /// - Throws: ``AnnotationError`` where they are not those of an image of this size: pycocotools decodes
  ///   such runs without a word, to another picture.
  static func fill(
    _ counts: [UInt32], on canvas: inout PixelCanvas, _ value: UInt16, _ file: String,
    _ place: String
  ) throws {
    let (width, height) = (canvas.width, canvas.height)
    let total = counts.reduce(0) { $0 + Int($1) }
    guard total == width * height else {
      throw AnnotationError(
        file, place, found: "has runs of \(total) pixels",
        expected: "\(width * height), those of an image of \(width)×\(height)")
    }
    canvas.pixels.withUnsafeMutableBufferPointer { pixels in
      var (x, y) = (0, 0)
      for (i, count) in counts.enumerated() {
        var left = Int(count)
        while left > 0 {
          let part = min(left, height - y)
          if i % 2 == 1 {
            var at = y * width + x
            for _ in 0..<part {
              pixels[at] = value
              at += width
            }
          }
          left -= part
          y += part
          if y == height { (x, y) = (x + 1, 0) }
        }
      }
    }
  }

  /// The runs of the pixels that have a value.
  static func counts(of canvas: PixelCanvas, where value: UInt16) -> [UInt32] {
    var counts: [UInt32] = []
    var (isInside, length) = (false, UInt32(0))
    for x in 0..<canvas.width {
      for y in 0..<canvas.height {
        if (canvas.pixels[y * canvas.width + x] == value) != isInside {
          counts.append(length)
          (isInside, length) = (!isInside, 0)
        }
        length += 1
      }
    }
    counts.append(length)
    return counts
  }

  /// The runs in a text of COCO's: five bits and a sign a letter, each run from the third on as its
  /// difference to the one before the last.
  ///
  /// - Returns: nil where the text is none.
  static func decoded(_ text: String) -> [UInt32]? {
    var counts: [Int] = []
    let bytes = Array(text.utf8)
    var at = 0
    while at < bytes.count {
      var (value, shift) = (0, 0)
      while true {
        guard at < bytes.count, (48..<112).contains(bytes[at]), shift < 40 else { return nil }
        let bits = Int(bytes[at]) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        at += 1
        guard bits & 0x20 == 0 else { continue }
        if bits & 0x10 != 0 { value |= -1 << shift }
        break
      }
      if counts.count > 2 { value += counts[counts.count - 2] }
      guard (0...Int(UInt32.max)).contains(value) else { return nil }
      counts.append(value)
    }
    return counts.map { UInt32($0) }
  }

  /// The text of runs.
  static func encoded(_ counts: [UInt32]) -> String {
    var bytes: [UInt8] = []
    for (i, count) in counts.enumerated() {
      var value = Int(count) - (i > 2 ? Int(counts[i - 2]) : 0)
      while true {
        let bits = value & 0x1F
        value >>= 5
        let isLast = bits & 0x10 != 0 ? value == -1 : value == 0
        bytes.append(UInt8(bits | (isLast ? 0 : 0x20)) + 48)
        if isLast { break }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
