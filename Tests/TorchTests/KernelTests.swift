import TestSupport
import Testing
import Torch

@Suite("Kernels of convolutions")
struct KernelTests {
  @Test(
    "give the same with every instruction set that the processor has",
    arguments: ConvolutionCase.packed, Engine.kernelBuilds)
  func instructions(_ size: ConvolutionCase, _ build: String) {
    let (x, weight, bias) = (size.image, size.weight, noise([size.outputs]))
    let convolve = Operator("convolution", namespace: "atrous")
    let y = convolve(
      x, Operator("pack", namespace: "atrous")(weight, build), size.outputs, size.kernel,
      size.stride, size.rate, Tensor?.none, Tensor?.none, false, bias, Tensor?.none, "none")
    #expect(error(y, size.sum(x.to(.float64), weight, bias)) < 2e-5)
  }

  @Test(
    "rectify what was normalized by scales of either sign and by none",
    arguments: Engine.kernelBuilds, [[64, 128, 17], [37, 19, 9], [280, 35, 13]])
  func rectification(_ name: String, _ sizes: [Int]) {
    let (inputs, outputs, side) = (sizes[0], sizes[1], sizes[2])
    let convolve = Operator("convolution", namespace: "atrous")
    let x = noise([2, inputs, side, side])
    let weight = noise([outputs, inputs, 1, 1])
    let packed = Operator("pack", namespace: "atrous")(weight, name)
    let some = noise([inputs]).abs() + 0.1
    // Of both signs, of one, so small that only the shift counts, and zero.
    for (scale, isRead) in [
      (noise([inputs]), true), (some, true), (some * -1, true), (some * 1e-35, false),
      (some * 0, false),
    ] {
      scale.sliced(0, 3, 5).fill(0)
      let (shift, bias) = (noise([inputs]), noise([outputs]))
      let y = convolve(
        x, packed, outputs, 1, 1, 1, scale, shift, true, bias, Tensor?.none, "none")
      let rectified =
        (x.to(.float64) * scale.to(.float64).reshaped(1, -1, 1, 1)
        + shift.to(.float64).reshaped(1, -1, 1, 1)).relu()
      let expected =
        rectified.conv2d(weight.to(.float64)) + bias.to(.float64).reshaped(1, -1, 1, 1)
      #expect(error(y, expected) < 2e-6)
      // What is no number stays that, and only there.
      guard isRead else { continue }
      x.sliced(1, 0, 1).sliced(2, 4, 5).fill(.nan)
      let spoilt = convolve(
        x, packed, outputs, 1, 1, 1, scale, shift, true, bias, Tensor?.none, "none")
      #expect(spoilt.sliced(2, 4, 5).sum().item.isNaN)
      #expect(spoilt.sliced(2, 0, 4).sum().item.isFinite)
      x.sliced(1, 0, 1).sliced(2, 4, 5).fill(1)
    }
  }

  @Test("refuse kernels of other channels and unknown instructions")
  func refusals() {
    let pack = Operator("pack", namespace: "atrous")
    let convolve = Operator("convolution", namespace: "atrous")
    let packed = pack(noise([8, 16, 3, 3]), "")
    // Of a version of the form that is to come.
    let later = packed * 1
    later.sliced(0, 0, 1).fill(Double(Float(bitPattern: 2)))
    for (x, packed) in [
      (noise([1, 8, 5, 5]), packed), (noise([16, 5, 5]), packed), (noise([1, 16, 5, 5]), later),
    ] {
      #expect(throws: TorchError.self) {
        try attempt {
          convolve(
            x, packed, 8, 3, 1, 1, Tensor?.none, Tensor?.none, false, Tensor?.none, Tensor?.none,
            "none")
        }
      }
    }
    #expect(throws: TorchError.self) { try attempt { pack(noise([8, 16, 3, 3]), "mmx") } }
    #expect(throws: TorchError.self) { try attempt { pack(noise([8, 16, 5, 5]), "") } }
  }
}
