import Configuration
import Files
import Segmentation
import Torch

/// timm's classifiers of images by their names and tags, `timm/xception65.tf_in1k`, with the maps of their
/// backbones at every output stride that the file has them at.
@Sendable
func timm(_ name: String, _ file: ParityFile) throws -> ReferenceModel? {
  let own = String(name.prefix { $0 != "." })
  let classes = file.json["outputs"]?["logits"]?["shape"]?.ints?.last ?? 1000
  guard let (classifier, yaml) = timmClassifier(own, classes) else { return nil }
  let known = NamingConvention.conventions(ofPart: classifier).filter { $0.name == "timm" }
  let fitting = known.max { a, b in
    let counts = [a, b].map { convention in
      convention.recipes(of: classifier).values.flatMap(\.names).count {
        file.stateShape($0) != nil
      }
    }
    return counts[0] < counts[1]
  }
  guard let convention = fitting else { return nil }
  // The same weights with strides that dilation replaces.
  let strides = (file.json["outputs"]?.object ?? [:]).keys.sorted().compactMap { key in
    key.hasPrefix("features_stride") ? Int(key.dropFirst("features_stride".count)) : nil
  }
  let dilated = try strides.map { stride in
    try ModelBuilder.backbone(
      Section(yaml: "{\(yaml), outputStride: \(stride)}", named: file.path))
  }
  var reference = ReferenceModel(classifier)
  reference.recipes = convention.recipes(of: classifier)
  reference.isUnused = convention.isUnused
  reference.outputs = { image in
    var named = ["features": classifier.features(image), "logits": classifier(image)]
    for (stride, backbone) in zip(strides, dilated) {
      for (entry, source) in zip(backbone.state, classifier.features.state) {
        entry.tensor.assign(source.tensor)
      }
      backbone.train(false)
      named["features_stride\(stride)"] = backbone(image)
    }
    return named
  }
  reference.stages = { classifier.features.features($0) }
  return reference
}

/// timm's classifier, and the section that describes its backbone; nil for names that are not known.
private func timmClassifier(_ name: String, _ classes: Int) -> (ImageClassifier, yaml: String)? {
  if name == "legacy_xception" {
    var configuration = PooledXception.Configuration()
    configuration.padsStem = false
    let features = PooledXception(configuration)
    return (
      FlatClassifier(features, Linear(features.width, classes)),
      "name: xception, stemPadding: false"
    )
  }
  if let (own, rounding) = RegNet.Configuration.timmNames[name],
    var configuration = RegNet.Configuration.named[own]
  {
    configuration.rounding = rounding
    let features = RegNet(configuration)
    return (
      FlatClassifier(features, Linear(features.width, classes)),
      "name: \(own), rounding: \(rounding.rawValue)"
    )
  }
  return ImageClassifier.named(name, classes: classes).map { ($0, "name: \(name)") }
}
