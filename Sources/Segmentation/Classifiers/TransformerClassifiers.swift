import Torch

/// torchvision's `vit_*`: the class token after the last block, through one matrix.
final class ViTClassifier: ImageClassifier {
  private let network: VisionTransformer

  /// The classifier of a vision transformer with 1000 classes unless told otherwise.
  init(_ configuration: VisionTransformer.Configuration, classes: Int = 1000) {
    var configuration = configuration
    configuration.levels = [configuration.depth - 1]
    network = VisionTransformer(configuration)
    super.init(network, Linear(network.width, classes))
  }

  override var children: [(name: String, module: Module)] {
    [("", features), ("heads.head", classifier)]
  }

  override func forward(_ x: Tensor) -> Tensor {
    network.classFeatures(x).map { classifier($0) } ?? x
  }
}

/// torchvision's `swin_*`, whose last map is normalized before its mean is taken.
final class SwinClassifier: ImageClassifier {
  private let norm: LayerNorm

  /// The classifier of a shifted-window transformer with 1000 classes unless told otherwise.
  init(_ configuration: Swin.Configuration, classes: Int = 1000) {
    var configuration = configuration
    configuration.normalizesMaps = false
    let network = Swin(configuration)
    norm = LayerNorm(network.width, ofImages: true)
    super.init(network, Linear(network.width, classes))
  }

  override var children: [(name: String, module: Module)] {
    [("features", features), ("norm", norm), ("head", classifier)]
  }

  override func forward(_ x: Tensor) -> Tensor {
    classifier(norm(features(x)).globalAvgPool2d().flattened(from: 1))
  }
}
