import Files
import Torch

/// What `torch.save` writes since PyTorch 1.6: an archive with `data.pkl`, which says what there is,
/// and `data/0`, `data/1`, … with the elements.
///
/// `torch.jit.save` writes the same with a program.
enum PyTorchZip {
  /// Whether an archive is of this kind.
  static func recognises(_ archive: ZipArchive) -> Bool { archive.folder(of: "data.pkl") != nil }

  /// Reads the pickle.
  static func open(_ archive: ZipArchive, part: String?) throws -> WeightFile {
    let path = archive.file.path
    guard let folder = archive.folder(of: "data.pkl"),
      let (file, range) = try archive.contents("\(folder)data.pkl")
    else {
      throw WeightFileError.notCheckpoint(
        file: path, found: "a zip archive without 'data.pkl'")
    }
    if let order = try archive.text("\(folder)byteorder"), order != "little" {
      throw WeightFileError.unsupported(
        file: path, found: "elements in the byte order '\(order.printable)'")
    }
    let isScript = archive.members["\(folder)constants.pkl"] != nil
    var machine = Unpickler(file, range)
    let root = try machine.run()
    do {
      return try StateDictionary(file, machine.heap, part: part).open(
        root, isScript ? .torchScript : .pytorch, capacity: archive.capacity
      ) { try archive.place("\(folder)data/\($0.key)") }
    } catch WeightFileError.noTensors where isScript && part == nil {
      throw WeightFileError.unsupported(
        file: path,
        found: "a frozen TorchScript program, whose weights are constants without names (its "
          + "state_dict() has them before it is frozen)")
    }
  }
}

extension PyTorchZip {
  /// Writes a state dictionary that `torch.load(weights_only=True)` opens.
  ///
  /// With `meta` it stands under `state_dict`, beside plain data under `meta`.
  static func write(
    _ tensors: [(name: String, tensor: Tensor)], meta: JSON? = nil, to path: String
  ) throws {
    try AtomicFile.write(path) { file in
      var archive = ZipWriter(path)
      func add(_ name: String, _ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try archive.add("archive/\(name)", $0, to: &file) }
      }
      try add("data.pkl", Pickler.stateDictionary(tensors, meta: meta))
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
