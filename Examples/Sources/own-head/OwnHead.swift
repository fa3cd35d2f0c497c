import Configuration
import Segmentation
import Torch

/// A head with one atrous convolution and a classifier, from outside the package.
final class DilatedHead: Layer, SegmentationHead {
  let reduce: ConvNorm
  let dilated: ConvNorm
  let classifier: Conv2d

  init(_ input: Int, classes: Int, channels: Int, rate: Int) {
    reduce = ConvNorm(input, channels, kernel: 1)
    dilated = ConvNorm(channels, channels, dilation: rate)
    classifier = Conv2d(channels, classes)
  }

  /// The scores (N, classes, h, w) at the size of the backbone's last map.
  func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    classifier(dilated(reduce(maps.last ?? image)))
  }

  /// Lets configurations and checkpoints name it: `head: {name: dilated, rate: 4}`.
  static func register() throws {
    try Catalogue.register(
      head: "dilated",
      HeadEntry { input, section in
        DilatedHead(
          input.last, classes: input.classes,
          channels: try section.int("channels", default: 64, in: 1...4096),
          rate: try section.int("rate", default: 2, in: 1...64))
      })
  }
}

/// `swift run -c release own-head`: builds a network with it, and gives an image to it.
@main
enum OwnHead {
  static func main() throws {
    try DilatedHead.register()
    let model = try model(rate: 4)
    print(model.parameters.count, "parameters;", "scores", scores(model).shape)
  }

  static func model(rate: Int) throws -> SegmentationModel {
    try ModelBuilder.build(
      Section(
        yaml: """
          backbone: {name: mobilenet_v3_small, outputStride: 8}
          head: {name: dilated, rate: \(rate)}
          classes: 3
          """, named: "the example"))
  }

  /// The scores of a grey image, at its size (1, 3, 65, 97).
  static func scores(_ model: SegmentationModel) -> Tensor {
    model.train(false)
    let image = Tensor(filledWith: 0.5, [1, 3, 65, 97])
    return withoutGradients { model.upsampled(model.output(image).logits, like: image) }
  }
}
