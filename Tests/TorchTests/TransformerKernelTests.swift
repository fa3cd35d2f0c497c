import Testing
import Torch

@Suite("Kernels of transformers")
struct TransformerKernelTests {
  // MARK: attention

  /// Queries over keys and values.
  struct Case: Sendable, CustomStringConvertible {
    var images = 1, heads = 1
    var tokens: Int, others: Int, width: Int
    var outputs: Int?
    var description: String {
      "\(images)×\(heads) heads, \(tokens) over \(others), \(width)→\(outputs ?? width)"
    }
  }

  static let cases: [Case] = [
    .init(tokens: 1, others: 1, width: 1),
    .init(heads: 2, tokens: 1, others: 37, width: 8),
    .init(images: 2, heads: 3, tokens: 50, others: 49, width: 20, outputs: 36),
    .init(images: 2, heads: 2, tokens: 99, others: 64, width: 32),
    // Several blocks of queries and of keys, the last ones cut.
    .init(tokens: 203, others: 1030, width: 64),
    .init(heads: 2, tokens: 13, others: 513, width: 33, outputs: 7),
    .init(tokens: 9, others: 520, width: 5, outputs: 90),
  ]

  @Test("attend as in double precision", arguments: cases, Engine.kernelBuilds)
  func attention(_ size: Case, _ build: String) {
    let attend = Operator("attention", namespace: "atrous")
    let outputs = size.outputs ?? size.width
    // Heads side by side, keys and values of one matrix: tensors that are not contiguous.
    func heads(_ x: Tensor) -> Tensor {
      x.reshaped(x.size(0), x.size(1), size.heads, -1).transposed(1, 2)
    }
    let q = heads(noise([size.images, size.tokens, size.heads * size.width]))
    let both = noise([size.images, size.others, size.heads * (size.width + outputs)])
    let k = heads(both.sliced(2, 0, size.heads * size.width))
    let v = heads(both.sliced(2, size.heads * size.width, both.size(2)))
    // Small scores, the usual ones, and such that one key takes all: hundreds, which float32 rounds by 1e-5.
    for (scale, bound) in [(0.1, 1e-5), (0.7, 1e-5), (20, 3e-5)] {
      let expected = q.to(.float64).attention(k.to(.float64), v.to(.float64), scale: scale)
      #expect(error(attend(q, k, v, scale, build), expected) < bound)
      let contiguous = attend(q.contiguous(), k.contiguous(), v.contiguous(), scale, build)
      #expect(error(contiguous, expected) < bound)
      // Features that are not adjacent.
      let apart = v.transposed(2, 3).contiguous().transposed(2, 3)
      #expect(error(attend(q, k, apart, scale, build), expected) < bound)
    }
  }

  @Test("add to scores as in double precision", arguments: cases, Engine.kernelBuilds)
  func addedScores(_ size: Case, _ build: String) throws {
    let attend = Operator("attention", namespace: "atrous")
    let table = Operator("score_table", namespace: "atrous")
    let outputs = size.outputs ?? size.width
    let q = noise([size.images, size.heads, size.tokens, size.width])
    let k = noise([size.images, size.heads, size.others, size.width])
    let v = noise([size.images, size.heads, size.others, outputs])
    // Of each head or of all, of each image or of all; with numbers that leave nothing of a key.
    for (images, heads) in [(1, 1), (1, size.heads), (size.images, 1), (size.images, size.heads)] {
      var numbers = noise([images, heads, size.tokens, size.others]).floats
      for place in numbers.indices where place % 7 == 3 {
        numbers[place] = place % 2 == 0 ? -100 : -.infinity
      }
      let added = Tensor(numbers, [images, heads, size.tokens, size.others])
      let packed = table.tensors(added)
      try #require(packed.count == 2)
      let expected = q.to(.float64).attention(
        k.to(.float64), v.to(.float64), mask: added.to(.float64))
      #expect(
        error(attend(q, k, v, Double?.none, build, packed[0], packed[1]), expected) < 1e-5)
    }
    // Equal images share what is added to them.
    let same = noise([1, 1, size.tokens, size.others]).expanded([5, 2, size.tokens, size.others])
    let shared = table.tensors(same)
    #expect(shared[0].size(0) == 1 && shared[1].count == 5)
  }

  @Test("keep large scores apart and pass on what is no number")
  func extremes() {
    let attend = Operator("attention", namespace: "atrous")
    // The second key's score is larger by 2000, in either order of blocks.
    for others in [2, 600] {
      let q = Tensor([Float](repeating: 1, count: 3), [1, 1, 3, 1])
      var keys = [Float](repeating: -1000, count: others)
      keys[others - 1] = 1000
      let values = (0..<others).map { Float($0) }
      let k = Tensor(keys, [1, 1, others, 1])
      let v = Tensor(values, [1, 1, others, 1])
      #expect(attend(q, k, v, 1.0).floats == [Float](repeating: Float(others - 1), count: 3))
      #expect(attend(-q, k, v, 1.0).floats.allSatisfy { $0 < Float(others - 1) })
    }
    let nan = Tensor([Float.nan, 1], [1, 1, 2, 1])
    let one = Tensor([Float](repeating: 1, count: 2), [1, 1, 2, 1])
    let seen = attend(nan, one, one, 1.0).floats
    #expect(seen[0].isNaN && seen[1] == 1)
  }

  @Test("refuse what does not fit")
  func refusals() {
    let attend = Operator("attention", namespace: "atrous")
    let x = noise([1, 2, 5, 8])
    for (k, v) in [
      (noise([1, 2, 5, 7]), x), (x, noise([1, 2, 4, 8])), (noise([1, 1, 5, 8]), x),
      (noise([2, 5, 8]), x), (noise([1, 2, 0, 8]), noise([1, 2, 0, 8])),
    ] {
      #expect(throws: TorchError.self) { try attempt { attend(x, k, v) } }
    }
    let tables = Operator("score_table", namespace: "atrous")
    #expect(throws: TorchError.self) { try attempt { tables(noise([2, 5, 5])) } }
    for added in [
      noise([1, 2, 4, 5]), noise([1, 2, 5, 40]), noise([1, 3, 5, 5]), noise([3, 1, 5, 5]),
    ] {
      let table = tables.tensors(added)
      #expect(throws: TorchError.self) {
        try attempt { attend(x, x, x, Double?.none, "", table[0], table[1]) }
      }
    }
    let norm = Operator("layer_norm", namespace: "atrous")
    #expect(throws: TorchError.self) {
      try attempt { norm(x, noise([7]), noise([8]), 1e-5) }
    }
    let packed = Operator("pack", namespace: "atrous")(noise([4, 8, 1, 1]), "")
    let linear = Operator("linear", namespace: "atrous")
    let chain = Operator("chain", namespace: "atrous")
    for (x, addend) in [(noise([3, 7]), nil), (noise([3, 8]), noise([4]))] as [(Tensor, Tensor?)] {
      #expect(throws: TorchError.self) {
        try attempt { linear(x, packed, 4, Tensor?.none, addend, "none") }
      }
    }
    for (input, map) in [
      (7, noise([1, 4, 2, 2])), (8, noise([1, 3, 2, 2])), (8, noise([4, 2, 2])),
    ] {
      #expect(throws: TorchError.self) {
        try attempt {
          chain([noise([1, input, 3, 3])], [packed], [4], [Tensor?.none], "relu", [map], 0, false)
        }
      }
    }
  }

  // MARK: normalization and activation

  @Test(
    "normalize as in double precision", arguments: [1, 7, 16, 50, 160, 384], Engine.kernelBuilds)
  func normalization(_ width: Int, _ build: String) {
    let norm = Operator("layer_norm", namespace: "atrous")
    let (weight, bias) = (noise([width]), noise([width]))
    // A mean that is large beside the deviation, and a tensor that is not contiguous.
    for x in [noise([70, width]), noise([3, 5, width]) + 30, noise([width, 6]).transposed(0, 1)] {
      let expected = x.to(.float64).layerNorm(
        [width], weight: weight.to(.float64), bias: bias.to(.float64), eps: 1e-6)
      #expect(error(norm(x, weight, bias, 1e-6, build), expected) < 2e-5)
    }
  }

  @Test("take GELU to seven digits", arguments: Engine.kernelBuilds)
  func gelu(_ build: String) {
    let pack = Operator("pack", namespace: "atrous")
    let linear = Operator("linear", namespace: "atrous")
    let values: [Float] = (-6000...6000).map { Float($0) / 500 } + [1e-6, -1e-6, 1e30, -1e30]
    let x = Tensor(values, [values.count, 1])
    let packed = pack(Tensor([Float(1)], [1, 1, 1, 1]), build)
    let y = linear(x, packed, 1, Tensor?.none, Tensor?.none, "gelu").floats
    let expected = x.to(.float64).gelu().values(Double.self)
    for (found, expected) in zip(y, expected) {
      #expect(abs(Double(found) - expected) <= max(4e-7, 4e-7 * abs(expected)))
    }
    #expect(abs(y[values.count - 4] / 0.5e-6 - 1) < 1e-5)
    let none = linear(
      Tensor([Float.nan], [1, 1]), packed, 1, Tensor?.none, Tensor?.none, "gelu")
    #expect(none.floats.allSatisfy { $0.isNaN })
  }

  // MARK: chains

  @Test(
    "add enlarged maps to convolutions without a map in between", arguments: [false, true],
    Engine.kernelBuilds)
  func chains(_ alignCorners: Bool, _ build: String) {
    let pack = Operator("pack", namespace: "atrous")
    let chain = Operator("chain", namespace: "atrous")
    for (channels, height, width) in [
      ([5, 40, 300, 19], 9, 13), ([20, 7, 16, 3], 1, 1), ([270, 530, 33, 1], 5, 2),
    ] {
      let x = noise([2, channels[0], height, width]).contiguous(.channelsLast)
      let weights = (0..<3).map { noise([channels[$0 + 1], channels[$0], 1, 1]) * 0.2 }
      let biases: [Tensor?] = [noise([channels[1]]), nil, noise([channels[3]])]
      // Smaller, of the same size, larger, and a single pixel; in both orders of memory.
      let maps = [
        noise([2, channels[2], 4, 5]), noise([2, channels[2], height, width]),
        noise([2, channels[2], 11, 15]).contiguous(.channelsLast), noise([2, channels[2], 1, 1]),
      ]
      let y = chain(
        [x], weights.map { pack($0, build) }, Array(channels.dropFirst()), biases, "relu gelu none",
        maps, 1, alignCorners)
      func convolved(_ x: Tensor, _ index: Int) -> Tensor {
        x.conv2d(weights[index].to(.float64), bias: biases[index]?.to(.float64))
      }
      let middle = convolved(convolved(x.to(.float64), 0).relu(), 1)
      let sum = maps.reduce(middle) { sum, map in
        sum
          + map.contiguous().to(.float64)
          .resized(height: height, width: width, alignCorners: alignCorners)
      }
      #expect(error(y, convolved(sum.gelu(), 2)) < 1e-5)
      // A view of some channels of a larger map, and no maps at all.
      let part = concatenate([noise(x.shape), x]).contiguous(.channelsLast)
        .sliced(1, channels[0], 2 * channels[0])
      let alone = chain(
        [part], [pack(weights[0], build)], [channels[1]], [Tensor?.none], "none", [Tensor](), 0,
        alignCorners)
      let expected = x.to(.float64).conv2d(weights[0].to(.float64))
      #expect(error(alone, expected) < 1e-5)
      // The same channels in several maps, cut where no vector ends.
      let pieces = [x.sliced(1, 0, 3), x.sliced(1, 3, channels[0])]
      let joined = chain(
        pieces, [pack(weights[0], build)], [channels[1]], [Tensor?.none], "none", [Tensor](), 0,
        alignCorners)
      #expect(error(joined, expected) < 1e-5)
    }
  }
}
