import Files
import Segmentation
import Torch
import Training

/// milesial's U-Net, in its form with transposed convolutions or, where the file has no weights of
/// any, in the bilinear one.
@Sendable
func milesial(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  guard name.hasPrefix("unet") else { return nil }
  var configuration = UNet.Configuration()
  let isBilinear =
    name.contains("bilinear") || file.hasEntries("up1.") && !file.hasEntries("up1.up.")
  configuration.enlargement = isBilinear ? .bilinear : .transposed
  let shape = file.json["outputs"]?["out"]?["shape"]?.ints
  let classes = file.json["classes"]?.int ?? shape.flatMap { $0.count == 4 ? $0[1] : nil } ?? 2
  let backbone = UNet(configuration, inputChannels: try file.inputShape()[1])
  let model = SegmentationModel(
    backbone, FCN(backbone.width, classes: classes, .linear()), classes: classes)
  var reference = ReferenceModel(model, name: Convention.milesial)
  // Its training script adds the soft Dice loss.
  reference.loss = { image, labels, _ in Loss(.crossEntropyDice(weight: 1))(model(image), labels) }
  return reference
}
