import Torch

/// torchvision's `densenet*`: the network with its classifier of images (N, classes).
public final class DenseNetClassifier: Layer {
  let features: DenseNet
  let classifier: Linear

  /// The classifier of a DenseNet with 1000 classes unless told otherwise.
  public init(_ configuration: DenseNet.Configuration, classes: Int = 1000) {
    features = DenseNet(configuration)
    classifier = Linear(features.channels.last ?? 0, classes)
  }

  public override func forward(_ x: Tensor) -> Tensor {
    classifier(features(x).relu().globalAvgPool2d().flattened(from: 1))
  }
}

/// torchvision's `mobilenet_v3_*`: the network with its classifier of images (N, classes).
public final class MobileNetV3Classifier: Layer {
  let features: MobileNetV3
  let classifier: Sequential

  /// The classifier of a MobileNetV3 with 1000 classes unless told otherwise.
  public init(_ variant: MobileNetV3.Variant, classes: Int = 1000) {
    let features = MobileNetV3(variant)
    let hidden = variant == .large ? 1280 : 1024
    self.features = features
    classifier = Sequential {
      Linear(features.channels.last ?? 0, hidden)
      Activation.hardswish.layer
      Dropout(0.2)
      Linear(hidden, classes)
    }
  }

  public override func forward(_ x: Tensor) -> Tensor {
    classifier(features(x).globalAvgPool2d().flattened(from: 1))
  }
}

/// torchvision's `resnet*`: the network with its classifier of images (N, classes).
public final class ResNetClassifier: Layer {
  let network: ResNet
  let fc: Linear

  /// The classifier of a residual network with 1000 classes unless told otherwise.
  public init(_ configuration: ResNet.Configuration, classes: Int = 1000) {
    network = ResNet(configuration)
    fc = Linear(network.channels.last ?? 0, classes)
  }

  public override var children: [(name: String, module: Module)] {
    network.children + [("fc", fc)]
  }

  public override func forward(_ x: Tensor) -> Tensor {
    fc(network(x).globalAvgPool2d().flattened(from: 1))
  }
}
