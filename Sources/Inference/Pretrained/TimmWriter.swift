import Checkpoints
import Configuration
import Datasets
import Files
import Segmentation
import Torch

/// Writes backbones as state dictionaries of timm's networks with `features_only`.
enum TimmWriter {
  @Sendable
  static func write(_ network: TrainedNetwork, _ path: String) throws -> [String] {
    let backbone = network.model.backbone
    guard let format = TorchvisionWriter.format(of: path) else {
      throw failure("'\(path)' is no name for it; expected NAME.pth or NAME.safetensors")
    }
    let section = try network.configuration.model().section("backbone")
    let (name, own) = try described(section)
    let stride = backbone.strides.max() ?? 32
    let twin: any Backbone
    do {
      let text = "{\(own), outputStride: \(stride), inputChannels: \(network.model.inputChannels)}"
      twin = try Initialization.skipped {
        try ModelBuilder.backbone(Section(yaml: text, named: "timm's \(name)"), pretrained: false)
      }
    } catch let error as ConfigurationError {
      throw failure("\(error)")
    }
    try check(backbone, isLike: twin, "timm's \(name)")
    guard let state = NamingConvention.timmFeatures(of: backbone) else {
      throw failure("it has no names there")
    }
    try WeightFile.write(state, to: path, as: format)
    let dilated = stride < 32 ? ", output_stride=\(stride)" : ""
    let channels = network.model.inputChannels
    return [
      "\(path): timm's \(name), the backbone alone, \(state.count) tensors",
      "for timm.create_model(\"\(name)\", features_only=True\(dilated)"
        + (channels == 3 ? ")" : ", in_chans=\(channels))")
        + ".load_state_dict, with images normalized by mean \(network.encoding.mean), deviation"
        + " \(network.encoding.deviation)",
    ]
  }

  private static func failure(_ reason: String) -> PretrainedError {
    .notWritable(family: "timm", reason: reason)
  }

  /// timm's name of a backbone, and the section that has its form here.
  private static func described(_ section: Section) throws -> (name: String, own: String) {
    let name = try section.string("name")
    switch name {
    case let name where name.hasPrefix("resnet") || name.hasPrefix("resnext"):
      let isDeep = try section.bool("deepStem", default: false)
      guard isDeep else { return (name, "name: \(name), stemMap: true, dilateBoth: true") }
      let averages = try section.bool("averageShortcuts", default: false)
      return (
        name + (averages ? "d" : "c"),
        "name: \(name), stemMap: true, deepStem: true, averageShortcuts: \(averages), dilateBoth: true"
      )
    case let name where Xception.Configuration.named[name] != nil: return (name, "name: \(name)")
    case let name where name.hasPrefix("efficientnet_b"):
      let isTensorFlow = try section.string("padding", default: "symmetric") == "tensorflow"
      return (
        isTensorFlow ? "tf_\(name)" : name,
        "name: \(name), lastConvolution: false, padding: \(isTensorFlow ? "tensorflow" : "symmetric"),"
          + " eps: \(isTensorFlow ? 1e-3 : 1e-5)"
      )
    case let name where name.hasPrefix("convnext_"):
      return (name, "name: \(name)")
    case let name where RegNet.Configuration.named[name] != nil:
      guard let timm = try regNet(name, section) else { throw failure("no such RegNet") }
      let rounding = timm.hasSuffix("_tv") ? "torchvision" : "nearest"
      return (timm, "name: \(name), rounding: \(rounding), stemMap: true")
    default:
      throw failure(
        "expected a ResNet, ResNeXt, RegNet, Xception, EfficientNet or ConvNeXt as the backbone, not"
          + " \(name)")
    }
  }

  /// timm's name of a RegNet; nil for other backbones.
  static func regNet(_ name: String, _ section: Section) throws -> String? {
    guard let configuration = RegNet.Configuration.named[name] else { return nil }
    let rounding = try section.choice("rounding", default: configuration.rounding)
    let names = RegNet.Configuration.timmNames.filter { $0.value.name == name }
    return names.first { $0.value.rounding == rounding }?.key ?? names.keys.first
  }

  /// Refuses a backbone that computes something else than `twin`, which timm's network is here: with the same
  /// drawn weights its maps of the same sizes must be the same for noise.
  private static func check(
    _ backbone: any Backbone, isLike twin: any Backbone, _ title: String
  ) throws {
    let theirs = Dictionary(
      twin.state.map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
    let own = backbone.state
    for (name, tensor) in own where theirs[name]?.shape != tensor.shape {
      throw failure("\(title) has no '\(name)' \(tensor.shape)")
    }
    guard own.count == theirs.count else {
      throw failure("\(title) has \(theirs.count) tensors, the backbone here \(own.count)")
    }
    let difference = try attempt {
      PretrainedWriter.withDrawnWeights(own, theirs) { () -> Double in
        backbone.train(false)
        twin.train(false)
        let side = 4 * max(32, twin.minimumSide)
        let channels = own.first { $0.tensor.rank == 4 }?.tensor.size(1) ?? 3
        let x = Tensor(uninitialized: [1, channels, side, side + 32])
        x.drawNormal()
        let (a, b) = (backbone.features(x), twin.features(x))
        // timm may give a map more, of half the image's size.
        return zip(a.reversed(), b.reversed()).map { a, b in
          guard a.shape == b.shape else { return .infinity }
          let scale = max(1e-12, b.standardDeviation(correction: 0).item)
          return (a - b).abs().maximum(along: [0, 1, 2, 3]).item / scale
        }.max() ?? .infinity
      }
    }
    guard difference < 1e-3 else {
      throw failure(
        "it has the tensors of \(title), which computes something else: maps differ by \(difference) of"
          + " their deviation with drawn weights")
    }
  }
}
