import Testing
import Torch

@Suite("Depthwise convolutions")
struct DepthwiseTests {
  /// A convolution to check against the direct sum.
  struct Case: Sendable, CustomStringConvertible {
    var channels: Int, kernel = 3, stride = 1, rate = 1, end = 0
    var height: Int, width: Int, images = 1
    var description: String {
      "\(channels), \(kernel)×\(kernel), stride \(stride), rate \(rate), \(images)×\(height)×\(width)"
    }
    var padding: Int { rate * (kernel - 1) / 2 }
  }

  static let cases: [Case] = [
    .init(channels: 2, height: 5, width: 4),
    .init(channels: 17, stride: 2, height: 9, width: 7, images: 2),
    .init(channels: 35, kernel: 5, stride: 2, height: 13, width: 22),
    .init(channels: 16, kernel: 5, rate: 3, height: 11, width: 8, images: 2),
    // Several chunks of channels, several bands of rows.
    .init(channels: 200, kernel: 4, stride: 2, height: 60, width: 9),
    .init(channels: 152, height: 27, width: 5),
    // Steps that meet no tap, and a rate beyond the map.
    .init(channels: 24, kernel: 2, stride: 3, rate: 3, height: 50, width: 20),
    .init(channels: 33, rate: 12, height: 6, width: 7),
    .init(channels: 8, kernel: 5, rate: 9, height: 20, width: 41),
    .init(channels: 18, kernel: 3, stride: 2, end: 1, height: 8, width: 6),
    .init(channels: 40, kernel: 7, height: 7, width: 3),
  ]

  private let depthwise = Operator("depthwise", namespace: "atrous")
  private let convolution = Operator("convolution", namespace: "atrous")
  private let packKernels = Operator("pack", namespace: "atrous")
  private let expanded = Operator("expanded_depthwise", namespace: "atrous")
  private let pack = Operator("pack_depthwise", namespace: "atrous")
  private let prepared = Operator("prepared_depthwise", namespace: "atrous")

  /// The largest difference relative to the largest value.
  private func error(_ a: Tensor?, _ b: Tensor?) -> Double {
    guard let a, let b, a.shape == b.shape else { return .infinity }
    let (found, expected) = (a.floats, b.floats)
    let largest = expected.map { abs($0) }.max() ?? 0
    let difference = zip(found, expected).map { abs($0 - $1) }.max() ?? 0
    // What is no number is no match.
    return difference.isNaN ? .infinity : Double(difference / max(largest, 1e-30))
  }

  /// The outputs and the gradients of the inputs, the kernels and the bias.
  private func results(
    _ size: Case, _ x: Tensor, _ weight: Tensor, _ bias: Tensor, _ gradient: Tensor,
    _ convolve: (Tensor, Tensor, Tensor) -> Tensor
  ) -> [Tensor?] {
    let leaves = [x, weight, bias].map { $0.detached() }
    for leaf in leaves { leaf.requiresGrad = true }
    let y = convolve(leaves[0], leaves[1], leaves[2])
    y.backward(gradient.to(y.dtype))
    return [y.detached()] + leaves.map(\.gradient)
  }

  @Test("have the outputs and the gradients of double precision", arguments: cases)
  func gradients(_ size: Case) {
    let (x, weight, bias) = (
      noise([size.images, size.channels, size.height, size.width]),
      noise([size.channels, 1, size.kernel, size.kernel]), noise([size.channels])
    )
    let (stride, padding, rate, end) = (size.stride, size.padding, size.rate, size.end)
    func exact(_ x: Tensor, _ weight: Tensor, _ bias: Tensor) -> Tensor {
      x.padded([0, end, 0, end]).conv2d(
        weight, bias: bias, stride: [stride, stride], padding: [padding, padding],
        dilation: [rate, rate], groups: size.channels)
    }
    let gradient = noise(withoutGradients { exact(x, weight, bias) }.shape)
    // The inputs of bfloat16 are rounded beforehand, so that only sums and outputs are.
    let (roundedX, roundedGradient) = (
      x.to(.bfloat16).to(.float32), gradient.to(.bfloat16).to(.float32)
    )
    for (type, tolerance) in [(DType.float32, 2e-6), (.bfloat16, 0.005)] {
      let isWide = type == .float32
      let (x, gradient) = isWide ? (x, gradient) : (roundedX, roundedGradient)
      let expected = results(
        size, x.to(.float64), weight.to(.float64), bias.to(.float64), gradient, exact)
      for instructions in ["", "avx512", "avx2", "portable"] {
        for format in [MemoryFormat.contiguous, .channelsLast] {
          guard
            let found = try? attempt({
              results(size, x.to(type).contiguous(format), weight, bias, gradient) {
                depthwise($0, $1, $2, stride, padding, end, rate, instructions)
              }
            })
          else {
            #expect(["avx512", "avx2"].contains(instructions))
            continue
          }
          #expect(found[0]?.dtype == type && found[2]?.dtype == .float32)
          for (index, (a, b)) in zip(found, expected).enumerated() {
            // The gradients of kernels and bias are sums in float32 of exact products.
            #expect(error(a, b) < (index < 2 ? tolerance : 1e-5))
          }
        }
      }
    }
  }

  @Test("give the same after an expansion without a map in between", arguments: cases)
  func expansions(_ size: Case) throws {
    let x = noise([size.images, 21, size.height, size.width]).contiguous(.channelsLast)
    let weight = noise([size.channels, 21, 1, 1])
    let (before, bias) = (noise([size.channels]), noise([size.channels]))
    let taps = pack(noise([size.channels, 1, size.kernel, size.kernel]))
    for instructions in ["avx512", "avx2", "portable"] {
      guard let kernels = try? attempt({ packKernels(weight, instructions) }) else { continue }
      let wide = convolution(
        x, kernels, size.channels, 1, 1, 1, Tensor?.none, Tensor?.none, false, before, Tensor?.none,
        "relu6")
      let expected = prepared(
        wide, taps, size.kernel, size.stride, size.padding, size.end, size.rate, bias, Tensor?.none,
        "hardswish", instructions)
      let found = expanded(
        x, kernels, size.channels, before, "relu6", taps, size.kernel, size.stride, size.padding,
        size.end, size.rate, bias, "hardswish")
      #expect(error(found, expected) < 1e-6)
      #expect(expected.floats.contains { $0 != 0 })
    }
  }

  @Test("follow large expansions in prepared networks", arguments: [1, 2])
  func preparedExpansions(_ stride: Int) {
    let expand = ConvNorm(8, 72, kernel: 1, .relu6)
    let unit = ConvNorm(72, 72, stride: stride, groups: 72, .hardswish)
    let net = Sequential {
      expand
      unit
    }
    net.train(false)
    withoutGradients {
      for norm in [expand.norm, unit.norm].compactMap({ $0 as? BatchNorm2d }) {
        norm.runningMean.drawNormal()
        norm.runningVar.drawUniform(0.5, 2)
      }
      // More than stays in the caches, and less.
      for size in [130, 9] {
        let x = noise([1, 8, size, size + 1])
        let plain = unit(x, after: expand)
        net.prepared()
        #expect(error(unit(x, after: expand), plain) < 1e-5)
        net.unprepare()
      }
    }
  }

  @Test("refuse expansions of other channels")
  func expansionRefusals() {
    let kernels = packKernels(noise([16, 21, 1, 1]), "")
    let taps = pack(noise([16, 1, 3, 3]))
    func expand(_ inputs: Int, _ width: Int, _ taps: Tensor) throws {
      _ = try attempt {
        expanded(
          noise([1, inputs, 5, 5]), kernels, width, Tensor?.none, "none", taps, 3, 1, 1, 0, 1,
          Tensor?.none, "none")
      }
    }
    #expect(throws: Never.self) { try expand(21, 16, taps) }
    #expect(throws: TorchError.self) { try expand(20, 16, taps) }
    #expect(throws: TorchError.self) { try expand(21, 17, taps) }
    #expect(throws: TorchError.self) { try expand(21, 16, noise([8])) }
  }

  @Test("add, activate and stand alone in prepared networks", arguments: cases)
  func preparedUnits(_ size: Case) throws {
    let x = noise([size.images, size.channels, size.height, size.width])
    let conv = Conv2d(
      size.channels, size.channels, kernel: size.kernel, stride: size.stride,
      padding: size.padding, endPadding: size.end, dilation: size.rate, groups: size.channels)
    let norm = BatchNorm2d(size.channels)
    withoutGradients {
      norm.runningMean.drawNormal()
      norm.runningVar.drawUniform(0.5, 2)
    }
    let net = Sequential {
      conv
      norm
    }
    net.train(false)
    let shortcut = noise(withoutGradients { conv(x) }.shape)
    func units(_ x: Tensor) -> [Tensor] {
      withoutGradients {
        [conv(x), conv(x, norm, .hardswish), conv(x, norm, adding: shortcut, .relu6)]
      }
    }
    let plain = units(x)
    net.prepared()
    for layout in [x, x.contiguous(.channelsLast)] {
      for (a, b) in zip(units(layout), plain) { #expect(error(a, b) < 1e-5) }
    }
  }

  @Test("have the same gradients with any number of threads, each time")
  func determinism() {
    let (x, weight) = (noise([2, 70, 61, 40]), noise([70, 1, 5, 5]))
    let before = Engine.threads
    defer { Engine.threads = before }
    func gradients(_ threads: Int) -> [[Float]] {
      Engine.threads = threads
      let leaves = [x.detached(), weight.detached()]
      for leaf in leaves { leaf.requiresGrad = true }
      let y = depthwise(leaves[0], leaves[1], Tensor?.none, 2, 2, 0, 1)
      (y * y).sum().backward()
      return leaves.map { $0.gradient?.floats ?? [] }
    }
    let one = gradients(1)
    #expect(one.allSatisfy { !$0.isEmpty })
    for threads in [1, 2, 3] { #expect(gradients(threads) == one) }
  }

  @Test("refuse what they have no kernels for")
  func refusals() {
    let (x, weight) = (noise([1, 8, 5, 5]), noise([8, 1, 3, 3]))
    let none = Tensor?.none
    for call in [
      { depthwise(x, noise([9, 1, 3, 3]), none, 1, 1, 0, 1) },
      { depthwise(x, noise([8, 2, 3, 3]), none, 1, 1, 0, 1) },
      { depthwise(x, weight, none, 0, 1, 0, 1) },
      { depthwise(x, weight, none, 1, 0, 0, 4) },
      { depthwise(x.to(.float64), weight, none, 1, 1, 0, 1) },
      { depthwise(x, weight, none, 1, 1, 0, 1, "mmx") },
      { pack(noise([8, 2, 3, 3])) },
      { prepared(noise([1, 40, 5, 5]), pack(weight), 3, 1, 1, 0, 1, none, none, "none") },
      { prepared(x, pack(weight), 3, 1, 1, 0, 1, none, noise([1, 8, 4, 5]), "none") },
      {
        prepared(x.to(.bfloat16), pack(weight), 3, 1, 1, 0, 1, none, noise([1, 8, 5, 5]), "none")
      },
    ] as [() -> Tensor] {
      #expect(throws: TorchError.self) { try attempt { call() } }
    }
  }
}
