import Configuration
import Files
import Segmentation
import Torch

/// Networks of repositories, by what their code does; their files say nothing of it.
@Sendable
func repository(_ owner: String) -> @Sendable (String, ParityFile) throws -> ReferenceModel? {
  { name, file in
    guard let text = repositories["\(owner)/\(name)"] else { return nil }
    let classes = file.json["outputs"]?["logits"]?["shape"]?.ints?.dropFirst().first ?? 21
    let section = try Section(yaml: text, named: file.path)
    let model = try ModelBuilder.build(section, classes: classes)
    let known = NamingConvention.conventions(of: model)
    guard let convention = known.first(where: { $0.name == owner }) else { return nil }
    // kazuto1011's images are BGR, ours always RGB.
    let reversed: (Tensor) -> Tensor = { x in
      concatenate((0..<3).reversed().map { x.sliced(1, $0, $0 + 1) }, along: 1)
    }
    var reference = ReferenceModel(
      model, convention, image: owner == "kazuto1011" ? reversed : { $0 })
    let prefix = file.json["file"]?["prefix"]?.string ?? ""
    reference.recipes = reference.recipes?.mapValues { $0.after(prefix) }
    let isUnused = reference.isUnused
    reference.isUnused = { $0.hasPrefix(prefix) && isUnused(String($0.dropFirst(prefix.count))) }
    switch model.backbone {
    case let backbone as ResNet where owner == "kazuto1011":
      reference.stages = { [backbone.entry(reversed($0))] + backbone.features(reversed($0)) }
    case let backbone as DenseNet:
      reference.stages = { denseBlocks(backbone, $0) }
    case let backbone as MobileNetV2:
      reference.stages = { Array(backbone.features($0).dropFirst()) }
    default: break
    }
    return reference
  }
}

/// What each dense block gives, before what follows it.
private func denseBlocks(_ backbone: DenseNet, _ image: Tensor) -> [Tensor] {
  var x = image
  var maps: [Tensor] = []
  for (name, module) in backbone.children {
    guard let layer = module as? Layer else { continue }
    x = layer(x)
    if name.hasPrefix("denseblock") { maps.append(x) }
  }
  return maps
}

private let repositories = [
  "vainf/deeplabv3_resnet50":
    "{backbone: {name: resnet50, outputStride: 8}, head: {name: deeplabv3, rate: 12}}",
  "vainf/deeplabv3plus_resnet50": """
  backbone: {name: resnet50, outputStride: 16}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false, convolutions: 1, lowFirst: true}
  """,
  "jfzhang95/deeplab_resnet": """
  alignCorners: true
  backbone: {name: resnet101, outputStride: 16, multiGrid: [1, 2, 4], contractDilation: false}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "kazuto1011/deeplabv2_resnet101": """
  backbone: {name: resnet101, outputStride: 8, contractDilation: false, strideFirst: true,
             ceilPooling: true}
  head: {name: deeplabv2}
  """,
  "bubbliiiing/deeplabv3plus_mobilenet": """
  alignCorners: true
  backbone: {name: mobilenet_v2, outputStride: 16, lastConvolution: false}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "vainf/deeplabv3plus_xception": """
  backbone: {name: xception, form: vainf, outputStride: 16}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false, convolutions: 1, lowFirst: true}
  """,
  "vainf/deeplabv3plus_xception_os8": """
  backbone: {name: xception, form: vainf, outputStride: 8}
  head: {name: deeplabv3plus, rate: 12, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false, convolutions: 1, lowFirst: true}
  """,
  "detectron2/deeplabv3plus_resnet50": """
  backbone: {name: resnet50, outputStride: 16, deepStem: true, stemChannels: 128,
             contractDilation: false, multiGrid: [1, 2, 4]}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false, lowFirst: true, poolNorm: false,
         poolWindow: [4, 5]}
  """,
  "jfzhang95/deeplab_drn": """
  alignCorners: true
  backbone: {name: drn_d_54}
  head: {name: deeplabv3plus, rate: 12, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "jfzhang95/deeplab_xception": """
  alignCorners: true
  backbone: {name: xception65, form: jfzhang95, outputStride: 16}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "jfzhang95/deeplab_xception_os8": """
  alignCorners: true
  backbone: {name: xception65, form: jfzhang95, outputStride: 8}
  head: {name: deeplabv3plus, rate: 12, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "bubbliiiing/deeplabv3plus_xception": """
  alignCorners: true
  backbone: {name: xception65, form: bubbliiiing, outputStride: 16}
  head: {name: deeplabv3plus, rate: 6, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "bubbliiiing/deeplabv3plus_xception_os8": """
  alignCorners: true
  backbone: {name: xception65, form: bubbliiiing, outputStride: 8}
  head: {name: deeplabv3plus, rate: 12, channels: 256, poolFirst: false, projection: 1,
         separable: false, separableDecoder: false}
  """,
  "csail/pspnet50": """
  backbone: {name: resnet50, outputStride: 8, deepStem: true, stemChannels: 128}
  head: {name: pspnet}
  auxiliary: [{name: fcn, level: 2, channels: 512}]
  """,
  "tramac/denseaspp_densenet121": """
  alignCorners: true
  backbone: {name: densenet121, outputStride: 8}
  head: {name: denseaspp, block: postActivation}
  """,
]
