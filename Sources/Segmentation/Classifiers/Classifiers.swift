import Torch

/// A network with torchvision's classifier of images on top: (N, C, H, W) to (N, classes).
public class ImageClassifier: Layer {
  /// The network that gives features.
  public let features: any Backbone
  /// What turns the mean of the last map into scores.
  public let classifier: Layer
  private let activation: Activation

  /// A classifier of what `features` gives, after `activation`.
  public init(_ features: any Backbone, _ classifier: Layer, after activation: Activation = .none) {
    self.features = features
    self.classifier = classifier
    self.activation = activation
  }

  public override func forward(_ x: Tensor) -> Tensor {
    classifier(activation(features(x)).globalAvgPool2d().flattened(from: 1))
  }

  /// The classifier that torchvision calls `name`, a RegNet, an EfficientNet, an EfficientNet-Lite or an Xception; nil for other names.
  public static func named(_ name: String, classes: Int = 1000) -> ImageClassifier? {
    if let configuration = DenseNet.Configuration.named[name] {
      return denseNet(DenseNet(configuration), classes)
    }
    if let configuration = ResNet.Configuration.named[name] {
      return ResNetClassifier(configuration, classes: classes)
    }
    if let configuration = RegNet.Configuration.named[name] {
      let features = RegNet(configuration)
      return FlatClassifier(features, Linear(features.width, classes))
    }
    if name == "xception" {
      let features = PooledXception()
      return FlatClassifier(features, Linear(features.width, classes))
    }
    if let configuration = VisionTransformer.Configuration.named[name] {
      return ViTClassifier(configuration, classes: classes)
    }
    if let configuration = Swin.Configuration.named[name] {
      return SwinClassifier(configuration, classes: classes)
    }
    if let configuration = ConvNeXt.Configuration.named[name] {
      return convNeXt(ConvNeXt(configuration), classes)
    }
    if let configuration = Xception.Configuration.named[name] {
      let features = Xception(configuration)
      return ImageClassifier(features, Linear(features.width, classes))
    }
    if let variant = MobileNetV3.Variant(rawValue: name) {
      return mobileNetV3(MobileNetV3(variant), hidden: variant == .large ? 1280 : 1024, classes)
    }
    if let variant = EfficientNet.Variant.allCases.first(where: { $0.name == name }) {
      return mobileNetV2(EfficientNet(variant), dropout: variant.dropout, classes)
    }
    if let variant = EfficientNetLite.Variant(rawValue: name) {
      return mobileNetV2(EfficientNetLite(variant), dropout: variant.dropout, classes)
    }
    return name == "mobilenet_v2" ? mobileNetV2(MobileNetV2(), dropout: 0.2, classes) : nil
  }

  private static func denseNet(_ features: DenseNet, _ classes: Int) -> ImageClassifier {
    ImageClassifier(features, Linear(features.width, classes), after: .relu)
  }

  private static func convNeXt(_ features: ConvNeXt, _ classes: Int) -> ImageClassifier {
    ImageClassifier(
      features,
      Sequential {
        LayerNorm(features.width, eps: 1e-6)
        Flatten()
        Linear(features.width, classes)
      })
  }

  private static func mobileNetV3(
    _ features: MobileNetV3, hidden: Int, _ classes: Int
  ) -> ImageClassifier {
    ImageClassifier(
      features,
      Sequential {
        Linear(features.width, hidden)
        Activation.hardswish.layer
        Dropout(0.2)
        Linear(hidden, classes)
      })
  }

  private static func mobileNetV2(
    _ features: MobileNetwork, dropout: Double, _ classes: Int
  ) -> ImageClassifier {
    ImageClassifier(
      features,
      Sequential {
        Dropout(dropout)
        Linear(features.width, classes)
      })
  }
}

/// A classifier whose network's own names stand beside `fc`.
public final class FlatClassifier: ImageClassifier {
  public override var children: [(name: String, module: Module)] {
    [("", features), ("fc", classifier)]
  }
}

/// torchvision's `resnet*`, where the network's own names stand beside the classifier's, `fc`.
final class ResNetClassifier: ImageClassifier {
  /// The classifier of a residual network with 1000 classes unless told otherwise.
  init(_ configuration: ResNet.Configuration, classes: Int = 1000) {
    let network = ResNet(configuration)
    super.init(network, Linear(network.width, classes))
  }

  override var children: [(name: String, module: Module)] {
    [("", features), ("fc", classifier)]
  }
}
