import TestSupport
import Testing
import Torch

@Suite("Prepared layers")
struct PreparedTests {
  @Test("give what the direct sum in double precision gives", arguments: ConvolutionCase.dense)
  func convolutions(_ size: ConvolutionCase) {
    let (conv, x) = (size.layer, size.image)
    let y = withoutGradients { size.sum(x.to(.float64), conv.weight, conv.bias) }
    conv.prepared()
    withoutGradients {
      #expect(error(conv(x), y) < 2e-5)
      #expect(error(conv(x.contiguous(.channelsLast)), y) < 2e-5)
      // Some channels of a larger map.
      let larger = concatenate([noise(x.shape), x]).contiguous(.channelsLast)
      #expect(error(conv(larger.sliced(1, size.inputs, 2 * size.inputs)), y) < 2e-5)
    }
  }

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

  @Test("fold normalizations, sums and activations", arguments: Activation.allCases, [1, 3, 5])
  func units(_ activation: Activation, _ kernel: Int) {
    let (conv, before, norm) = (
      Conv2d(20, 24, kernel: kernel, bias: false), BatchNorm2d(20), BatchNorm2d(24)
    )
    for module in [before, norm] {
      withoutGradients {
        module.runningMean.drawNormal()
        module.runningVar.drawUniform(0.5, 2)
        module.weight.drawNormal()
        module.bias.drawNormal()
      }
    }
    let net = Sequential {
      conv
      before
      norm
    }
    net.train(false)
    let (x, shortcut) = (noise([2, 20, 9, 7]), noise([2, 24, 9, 7]))
    func units() -> [Tensor] {
      withoutGradients {
        [
          conv(x, norm, activation), conv(x, norm, adding: shortcut, activation),
          conv(x, after: before), conv(x, after: before, norm, adding: shortcut, activation),
        ]
      }
    }
    let plain = units()
    net.prepared()
    for (a, b) in zip(units(), plain) { #expect(error(a, b) < 1e-5) }
  }

  @Test("read maps whose pixels are spaced", arguments: [512, 1024], [[1, 1], [7, 6]])
  func spacing(_ channels: Int, _ sides: [Int]) {
    let net = Sequential {
      Conv2d(16, channels, kernel: 1)
      Conv2d(channels, channels, kernel: 3, groups: channels)
      Conv2d(channels, 24, kernel: 3)
      Conv2d(24, channels, kernel: 3, dilation: 2)
      Conv2d(channels, 24, kernel: 3, stride: 2)
    }
    net.train(false)
    let x = noise([2, 16] + sides)
    withoutGradients {
      let y = net(x)
      net.prepared()
      #expect(error(net(x), y) < 1e-5)
    }
  }

  @Test("scale channels on the way in", arguments: [1, 2])
  func scaling(_ images: Int) {
    let (conv, before) = (Conv2d(20, 24), BatchNorm2d(20))
    let net = Sequential {
      conv
      before
    }
    net.train(false)
    let (x, scale) = (noise([images, 20, 9, 7]), noise([images, 20, 1, 1]))
    func units() -> [Tensor] {
      withoutGradients {
        [
          conv(x, scaledBy: scale, nil, .relu),
          conv(x, after: before, scaledBy: scale, nil, adding: conv(x)),
        ]
      }
    }
    let plain = units()
    #expect(error(plain[0], withoutGradients { (conv(scale * x)).relu() }) < 1e-6)
    net.prepared()
    for (a, b) in zip(units(), plain) { #expect(error(a, b) < 1e-5) }
  }

  @Test("work along the last dimension")
  func matrices() {
    let layer = Linear(35, 18)
    let x = noise([2, 7, 35])
    withoutGradients {
      let y = layer(x)
      layer.prepared()
      #expect(error(layer(x), y) < 1e-6)
      #expect(error(layer(x.transposed(0, 1)), y.transposed(0, 1)) < 1e-6)
    }
  }

  @Test("end with training and with loading, and leave gradients alone")
  func ending() throws {
    let net = Sequential {
      Conv2d(16, 16, kernel: 3)
      BatchNorm2d(16)
    }
    let x = noise([1, 16, 8, 8])
    net.prepared()
    #expect(net.isPrepared && net[0].isPrepared && !net.isTraining)
    let before = withoutGradients { net(x) }
    net(x).sum().backward()
    #expect(net[0].parameters.allSatisfy { $0.parameter.gradient != nil })
    let zeros = withoutGradients {
      Dictionary(uniqueKeysWithValues: net.state.map { ($0.name, $0.tensor.zerosLike()) })
    }
    try net.load(zeros)
    #expect(!net.isPrepared)
    #expect(withoutGradients { net(x) }.floats.allSatisfy { $0 == 0 })
    #expect(before.floats.contains { $0 != 0 })
    #expect(!net.prepared().train(true).isPrepared)
  }

  @Test("give their weights back once they are packed, and take others")
  func releasing() throws {
    let net = Sequential {
      Conv2d(16, 16, kernel: 3)
      BatchNorm2d(16)
      Conv2d(16, 16, kernel: 3, groups: 16)
      Conv2d(16, 16, kernel: 3, stride: 2)
      ConvTranspose2d(16, 20, kernel: 2, stride: 2)
      Function { $0.permuted(0, 2, 3, 1) }
      Linear(20, 5)
    }
    let x = noise([1, 16, 8, 8])
    net.prepared()
    let expected = withoutGradients { net(x) }
    let weights = withoutGradients {
      Dictionary(uniqueKeysWithValues: net.state.map { ($0.name, $0.tensor.detached() * 1) })
    }
    inferenceMode {
      net.prepared(keepingWeights: false)
      for _ in 0..<2 { #expect(error(net(x), expected) < 1e-6) }
    }
    let kernels = net.parameters.filter { $0.parameter.rank > 1 }
    #expect(kernels.allSatisfy { $0.parameter.isReleased })
    #expect(net.state.allSatisfy { $0.tensor.shape == weights[$0.name]?.shape })

    // What needs the weights says that they are gone.
    let uses: [() -> Void] = [
      { net.unprepare() }, { net.train() }, { net.prepared() }, { _ = net(x) },
      { net[0].unprepare() },
    ]
    for use in uses {
      let error = #expect(throws: TorchError.self) { try attempt { use() } }
      #expect(error?.description.contains("given back") == true)
    }
    try net.load(weights)
    #expect(!net.isPrepared && kernels.allSatisfy { !$0.parameter.isReleased })
    #expect(error(withoutGradients { net(x) }, expected) < 1e-5)
    net(x).sum().backward()
    #expect(net[0].parameters.allSatisfy { $0.parameter.gradient != nil })
  }

  @Test("enlarge maps by transposed convolutions, into others too", arguments: [(2, 5), (3, 20)])
  func enlarging(_ scale: Int, _ outputs: Int) {
    let layer = ConvTranspose2d(18, outputs, kernel: scale, stride: scale)
    let x = noise([2, 18, 5, 4])
    withoutGradients {
      let y = layer(x)
      let map = noise([2, 5 * scale, 4 * scale, outputs + 7]).permuted(0, 3, 1, 2)
      let place = map.sliced(1, 3, outputs + 3)
      let before = map.sliced(1, 0, 3).floats
      layer.prepared()
      #expect(error(layer(x), y) < 1e-6)
      #expect(error(layer(x.contiguous(.channelsLast), into: place), y) < 1e-6)
      #expect(error(place, y) < 1e-6)
      #expect(map.sliced(1, 0, 3).floats == before)
    }
  }

  @Test("grow maps as concatenation does")
  func growing() {
    let module = Function { $0 }
    module.prepared()
    let parts = [noise([2, 3, 4, 5]), noise([2, 2, 4, 5]), noise([2, 1, 4, 5])]
    withoutGradients {
      var (after, before) = (
        GrowingMap(parts[0], room: 3, for: module), GrowingMap(parts[0], room: 4, for: module)
      )
      for part in parts.dropFirst() {
        after.append(part.size(1)) { _, _ in part }
        // Written to its place, as the last layers of a prepared network do.
        before.prepend(part.size(1)) { _, place in
          place?.assign(part)
          return place ?? part
        }
      }
      #expect(after.tensor.floats == concatenate(parts).floats)
      #expect(before.tensor.floats == concatenate(parts.reversed()).floats)
    }
  }

  @Test("grow maps in the room that was left around them, once")
  func room() throws {
    let module = Function { $0 }
    module.prepared()
    let (first, added) = (noise([2, 3, 4, 5]), noise([2, 2, 4, 5]))
    try withoutGradients {
      let map = try #require(Room(before: 1, after: 2).map(2, 3, 4, 5))
      map.assign(first)
      var growing = GrowingMap(map, room: 3, for: module)
      growing.append(2) { _, _ in added }
      growing.prepend(1) { map, _ in map.sliced(1, 0, 1) }
      #expect(growing.tensor.floats == concatenate([first.sliced(1, 0, 1), first, added]).floats)
      // A second map must not write over the first.
      var second = GrowingMap(map, room: 3, for: module)
      second.append(2) { _, _ in added + added }
      #expect(growing.tensor.sliced(1, 4, 6).floats == added.floats)
    }
  }

  @Test(
    "write to other maps what they give otherwise",
    arguments: ConvolutionCase.dense.filter { $0.stride == 1 })
  func destinations(_ size: ConvolutionCase) {
    let (conv, x) = (size.layer, size.image)
    let norm = BatchNorm2d(size.outputs)
    norm.bias.drawNormal()
    norm.train(false)
    conv.prepared()
    withoutGradients {
      let y = conv(x, norm, .relu)
      let map = noise([size.images, size.height, size.width, size.outputs + 9])
        .permuted(0, 3, 1, 2)
      let around = map.sliced(1, 0, 4).floats
      let place = map.sliced(1, 4, 4 + size.outputs)
      #expect(conv(x, norm, .relu, into: place).floats == y.floats)
      #expect(place.floats == y.floats)
      #expect(map.sliced(1, 0, 4).floats == around)
    }
  }
}
