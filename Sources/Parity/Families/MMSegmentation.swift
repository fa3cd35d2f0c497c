import Configuration
import Files
import Foundation
import Inference
import Segmentation
import Torch
import Training

/// MMSegmentation's networks by the settings that a file carries.
///
/// The settings become a configuration of our own, so that what agrees is what anybody can write.
/// Files of receptive fields carry none; the file of the same network beside them does.
@Sendable
func mmsegmentation(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  let described = try withSettings(name, file)
  let configuration = try MMSegmentationSettings(
    described.json["settings"] ?? .null, "settings", of: described.path,
    image: file.inputShape()[1])
  let section = try Section(yaml: configuration.model.text, named: described.path)
  let model = try ModelBuilder.build(section)
  let names = NamingConvention.mmsegmentation(
    model, listsAuxiliary: described.setting("auxiliary_head")?.list != nil
  ).names(of: model)
  var reference = ReferenceModel(model, auxiliary: "auxiliary") { names[$0] ?? $0 }
  reference.outputs = { image in
    let output = model.output(image, withAuxiliary: true)
    var named = [
      "logits": output.logits, "upsampled": model.upsampled(output.logits, like: image),
    ]
    for (index, tensor) in output.auxiliary.enumerated() { named["auxiliary\(index)"] = tensor }
    return named
  }
  reference.loss = { image, labels, _ in
    Loss(.crossEntropy).total(model.output(image), of: model, for: image, labels)
  }
  reference.stages = { image in
    let maps = ((model.backbone as? Necked)?.base ?? model.backbone).features(image)
    return configuration.probed.map { maps[$0] }
  }
  return reference
}

/// The file itself if it carries settings, or that of the network's values in the same folder.
private func withSettings(_ name: String, _ file: ParityFile) throws -> ParityFile {
  if file.json["settings"]?.object != nil { return file }
  let folder = file.path.parentFolder
  let path = "\(folder.isEmpty ? "." : folder)/mmseg-\(name).json"
  guard FileSystem.exists(path) else {
    throw ParityError.malformed(
      file: file.path, key: "settings",
      expected: "there, and the file with the network's settings, \(path), is not either")
  }
  return try ParityFile(contentsOf: path)
}
