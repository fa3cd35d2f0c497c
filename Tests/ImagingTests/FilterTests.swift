import Files
import TestSupport
import Testing

@testable import Imaging

@Suite("Filters of PNG")
struct FilterTests {
  /// Rows as a label file has them: long runs that mostly go on in the next row, and single values.
  private func rows(_ width: Int, _ height: Int, _ step: Int, _ random: inout Noise) -> [[UInt8]] {
    var rows: [[UInt8]] = []
    for y in 0..<height {
      var row = y > 0 ? rows[y - 1] : [UInt8](repeating: 0, count: width * step)
      for _ in 0..<random.integer(below: 3) {
        let value = (0..<step).map { _ in UInt8(random.integer(below: 256)) }
        let start = random.integer(below: width)
        let end = start + 1 + random.integer(below: random.integer(below: 2) == 0 ? 1 : width)
        for x in start..<min(end, width) {
          row.replaceSubrange(x * step..<(x + 1) * step, with: value)
        }
      }
      rows.append(row)
    }
    return rows
  }

  /// The specification's definition (section 9), byte by byte.
  private func filtered(_ rows: [[UInt8]], _ step: Int, by kind: (Int) -> UInt8) -> [UInt8] {
    var bytes: [UInt8] = []
    for (y, row) in rows.enumerated() {
      bytes.append(kind(y))
      for i in row.indices {
        let a = i < step ? 0 : Int(row[i - step])
        let b = y == 0 ? 0 : Int(rows[y - 1][i])
        let c = y == 0 || i < step ? 0 : Int(rows[y - 1][i - step])
        let guess: Int
        switch kind(y) {
        case 1: guess = a
        case 2: guess = b
        case 3: guess = (a + b) / 2
        case 4:
          let p = a + b - c
          guess = [a, b, c].min { abs($0 - p) < abs($1 - p) } ?? 0
        default: guess = 0
        }
        bytes.append(UInt8(truncatingIfNeeded: Int(row[i]) - guess))
      }
    }
    return bytes
  }

  @Test(
    "all five are undone, alone and mixed, for pixels of one to three bytes", arguments: [1, 2, 3])
  func undone(step: Int) {
    var random = Noise(UInt64(step))
    for width in [1, 2, 3, 7, 8, 9, 16, 33, 100] {
      let rows = rows(width, 12, step, &random)
      let expected = rows.flatMap { [UInt8(0)] + $0 }
      let mixed = (0..<12).map { _ in UInt8(random.integer(below: 5)) }
      for kind in 0...5 {
        var bytes = filtered(rows, step) { kind < 5 ? UInt8(kind) : mixed[$0] }
        #expect(Filters.undo(&bytes, stride: width * step + 1, step: step))
        for y in 0..<12 { bytes[y * (width * step + 1)] = 0 }
        #expect(bytes == expected, "filter \(kind), \(width) values")
      }
    }
  }

  @Test("noise too, and a filter that does not exist is told")
  func noise() {
    var random = Noise(7)
    let rows = (0..<9).map { _ in (0..<48).map { _ in UInt8(random.integer(below: 256)) } }
    for step in [1, 2, 3] {
      for kind in UInt8(1)...4 {
        var bytes = filtered(rows, step) { _ in kind }
        #expect(Filters.undo(&bytes, stride: 49, step: step))
        #expect(bytes == rows.flatMap { (row: [UInt8]) in [kind] + row })
      }
    }
    var bytes: [UInt8] = [0, 1, 2, 5, 1, 2]
    #expect(!Filters.undo(&bytes, stride: 3, step: 1))
  }

  @Test("labels of 8 bits are read as bytes, others and damaged ones are left to the whole reader")
  func bytes() throws {
    let folder = try TemporaryFolder()
    let values = (0..<300).map { UInt16($0 * $0 % 251) }
    let labels = LabelImage(width: 20, height: 15, values: values)
    let file = "\(folder.path)/a.png"
    for palette in [nil, colors] {
      try labels.writePNG(to: file, palette: palette)
      #expect(try ByteLabels(contentsOf: file)?.values == values.map { UInt8($0) })
    }
    #expect(throws: ImageError.self) { try ByteLabels(contentsOf: file, budget: 100) }
    try LabelImage(width: 20, height: 15, values: values.map { $0 + 1000 }).writePNG(to: file)
    #expect(try ByteLabels(contentsOf: file) == nil)
    var damaged = try labels.png()
    damaged[damaged.count - 20] ^= 1
    try AtomicFile.write(file, damaged)
    #expect(try ByteLabels(contentsOf: file) == nil)
    #expect(throws: ImageError.self) { try LabelImage(contentsOf: file) }
  }

  private var colors: [Color]? { (0..<256).map { Color(UInt8($0), 9, 3) } }
}
