import Foundation
import Torch

extension WeightFile {
  /// Opens a file of any format, which its content tells.
  ///
  /// Weights are found under `state_dict`, `model` or the like, and names lose a prefix that all
  /// have because a wrapper of PyTorch's put it there; ``notes`` says so.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - part: The dictionary of a PyTorch file to read, such as `ema`; nil for the likeliest.
  /// - Throws: ``WeightFileError`` that says what is wrong with the file.
  public static func open(_ path: String, part: String? = nil) throws -> WeightFile {
    let file = try MappedFile(path)
    if ZipArchive.recognises(file) {
      return try PyTorchZip.open(file, part: part).withoutWrappers()
    }
    if PyTorchLegacy.recognises(file) {
      return try PyTorchLegacy.open(file, part: part).withoutWrappers()
    }
    guard Safetensors.recognises(file) || path.hasSuffix(".safetensors") else {
      throw WeightFileError.notCheckpoint(file: path, found: kind(of: file))
    }
    if let part { throw WeightFileError.noTensors(file: path, found: "no parts, so no '\(part)'") }
    return try Safetensors.open(file).withoutWrappers()
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
      ("\u{93}NUMPY", "a NumPy array"), ("\u{89}PNG", "a PNG image"), ("{", "JSON text"),
    ]
    for (sign, kind) in signs
    where file.begins(with: sign.unicodeScalars.map { UInt8($0.value) }) {
      return kind
    }
    if file.begins(with: Array("ustar".utf8), at: 257) {
      return "a tar archive, such as PyTorch wrote before 0.2"
    }
    if file.begins(with: [0x80]) { return "a Python pickle that torch.save did not write" }
    return "none of the known formats"
  }

  /// Writes tensors under their names, in their order, or leaves the file that stood there.
  ///
  /// The file appears whole or not at all. `metadata` is kept by safetensors only.
  /// - Throws: ``WriteError``, for a name that comes twice too; `TorchError` if memory is short.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:],
    to path: String, as format: Format = .safetensors
  ) throws {
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
    switch format {
    case .safetensors: try Safetensors.write(tensors, metadata: metadata, to: path)
    case .pytorch: try PyTorchZip.write(tensors, to: path)
    case .legacyPyTorch:
      throw WriteError(path, reason: "the format before PyTorch 1.6 is only read")
    }
  }
}
