/// A pickle that `torch.save` did not write: a dictionary of NumPy's arrays, as detectron2 and
/// PaddlePaddle write their weights.
enum PickleFile {
  private static let suffixes = [".pkl", ".pickle", ".pdparams"]

  /// Whether a file begins with a protocol's number, or is called as pickles are.
  static func recognises(_ file: MappedFile) -> Bool {
    file.begins(with: [0x80]) || suffixes.contains { file.path.lowercased().hasSuffix($0) }
  }

  /// Reads the pickle.
  static func open(_ file: MappedFile, part: String?) throws -> WeightFile {
    var machine = Unpickler(file, 0..<file.count)
    do {
      let root = try machine.run()
      return try StateDictionary(file, machine.heap, part: part)
        .open(root, .pickle, capacity: file.count) { _ in nil }
    } catch WeightFileError.noTensors(_, let found) {
      throw WeightFileError.noTensors(
        file: file.path, found: "a Python pickle that torch.save did not write, with \(found)")
    } catch WeightFileError.forbidden(_, "torch.storage._load_from_bytes") {
      throw WeightFileError.unsupported(
        file: file.path,
        found:
          "PyTorch's tensors as pickle.dump writes them, by torch.storage._load_from_bytes "
          + "(use torch.save)")
    }
  }
}
