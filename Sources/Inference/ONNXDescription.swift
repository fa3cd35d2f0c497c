import Configuration
import Datasets
import Files
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// What is known of an ONNX file's network beside its operators: its classes and how images are normalized, from
/// overrides, a YAML file beside it, or the file's metadata, in this order.
struct ONNXDescription {
  /// The classes; nil where nothing names them.
  let map: LabelMap?
  /// What turns levels into the network's input; nil where nothing says it.
  let encoding: InputEncoding?
  let configuration: NetworkConfiguration
  /// The record of the run that the network was exported from; nil for files of other programs.
  let record: CheckpointRecord?
  /// What is not said and photographs need; nil for nothing.
  let missing: ONNXError?

  /// - Throws: `ConfigurationError`, `DatasetError`, `ONNXError` for what does not fit the network.
  init(_ model: ONNXModel, overrides: [String]) throws {
    let network = model.network, classes = model.classes
    let file = network.file, stem = file.hasSuffix(".onnx") ? String(file.dropLast(5)) : file
    let sidecars = ["\(stem).yaml", "\(stem).yml"]
    let there = sidecars.first(where: FileSystem.exists)
    let sidecar = there ?? sidecars[0]
    let metadata = network.metadata
    func list<T: Decodable>(_ key: String, _ type: T.Type) throws -> T? {
      guard let text = metadata[key] else { return nil }
      guard let value = try? JSONDecoder().decode(type, from: Data(text.utf8)) else {
        throw ONNXError.damaged(
          file: file, reason: "its metadata '\(key)' is \(text.prefix(80).debugDescription)")
      }
      return value
    }
    record = try metadata[Checkpoint.metadataKey].map {
      try Checkpoint.decoded(CheckpointRecord.self, from: $0, file: file)
    }
    configuration =
      try there.map { try NetworkConfiguration(contentsOf: $0, overrides: overrides) }
      ?? NetworkConfiguration(
        yaml: record?.configuration ?? "{}", named: file, overrides: overrides)
    // Data need not be there where the file's record says all of it.
    let isRecorded = there == nil && record != nil
    let described = isRecorded ? (map: nil, encoding: .unit) : try configuration.described()
    if let own = described.map {
      map = own
    } else if isRecorded, let record {
      map = try record.map(background: configuration.background())
    } else if let names = try list("classes", [String].self) {
      let colors = try list("colors", [[UInt8]].self)
      if let colors, colors.count != names.count || colors.contains(where: { $0.count != 3 }) {
        throw ONNXError.damaged(
          file: file, reason: "its metadata 'colors' are not those of \(names.count) classes")
      }
      map = try .identity(
        names.count, names: names, colors: colors?.map { Color($0[0], $0[1], $0[2]) })
    } else {
      map = nil
    }
    if let map, map.count != classes {
      throw ONNXError.unsupported(
        file: file, found: "scores of \(classes) classes",
        expected:
          "\(map.count), as many as are named: \(map.classes.map(\.name).joined(separator: ", "))")
    }
    if model.takesLevels {
      // What the network normalizes itself reaches it as levels.
      encoding = .unit
    } else if isRecorded, let record {
      encoding = try record.encoding()
    } else if configuration.saysNormalization {
      encoding = described.encoding
    } else if let mean = try list("mean", [Double].self),
      let deviation = try list("deviation", [Double].self)
    {
      let scale = try list("scale", [Double].self) ?? mean.map { _ in InputEncoding.usualScale }
      encoding = try InputEncoding(
        mean: mean, deviation: deviation, scale: scale,
        missing: try list("missing", [Double?].self) ?? mean.map { _ in nil })
    } else {
      encoding = nil
    }
    func expected(_ key: String, _ example: String) -> String {
      "the key data.\(key) in \(sidecar), or --set 'data.\(key)=\(example)'"
    }
    missing =
      map == nil
      ? .missing(
        file: file, what: "what its \(classes) classes are",
        expected: expected("classes", classes == 2 ? "[background, thing]" : "[road, sky, …]"))
      : encoding == nil
        ? .missing(
          file: file, what: "how images are normalized",
          expected: expected("normalization", "imagenet")) : nil
  }
}
