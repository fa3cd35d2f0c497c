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
  // Of several ways to name the encoder the one that the file has.
  let known = NamingConvention.conventions(of: model).filter { $0.name == "smp" }
  guard let convention = known.max(by: { fitting($0, model, file) < fitting($1, model, file) })
  else { return nil }
  var reference = ReferenceModel(model, convention)
  let count = file.json["backbone"]?.list?.count ?? 0
  reference.stages = { Array(model.maps($0).prefix(count)) }
  return reference
}

/// How many of a convention's names the file has.
private func fitting(
  _ convention: NamingConvention, _ model: SegmentationModel, _ file: ParityFile
) -> Int {
  convention.recipes(of: model).values.flatMap(\.names).count { file.stateShape($0) != nil }
}
