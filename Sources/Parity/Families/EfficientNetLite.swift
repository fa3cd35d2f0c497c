import Files
import Segmentation
import Torch

/// EfficientNet-Lite under the names of its PyTorch port: `efficientnet/efficientnet-lite0`.
@Sendable
func efficientNetLite(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  let shape = file.json["outputs"]?["out"]?["shape"]?.ints
  let own = name.replacing("-", with: "_")
  guard EfficientNetLite.Variant(rawValue: own) != nil,
    let model = ImageClassifier.named(own, classes: shape?.last ?? 1000)
  else { return nil }
  let names = NamingConvention.efficientNetPyTorch.names(of: model)
  return ReferenceModel(model, name: { names[$0] ?? $0 })
}
