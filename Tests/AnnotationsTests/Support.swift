@testable import Annotations
import Foundation
import Imaging
import TestSupport

/// The folder of annotation exports in the shared data, if it is there.
let exports: String? = {
  let folder = "\(shared)/annotations"
  if FileManager.default.fileExists(atPath: "\(folder)/README.md") { return folder }
  print("\(folder) is not there: tests on exports of tools are skipped")
  return nil
}()

/// A generator of the same numbers each time.
struct Draws: RandomNumberGenerator {
  var state: UInt64
  init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}

/// A mask of regions with holes, single pixels, diagonal neighbours and what reaches the borders.
func randomMask(_ seed: Int) -> LabelImage {
  var draws = Draws(seed + 1)
  for _ in 0..<4 { _ = draws.next() }
  let (width, height) = (
    Int.random(in: 1...40, using: &draws), Int.random(in: 1...40, using: &draws)
  )
  let classes = Int.random(in: 1...4, using: &draws)
  func any(_ draws: inout Draws) -> UInt16 {
    let value = Int.random(in: 0...classes, using: &draws)
    return value == classes ? AnnotationSet.ignoredValue : UInt16(value)
  }
  var values = [UInt16](repeating: any(&draws), count: width * height)
  for _ in 0..<Int.random(in: 0...12, using: &draws) {
    // Rectangles, some of them frames.
    let (x0, x1) = (
      Int.random(in: 0..<width, using: &draws), Int.random(in: 0..<width, using: &draws)
    )
    let (y0, y1) = (
      Int.random(in: 0..<height, using: &draws), Int.random(in: 0..<height, using: &draws)
    )
    let (value, frame) = (any(&draws), Bool.random(using: &draws))
    for y in min(y0, y1)...max(y0, y1) {
      for x in min(x0, x1)...max(x0, x1)
      where !frame || y == min(y0, y1) || y == max(y0, y1) || x == min(x0, x1) || x == max(x0, x1) {
        values[y * width + x] = value
      }
    }
  }
  // Scattered pixels, from none to a salt of them.
  let salt: Double = [0.0, 0.02, 0.2, 0.6][Int.random(in: 0..<4, using: &draws)]
  for i in values.indices where Double.random(in: 0..<1, using: &draws) < salt {
    values[i] = any(&draws)
  }
  return LabelImage(width: width, height: height, values: values)
}
