import Torch

/// What `torch.save` writes since PyTorch 1.6: an archive with `data.pkl`, which says what there is,
/// and `data/0`, `data/1`, … with the elements.
enum PyTorchZip {
  /// Reads the directory and the pickle.
  static func open(_ file: MappedFile, part: String?) throws -> WeightFile {
    let archive = try ZipArchive(file)
    let folder =
      archive.first.split(separator: "/", omittingEmptySubsequences: false)
      .dropLast().map { $0 + "/" }.first ?? ""
    guard archive.members["\(folder)constants.pkl"] == nil else {
      throw WeightFileError.unsupported(
        file: file.path,
        found: "a TorchScript program; save the state_dict() of torch.jit.load(…) with PyTorch")
    }
    guard let pickle = try archive.bytes("\(folder)data.pkl") else {
      throw WeightFileError.notCheckpoint(
        file: file.path, found: "a zip archive without '\(folder.printable)data.pkl'")
    }
    if let order = try archive.bytes("\(folder)byteorder"), file.text(order) != "little" {
      throw WeightFileError.unsupported(
        file: file.path,
        found: "elements in the byte order '\(file.text(order)?.printable ?? "?")'")
    }
    var machine = Unpickler(file, pickle)
    let root = try machine.run()
    return try StateDictionary(file, machine.heap, part: part).open(root, .pytorch) { storage in
      try archive.bytes("\(folder)data/\(storage.key)")
    }
  }
}

extension PyTorchZip {
  /// Writes a state dictionary that `torch.load(weights_only=True)` opens.
  static func write(_ tensors: [(name: String, tensor: Tensor)], to path: String) throws {
    try AtomicFile.write(path) { file in
      var archive = ZipWriter(path)
      func add(_ name: String, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try archive.add("archive/\(name)", $0, to: &file) }
      }
      try add("data.pkl", Pickler.stateDictionary(tensors))
      try add("byteorder", Array("little".utf8))
      for (index, (_, tensor)) in tensors.enumerated() {
        try tensor.withRowMajorBytes {
          try archive.add("archive/data/\(index)", $0, to: &file)
        }
      }
      try add("version", Array("3\n".utf8))
      try archive.finish(&file)
    }
  }
}
