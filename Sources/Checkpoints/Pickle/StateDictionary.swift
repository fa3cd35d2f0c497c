import Torch

/// Finds the dictionary of weights in what a pickle made, and its tensors in the file.
///
/// Training scripts put the weights beside much else, under `state_dict`, `model` or the like.
struct StateDictionary {
  /// The keys under which weights are looked for, the likeliest first.
  private static let wrappers = [
    "state_dict", "model_state_dict", "model_state", "model", "network", "net", "module",
    "weights", "params", "ema_state_dict", "state_dict_ema", "model_ema", "ema", "params_ema",
  ]
  /// The keys of what training keeps beside the weights.
  private static let others: Set<String> = [
    "optimizer", "optimizer_state_dict", "optimizer_states", "optim", "scheduler",
    "lr_scheduler", "lr_schedulers", "scheduler_state_dict", "scaler", "amp", "callbacks",
  ]
  /// How many dictionaries deep weights may lie.
  private static let maximumDepth = 6
  /// A file's tensors may take this many times its size, since they can share memory.
  private static let maximumSharing = 4
  /// A file's tensors may take this many bytes more.
  private static let slack = 16 << 20

  private let file: MappedFile
  private let heap: PickleHeap
  private let part: String?
  private var notes: [String] = []

  /// A search in `heap`; `part` names the dictionary, with dots between those it lies in.
  init(_ file: MappedFile, _ heap: PickleHeap, part: String?) {
    self.file = file
    self.heap = heap
    self.part = part
  }

  /// A name and what it stands for.
  private typealias Field = (name: String, value: PickleValue)

  /// The weights in `root`; `locate` gives the bytes of a storage that is not a part of another.
  func open(
    _ root: PickleValue, _ format: WeightFile.Format,
    _ locate: (PickleHeap.Storage) throws -> Range<Int>?
  ) throws -> WeightFile {
    var search = self
    let start = try part.map { try descend(root, $0) } ?? root
    let fields = try search.weights(start)
    var places: [Int: Range<Int>] = [:]
    var entries: [WeightFile.Entry] = []
    var total = 0
    for (name, value) in fields {
      guard case .tensor(let index) = value else { continue }
      let tensor = heap.tensors[index]
      if places[tensor.storage] == nil {
        places[tensor.storage] = try place(heap.storages[tensor.storage], locate)
      }
      let entry = try entry(name, tensor, in: places[tensor.storage] ?? 0..<0)
      total += min(entry.count * entry.dtype.byteCount, Int.max - total)
      entries.append(entry)
    }
    guard total <= Self.slack || (total - Self.slack) / Self.maximumSharing <= file.count else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "its tensors have \(total) bytes, far more than its own \(file.count)")
    }
    return WeightFile(file, format, entries, notes: search.notes)
  }

  // MARK: The search

  /// The entries of a dictionary, the last of those with the same name.
  private func fields(_ value: PickleValue) -> [Field]? {
    guard case .dictionary(let index) = value else { return nil }
    var fields: [Field] = []
    var seen: [String: Int] = [:]
    for (key, value) in heap.dictionaries[index] {
      let name: String
      switch key {
      case .text(let range):
        guard let text = file.text(range) else { continue }
        name = text
      case .int(let number): name = String(number)
      default: continue
      }
      if let at = seen[name] {
        fields[at].value = value
      } else {
        seen[name] = fields.count
        fields.append((name, value))
      }
    }
    return fields
  }

  private func fault(found: String) -> WeightFileError {
    .noTensors(file: file.path, found: found)
  }

  /// The dictionary at `path` in `root`.
  private func descend(_ root: PickleValue, _ path: String) throws -> PickleValue {
    var value = root
    for key in path.split(separator: ".") {
      let fields = fields(value) ?? []
      guard let field = fields.first(where: { $0.name == key }) else {
        let names = fields.prefix(20).map { "'\($0.name.printable)'" }.joined(separator: ", ")
        throw fault(found: "no '\(key)', but " + (names.isEmpty ? "nothing" : names))
      }
      value = field.value
    }
    return value
  }

  /// The tensors of the state dictionary in `value`, by name.
  private mutating func weights(_ root: PickleValue) throws -> [Field] {
    var value = root
    var path: [String] = []
    for _ in 0..<Self.maximumDepth {
      guard let fields = fields(value) else { throw fault(found: value.kind) }
      let parts = fields.filter { holdsTensors($0.value) }
      let wrapper = Self.wrappers.lazy.compactMap { name in parts.first { $0.name == name } }.first
      if let wrapper {
        note(others: parts, than: wrapper.name, in: path)
        path.append(wrapper.name)
        value = wrapper.value
        continue
      }
      let tensors = fields.filter { if case .tensor = $0.value { true } else { false } }
      if !tensors.isEmpty {
        note(passedOver: fields)
        note(path)
        return tensors
      }
      let weights = parts.filter { !Self.others.contains($0.name) }
      guard let only = weights.first else {
        throw fault(
          found: fields.isEmpty
            ? "an empty dictionary"
            : "a dictionary without tensors; its keys are "
              + fields.prefix(8).map { "'\($0.name.printable)'" }.joined(separator: ", "))
      }
      if weights.count > 1 {
        note(path)
        return weights.flatMap { part in
          (self.fields(part.value) ?? []).compactMap { field in
            if case .tensor = field.value {
              ("\(part.name).\(field.name)", field.value)
            } else {
              nil
            }
          }
        }
      }
      path.append(only.name)
      value = only.value
    }
    throw fault(found: "dictionaries in each other more than \(Self.maximumDepth) deep")
  }

  /// Whether a value is a dictionary with tensors in it, or in dictionaries in it.
  private func holdsTensors(_ value: PickleValue) -> Bool {
    var visits = 0
    func search(_ value: PickleValue, _ depth: Int) -> Bool {
      guard case .dictionary(let index) = value, depth < Self.maximumDepth else { return false }
      for (_, value) in heap.dictionaries[index] {
        visits += 1
        if case .tensor = value { return true }
        guard visits < 100_000 else { return false }
        if search(value, depth + 1) { return true }
      }
      return false
    }
    return search(value, 0)
  }

  private mutating func note(_ path: [String]) {
    if !path.isEmpty { notes.append("the tensors are those of '\(path.joined(separator: "."))'") }
  }

  private mutating func note(others parts: [Field], than chosen: String, in path: [String]) {
    let names = parts.map(\.name).filter { $0 != chosen && !Self.others.contains($0) }
    guard !names.isEmpty else { return }
    let shown = names.prefix(8).map { "'\((path + [$0]).joined(separator: ".").printable)'" }
    notes.append("the file has weights under \(shown.joined(separator: ", ")), too")
  }

  private mutating func note(passedOver fields: [Field]) {
    let rest = fields.filter { if case .tensor = $0.value { false } else { true } }
    guard !rest.isEmpty else { return }
    let shown = rest.prefix(8).map { "'\($0.name.printable)' (\($0.value.kind))" }
    notes.append(
      "passed over \(shown.joined(separator: ", "))" + (rest.count > 8 ? " and more" : ""))
  }

  // MARK: The tensors

  /// The bytes of a storage or of a part of one.
  private func place(
    _ storage: PickleHeap.Storage, _ locate: (PickleHeap.Storage) throws -> Range<Int>?
  ) throws -> Range<Int> {
    guard let whole = try locate(storage) else {
      throw WeightFileError.malformed(
        file: file.path, reason: "the elements of storage '\(storage.key.printable)' are missing")
    }
    let size = storage.dtype?.byteCount ?? 1
    guard storage.offset <= whole.count / size,
      storage.count <= whole.count / size - storage.offset
    else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "the storage '\(storage.key.printable)' has \(whole.count) bytes for "
          + "\(storage.count) elements of \(size)")
    }
    let start = whole.lowerBound + storage.offset * size
    return start..<start + storage.count * size
  }

  private func entry(
    _ name: String, _ tensor: PickleHeap.Tensor, in bytes: Range<Int>
  ) throws -> WeightFile.Entry {
    let (offset, overflow) = tensor.offset.multipliedReportingOverflow(by: tensor.dtype.byteCount)
    let isEmpty = tensor.shape.contains(0)
    guard !overflow, offset >= 0, isEmpty || offset <= bytes.count,
      let entry = WeightFile.Entry(
        name, tensor.dtype, tensor.shape, strides: tensor.strides,
        start: bytes.lowerBound + (isEmpty ? 0 : offset)),
      entry.bytes.upperBound <= bytes.upperBound
    else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "the tensor '\(name.printable)' of shape \(tensor.shape), strides "
          + "\(tensor.strides) and offset \(tensor.offset) reaches beyond its storage of "
          + "\(bytes.count) bytes")
    }
    return entry
  }
}
