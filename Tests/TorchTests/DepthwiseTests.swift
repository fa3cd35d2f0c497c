import TestSupport
import Testing
import Torch

@Suite("Depthwise convolutions")
struct DepthwiseTests {
  private let depthwise = Operator("depthwise", namespace: "atrous")
  private let convolution = Operator("convolution", namespace: "atrous")
  private let packKernels = Operator("pack", namespace: "atrous")
  private let expanded = Operator("expanded_depthwise", namespace: "atrous")
  private let pack = Operator("pack_depthwise", namespace: "atrous")
  private let prepared = Operator("prepared_depthwise", namespace: "atrous")

  @Test(
    "have the outputs and the gradients of double precision", arguments: ConvolutionCase.depthwise)
  func gradients(_ size: ConvolutionCase) {
    let inputs = [size.image, size.weight, noise([size.outputs])]
    func exact(_ x: [Tensor]) -> Tensor { size.sum(x[0], x[1], x[2]) }
    let gradient = noise(withoutGradients { exact(inputs) }.shape)
    for (type, tolerance) in [(DType.float32, 2e-6), (.bfloat16, 0.005)] {
      // The inputs of bfloat16 are rounded beforehand, so that only sums and outputs are.
      let x = inputs[0].to(type).to(.float32)
      let gradient = gradient.to(type).to(.float32)
      let expected = TorchTests.gradients(
        of: [x, inputs[1], inputs[2]].map { $0.to(.float64) }, gradient, exact)
      for instructions in [""] + Engine.kernelBuilds {
        for format in [MemoryFormat.contiguous, .channelsLast] {
          let found = TorchTests.gradients(
            of: [x.to(type).contiguous(format), inputs[1], inputs[2]], gradient
          ) {
            depthwise(
              $0[0], $0[1], $0[2], size.stride, size.padding, size.endPadding, size.rate,
              instructions)
          }
          #expect(found[0]?.dtype == type && found[2]?.dtype == .float32)
          for (index, (a, b)) in zip(found, expected).enumerated() {
            // The gradients of kernels and bias are sums in float32 of exact products.
            #expect(largestError(a, b) < (index < 2 ? tolerance : 1e-5), "\(instructions)")
          }
        }
      }
    }
  }

  @Test(
    "give the same after an expansion without a map in between",
    arguments: ConvolutionCase.depthwise)
  func expansions(_ size: ConvolutionCase) {
    let x = noise([size.images, 21, size.height, size.width]).contiguous(.channelsLast)
    let weight = noise([size.outputs, 21, 1, 1])
    let (before, bias) = (noise([size.outputs]), noise([size.outputs]))
    let taps = pack(size.weight)
    for instructions in Engine.kernelBuilds {
      let kernels = packKernels(weight, instructions)
      let wide = convolution(
        x, kernels, size.outputs, 1, 1, 1, Tensor?.none, Tensor?.none, false, before, Tensor?.none,
        "relu6")
      let expected = prepared(
        wide, taps, size.kernel, size.stride, size.padding, size.endPadding, size.rate, bias,
        Tensor?.none,
        "hardswish", instructions)
      let found = expanded(
        x, kernels, size.outputs, before, "relu6", taps, size.kernel, size.stride, size.padding,
        size.endPadding, size.rate, bias, "hardswish")
      #expect(largestError(found, expected) < 1e-6)
      #expect(expected.floats.contains { $0 != 0 })
      // Maps of bfloat16 are rounded when they are written, and nothing before.
      let half = x.to(.bfloat16)
      func expand(_ x: Tensor) -> Tensor {
        expanded(
          x, kernels, size.outputs, before, "relu6", taps, size.kernel, size.stride, size.padding,
          size.endPadding, size.rate, bias, "hardswish")
      }
      let rounded = expand(half)
      #expect(rounded.dtype == .bfloat16)
      let same = expand(half.to(.float32)).to(.bfloat16)
      #expect(rounded.to(.float32).floats == same.to(.float32).floats)
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
    #expect(throws: TorchError.self) {
      try attempt {
        _ = expanded(
          noise([1, 21, 5, 5]).to(.uint8), kernels, 16, Tensor?.none, "none", taps, 3, 1, 1, 0, 1,
          Tensor?.none, "none")
      }
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
