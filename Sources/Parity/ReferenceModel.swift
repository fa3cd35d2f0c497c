import Segmentation
import Torch

/// A network built as a reference implementation has it, with the reference's names.
package struct ReferenceModel {
  /// The network.
  package var module: Layer
  /// The reference's name of the state entry that the module calls so.
  package var name: (String) -> String = { $0 }
  /// What the module's tensors are made of there, where more than names differs.
  package var recipes: [String: WeightRecipe]?
  /// Whether a name is one that files have and nothing reads.
  package var isUnused: (String) -> Bool = { _ in false }
  /// The outputs by the kit's names for an image (N, C, H, W), in evaluation mode.
  package var outputs: (Tensor) -> [String: Tensor]
  /// The backbone's maps that the kit probes.
  package var stages: ((Tensor) -> [Tensor])?
  /// The loss for an image and labels (N, H, W), in training mode.
  package var loss: ((_ image: Tensor, _ labels: Tensor, _ ignored: Int) -> Tensor)?

  /// A network whose only output, `out`, is what its layer gives.
  package init(_ module: Layer, name: @escaping (String) -> String = { $0 }) {
    self.module = module
    self.name = name
    outputs = { ["out": module($0)] }
    loss = { image, labels, ignored in
      crossEntropy(module(image), labels, ignored: ignored)
    }
  }

  /// A segmentation network with the weights of a convention; its outputs are `logits`, `upsampled` and
  /// `auxiliary0`.
  package init(
    _ model: SegmentationModel, _ convention: NamingConvention,
    image: @escaping (Tensor) -> Tensor = { $0 }
  ) {
    self.init(model)
    recipes = convention.recipes(of: model)
    isUnused = convention.isUnused
    outputs = { given in
      let x = image(given)
      let output = model.output(x, withAuxiliary: true)
      let training = model.trainingOutput(model.maps(x), x)
      var named = [
        "logits": output.logits, "upsampled": model.upsampled(output.logits, like: x),
      ]
      let auxiliary = output.auxiliary + training.helpers.map(\.scores)
      for (index, tensor) in auxiliary.enumerated() { named["auxiliary\(index)"] = tensor }
      return named
    }
    stages = { model.backbone.features(image($0)) }
  }

  /// A segmentation network whose output is `out`; its auxiliary heads' go by the name `auxiliary`
  /// and count with their weights in the loss.
  package init(
    _ model: SegmentationModel, auxiliary name: String,
    name own: @escaping (String) -> String = { $0 }
  ) {
    self.init(model, name: own)
    func scores(_ image: Tensor) -> (out: Tensor, auxiliary: [Tensor]) {
      let output = model.output(image, withAuxiliary: true)
      return (
        model.upsampled(output.logits, like: image),
        output.auxiliary.map { model.upsampled($0, like: image) }
      )
    }
    outputs = { image in
      let (out, auxiliary) = scores(image)
      var named = ["out": out]
      for (index, tensor) in auxiliary.enumerated() {
        named[index == 0 ? name : "\(name)\(index)"] = tensor
      }
      return named
    }
    loss = { image, labels, ignored in
      let (out, auxiliary) = scores(image)
      return zip(model.auxiliary, auxiliary).reduce(crossEntropy(out, labels, ignored: ignored)) {
        $0 + crossEntropy($1.1, labels, ignored: ignored) * $1.0.weight
      }
    }
  }

  /// Builds the model that a file names; nothing if no family knows it.
  ///
  /// - Throws: ``ParityError`` if a family knows the model and not its settings.
  package static func build(_ file: ParityFile) throws -> ReferenceModel {
    let parts = file.model.split(separator: "/", maxSplits: 1).map(String.init)
    guard parts.count == 2, let family = families[parts[0]],
      let model = try family(parts[1], file)
    else {
      throw ParityError.unknownModel(
        file: file.path, model: file.model, known: families.keys.sorted().map { "\($0)/…" })
    }
    return model
  }

  /// The makers of reference models by the first part of their names.
  static let families: [String: @Sendable (String, ParityFile) throws -> ReferenceModel?] = [
    "torchvision": torchvision,
    "denseaspp": denseASPP2018,
    "efficientnet": efficientNetLite,
    "milesial": milesial,
    "hf": huggingFace,
    "mmseg": mmsegmentation,
    "smp": segmentationModelsPyTorch,
    "timm": timm,
    "vainf": repository("vainf"),
    "jfzhang95": repository("jfzhang95"),
    "kazuto1011": repository("kazuto1011"),
    "bubbliiiing": repository("bubbliiiing"),
    "tramac": repository("tramac"),
    "csail": repository("csail"),
    "detectron2": repository("detectron2"),
  ]
}

/// The mean cross-entropy of scores (N, K, H, W) over the labels (N, H, W) that are not ignored.
func crossEntropy(_ logits: Tensor, _ labels: Tensor, ignored: Int) -> Tensor {
  let counted = labels.notEqual(to: Double(ignored)).sum().to(.float32).clamped(1)
  return logits.logSoftmax(1).negativeLogLikelihoodSum(labels, ignoreIndex: ignored) / counted
}
