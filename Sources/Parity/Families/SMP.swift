import Configuration
import Files
import Inference
import Segmentation
import Torch

/// segmentation_models.pytorch's networks by the configuration that its files carry.
@Sendable
func segmentationModelsPyTorch(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  guard let configuration = file.json["config_json"] else { return nil }
  let description = try SMPReader.describe(configuration, file: file.path)
  let section = try Section(yaml: description.yaml, named: file.path)
  let model = try ModelBuilder.build(section.section("model"))
  let known = NamingConvention.conventions(of: model).filter { $0.name == "smp" }
  // Of several ways to name the encoder the one that the file has.
  let names =
    known.map { $0.names(of: model) }
    .max { fitting($0, file) < fitting($1, file) } ?? [:]
  var reference = ReferenceModel(model) { names[$0] ?? $0 }
  reference.outputs = { image in
    let output = model.output(image)
    return [
      "logits": output.logits, "upsampled": model.upsampled(output.logits, like: image),
    ]
  }
  let count = file.json["backbone"]?.list?.count ?? 0
  reference.stages = { Array(model.maps($0).prefix(count)) }
  return reference
}

/// How many of a convention's names the file has.
private func fitting(_ names: [String: String], _ file: ParityFile) -> Int {
  names.values.count { file.stateShape($0) != nil }
}
