import Checkpoints
import Configuration
import Files
import Foundation
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Inference

/// What files say of their networks, damaged: whatever stands there, the program goes on.
///
/// `ATROUS_FUZZ` sets how often; Benchmarks/fuzz/checkpoints.sh does.
@Suite("Damaged descriptions of networks")
struct DescriptionFuzzTests {
  private static let count =
    ProcessInfo.processInfo.environment["ATROUS_FUZZ"].flatMap { Int($0) } ?? 150

  /// What may stand in the place of a value.
  private static let words = [
    "0", "-1", "1e300", "1e-300", "null", "None", "[]", "{}", "dict()", "\"x\"", "'x'", "true", "(",
    ")",
    "99999999999999999999", "4096", "[0, 1]", "[-1, 2, 3, 4]", "\"\\u0000\"", ":", ",",
    "\"resnet34\"",
  ]

  /// A text with a few bytes or values changed.
  private static func damaged(_ text: String, _ random: inout SeededNumbers) -> String {
    var bytes = Array(text.utf8)
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      guard !bytes.isEmpty else { break }
      let place = Int.random(in: 0..<bytes.count, using: &random)
      let word = Array((words.randomElement(using: &random) ?? "").utf8)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes.removeSubrange(place..<min(bytes.count, place + 9))
      case 2: bytes.insert(contentsOf: word, at: place)
      default:
        // The value after the next sign.
        guard let sign = bytes[place...].firstIndex(where: { "=:".utf8.contains($0) }) else {
          continue
        }
        let end = bytes[(sign + 1)...].firstIndex { ",}\n".utf8.contains($0) } ?? bytes.count
        bytes.replaceSubrange(sign + 1..<end, with: word)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Reads what a file or folder says and builds that network without memory; whether that went well.
  private static func reads(_ path: String) throws -> Bool {
    do {
      guard let network = try PretrainedNetwork(path) else { return false }
      let configuration = try network.configuration()
      _ = try configuration.described()
      let model = try shapesOnly { try configuration.buildModel(pretrained: false) }
      _ = try network.plan(for: model, configuration)
      return true
    } catch let error as any CustomStringConvertible {
      // An error is a sentence.
      #expect(!error.description.isEmpty)
      return false
    }
  }

  private static let folders: [(name: String, text: String)] = [
    (
      "config.json",
      """
      {"_model_class": "DeepLabV3Plus", "encoder_name": "efficientnet-b0", "encoder_depth": 5,
       "encoder_output_stride": 16, "decoder_channels": 16, "decoder_atrous_rates": [12, 24, 36],
       "in_channels": 3, "classes": 3, "activation": null, "aux_params": null, "upsampling": 4}
      """
    ),
    (
      "config.json",
      """
      {"model_type": "segformer", "architectures": ["SegformerForSemanticSegmentation"],
       "depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16], "num_attention_heads": [1, 1, 2, 2],
       "mlp_ratios": [2, 2, 2, 2], "decoder_hidden_size": 8, "id2label": {"0": "a", "1": "b"}}
      """
    ),
    (
      "config.json",
      """
      {"model_type": "dpt", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2,
       "intermediate_size": 32, "image_size": 64, "backbone_out_indices": [0, 1, 2, 3],
       "neck_hidden_sizes": [4, 8, 8, 8], "fusion_hidden_size": 8, "id2label": {"0": "a", "1": "b"}}
      """
    ),
    (
      "preprocessor_config.json",
      """
      {"do_resize": true, "size": {"height": 64, "width": 96}, "image_mean": [0.5, 0.4, 0.3],
       "image_std": [0.2, 0.2, 0.25], "do_rescale": true, "rescale_factor": 0.00392156862745098,
       "do_normalize": true, "do_reduce_labels": true}
      """
    ),
  ]

  @Test("in folders end with a sentence, or build a network", arguments: folders.indices)
  func folder(_ index: Int) throws {
    var random = SeededNumbers(index)
    let folder = try TemporaryFolder()
    let (name, text) = Self.folders[index]
    try WeightFile.write(
      [("a.weight", Tensor(filledWith: 1, [2]))], to: "\(folder.path)/model.safetensors")
    if name != "config.json" {
      try Data(Self.folders[1].text.utf8).write(
        to: URL(fileURLWithPath: "\(folder.path)/config.json"))
    }
    let file = URL(fileURLWithPath: "\(folder.path)/\(name)")
    try Data(text.utf8).write(to: file)
    #expect(try Self.reads(folder.path))
    for _ in 0..<Self.count {
      try Data(Self.damaged(text, &random).utf8).write(to: file)
      _ = try Self.reads(folder.path)
    }
  }

  @Test("in MMSegmentation's checkpoints end with a sentence, or build a network")
  func checkpoint() throws {
    var random = SeededNumbers(24)
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/a.pth"
    func write(_ text: String) throws {
      try WeightFile.write(
        [("a.weight", Tensor(filledWith: 1, [2]))], meta: .object(["cfg": .string(text)]), to: file)
    }
    try write(MMSegmentationTests.text)
    #expect(try Self.reads(file))
    for _ in 0..<Self.count {
      try write(Self.damaged(MMSegmentationTests.text, &random))
      _ = try Self.reads(file)
    }
  }
}
