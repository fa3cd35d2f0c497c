import Configuration
import Files
import Segmentation
import Torch

/// Hugging Face's networks, built from their `config.json` alone.
@Sendable
func huggingFace(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  guard let configuration = file.json["config_json"] else {
    throw ParityError.malformed(
      file: file.path, key: "config_json", expected: "a network's config.json")
  }
  let network = try HuggingFaceNetwork(Section(yaml: configuration.text, named: file.path))
  // DPT's scores are compared before they are doubled, and after that with what comes to the image's size in one step.
  let isDoubled = network.model.contains("enlargeScores: true")
  let yaml =
    network.model.replacing("enlargeScores: true", with: "enlargeScores: false")
    + (isDoubled ? "\nalignCorners: true" : "")
  let model = try ModelBuilder.build(Section(yaml: yaml, named: file.path))
  guard
    let convention = NamingConvention.conventions(of: model)
      .first(where: { $0.name == "huggingface" })
  else { return nil }
  var reference = ReferenceModel(model, convention)
  reference.stages = { probed(model.backbone, $0) }
  return reference
}

/// The maps that the kit probes.
///
/// Those of a vision transformer are its tokens, the class token first; those of MobileNetV2 are also
/// the outputs of blocks that begin no new resolution.
private func probed(_ backbone: any Backbone, _ image: Tensor) -> [Tensor] {
  switch backbone {
  case let backbone as VisionTransformer: return backbone.tokens(image)
  case let backbone as MobileNetV2:
    var x = image
    var maps: [Tensor] = []
    for index in 0..<backbone.count {
      x = backbone[index](x)
      if [2, 4, 11, 14, 17].contains(index) { maps.append(x) }
    }
    return maps
  default: return backbone.features(image)
  }
}
