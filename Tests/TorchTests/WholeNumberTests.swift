import Testing
import Torch

@Suite(
  "Products of whole numbers",
  .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
struct WholeNumberTests {
  private let pack = Operator("pack_whole", namespace: "atrous")
  private let convolve = Operator("convolution", namespace: "atrous")

  /// What `weight` makes of `x` alone.
  private func product(
    _ x: Tensor, _ weight: Tensor, _ low: Double, _ high: Double, by build: String
  ) -> Tensor {
    convolve(
      x, pack(weight, low, high, build), weight.size(0), 1, 1, 1, Tensor?.none, Tensor?.none,
      false, Tensor?.none, Tensor?.none, "none")
  }

  /// Whole numbers from `low` to `high`.
  private func whole(_ shape: [Int], _ low: Double, _ high: Double) -> Tensor {
    (noise(shape) * (high - low) + low).clamped(low, high).to(.int32).to(.float32)
  }

  @Test(
    "are exact where nothing is rounded, and cut off what lies beyond the range",
    arguments: [1, 2, 3, 5, 17, 33, 130, 530, 1100], [1, 3, 17, 33, 290])
  func products(_ inputs: Int, _ outputs: Int) {
    // Eighths from -8 to 23.875 are 256 numbers; 64ths up to 127 of them those of weights.
    let (low, high) = (-8.0, 23.875)
    let x = whole([2, inputs, 5, 7], -100, 300) * 0.125
    let weight = whole([outputs, inputs, 1, 1], -127, 127) * (1.0 / 64)
    weight.sliced(1, 0, 1).fill(127.0 / 64)
    let bias = noise([outputs])
    for stride in [1, 2] {
      let expected = x.clamped(low, high).to(.float64).conv2d(
        weight.to(.float64), bias: bias.to(.float64), stride: [stride, stride])
      for build in Engine.wholeBuilds {
        let packed = pack(weight, low, high, build)
        expectProducts(of: x, packed, bias: bias, stride: stride, toBe: expected)
      }
    }
  }

  @Test(
    "round what was normalized and rectified on the way in", arguments: [5, 130, 600],
    Engine.wholeBuilds)
  func normalized(_ inputs: Int, _ build: String) {
    let (x, scale) = (whole([1, inputs, 6, 5], -9, 9), whole([inputs], -2, 2))
    let (shift, weight) = (whole([inputs], -3, 3), whole([19, inputs, 1, 1], -127, 127))
    weight.sliced(1, 0, 1).fill(127)
    let packed = pack(weight, 0.0, 255.0, build)
    let y = convolve(
      x, packed, 19, 1, 1, 1, scale, shift, true, Tensor?.none, Tensor?.none, "none")
    let affine = x * scale.reshaped(1, -1, 1, 1) + shift.reshaped(1, -1, 1, 1)
    #expect(error(y, affine.relu().to(.float64).conv2d(weight.to(.float64))) < 2e-6)
  }

  @Test("take the nearest of the steps", arguments: Engine.wholeBuilds)
  func nearest(_ build: String) {
    let x = Tensor([-0.7, 0.4, 0.6, 1.4, 1.6, 254.4, 254.6, 300] as [Float], [1, 1, 2, 4])
    let y = product(x, Tensor([Float(1)], [1, 1, 1, 1]), 0, 255, by: build).floats
    for (a, b) in zip(y, [0, 0, 1, 1, 2, 254, 255, 255] as [Float]) { #expect(abs(a - b) < 1e-3) }
  }

  @Test("have steps of their own for each output", arguments: Engine.wholeBuilds)
  func steps(_ build: String) {
    // A number beyond the range would cost more than the steps do.
    let x = noise([1, 200, 6, 5]).clamped(-4, 4)
    let weight = noise([12, 200, 1, 1])
    for output in 0..<12 {
      let row = weight.sliced(0, output, output + 1)
      row.assign(row * [1e-6, 1e-3, 1, 1e4][output % 4])
    }
    let y = product(x, weight, -4, 4, by: build)
    let expected = x.to(.float64).conv2d(weight.to(.float64))
    for output in 0..<12 {
      let error = error(y.sliced(1, output, output + 1), expected.sliced(1, output, output + 1))
      #expect(error > 1e-4 && error < 3e-2)
    }
    // Of zeros, of what is no number, and of a range without width there is no product, but no harm.
    #expect(product(x, weight.zerosLike(), -4, 4, by: build).floats.allSatisfy { $0 == 0 })
    #expect(product(x, weight, 0, 0, by: build).floats.allSatisfy { $0.isFinite })
    #expect(product(x * .nan, weight, 0, 1, by: build).floats.allSatisfy { $0 == 0 })
    #expect(product(x, weight * .nan, -4, 4, by: build).floats.allSatisfy { $0 == 0 })
  }

  @Test(
    "refuse ranges that are none, kernels of another size, and other instructions",
    arguments: Engine.wholeBuilds)
  func refusals(_ build: String) {
    let weight = noise([8, 16, 1, 1])
    let uses: [() -> Void] = [
      { _ = pack(weight, 1.0, 0.0, build) }, { _ = pack(weight, 0.0, Double.nan, build) },
      { _ = pack(weight, -Double.infinity, 0.0, build) },
      { _ = pack(weight, 0.0, 1.0, "") },
      { _ = pack(noise([8, 16, 3, 3]), 0.0, 1.0, build) },
      { _ = Operator("pack", namespace: "atrous")(weight, build) },
      {
        _ = Operator("chain", namespace: "atrous")(
          [noise([1, 16, 2, 2])], [pack(weight, 0.0, 1.0, build)], [8], [Tensor?.none], "none",
          [Tensor](), 0, false)
      },
    ]
    for use in uses { #expect(throws: TorchError.self) { try attempt { use() } } }
  }
}
