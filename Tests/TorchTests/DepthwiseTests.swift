import TestSupport
import Testing
import Torch

@Suite("Depthwise convolutions")
struct DepthwiseTests {
  private let depthwise = Operator("depthwise", namespace: "atrous")
  private let convolution = Operator("convolution", namespace: "atrous")
  private let packKernels = Operator("pack", namespace: "atrous")
  private let byRows = Operator("depthwise_by_rows", namespace: "atrous")
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

  /// A depthwise convolution with 1×1 convolutions before and after it, and where the result is written.
  private func rows(
    _ x: Tensor, _ size: ConvolutionCase, taps: Tensor,
    after expansion: (kernels: Tensor, bias: Tensor)? = nil, bias: Tensor? = nil,
    to projection: (kernels: Tensor, outputs: Int, bias: Tensor)? = nil, addend: Tensor? = nil,
    into target: Tensor? = nil
  ) -> Tensor {
    byRows(
      x, expansion?.kernels, size.outputs, expansion?.bias, "relu6", taps, size.kernel, size.stride,
      size.padding, size.endPadding, size.rate, bias, "hardswish", projection?.kernels,
      projection?.outputs ?? 0, projection?.bias, addend, "relu", target)
  }

  @Test(
    "give the same between 1×1 convolutions without maps in between",
    arguments: ConvolutionCase.depthwise)
  func rows(_ size: ConvolutionCase) {
    let (width, outputs) = (size.outputs, 19)
    let x = noise([size.images, 21, size.height, size.width]).contiguous(.channelsLast)
    let (first, last) = (noise([width, 21, 1, 1]), noise([outputs, width, 1, 1]))
    let (before, bias, after) = (noise([width]), noise([width]), noise([outputs]))
    let taps = pack(size.weight), none = Tensor?.none
    for instructions in Engine.kernelBuilds {
      let expansion = (packKernels(first, instructions), before)
      let projection = (packKernels(last, instructions), outputs, after)
      let wide = convolution(
        x, expansion.0, width, 1, 1, 1, none, none, false, before, none, "relu6")
      let scanned = prepared(
        wide, taps, size.kernel, size.stride, size.padding, size.endPadding, size.rate, bias, none,
        "hardswish", instructions)
      let addend = noise([size.images, outputs, scanned.size(2), scanned.size(3)])
      let narrow = convolution(
        scanned, projection.0, outputs, 1, 1, 1, none, none, false, after, addend, "relu")
      let found: [(Tensor, Tensor)] = [
        (rows(x, size, taps: taps, after: expansion, bias: bias), scanned),
        (rows(wide, size, taps: taps, bias: bias, to: projection, addend: addend), narrow),
        (
          rows(
            x, size, taps: taps, after: expansion, bias: bias, to: projection, addend: addend),
          narrow
        ),
      ]
      for (result, expected) in found {
        #expect(largestError(result, expected) < 1e-6)
        #expect(expected.floats.contains { $0 != 0 })
      }
      // Some channels of a larger map.
      let shape = [size.images, outputs + 3, addend.size(2), addend.size(3)]
      let larger = Tensor(filledWith: 0, shape).contiguous(.channelsLast)
      let place = larger.sliced(1, 2, outputs + 2)
      _ = rows(
        x, size, taps: taps, after: expansion, bias: bias, to: projection, addend: addend,
        into: place)
      #expect(place.floats == found[2].0.floats)
      for part in [larger.sliced(1, 0, 2), larger.sliced(1, outputs + 2, outputs + 3)] {
        #expect(part.floats.allSatisfy { $0 == 0 })
      }
      // Maps of bfloat16 are rounded when they are written, and nothing before.
      let half = x.to(.bfloat16)
      func expand(_ x: Tensor) -> Tensor {
        rows(x, size, taps: taps, after: expansion, bias: bias)
      }
      let rounded = expand(half)
      #expect(rounded.dtype == .bfloat16)
      let same = expand(half.to(.float32)).to(.bfloat16)
      #expect(rounded.to(.float32).floats == same.to(.float32).floats)
    }
  }

  @Test("refuse 1×1 convolutions of other channels around them")
  func rowRefusals() {
    var size = ConvolutionCase.depthwise[0]
    (size.kernel, size.stride, size.rate, size.endPadding) = (3, 1, 1, 0)
    let kernels = packKernels(noise([16, 21, 1, 1]), "")
    let last = packKernels(noise([4, 16, 1, 1]), "")
    let bias = noise([16])
    func convolve(
      _ inputs: Int, expands: Bool = true, width: Int = 16, _ taps: Int = 3, outputs: Int? = nil,
      adding addend: Tensor? = nil, type: DType = .float32
    ) throws {
      size.outputs = width
      _ = try attempt {
        rows(
          noise([1, inputs, 5, 5]).to(type), size, taps: pack(noise([16, 1, taps, taps])),
          after: expands ? (kernels, bias) : nil,
          to: outputs.map { (last, $0, noise([$0])) }, addend: addend)
      }
    }
    #expect(throws: Never.self) { try convolve(21) }
    #expect(throws: Never.self) { try convolve(21, outputs: 4, adding: noise([1, 4, 5, 5])) }
    #expect(throws: Never.self) { try convolve(16, expands: false, outputs: 4) }
    #expect(throws: TorchError.self) { try convolve(20) }
    #expect(throws: TorchError.self) { try convolve(21, width: 17) }
    #expect(throws: TorchError.self) { try convolve(21, 5) }
    #expect(throws: TorchError.self) { try convolve(21, outputs: 40) }
    #expect(throws: TorchError.self) { try convolve(21, outputs: 4, adding: noise([1, 4, 3, 3])) }
    #expect(throws: TorchError.self) { try convolve(21, adding: noise([1, 16, 5, 5])) }
    #expect(throws: TorchError.self) { try convolve(15, expands: false, outputs: 4) }
    #expect(throws: TorchError.self) { try convolve(16, expands: false) }
    #expect(throws: TorchError.self) { try convolve(21, type: .uint8) }
    #expect(throws: Never.self) { try convolve(21, type: .bfloat16) }
    #expect(throws: TorchError.self) { try convolve(21, outputs: 4, type: .bfloat16) }
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
