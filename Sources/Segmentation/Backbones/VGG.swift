import Configuration
import Torch

/// A VGG (Simonyan and Zisserman, 2015) with batch normalization.
///
/// Names are those of torchvision's `vgg*_bn.features`.
public final class VGG: Sequential, Backbone {
  /// The convolutions at each of the five sizes, by torchvision's names.
  public static let named: [String: [Int]] = [
    "vgg11_bn": [1, 1, 2, 2, 2], "vgg13_bn": [2, 2, 2, 2, 2], "vgg16_bn": [2, 2, 3, 3, 3],
    "vgg19_bn": [2, 2, 4, 4, 4],
  ]

  /// The channels at each size.
  private static let widths = [64, 128, 256, 512, 512]

  /// The channels of each feature map, finest first.
  public private(set) var channels: [Int] = []
  /// The output stride of each feature map, finest first.
  public private(set) var strides: [Int] = []
  /// Where each map ends.
  private var ends: [Int] = []

  /// The convolutional part of a VGG: so many convolutions at each size, of which `cut` keeps the first.
  public init(_ convolutions: [Int], cut: Int? = nil, inputChannels: Int = 3) {
    super.init()
    var input = inputChannels
    let sizes = Array(zip(convolutions, Self.widths))
    for (index, (depth, width)) in sizes.enumerated() {
      for _ in 0..<depth {
        append(Conv2d(input, width, kernel: 3))
        append(BatchNorm2d(width))
        append(ReLU())
        input = width
      }
      // A map is what the convolutions at its size give, the last what the last pooling leaves.
      if index > 0 {
        ends.append(count)
        channels.append(width)
        strides.append(1 << index)
      }
      if ends.count == cut { break }
      append(MaxPool2d(2, stride: 2))
    }
    if ends.count != cut {
      ends.append(count)
      channels.append(input)
      strides.append(1 << sizes.count)
    }
    Initialization.kaimingNormal(self, fanOut: true)
  }

  /// The maps at ``strides``.
  public func features(_ x: Tensor) -> [Tensor] {
    var (x, start) = (x, 0)
    return ends.map { end in
      x = applied(start..<end, to: x)
      start = end
      return x
    }
  }

  /// The layers up to each map.
  public var stages: [[Module]] {
    zip([0] + ends, ends).map { start, end in layers[start..<end].map(\.layer) }
  }
}

extension VGG {
  /// `vgg11_bn` to `vgg19_bn`.
  static let entries = named.mapValues { convolutions in
    BackboneEntry(outputStrides: [32]) { options, section in
      VGG(
        convolutions, cut: try section.optionalInt("cut", in: 1...5),
        inputChannels: options.inputChannels)
    }
  }
}
