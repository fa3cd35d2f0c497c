import Configuration
import Segmentation
import Testing
import Torch

/// The network that a line of YAML describes.
func model(_ yaml: String) throws -> SegmentationModel {
  try ModelBuilder.build(Section(yaml: yaml, named: "test"))
}

/// The backbone that a line of YAML describes.
func backbone(_ yaml: String) throws -> any Backbone {
  try ModelBuilder.backbone(Section(yaml: yaml, named: "test"))
}

extension Module {
  /// The number of values that a state dictionary's parameters have.
  var parameterCount: Int { parameters.reduce(0) { $0 + $1.parameter.count } }

  /// Draws weights that neither shrink nor swell what passes, without normalization by the batch.
  func drawWeightsThatKeepTheScale() {
    for (_, parameter) in parameters where parameter.rank > 1 {
      let inputs = parameter.shape.dropFirst().reduce(1, *)
      parameter.drawNormal(deviation: (2 / Double(inputs)).squareRoot())
    }
  }
}

/// An image of noise.
func noise(_ shape: [Int]) -> Tensor {
  let x = Tensor(uninitialized: shape)
  x.drawNormal()
  return x
}

/// A backbone of each family, small enough to train in a test.
let smallBackbones = [
  "densenet, blocks: [2, 2, 2, 2], growth: 8, stem: 16", "resnet18, deepStem: true",
  "mobilenet_v3_small", "mobilenet_v2", "efficientnet_lite0", "convnext_tiny, cut: 3",
  "regnet_y_200mf",
]

/// Every head by a configuration for small tests.
let heads = [
  "denseaspp, growth: 8, bottleneck: 16", "denseaspp, official: true", "deeplabv3, channels: 16",
  "deeplabv3, rates: [1, 6, 12, 18], unitKernel: 3, refine: false, channels: 8",
  "fcn, convolutions: 2, dilation: 6, channels: 8", "lraspp, channels: 16", "linear",
]
