import Checkpoints
import Configuration
import Datasets
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// Writes networks as checkpoints of MMSegmentation 1.x, with the configuration in `meta` and beside them.
enum MMSegmentationWriter {
  @Sendable
  static func write(_ network: TrainedNetwork, _ path: String) throws -> [String] {
    guard path.fileSuffix == "pth" else {
      throw failure("'\(path)' is no name for it; expected NAME.pth")
    }
    let model = network.model
    let parts = try MMSegmentationParts(network.configuration.model(), model)
    let title = "MMSegmentation's \(parts.head) on \(parts.backbone)"
    let twin: SegmentationModel
    do {
      let settings = try MMSegmentationSettings(
        .object(parts.model), "model", of: title, image: model.inputChannels)
      twin = try Initialization.skipped {
        try ModelBuilder.build(Section(yaml: settings.model.text, named: title))
      }
    } catch let error as ConfigurationError {
      throw failure("\(error)")
    } catch let error as PretrainedError {
      throw failure("\(error)")
    }
    try PretrainedWriter.check(model, isLike: twin, title, family: "mmsegmentation")
    let convention = NamingConvention.mmsegmentation(
      model, listsAuxiliary: model.auxiliary.count > 1)
    let state = convention.state(of: model)
    let text = configuration(network, parts)
    try WeightFile.write(state, meta: meta(network, text), to: path)
    let python = path.dropLast(".pth".count) + ".py"
    try AtomicFile.write(String(python), Data(text.utf8))
    return [
      "\(path): \(title), \(state.count) tensors",
      "\(python): its configuration, for mmseg.apis.init_model(\"\(python)\", \"\(path)\")",
    ]
  }

  private static func failure(_ reason: String) -> PretrainedError {
    .notWritable(family: "mmsegmentation", reason: reason)
  }

  /// The configuration as Python.
  private static func configuration(
    _ network: TrainedNetwork, _ parts: MMSegmentationParts
  ) -> String {
    let encoding = network.encoding
    // Images come with blue first there.
    let isReversed = network.bandPlan?.bands == [2, 1, 0]
    let images: JSON = .object([
      "type": "SegDataPreProcessor",
      "bgr_to_rgb": .bool(network.model.inputChannels == 3 && !isReversed),
      "mean": .list(encoding.mean.map { .number($0 * 255) }),
      "std": .list(encoding.deviation.map { .number($0 * 255) }), "pad_val": 0, "seg_pad_val": 255,
    ])
    var model = parts.model
    model["data_preprocessor"] = images
    model["train_cfg"] = .object([:])
    model["test_cfg"] = .object(["mode": "whole"])
    return """
      # Written by Atrous.
      default_scope = 'mmseg'
      data_preprocessor = \(images.python(0))
      model = \(JSON.object(model).python(0))
      test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs')]

      """
  }

  /// What stands beside the weights.
  private static func meta(_ network: TrainedNetwork, _ text: String) -> JSON {
    var meta: [String: JSON] = ["cfg": .string(text), "iter": 0, "epoch": 0]
    if let map = network.labelMap {
      meta["dataset_meta"] = .object([
        "classes": .list(map.classes.map { .string($0.name) }),
        "palette": .list(
          map.colors.map { .ints([Int($0.red), Int($0.green), Int($0.blue)]) }),
      ])
    }
    return .object(meta)
  }
}

extension JSON {
  /// The value as Python, dictionaries of names as calls of `dict`.
  func python(_ depth: Int) -> String {
    let inner = String(repeating: "    ", count: depth + 1)
    switch self {
    case .null: return "None"
    case .bool(let value): return value ? "True" : "False"
    case .number: return text
    case .string(let value):
      let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
        .replacing("\n", with: "\\n")
      return "'\(escaped)'"
    case .list(let values):
      return "[" + values.map { $0.python(depth + 1) }.joined(separator: ", ") + "]"
    case .object(let entries):
      guard !entries.isEmpty else { return "dict()" }
      let lines = entries.sorted { $0.key < $1.key }.map { "\(inner)\($0)=\($1.python(depth + 1))" }
      return "dict(\n" + lines.joined(separator: ",\n") + ")"
    }
  }
}
