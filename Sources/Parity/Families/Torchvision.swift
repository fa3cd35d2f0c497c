import Files
import Segmentation
import Torch

/// torchvision's models, whose names are ours.
@Sendable
func torchvision(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  let shape = file.json["outputs"]?["out"]?["shape"]?.ints
  if let classifier = ImageClassifier.named(name, classes: shape?.last ?? 1000) {
    return ReferenceModel(classifier)
  }
  let classes = file.json["classes"]?.int ?? shape.flatMap { $0.count == 4 ? $0[1] : nil } ?? 21
  let model = SegmentationModel.torchvision(
    name, classes: classes, auxiliary: file.hasEntries("aux_classifier."))
  return model.map { ReferenceModel($0, auxiliary: "aux") }
}
