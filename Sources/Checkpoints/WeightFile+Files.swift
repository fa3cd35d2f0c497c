import Files
import Foundation
import Torch

extension WeightFile {
  /// Opens a file of any format, which its content tells, or the one in a folder.
  ///
  /// Weights are found under `state_dict`, `model` or the like, and names lose a prefix that all
  /// have because a wrapper of PyTorch's put it there; ``notes`` says so.
  ///
  /// - Parameters:
  ///   - path: The file; the index of several; or a folder of `save_pretrained`, say.
  ///   - part: The dictionary of a PyTorch file to read, such as `ema`; nil for the likeliest.
  ///   - unwrapping: Whether names lose the prefixes of wrappers.
  /// - Throws: ``WeightFileError`` that says what is wrong with the file.
  public static func open(
    _ path: String, part: String? = nil, unwrapping: Bool = true
  ) throws -> WeightFile {
    if FileSystem.isFolder(path), let pair = ShardedFile.pair(in: path) {
      let joined = try ShardedFile.joined(path, pair) { try open($0, part: part) }
      return unwrapping ? joined.withoutWrappers() : joined
    }
    let inside = FileSystem.isFolder(path) ? try ShardedFile.file(in: path) : path
    let file = try MappedFile(inside)
    let weights =
      ShardedFile.recognises(file)
      ? try ShardedFile.open(file) { try open($0, part: part) } : try open(file, part: part)
    return unwrapping ? weights.withoutWrappers() : weights
  }

  private static func open(_ file: MappedFile, part: String?) throws -> WeightFile {
    if ZipArchive.recognises(file) { return try open(ZipArchive(file), part: part) }
    if PyTorchLegacy.recognises(file) { return try PyTorchLegacy.open(file, part: part) }
    // A safetensors file may begin as a pickle does, with the length of its header.
    if PickleFile.recognises(file), !Safetensors.recognises(file) {
      return try PickleFile.open(file, part: part)
    }
    let open: (MappedFile) throws -> WeightFile
    if TensorFlowLite.recognises(file) {
      open = TensorFlowLite.open
    } else if NumPyFile.recognises(file) {
      open = NumPyFile.open
    } else if Safetensors.recognises(file) || file.path.hasSuffix(".safetensors") {
      open = Safetensors.open
    } else {
      throw WeightFileError.notCheckpoint(file: file.path, found: kind(of: file))
    }
    if let part {
      throw WeightFileError.noTensors(file: file.path, found: "no parts, so no '\(part)'")
    }
    return try open(file)
  }

  private static func open(_ archive: ZipArchive, part: String?) throws -> WeightFile {
    if ExportedProgram.recognises(archive) { return try ExportedProgram.open(archive, part: part) }
    if PyTorchZip.recognises(archive) { return try PyTorchZip.open(archive, part: part) }
    if NumPyFile.recognises(archive), part == nil { return try NumPyFile.open(archive) }
    let names = archive.names.prefix(4).map { "'\($0.printable)'" }.joined(separator: ", ")
    throw WeightFileError.notCheckpoint(
      file: archive.file.path,
      found: archive.names.isEmpty
        ? "an empty zip archive, without data.pkl" : "a zip archive without data.pkl, with \(names)"
    )
  }

  /// The prefixes that `DataParallel` and `torch.compile` put before every name.
  private static let wrappers = ["module.", "_orig_mod."]

  /// The file with names as the network alone has them.
  private func withoutWrappers() -> WeightFile {
    var result = self
    while let prefix = Self.wrappers.first(where: { prefix in
      // `AveragedModel` keeps a counter beside the network.
      result.entries.contains { $0.name.hasPrefix(prefix) }
        && result.entries.allSatisfy { $0.name.hasPrefix(prefix) || $0.name == "n_averaged" }
    }) {
      result = result.renamed { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : nil }
      result.notes.append("names lose '\(prefix)', which all have")
    }
    return result
  }

  /// What a file that is none of the formats is.
  private static func kind(of file: MappedFile) -> String {
    let signs: [(String, String)] = [
      ("<", "a web page or XML, as a failed download leaves"),
      ("version https://git-lfs", "a pointer of Git LFS, not the file it stands for"),
      ("\u{1f}\u{8b}", "compressed by gzip"), ("\u{89}HDF", "an HDF5 file"),
      ("\u{89}PNG", "a PNG image"), ("{", "JSON text"), ("GGUF", "a GGUF file of llama.cpp"),
      ("\u{28}\u{b5}\u{2f}\u{fd}", "compressed by zstd"), ("\u{fd}7zXZ", "compressed by xz"),
    ]
    let endings: [(String, String)] = [
      (".onnx", "a network in ONNX"), (".pb", "a protobuf, such as TensorFlow's graphs"),
      (".h5", "no HDF5 file in spite of its name"), (".index", "an index of TensorFlow's weights"),
      (".params", "a file of MXNet's or another program's parameters"),
    ]
    for (sign, kind) in signs
    where file.begins(with: sign.unicodeScalars.map { UInt8($0.value) }) {
      return kind
    }
    if file.begins(with: Array("ustar".utf8), at: 257) {
      return "a tar archive, such as PyTorch wrote before 0.2"
    }
    return endings.first { file.path.lowercased().hasSuffix($0.0) }?.1
      ?? "none of the known formats"
  }

  /// Writes tensors under their names, in their order, or leaves the file that stood there.
  ///
  /// The file appears whole or not at all. `metadata` is kept by safetensors only.
  /// - Throws: `WriteError`, for a name that comes twice too; `TorchError` if memory is short.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:],
    to path: String, as format: Format = .safetensors
  ) throws {
    try check(tensors, path)
    switch format {
    case .safetensors: try Safetensors.write(tensors, metadata: metadata, to: path)
    case .pytorch: try PyTorchZip.write(tensors, to: path)
    default:
      throw WriteError(path, reason: "\(format.rawValue) is only read, not written")
    }
  }

  /// Writes what `torch.save` writes of a dictionary with the tensors under `state_dict` and plain data under
  /// `meta`.
  ///
  /// - Throws: As ``write(_:metadata:to:as:)``.
  package static func write(
    _ tensors: [(name: String, tensor: Tensor)], meta: JSON, to path: String
  ) throws {
    try check(tensors, path)
    try PyTorchZip.write(tensors, meta: meta, to: path)
  }

  private static func check(_ tensors: [(name: String, tensor: Tensor)], _ path: String) throws {
    var names: Set<String> = ["__metadata__"]
    for (name, tensor) in tensors {
      guard names.insert(name).inserted else {
        throw WriteError(path, reason: "two tensors are called '\(name)'")
      }
      if (tensor as? Parameter)?.isReleased == true {
        throw WriteError(
          path, reason: "'\(name)' was given back when the network was prepared for inference")
      }
    }
  }
}
