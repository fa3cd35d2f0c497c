// Times upsampling and the best class in one pass beside libtorch's two steps, and their memory.
//
// usage: .build/release/upsampling-benchmark [STRIDE] [CLASSES]

import Evaluation
import Foundation
import Torch

/// The most memory since the last reset, and that of now, in MB.
func memory(_ key: String) -> Double {
  let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
  let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
  return (line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Double($0) } ?? 0)
    / 1024
}

func measured(_ name: String, repeats: Int = 10, _ body: () -> [UInt8]) -> [UInt8] {
  var classes = body()
  var times: [Double] = []
  var extra = 0.0
  for _ in 0..<repeats {
    classes = []
    // Makes the largest resident size begin anew.
    try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    let before = memory("VmRSS")
    let start = ContinuousClock.now
    classes = body()
    times.append((ContinuousClock.now - start) / .milliseconds(1))
    extra = max(extra, memory("VmHWM") - before)
  }
  print(
    String(
      format: "%@: %.1f ms (median), %.1f MB of memory beside the network's scores", name,
      times.sorted()[repeats / 2], extra))
  return classes
}

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let stride = arguments.first ?? 8
let classes = arguments.dropFirst().first ?? 19
let (height, width) = (1024, 2048)
inferenceMode {
  for format in [MemoryFormat.channelsLast, .contiguous] {
    let drawn = Tensor(filledWith: 0, [1, classes, height / stride, width / stride])
    drawn.drawNormal(deviation: 3)
    let scores = drawn.contiguous(format)
    print("\(classes) classes, stride \(stride), \(format), \(Engine.threads) threads")
    let whole = measured("  one pass") {
      ScoreFusion.classes(scores, width: width, height: height, alignCorners: false)
    }
    let steps = measured("  two steps") {
      scores.resized(height: height, width: width).argmax(1).to(.uint8).values(UInt8.self)
    }
    print("  pixels that differ: \(zip(whole, steps).count { $0 != $1 }) of \(whole.count)")
  }
}
