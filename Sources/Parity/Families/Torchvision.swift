import Segmentation
import Torch

/// torchvision's models, whose names are ours.
@Sendable
func torchvision(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  classifier(name, classes: file.json["outputs"]?["out"]?["shape"]?.ints?.last ?? 1000)
    .map { ReferenceModel($0) }
}

private func classifier(_ name: String, classes: Int) -> Layer? {
  if let configuration = DenseNet.Configuration.named[name] {
    return DenseNetClassifier(configuration, classes: classes)
  }
  if let configuration = ResNet.Configuration.named[name] {
    return ResNetClassifier(configuration, classes: classes)
  }
  if let variant = MobileNetV3.Variant(rawValue: name) {
    return MobileNetV3Classifier(variant, classes: classes)
  }
  return nil
}
