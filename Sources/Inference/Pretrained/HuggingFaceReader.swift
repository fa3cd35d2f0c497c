import Checkpoints
import Configuration
import Evaluation
import Files
import Imaging
import Segmentation

/// Recognises folders of Hugging Face's `save_pretrained`: `config.json` says what network it is, and
/// `preprocessor_config.json` what becomes of an image before it.
enum HuggingFaceReader {
  @Sendable
  static func read(_ source: PretrainedSource) throws -> PretrainedNetwork.Description? {
    guard let json = try source.json("config.json"), let type = json["model_type"]?.string,
      json["_model_class"] == nil
    else { return nil }
    let file = "\(source.path)/config.json"
    let network = try HuggingFaceNetwork(Section(yaml: json.text, named: file))
    let images = try preprocessing(source, type)
    let model = network.model.split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
    let names =
      network.classNames.isEmpty
      ? (0..<network.classes).map(String.init) : PretrainedNetwork.distinct(network.classNames)
    var yaml = """
      model:
      \(model)
      data:
        normalization: {mean: \(images.mean), deviation: \(images.deviation)}
        classes: [\(names.map { JSON.string($0).text }.joined(separator: ", "))]

      """
    if images.rule != .own { yaml += "  imageResizing: \(images.rule.rawValue)\n" }
    switch images.size {
    case .exact(let size): yaml += "evaluate: {imageSize: \(size.width)x\(size.height)}\n"
    case .shortSide(let length): yaml += "evaluate: {shortSide: \(length)}\n"
    case .near(let size, let multiple):
      yaml += "evaluate: {imageSize: \(size.width)x\(size.height), keepAspectRatio: true"
      yaml += multiple > 1 ? ", multipleOf: \(multiple)}\n" : "}\n"
    case nil: break
    }
    var assumed = images.assumed
    if network.classNames.isEmpty { assumed.append("classes are called by their numbers") }
    return .init(
      family: "hf", title: "Hugging Face's \(type), \(network.classes) classes", yaml: yaml,
      convention: conventions(source), told: network.notes + images.told, assumed: assumed)
  }

  /// Version 5 writes other names where it is asked to.
  private static func conventions(_ source: PretrainedSource) -> String {
    let newer = ["segformer.stages.", "backbone.swin.encoder.", "backbone.swin.embeddings."]
    return source.weights.entries.contains { entry in newer.contains { entry.name.hasPrefix($0) } }
      ? "huggingface-5" : "huggingface"
  }

  private struct Images {
    var mean: [Double], deviation: [Double]
    var size: SeenSize?
    var rule = ImageResizing.own
    var told: [String] = [], assumed: [String] = []
  }

  /// Pillow's numbers of filters, which `resample` gives, as transformers 5 has them on torchvision.
  private static let filters: [ImageResizing] = [
    .pillowNearest, .pillowLanczos, .torchvision, .torchvisionBicubic, .pillowBox, .pillowHamming,
  ]
  /// The number of the filter that resizes as a rule does; that of the bilinear one for other libraries' bilinear rules.
  static func resample(_ rule: ImageResizing) -> Int {
    rule == .pillowBicubic ? 3 : filters.firstIndex(of: rule) ?? 2
  }

  /// What becomes of an image: its size, and (level / 255 − mean) / deviation.
  private static func preprocessing(_ source: PretrainedSource, _ type: String) throws -> Images {
    let halves = ["dpt", "mobilenet_v2"].contains(type)
    let usual =
      halves
      ? ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]) : ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    let name = "preprocessor_config.json"
    guard let json = try source.json(name) else {
      return Images(
        mean: usual.0, deviation: usual.1,
        assumed: [
          "there is no \(name): images are normalized by mean \(usual.0) and deviation"
            + " \(usual.1), and keep their size"
        ])
    }
    let section = try Section(yaml: json.text, named: "\(source.path)/\(name)")
    var images = Images(mean: [0, 0, 0], deviation: [1, 1, 1])
    if try section.bool("do_normalize", default: true) {
      images.mean = try section.doubles("image_mean", default: usual.0)
      images.deviation = try section.doubles("image_std", default: usual.1)
    }
    let factor =
      try section.bool("do_rescale", default: true)
      ? section.double("rescale_factor", default: 1 / 255, in: 1e-6...1e3) : 1
    // Levels times the factor there, divided by 255 here.
    let scale = 255 * factor
    if abs(scale - 1) > 1e-6 {
      images.mean = images.mean.map { $0 / scale }
      images.deviation = images.deviation.map { $0 / scale }
    }
    guard images.mean.count == images.deviation.count,
      images.deviation.allSatisfy({ $0 > 0 && $0.isFinite }),
      images.mean.allSatisfy(\.isFinite)
    else {
      throw section.invalid(
        "image_std", "\(images.deviation) beside image_mean \(images.mean)",
        expected: "a mean and a deviation above 0 for each channel")
    }
    images.told.append(
      "images are normalized by mean \(images.mean) and deviation \(images.deviation)")
    if try section.bool("do_resize", default: true) {
      try size(section, type, &images)
    }
    if try section.bool("do_reduce_labels", default: false)
      || section.bool("reduce_labels", default: false)
    {
      images.told.append("label files have the classes from 1 on, and 0 for what is ignored")
    }
    return images
  }

  /// Whether images are prepared as for ConvNeXt.
  private static func isConvNeXt(_ section: Section) throws -> Bool {
    for key in ["image_processor_type", "feature_extractor_type"]
    where try section.optionalString(key)?.hasPrefix("ConvNext") == true {
      return true
    }
    return false
  }

  private static func size(
    _ section: Section, _ type: String, _ images: inout Images
  ) throws {
    if let side = (try? section.optionalInt("size", in: 1...16_384)) ?? nil {
      // DeepLab's and MobileNet's first versions wrote the shorter side so.
      images.size =
        type == "mobilenet_v2" ? .shortSide(side) : .exact(Size(width: side, height: side))
    } else if let size = try section.optionalSection("size") {
      if size.has("height"), size.has("width") {
        images.size = .exact(
          Size(
            width: try size.int("width", in: 1...16_384),
            height: try size.int("height", in: 1...16_384)))
      } else if size.has("shortest_edge"), !size.has("longest_edge") {
        images.size = .shortSide(try size.int("shortest_edge", in: 1...16_384))
      }
    }
    if type == "dpt", case .exact(let size)? = images.size {
      let multiple = try section.optionalInt("ensure_multiple_of", in: 1...4096) ?? 1
      let near = SeenSize.near(size, multiple: multiple)
      images.size =
        try section.bool("keep_aspect_ratio", default: false) ? near : .exact(near.size(for: size))
    }
    if try isConvNeXt(section), case .shortSide(let side)? = images.size {
      // Small images are cut out of larger ones there, and others stretched.
      let share = try section.double("crop_pct", default: 224.0 / 256, in: 0.01...1)
      images.size =
        side < 384
        ? .shortSide(Int(Double(side) / share)) : .exact(Size(width: side, height: side))
      if side < 384 {
        images.told.append("the original sees the middle of images only; here they are seen whole")
      }
    }
    if try section.bool("do_center_crop", default: false) {
      images.told.append("the original sees the middle of images only; here they are seen whole")
    }
    if try section.bool("do_pad", default: false) {
      images.told.append("the original adds zeros around images; here none are added")
    }
    guard let size = images.size else {
      images.assumed.append("images keep their size, where the original scales their sides")
      return
    }
    let usual = try type == "dpt" || isConvNeXt(section) ? 3 : 2
    let filter = try section.optionalInt("resample", in: 0...filters.count - 1) ?? usual
    images.rule = filters[filter]
    images.told.append(
      "images are resized to \(size.text) by the rule \(images.rule.rawValue), as the original does"
    )
  }
}
