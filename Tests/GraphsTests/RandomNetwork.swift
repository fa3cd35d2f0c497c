import TestSupport
import Torch

/// A network of operators drawn from a seed: convolutions of all kinds, normalizations, sums, joins, factors
/// of channels, enlargements and poolings of any maps before them.
final class RandomNetwork: Layer {
  private let seed: Int, steps: Int
  private let convs: [Conv2d], norms: [BatchNorm2d], transposed: ConvTranspose2d,
    layerNorm: LayerNorm
  private static let channels = 16

  init(seed: Int, steps: Int = 14) {
    (self.seed, self.steps) = (seed, steps)
    let width = Self.channels
    var numbers = SeededNumbers(seed)
    convs = (0..<6).map { index in
      let kernel = [1, 3, 3, 5, 1, 3][index]
      let groups = index == 2 || index == 3 ? width : 1
      return Conv2d(
        width, width, kernel: kernel, stride: 1, dilation: index == 1 ? 2 : 1, groups: groups,
        bias: Bool.random(using: &numbers))
    }
    norms = (0..<3).map { _ in BatchNorm2d(width, eps: 1e-3) }
    transposed = ConvTranspose2d(width, width, kernel: 2, stride: 2)
    layerNorm = LayerNorm(width, ofImages: true)
    super.init()
    for norm in norms {
      norm.weight.drawUniform(0.5, 1.5)
      norm.bias.drawUniform(-0.5, 0.5)
      norm.runningMean.drawUniform(-0.5, 0.5)
      norm.runningVar.drawUniform(0.5, 2)
    }
  }

  override func forward(_ x: Tensor) -> Tensor {
    var numbers = SeededNumbers(seed &* 7919)
    func drawn(_ count: Int) -> Int { Int.random(in: 0..<count, using: &numbers) }
    var maps = [x]
    /// One of the newest maps, most often the last, so that chains come about.
    func any() -> Tensor { drawn(3) > 0 ? maps[maps.count - 1] : maps[drawn(maps.count)] }
    for _ in 0..<steps {
      let a = any(), b = any()
      let other = b.resized(height: a.height, width: a.width)
      let activation = Activation.allCases[drawn(Activation.allCases.count)]
      let y: Tensor =
        switch drawn(13) {
        case 0, 1: convs[drawn(convs.count)](a)
        case 2: norms[drawn(norms.count)](convs[drawn(convs.count)](a))
        case 3: convs[drawn(convs.count)](norms[drawn(norms.count)](a).relu())
        case 4: activation(a)
        case 5: a + other
        case 6: activation(convs[drawn(convs.count)](a) + other)
        case 7:
          // Back to the usual channels by a 1×1 convolution of a join, which may enlarge.
          concatenate([a, other], along: 1).conv2d(Self.halving)
        case 8: convs[0](a * a.globalAvgPool2d().sigmoid())
        case 9: a.height < 20 ? a.resized(height: 2 * a.height, width: a.width + 3) : a.relu()
        case 10: a.height > 3 && a.width > 3 ? a.maxPool2d(2, stride: 2) : norms[0](a)
        case 11: a.height < 12 ? transposed(a) : layerNorm(a)
        default: convs[2 + drawn(2)](a.padded([1, 1, 1, 1])).reluInPlace()
        }
      maps.append(y)
    }
    let last = maps[maps.count - 1]
    return concatenate(
      maps.suffix(4).map { $0.resized(height: last.height, width: last.width) }, along: 1)
  }

  /// A 1×1 convolution from twice the channels.
  private static let halving: Tensor = {
    let weight = Tensor(uninitialized: [channels, 2 * channels, 1, 1])
    weight.drawUniform(-0.3, 0.3)
    return weight
  }()
}
