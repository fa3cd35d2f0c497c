// Times the convolutions of the tests' table with every instruction set, beside libtorch's own.
//
// usage: .build/release/convolution-benchmark [SCALE] [THREADS]

import Foundation
import TestSupport
import Torch

/// The median milliseconds of `body`.
func milliseconds(_ body: () -> Void) -> Double {
  body()
  let times = (0..<9).map { _ in
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start) / .milliseconds(1)
  }
  return times.sorted()[times.count / 2]
}

let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
let scale = arguments.first ?? 4
Engine.threads = arguments.dropFirst().first ?? 1
let (pack, convolve) = (
  Operator("pack", namespace: "atrous"), Operator("convolution", namespace: "atrous")
)
let none = Tensor?.none
print("ms, maps enlarged \(scale) times, threads: \(Engine.threads)")
print((["libtorch"] + Engine.kernelBuilds).joined(separator: "\t"))
inferenceMode {
  for size in ConvolutionCase.packed {
    let x = Tensor(uninitialized: [
      size.images, size.inputs, size.height * scale, size.width * scale,
    ]).contiguous(.channelsLast)
    let weight = Tensor(uninitialized: [size.outputs, size.inputs, size.kernel, size.kernel])
    x.drawNormal()
    weight.drawNormal()
    let theirs = milliseconds {
      _ = x.conv2d(
        weight, stride: [size.stride, size.stride], padding: [size.padding, size.padding],
        dilation: [size.rate, size.rate])
    }
    let ours = Engine.kernelBuilds.map { build in
      let packed = pack(weight, build)
      return milliseconds {
        _ = convolve(
          x, packed, size.outputs, size.kernel, size.stride, size.rate, none, none, false, none,
          none, "none")
      }
    }
    let times = ([theirs] + ours).map { String(format: "%.3f", $0) }.joined(separator: "\t")
    print("\(times)\t\(size)")
  }
}
