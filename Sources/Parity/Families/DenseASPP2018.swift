import Files
import Segmentation
import Torch

/// The networks of the authors' code of 2018, by the settings that the file carries.
///
/// Files of training runs carry none; the variant's name stands for them then.
@Sendable
func denseASPP2018(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  guard name.hasPrefix("DenseASPP"),
    var network = DenseNet.Configuration.named["densenet" + name.dropFirst("DenseASPP".count)]
  else { return nil }
  network.endsWithTransition = true
  if let blocks = file.setting("block_config")?.ints { network.blocks = blocks }
  if let growth = file.setting("growth_rate")?.int { network.growth = growth }
  if let stem = file.setting("num_init_features")?.int { network.stem = stem }
  if let factor = file.setting("bn_size")?.int { network.bottleneck = factor }
  let backbone = DenseNet(network, outputStride: 8)
  var head = DenseASPP.Configuration.official(backbone.width)
  if let width = file.setting("d_feature0")?.int { head.bottleneck = width }
  if let growth = file.setting("d_feature1")?.int { head.growth = growth }
  head.dropout = file.setting("dropout0")?.number ?? head.dropout
  head.classifierDropout = file.setting("dropout1")?.number ?? head.classifierDropout
  let classes =
    file.stateShape("classification.1.weight")?.first ?? file.json["classes"]?.int ?? 19
  let model = SegmentationModel(
    backbone, DenseASPP(backbone.width, classes: classes, head), classes: classes)
  return ReferenceModel(model, name: Convention.denseASPP2018(head.dilations))
}
