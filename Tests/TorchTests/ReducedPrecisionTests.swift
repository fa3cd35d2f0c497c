import Testing
import Torch

@Suite(
  "Products of bfloat16",
  .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"))
struct ReducedPrecisionTests {
  private static let build = "avx512_bf16"
  private let pack = Operator("pack", namespace: "atrous")
  private let convolve = Operator("convolution", namespace: "atrous")

  /// The numbers that the products see, in double precision.
  private func rounded(_ x: Tensor) -> Tensor { x.to(.bfloat16).to(.float64) }

  /// Whole numbers and halves, which bfloat16 holds, from -2 to 2.
  private func simple(_ shape: [Int]) -> Tensor {
    ((noise(shape) * 2).to(.int32).to(.float32) / 2).clamped(-2, 2)
  }

  @Test(
    "are those of the rounded factors, whatever the sizes",
    arguments: [1, 2, 3, 17, 33, 64, 530, 1100], [1, 3, 17, 33, 290])
  func products(_ inputs: Int, _ outputs: Int) {
    let x = noise([2, inputs, 5, 7])
    let weight = noise([outputs, inputs, 1, 1])
    let bias = noise([outputs])
    let packed = pack(weight, Self.build)
    // What is left is what sums of type float32 round: 2⁻²⁴ for each of the products, which mostly cancel.
    for stride in [1, 2] {
      let expected = rounded(x).conv2d(
        rounded(weight), bias: bias.to(.float64), stride: [stride, stride])
      expectProducts(of: x, packed, bias: bias, stride: stride, toBe: expected)
    }
    // The rounding itself is there, and no larger than half of 2⁻⁸ for each factor.
    let exact = x.to(.float64).conv2d(weight.to(.float64))
    let y = convolve(
      x, packed, outputs, 1, 1, 1, Tensor?.none, Tensor?.none, false, Tensor?.none, Tensor?.none,
      "none")
    #expect(error(y, exact) > 1e-4 && error(y, exact) < 8e-3)
  }

  @Test("round what was normalized and rectified on the way in", arguments: [5, 16, 33, 600])
  func normalized(_ inputs: Int) {
    // All numbers are ones that bfloat16 holds, so that nothing is rounded.
    let (x, scale, shift) = (simple([2, inputs, 6, 5]), simple([inputs]), simple([inputs]))
    let weight = simple([19, inputs, 1, 1])
    let y = convolve(
      x, pack(weight, Self.build), 19, 1, 1, 1, scale, shift, true, Tensor?.none, Tensor?.none,
      "none")
    let affine = x * scale.reshaped(1, -1, 1, 1) + shift.reshaped(1, -1, 1, 1)
    let expected = affine.relu().to(.float64).conv2d(weight.to(.float64))
    #expect(error(y, expected) == 0)
  }

  @Test("keep numbers that are none, and infinite ones")
  func special() {
    let x = Tensor([Float.nan, .infinity, 3.4e38, 1e-3], [1, 1, 2, 2])
    for weight in [Float(1), .infinity] {
      let y = convolve(
        x, pack(Tensor([weight], [1, 1, 1, 1]), Self.build), 1, 1, 1, 1, Tensor?.none,
        Tensor?.none, false, Tensor?.none, Tensor?.none, "none"
      ).floats
      #expect(y[0].isNaN && y[1] == .infinity && y[2] == .infinity)
    }
  }

  @Test("follow each other and those of float32 without a map in between")
  func chains() {
    let chain = Operator("chain", namespace: "atrous")
    for channels in [[5, 40, 300, 19], [530, 270, 33, 1], [1100, 17, 16, 3]] {
      let x = noise([2, channels[0], 9, 5])
      let weights = (0..<3).map {
        noise([channels[$0 + 1], channels[$0], 1, 1]) * (1 / Double(channels[$0]).squareRoot())
      }
      let builds = [Self.build, Self.build, "avx512"]
      let map = noise([2, channels[2], 4, 3])
      let y = chain(
        [x.sliced(1, 0, 3), x.sliced(1, 3, channels[0])], zip(weights, builds).map { pack($0, $1) },
        Array(channels.dropFirst()), [Tensor?.none, nil, nil], "relu none none", [map], 1, false)
      let first = rounded(x).conv2d(rounded(weights[0])).relu()
      let second =
        rounded(first.to(.float32)).conv2d(rounded(weights[1]))
        + map.to(.float64).resized(height: 9, width: 5)
      // Numbers between two of bfloat16 may be rounded to either, by 2⁻⁸ of a few.
      #expect(error(y, second.conv2d(weights[2].to(.float64))) < 1e-3)
    }
    let small = [noise([4, 3, 1, 1]), noise([4, 4, 1, 1])]
    #expect(throws: TorchError.self) {
      try attempt {
        chain(
          [noise([1, 3, 2, 2])], [pack(small[0], Self.build), pack(small[1], "avx2")], [4, 4],
          [Tensor?.none, nil], "relu none", [Tensor](), 0, false)
      }
    }
  }

  @Test("take half the memory of weights")
  func memory() {
    let weight = noise([64, 129, 1, 1])
    #expect(pack(weight, "avx512").count == 16 + 64 * 129)
    #expect(pack(weight, Self.build).count == 16 + 64 * 65)
    // 3×3 kernels stay as they are.
    let spatial = noise([64, 16, 3, 3])
    #expect(pack(spatial, Self.build).count == pack(spatial, "avx512").count)
  }
}

@Suite("Precisions that a processor lacks")
struct UnsupportedPrecisionTests {
  @Test("are refused by what says so, and float32 never is")
  func refusal() {
    #expect(InferencePrecision.float32.isSupported)
    for precision in InferencePrecision.allCases where !precision.isSupported {
      #expect(throws: UnsupportedPrecision(precision: precision)) { try precision.check() }
    }
    #expect(
      UnsupportedPrecision(precision: .int8).description.contains(
        "precision int8: this processor has no instructions for it ("))
    #expect(
      UnsupportedPrecision(precision: .bfloat16).description.contains(
        "precision bfloat16: this processor has no instructions for it (AVX512_BF16)"))
  }
}
