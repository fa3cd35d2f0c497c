import Checkpoints
import Segmentation

/// Recognises torchvision's segmentation networks, whose files are state dictionaries, by all names and
/// shapes.
enum TorchvisionReader {
  @Sendable
  static func read(_ source: PretrainedSource) throws -> PretrainedNetwork.Description? {
    guard let (network, classes) = TorchvisionNetwork.matching(source.weights.shapes) else {
      return nil
    }
    let hasAuxiliary = source.weights.entries.contains { $0.name.contains("aux_classifier.") }
    let names = (0..<classes).map { "\"\($0)\"" }.joined(separator: ", ")
    let model = network.configuration(classes: classes, auxiliary: hasAuxiliary)
    return .init(
      family: "torchvision", title: "torchvision's \(network.name), \(classes) classes",
      yaml: model + "\ndata:\n  normalization: imagenet\n  classes: [\(names)]\n",
      convention: "torchvision",
      assumed: [
        "dilation, rates and corners are torchvision's, as all names and shapes are; the file has"
          + " no word of them",
        "images are normalized by ImageNet's mean and deviation, as torchvision's were",
        "classes are called by their numbers",
      ])
  }
}
