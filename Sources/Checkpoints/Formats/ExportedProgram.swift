import Foundation
import Torch

/// What `torch.export.save` writes since PyTorch 2.8: an archive with a table of names, and each
/// storage as bytes; before, an archive with the dictionaries as archives of their own.
enum ExportedProgram {
  /// What a table says of a tensor.
  private struct Table: Decodable {
    struct Length: Decodable {
      let value: Int
      enum CodingKeys: String, CodingKey { case value = "as_int" }
    }
    struct Meta: Decodable {
      let dtype: Int
      let sizes: [Length]
      let strides: [Length]
      let offset: Length
      let layout: Int
      enum CodingKeys: String, CodingKey {
        case dtype, sizes, strides, layout
        case offset = "storage_offset"
      }
    }
    struct Payload: Decodable {
      let path: String
      let isPickle: Bool?
      let meta: Meta?
      enum CodingKeys: String, CodingKey {
        case path = "path_name"
        case isPickle = "use_pickle"
        case meta = "tensor_meta"
      }
    }
    let config: [String: Payload]
  }

  /// The numbers of the types in a table (`ScalarType` of PyTorch's `schema.py`).
  private static let types: [Int: ElementType] = [
    1: .read(.uint8), 2: .read(.int8), 3: .read(.int16), 4: .read(.int32), 5: .read(.int64),
    6: .read(.float16), 7: .read(.float32), 8: .read(.float64),
    9: .refused(.complex, byteCount: 4), 10: .refused(.complex, byteCount: 8),
    11: .refused(.complex, byteCount: 16), 12: .read(.bool), 13: .read(.bfloat16),
    28: .read(.uint16), 29: .read(.float32, .float8E4M3FN), 30: .read(.float32, .float8E5M2),
    31: .read(.float32, .float8E4M3FNUZ), 32: .read(.float32, .float8E5M2FNUZ),
  ]
  /// The layout of tensors whose elements lie at strides.
  private static let strided = 7
  /// The longest table, of some 300 bytes a tensor.
  private static let maximumTable = 64 << 20
  /// The tensors that are no part of the state dictionary, as `part` names them.
  private static let constants = "constants"

  /// The folder of an archive of this kind.
  private static func folder(_ archive: ZipArchive) -> String? {
    ["archive_format", "serialized_exported_program.json"]
      .lazy.compactMap { archive.folder(of: $0) }.first
  }

  /// Whether an archive is of this kind.
  static func recognises(_ archive: ZipArchive) -> Bool { folder(archive) != nil }

  /// Reads the table of the weights, or of the constants.
  static func open(_ archive: ZipArchive, part: String?) throws -> WeightFile {
    let path = archive.file.path
    let folder = folder(archive) ?? ""
    guard part == nil || part == constants else {
      throw WeightFileError.noTensors(
        file: path, found: "no '\(part?.printable ?? "")', but 'constants' beside the weights")
    }
    if let file = try dictionary(archive, folder, part) { return file }
    let kind = part ?? "weights"
    // A file may hold several programs, each with a table of its own.
    let tables = archive.names.filter {
      $0.hasPrefix("\(folder)data/\(kind)/") && $0.hasSuffix("_\(kind)_config.json")
    }
    guard !tables.isEmpty else {
      throw WeightFileError.unsupported(
        file: path, found: "a program of torch.export without a table of its \(kind)")
    }
    var table = BlockTable()
    var entries: [WeightFile.Entry] = []
    for name in tables {
      let model = name.dropFirst("\(folder)data/\(kind)/".count)
        .dropLast("_\(kind)_config.json".count)
      let prefix = tables.count > 1 ? "\(model)." : ""
      let payloads = try read(archive, name).config.sorted { $0.value.path < $1.value.path }
      for (name, payload) in payloads {
        // Constants may be objects of other kinds.
        guard let meta = payload.meta else { continue }
        entries.append(
          try entry(prefix + name, payload, meta, archive, "\(folder)data/\(kind)/", &table))
      }
    }
    var notes: [String] = []
    let others = archive.names.count {
      part == nil && $0.hasPrefix("\(folder)data/\(constants)/tensor_")
    }
    if others > 0 {
      notes.append("passed over constants of the program (\(others)), which part 'constants' has")
    }
    return WeightFile(path, table.blocks, .exportedProgram, entries, notes: notes)
  }

  private static func read(_ archive: ZipArchive, _ name: String) throws -> Table {
    let text = try archive.text(name, atMost: maximumTable) ?? ""
    do {
      return try JSONDecoder().decode(Table.self, from: Data(text.utf8))
    } catch {
      throw WeightFileError.malformed(
        file: archive.file.path, reason: "the table '\(name.printable)' has another form")
    }
  }

  private static func entry(
    _ name: String, _ payload: Table.Payload, _ meta: Table.Meta, _ archive: ZipArchive,
    _ folder: String, _ table: inout BlockTable
  ) throws -> WeightFile.Entry {
    let path = archive.file.path
    func refusal(_ found: String) -> WeightFileError {
      .unsupported(file: path, found: "\(found) in '\(name.printable)'")
    }
    guard payload.isPickle != true else { throw refusal("a tensor of a class of its own") }
    guard meta.layout == strided else { throw refusal(RefusedKind.sparse.rawValue) }
    guard let type = types[meta.dtype] else { throw refusal("elements of type \(meta.dtype)") }
    guard case .read(let dtype, let coding) = type else {
      if case .refused(let kind, _) = type { throw refusal(kind.rawValue) }
      throw refusal("elements of type \(meta.dtype)")
    }
    let (shape, strides) = (meta.sizes.map(\.value), meta.strides.map(\.value))
    guard let place = try archive.place(folder + payload.path) else {
      throw WeightFileError.malformed(
        file: path, reason: "'\(payload.path.printable)' of '\(name.printable)' is missing")
    }
    guard shape.count <= Pickle.maximumRank,
      let entry = WeightFile.Entry(
        name, dtype, coding, shape, strides: strides, offset: meta.offset.value, in: place, &table)
    else {
      throw WeightFileError.malformed(
        file: path,
        reason: "the tensor '\(name.printable)' of shape \(shape), strides \(strides) and offset "
          + "\(meta.offset.value) reaches beyond its \(place.bytes.count) bytes")
    }
    return entry
  }

  /// The weights of a file before PyTorch 2.8, which are a file of `torch.save` in the archive.
  private static func dictionary(
    _ archive: ZipArchive, _ folder: String, _ part: String?
  ) throws -> WeightFile? {
    let name = part == nil ? "serialized_state_dict" : "serialized_constants"
    for suffix in [".pt", ".json"] {
      guard let (file, range) = try archive.contents("\(folder)\(name)\(suffix)") else { continue }
      return try PyTorchZip.open(ZipArchive(file, range), part: nil)
    }
    return nil
  }
}
