import Checkpoints
import Configuration
import Datasets
import Files
import Segmentation

/// Recognises checkpoints of MMSegmentation, which have the configuration that the network was trained with
/// under `meta`: as text of Python, of versions 0.x beside the classes and their colours.
enum MMSegmentationReader {
  @Sendable
  static func read(_ source: PretrainedSource) throws -> PretrainedNetwork.Description? {
    guard let meta = source.weights.meta, let (key, given) = configuration(meta) else { return nil }
    let place = "meta.\(key)"
    let configuration = try values(given, place, of: source.path)
    guard let model = configuration["model"], let kind = model["type"]?.string,
      kind.hasSuffix("EncoderDecoder")
    else { return nil }
    let images = try Images(configuration, model, source.path)
    let settings = try MMSegmentationSettings(
      model, "\(place): model", of: source.path, image: images.mean.count)
    var description = PretrainedNetwork.Description(
      family: "mmsegmentation",
      title: "MMSegmentation's \(model["decode_head"]?["type"]?.string ?? "head") on"
        + " \(model["backbone"]?["type"]?.string ?? "a backbone")",
      yaml: "", convention: "mmsegmentation")
    let count = settings.threshold == nil ? settings.model["classes"]?.int ?? 0 : 2
    let table = try Classes(meta, count: count, of: source.path)
    let version = meta["mmseg_version"]?.string ?? meta["mmengine_version"]?.string
    description.title += ", \(count) classes" + (version.map { ", by version \($0)" } ?? "")
    if let threshold = settings.threshold {
      (description.isBinary, description.threshold) = (true, threshold)
      description.told.append(
        "one score: the second class is where its sigmoid is above \(threshold), which becomes the"
          + " boundary of two")
      if model["auxiliary_head"]?.object != nil || model["auxiliary_head"]?.list != nil {
        description.unused.append("auxiliary_head.")
        description.told.append("auxiliary_head: left aside, as training alone uses it")
      }
    }
    var parts = settings.model.object ?? [:]
    parts["classes"] = .number(Double(count))
    description.told += images.told + windows(model) + sizes(configuration)
    if !table.isNamed { description.assumed.append("classes are called by their numbers") }
    description.yaml = """
      model:
      \(parts.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value.text)" }.joined(separator: "\n"))
      data:
        normalization: {mean: \(images.mean), deviation: \(images.deviation)}
        classes: \(JSON.list(table.names.map { .string($0) }).text)

      """
    if images.isReversed { description.yaml += "  bands: [3, 2, 1]\n" }
    if !table.colors.isEmpty {
      let colors = zip(table.names, table.colors).map { name, color in
        "\(JSON.string(name).text): \(color)"
      }
      description.yaml += "  colors: {\(colors.joined(separator: ", "))}\n"
    }
    return description
  }

  /// Under which name the configuration stands, and what stands there.
  private static func configuration(_ meta: JSON) -> (key: String, value: JSON)? {
    for key in ["cfg", "config"] {
      switch meta[key] {
      case .string(let text) where text.contains("model"): return (key, .string(text))
      case .object(let object) where object["model"] != nil: return (key, .object(object))
      default: continue
      }
    }
    return nil
  }

  private static func values(
    _ given: JSON, _ place: String, of file: String
  ) throws -> [String: JSON] {
    guard case .string(let text) = given else { return given.object ?? [:] }
    do {
      return try PythonConfiguration.values(text)
    } catch {
      throw PretrainedError.invalid(
        file: file, key: place, value: "at line \(error.line) \(error.reason)",
        expected: "a configuration of assignments, with texts, numbers, lists and dict(…)")
    }
  }

  /// What the original does beside.
  private static func windows(_ model: JSON) -> [String] {
    guard model["test_cfg"]?["mode"]?.string == "slide",
      let size = pair(model["test_cfg"]?["crop_size"]),
      let step = pair(model["test_cfg"]?["stride"])
    else { return [] }
    return [
      "the original sees images in windows of \(size.0)x\(size.1) every \(step.0)x\(step.1) pixels, as"
        + " evaluate.window and evaluate.overlap can; here they are seen whole"
    ]
  }

  private static func sizes(_ configuration: [String: JSON]) -> [String] {
    var steps = configuration["test_pipeline"]?.list ?? []
    var size: JSON?
    // Versions 0.x put the steps into one that repeats them.
    for step in steps where step["type"]?.string == "MultiScaleFlipAug" {
      steps += step["transforms"]?.list ?? []
      size = step["img_scale"]
    }
    guard let resize = steps.first(where: { $0["type"]?.string == "Resize" }),
      let size = pair(resize["scale"] ?? size).map({ "\($0.0)x\($0.1)" })
    else { return [] }
    let keeps = resize["keep_ratio"]?.bool ?? false
    return [
      "the original resizes images \(keeps ? "to fit into" : "to") \(size); here they keep their size"
    ]
  }

  private static func pair(_ json: JSON?) -> (Int, Int)? {
    guard let numbers = json?.ints, numbers.count == 2 else { return nil }
    return (numbers[0], numbers[1])
  }
}

/// What becomes of an image: (level − mean) / deviation there, levels divided by 255 before that here.
private struct Images {
  var mean: [Double], deviation: [Double]
  /// Whether blue comes first.
  let isReversed: Bool
  var told: [String] = []

  init(_ configuration: [String: JSON], _ model: JSON, _ file: String) throws {
    let newer = model["data_preprocessor"] ?? configuration["data_preprocessor"]
    guard let given = newer ?? configuration["img_norm_cfg"] else {
      throw PretrainedError.invalid(
        file: file, key: "data_preprocessor", value: "missing", expected: "there, or img_norm_cfg")
    }
    func fault(_ key: String, _ expected: String) -> PretrainedError {
      .invalid(
        file: file, key: (newer == nil ? "img_norm_cfg." : "data_preprocessor.") + key,
        value: given[key]?.text ?? "missing", expected: expected)
    }
    let order = newer == nil ? "to_rgb" : "bgr_to_rgb"
    guard let mean = given["mean"]?.numbers, (1...64).contains(mean.count),
      mean.allSatisfy(\.isFinite)
    else { throw fault("mean", "a number for each channel") }
    guard let deviation = given["std"]?.numbers, deviation.count == mean.count,
      deviation.allSatisfy({ $0 > 0 && $0.isFinite })
    else { throw fault("std", "\(mean.count) numbers above 0") }
    isReversed = mean.count == 3 && !(given[order]?.bool ?? (newer == nil))
    if isReversed { told.append("images are seen with blue first, as \(order) says") }
    self.mean = mean.map { $0 / 255 }
    self.deviation = deviation.map { $0 / 255 }
    told.append("images are normalized by mean \(mean) and deviation \(deviation) of levels to 255")
  }
}

/// The names and colours of classes.
private struct Classes {
  var names: [String]
  var colors: [[Int]] = []
  var isNamed = true

  init(_ meta: JSON, count: Int, of file: String) throws {
    let newer = meta["dataset_meta"]
    let listed = (newer?["classes"] ?? meta["CLASSES"])?.list?.compactMap(\.string) ?? []
    // A network that was fine-tuned may have the classes of another data set beside it.
    isNamed = listed.count == count
    names = isNamed ? PretrainedNetwork.distinct(listed) : (0..<count).map(String.init)
    let palette = (newer?["palette"] ?? meta["PALETTE"])?.list?.compactMap(\.ints) ?? []
    if palette.count == count,
      palette.allSatisfy({ $0.count == 3 && $0.allSatisfy((0...255).contains) })
    {
      colors = palette
    }
  }
}
