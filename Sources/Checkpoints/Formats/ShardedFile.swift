import Files
import Foundation

/// Weights in several files with an index, as Hugging Face's libraries write large networks:
/// `model.safetensors.index.json` beside `model-00001-of-00002.safetensors`.
enum ShardedFile {
  private struct Index: Decodable {
    let files: [String: String]
    enum CodingKeys: String, CodingKey { case files = "weight_map" }
  }

  /// The longest index that is read.
  private static let maximumIndex = 100_000_000

  /// Whether a file is called as an index is.
  static func recognises(_ file: MappedFile) -> Bool {
    file.path.hasSuffix(".index.json") && file.begins(with: [UInt8(ascii: "{")])
  }

  /// Reads the index and opens the files that it names, which must lie beside it.
  static func open(
    _ file: MappedFile, _ open: (MappedFile) throws -> WeightFile
  ) throws -> WeightFile {
    func fault(_ reason: String) -> WeightFileError { .malformed(file: file.path, reason: reason) }
    guard file.count <= maximumIndex else { throw fault("an index of \(file.count) bytes") }
    let index: Index
    do {
      index = try JSONDecoder().decode(Index.self, from: Data(file.bytes))
    } catch {
      throw fault("it is no index: 'weight_map' with a file for each tensor is missing")
    }
    let folder = file.path.parentFolder
    var blocks: [ByteBlock] = []
    var entries: [WeightFile.Entry] = []
    var format = WeightFile.Format.safetensors
    var beyond: [String] = []
    let names = Set(index.files.values).sorted()
    for name in names {
      guard !name.isEmpty, !name.contains("/"), !name.contains("\0"), name != "..", name != "."
      else {
        throw fault("it names the file '\(name.printable)', which does not lie beside it")
      }
      let shard = try open(MappedFile(folder.isEmpty ? name : "\(folder)/\(name)"))
      format = shard.format
      for var entry in shard.entries {
        guard index.files[entry.name] == name else {
          beyond.append(entry.name)
          continue
        }
        entry.block += blocks.count
        entries.append(entry)
      }
      blocks += shard.blocks
    }
    let found = Set(entries.map(\.name))
    if let missing = index.files.keys.sorted().first(where: { !found.contains($0) }) {
      throw fault(
        "it says that '\(missing.printable)' is in '\((index.files[missing] ?? "").printable)', "
          + "where it is not")
    }
    var notes = ["the tensors of \(names.count) files that the index names"]
    if !beyond.isEmpty {
      notes.append(
        "passed over \(beyond.count) tensors that the index does not name, such as "
          + "'\(beyond[0].printable)'")
    }
    return WeightFile(file.path, blocks, format, entries, notes: notes)
  }

  /// The two files of a folder that has no other weights, where one has the encoder and the other the decoder,
  /// as CSAILVision's `encoder_epoch_20.pth` and `decoder_epoch_20.pth`; nil for other folders.
  static func pair(in folder: String) -> [String]? {
    let names = (FileSystem.names(in: folder) ?? []).filter { suffixes.contains($0.fileSuffix) }
    guard names.count == 2, let encoder = names.first(where: { $0.hasPrefix("encoder") }),
      let decoder = names.first(where: { $0.hasPrefix("decoder") }),
      encoder.dropFirst(7) == decoder.dropFirst(7)
    else { return nil }
    return ["\(folder)/\(encoder)", "\(folder)/\(decoder)"]
  }

  /// The tensors of several files, whose names must differ.
  static func joined(
    _ folder: String, _ files: [String], _ open: (MappedFile) throws -> WeightFile
  ) throws -> WeightFile {
    var blocks: [ByteBlock] = []
    var entries: [WeightFile.Entry] = []
    var seen: Set<String> = []
    var format = WeightFile.Format.pytorch
    for name in files {
      let file = try open(MappedFile(name))
      format = file.format
      for var entry in file.entries {
        guard seen.insert(entry.name).inserted else {
          throw WeightFileError.malformed(
            file: name, reason: "'\(entry.name.printable)' is in the other file, too")
        }
        entry.block += blocks.count
        entries.append(entry)
      }
      blocks += file.blocks
    }
    let notes = ["the tensors of \(files.map(\.fileName).joined(separator: " and "))"]
    return WeightFile(folder, blocks, format, entries, notes: notes)
  }

  /// The files of a folder in which weights are looked for, in this order.
  private static let usual = [
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
    "pytorch_model.bin.index.json", "best.safetensors", "last.safetensors",
  ]
  private static let suffixes = [
    "safetensors", "pth", "pt", "bin", "ckpt", "pt2", "pkl", "pdparams", "npz", "tflite",
  ]

  /// The file of weights in a folder.
  ///
  /// - Throws: ``WeightFileError`` if there is none, or more than one.
  static func file(in folder: String) throws -> String {
    guard let names = FileSystem.names(in: folder) else {
      throw WeightFileError.unreadable(file: folder, reason: String(cString: strerror(errno)))
    }
    if let name = usual.first(where: names.contains) { return "\(folder)/\(name)" }
    let files = names.filter { suffixes.contains($0.fileSuffix) }
    if files.count == 1, let only = files.first { return "\(folder)/\(only)" }
    let shown = files.prefix(4).map { "'\($0.printable)'" }.joined(separator: ", ")
    throw WeightFileError.notCheckpoint(
      file: folder,
      found: files.isEmpty
        ? "a folder without a file of weights" : "a folder with several files of weights (\(shown))"
    )
  }
}
