import TestSupport
import Testing
import Torch

/// The nearest whole numbers.
private func nearest(_ x: Tensor) -> Tensor { Operator("round")(x) }

/// The largest magnitude; infinite where one is no number.
private func largest(_ x: Tensor) -> Double {
  x.to(.float64).abs().floats.reduce(0) { $1.isNaN ? .infinity : max($0, Double($1)) }
}

@Suite(
  "Maps of eight bits",
  .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
struct CodeTests {
  private let pack = Operator("pack_codes", namespace: "atrous")
  private let convolve = Operator("codes_convolution", namespace: "atrous")

  /// How numbers lie in eight bits.
  private struct Code {
    var step = 0.0, zero = 0

    /// The code of each number.
    func codes(_ x: Tensor) -> Tensor {
      nearest(x * (1 / step) + Double(zero)).clamped(0, 255).to(.uint8)
        .contiguous(.channelsLast)
    }
    /// The number of each code, in double precision.
    func numbers(_ codes: Tensor) -> Tensor { (codes.to(.float64) - Double(zero)) * step }
  }
  private static let types: [DType] = [.float32, .bfloat16, .uint8]

  /// Weights that are whole multiples of a unit for each output, of which 127 is the largest.
  private func weights(_ shape: [Int]) -> Tensor {
    let codes = nearest(noise(shape) * 60).clamped(-127, 127)
    codes.sliced(1, 0, 1).sliced(2, 0, 1).sliced(3, 0, 1).fill(127)
    let units = nearest(noise([shape[0], 1, 1, 1]).abs() * 4) + 1.0
    return codes * units * (1.0 / 256)
  }

  @Test(
    "are convolved as the numbers that they stand for",
    arguments: ConvolutionCase.all.filter {
      $0.groups == 1 && $0.endPadding == 0 && $0.kernel <= 8
    },
    Engine.wholeBuilds)
  func cases(_ test: ConvolutionCase, _ build: String) throws {
    let input = Code(step: 1.0 / 8, zero: 19), output = Code(step: 1.0 / 2, zero: 40)
    let added = Code(step: 1.0 / 4, zero: 200)
    let x = input.numbers(
      input.codes(noise([test.images, test.inputs, test.height, test.width]) * 10 + 5.0)
    ).to(.float32).contiguous(.channelsLast)
    let weight = weights([test.outputs, test.inputs, test.kernel, test.kernel])
    let bias = noise([test.outputs])
    let packed = pack(weight, build)
    let exact = x.to(.float64).conv2d(
      weight.to(.float64), bias: bias.to(.float64), stride: [test.stride, test.stride],
      padding: [test.padding, test.padding], dilation: [test.rate, test.rate])
    let addend = added.numbers(added.codes(noise(exact.shape) * 20 - 20.0)).to(.float32)
      .contiguous(.channelsLast)
    let scale = max(1, largest(exact))
    for (index, type) in Self.types.enumerated() {
      let reading = type == .uint8 ? input.codes(x) : x.to(type)
      // All types meet one another.
      let adding = Self.types[(index + test.inputs) % 3]
      let other = adding == .uint8 ? added.codes(addend) : addend.to(adding)
      for writing in Self.types {
        let isPlain = (index + test.outputs) % 2 == 0
        var expected = exact
        if !isPlain {
          let numbers = adding == .uint8 ? added.numbers(other) : other.to(.float64)
          expected = (exact + numbers).clamped(0, 6)
        }
        let y = convolve(
          reading, input.step, input.zero, packed, test.outputs, test.kernel, test.stride,
          test.padding, test.rate, input.step, input.zero, Tensor?.none, Tensor?.none, false,
          bias, isPlain ? Tensor?.none : other, adding == .uint8 ? added.step : 0.0,
          adding == .uint8 ? added.zero : 0, isPlain ? "none" : "relu6", output.step, output.zero,
          writing, Tensor?.none)
        #expect(y.shape == exact.shape && y.dtype == writing)
        switch writing {
        case .uint8:
          let codes = (expected * (1 / output.step) + Double(output.zero)).clamped(0, 255)
          // Half a code, and what sums of type float32 round.
          #expect(largest(y.to(.float64) - codes) < 0.5 + 1e-4 * scale)
        case .bfloat16:
          #expect(largest(y.to(.float64) - expected) <= scale / 256)
        default:
          #expect(largest(y.to(.float64) - expected) < 1e-5 * scale)
        }
      }
    }
  }

  @Test(
    "round what was normalized on the way in, of any type", arguments: [5, 64, 130, 600],
    [1, 3])
  func normalized(_ inputs: Int, _ kernel: Int) {
    let product = Code(step: 1.0 / 4, zero: 8)
    let x = nearest(noise([2, inputs, 6, 5]) * 4).contiguous(.channelsLast)
    let scale = nearest(noise([inputs]) * 1.5), shift = nearest(noise([inputs]) * 2)
    let weight = weights([19, inputs, kernel, kernel])
    // What lies beyond the codes is cut off.
    let affine = (x * scale.reshaped(1, -1, 1, 1) + shift.reshaped(1, -1, 1, 1))
      .clamped(0, Double(255 - product.zero) * product.step)
    let expected = affine.to(.float64).conv2d(
      weight.to(.float64), stride: [1, 1], padding: [kernel / 2, kernel / 2])
    for build in Engine.wholeBuilds {
      let packed = pack(weight, build)
      for type in [DType.float32, .bfloat16] {
        let y = convolve(
          x.to(type), 0.0, 0, packed, 19, kernel, 1, kernel / 2, 1, product.step, product.zero,
          scale,
          shift, true, Tensor?.none, Tensor?.none, 0.0, 0, "none", 0.0, 0, DType.float32,
          Tensor?.none)
        #expect(error(y, expected) < 2e-6)
      }
    }
  }

  @Test(
    "read an image channel after channel as they read it pixel by pixel", arguments: [1, 2, 3, 4],
    [(5, 7, 1), (33, 50, 2), (3, 3, 2)])
  func planes(_ inputs: Int, _ form: (height: Int, width: Int, stride: Int)) {
    // None small beside a step, and none beyond the range.
    let image = noise([2, inputs, form.height, form.width]) * 0.25 + 2.0
    let weight = weights([20, inputs, 3, 3]), code = Code(step: 1.0 / 24, zero: 128)
    for build in Engine.wholeBuilds + [InferencePrecision.halfBuild]
    where build != InferencePrecision.halfBuild || InferencePrecision.bfloat16.isSupported {
      let packed = pack(weight, build)
      let results = [image, image.contiguous(.channelsLast)].map { x in
        convolve(
          x, 0.0, 0, packed, 20, 3, form.stride, 1, 1, code.step, code.zero, Tensor?.none,
          Tensor?.none, false, Tensor?.none, Tensor?.none, 0.0, 0, "none", 0.0, 0, DType.float32,
          Tensor?.none)
      }
      let exact = image.to(.float64).conv2d(
        weight.to(.float64), stride: [form.stride, form.stride], padding: [1, 1])
      #expect(error(results[0], results[1]) == 0)
      #expect(error(results[0], exact) < 0.02)
    }
  }

  @Test(
    "add one pixel everywhere", arguments: [DType.float32, .bfloat16], Engine.wholeBuilds)
  func pixel(_ type: DType, _ build: String) {
    let code = Code(step: 0.25, zero: 7)
    let x = code.codes(noise([2, 12, 9, 14]) * 10)
    let packed = pack(weights([40, 12, 1, 1]), build)
    let one = (noise([2, 40, 1, 1]) * 50).to(type)
    let results = [one, one.expanded([2, 40, 9, 14]).contiguous(.channelsLast)].map { addend in
      convolve(
        x, code.step, code.zero, packed, 40, 1, 1, 0, 1, code.step, code.zero, Tensor?.none,
        Tensor?.none, false, Tensor?.none, addend, 0.0, 0, "relu", 0.0, 0, DType.float32,
        Tensor?.none)
    }
    #expect(error(results[0], results[1]) == 0 && largest(results[0]) > 50)
  }

  @Test("write into parts of larger maps, and leave the rest alone", arguments: Engine.wholeBuilds)
  func parts(_ build: String) {
    let code = Code(step: 0.5, zero: 3)
    let x = code.codes(noise([1, 8, 7, 9]) * 20 + 40.0)
    let weight = weights([20, 8, 1, 1])
    let packed = pack(weight, build)
    let whole = Operator("map", namespace: "atrous")(1, 50, 7, 9, DType.uint8)
    whole.fill(77)
    let part = whole.sliced(1, 13, 33)
    let y = convolve(
      x, code.step, code.zero, packed, 20, 1, 1, 0, 1, code.step, code.zero, Tensor?.none,
      Tensor?.none, false, Tensor?.none, Tensor?.none, 0.0, 0, "none", 1.0, 100, DType.uint8, part)
    let expected = (code.numbers(x).conv2d(weight.to(.float64)) + 100.0).clamped(0, 255)
    #expect(largest(y.to(.float64) - expected) < 0.51)
    for rest in [whole.sliced(1, 0, 13), whole.sliced(1, 33, 50)] {
      #expect(rest.to(.float32).floats.allSatisfy { $0 == 77 })
    }
  }

  @Test(
    "are convolved channel by channel",
    arguments: ConvolutionCase.all.filter { $0.groups > 1 && $0.groups == $0.outputs },
    Engine.kernelBuilds)
  func depthwise(_ test: ConvolutionCase, _ build: String) {
    let input = Code(step: 1.0 / 16, zero: 31), output = Code(step: 1.0 / 8, zero: 100)
    let codes = input.codes(noise([test.images, test.inputs, test.height, test.width]) * 4 + 5.0)
    let weight = noise([test.outputs, 1, test.kernel, test.kernel])
    let bias = noise([test.outputs])
    let x = input.numbers(codes).padded([0, test.endPadding, 0, test.endPadding])
    let expected = x.conv2d(
      weight.to(.float64), bias: bias.to(.float64), stride: [test.stride, test.stride],
      padding: [test.padding, test.padding], dilation: [test.rate, test.rate], groups: test.groups)
    let y = Operator("codes_depthwise", namespace: "atrous")(
      codes, input.step, input.zero, Operator("pack_depthwise", namespace: "atrous")(weight),
      test.kernel, test.stride, test.padding, test.endPadding, test.rate, bias, "relu6",
      output.step, output.zero, build)
    let numbers = (expected.clamped(0, 6) * (1 / output.step) + Double(output.zero)).clamped(0, 255)
    #expect(y.shape == expected.shape)
    #expect(largest(y.to(.float64) - numbers) < 0.501)
  }

  @Test(
    "are pooled, averaged and turned into numbers", arguments: [1, 3, 16, 63, 64, 200],
    Engine.wholeBuilds)
  func others(_ channels: Int, _ build: String) {
    let code = Code(step: 0.25, zero: 9)
    let codes = code.codes(noise([2, channels, 13, 10]) * 10 + 20.0)
    let numbers = code.numbers(codes)
    let decoded = Operator("decode", namespace: "atrous")(codes, code.step, code.zero, build)
    #expect(error(decoded, numbers) == 0)
    let mean = Operator("mean_of_codes", namespace: "atrous")(codes, code.step, code.zero, build)
    #expect(error(mean, numbers.mean([2, 3], keep: true)) < 1e-6)
    for (size, stride, padding, rate) in [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 2, 2), (5, 3, 2, 1)]
    where padding <= size / 2 {
      let pooled = Operator("pool_codes", namespace: "atrous")(
        codes, size, stride, padding, rate, false, Tensor?.none, build)
      let expected = codes.to(.float32).maxPool2d(
        size, stride: stride, padding: padding, dilation: rate)
      #expect(pooled.shape == expected.shape && error(pooled, expected) == 0)
    }
  }

  @Test(
    "of sixteen bits are pooled, averaged and scaled as well", arguments: [1, 3, 16, 63, 200],
    Engine.wholeBuilds)
  func halves(_ channels: Int, _ build: String) {
    let x = (noise([2, channels, 19, 10]) * 10 - 20.0).to(.bfloat16).contiguous(.channelsLast)
    let mean = Operator("mean_of_codes", namespace: "atrous")(x, 0.0, 0, build)
    #expect(mean.dtype == .float32)
    #expect(error(mean, x.to(.float64).mean([2, 3], keep: true)) < 1e-6)
    for (size, stride, padding, rate) in [(3, 2, 1, 1), (2, 2, 0, 1), (3, 1, 1, 2)] {
      let pooled = Operator("pool_codes", namespace: "atrous")(
        x, size, stride, padding, rate, false, Tensor?.none, build)
      let expected = x.to(.float32).maxPool2d(
        size, stride: stride, padding: padding, dilation: rate)
      #expect(pooled.dtype == .bfloat16 && error(pooled, expected) == 0)
    }
    let scaled = Operator("scaled_halves", namespace: "atrous")
    let (scale, shift) = (noise([channels]), noise([channels]))
    let expected =
      x.to(.float64) * scale.to(.float64).reshaped(1, -1, 1, 1)
      + shift.to(.float64).reshaped(1, -1, 1, 1)
    func result(_ scale: Tensor?, _ shift: Tensor?, _ type: DType) -> Tensor {
      scaled(x, scale, shift, type, Tensor?.none, build)
    }
    #expect(error(result(scale, shift, .float32), expected) < 1e-6)
    #expect(error(result(scale, shift, .bfloat16), expected) < 4e-3)
    #expect(error(result(nil, nil, .float32), x) == 0)
  }

  @Test(
    "are the same by every instruction set, in random cases",
    .enabled(if: Engine.wholeBuilds.count > 1, "the processor has one set alone"),
    arguments: 0..<60)
  func sets(_ seed: Int) {
    var random = SeededNumbers(seed)
    func number(_ range: ClosedRange<Int>) -> Int { .random(in: range, using: &random) }
    let kernel = number(1...5), rate = number(1...4), stride = number(1...3)
    let (inputs, outputs) = (number(1...90), number(1...90))
    let padding = number(0...rate * (kernel - 1))
    let side = rate * (kernel - 1) + 1
    let code = Code(step: 0.125, zero: number(0...255))
    let result = Code(step: Double(number(1...40)), zero: number(0...255))
    let x = code.codes(
      noise([number(1...2), inputs, side + number(0...20), side + number(0...20)]) * 16)
    let weight = weights([outputs, inputs, kernel, kernel]), bias = noise([outputs])
    let reading = Self.types[number(0...2)], writing = Self.types[number(0...2)]
    let activation = ["none", "relu", "relu6", "hardswish", "gelu"][number(0...4)]
    let given = reading == .uint8 ? x : code.numbers(x).to(reading).contiguous(.channelsLast)
    let results = Engine.wholeBuilds.map { build in
      convolve(
        given, code.step, code.zero, pack(weight, build), outputs, kernel, stride, padding, rate,
        code.step, code.zero, Tensor?.none, Tensor?.none, false, bias, Tensor?.none, 0.0, 0,
        activation, result.step, result.zero, writing, Tensor?.none)
    }
    #expect(largest(results[0]) > 0)
    for other in results.dropFirst() { #expect(largest(results[0] - other) == 0) }
  }

  @Test("are refused where they do not fit", arguments: Engine.wholeBuilds)
  func refusals(_ build: String) {
    let packed = pack(weights([20, 8, 3, 3]), build)
    func fails(_ x: Tensor, size: Int = 3, stride: Int = 1, step: Double = 1, zero: Int = 0) -> Bool
    {
      let result = try? attempt {  // may fail: that is asked
        convolve(
          x, step, zero, packed, 20, size, stride, 1, 1, 1.0, 0, Tensor?.none, Tensor?.none, false,
          Tensor?.none, Tensor?.none, 0.0, 0, "none", 0.0, 0, DType.float32, Tensor?.none)
      }
      return result == nil
    }
    let x = Tensor(filledWith: 1, [1, 8, 5, 5]).to(.uint8)
    #expect(!fails(x))
    #expect(fails(x.sliced(1, 0, 7)) && fails(x, size: 1) && fails(x, stride: 0))
    #expect(fails(x, step: -1) && fails(x, step: .nan) && fails(x, zero: 256))
    #expect(fails(x, step: 0) && fails(x.to(.int32)) && fails(x.reshaped(8, 25)))
    for (side, build) in [(9, build), (1, "")] {
      #expect(throws: TorchError.self) {
        try attempt { pack(Tensor(filledWith: 1, [1, 1, side, side]), build) }
      }
    }
  }
}

@Suite(
  "Products of sixteen bits",
  .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"))
struct HalfProductTests {
  private let pack = Operator("pack", namespace: "atrous")

  @Test(
    "are those of 3×3 convolutions, rounded little",
    arguments: ConvolutionCase.all.filter { $0.groups == 1 && $0.kernel == 3 && $0.stride == 1 })
  func cases(_ test: ConvolutionCase) {
    let x = noise([test.images, test.inputs, test.height, test.width])
    let weight = noise([test.outputs, test.inputs, 3, 3])
    let bias = noise([test.outputs])
    let exact = x.to(.float64).conv2d(
      weight.to(.float64), bias: bias.to(.float64), padding: [test.rate, test.rate],
      dilation: [test.rate, test.rate])
    let y = convolution(x, weight, test.rate, bias)
    #expect(y.shape == exact.shape)
    let found = error(y, exact)
    #expect(found > 1e-7 && found < 2e-2)
  }

  private func convolution(_ x: Tensor, _ weight: Tensor, _ rate: Int, _ bias: Tensor? = nil)
    -> Tensor
  {
    Operator("convolution", namespace: "atrous")(
      x, pack(weight, "avx512_bf16"), weight.size(0), 3, 1, rate, Tensor?.none, Tensor?.none, false,
      bias, Tensor?.none, "none")
  }

  @Test("do not leave their range, however large a few factors or all of them are")
  func extremes() {
    let x = Tensor(filledWith: 1e6, [1, 300, 9, 9])
    let weight = Tensor(filledWith: -3e5, [17, 300, 3, 3])
    let all = convolution(x, weight, 1)
    #expect(error(all, x.to(.float64).conv2d(weight.to(.float64), padding: [1, 1])) < 1e-3)
    let few = Tensor(filledWith: 0, [1, 300, 9, 9])
    few.sliced(1, 0, 1).fill(1e9)
    let one = Tensor(filledWith: 0, [17, 300, 3, 3])
    one.sliced(1, 0, 1).fill(1e-9)
    #expect(
      error(
        convolution(few, one, 1), few.to(.float64).conv2d(one.to(.float64), padding: [1, 1]))
        < 1e-3)
    #expect(largest(convolution(few * 0, weight, 1)) == 0)
    let broken = Tensor(filledWith: 1, [1, 32, 9, 9])
    broken.sliced(2, 4, 5).sliced(3, 4, 5).fill(.nan)
    let result = convolution(broken, Tensor(filledWith: 1, [16, 32, 3, 3]), 1)
    // What is no number stays seen.
    #expect(result.sliced(2, 4, 5).sliced(3, 4, 5).floats.allSatisfy { $0.isNaN })
  }
}
