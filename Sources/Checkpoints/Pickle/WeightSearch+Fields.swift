/// What values hold: tensors, and containers with fields.
extension WeightSearch {
  /// How many attributes are looked through for those of modules.
  private static let maximumMembers = 256

  /// Whether a value is a tensor or an array of numbers.
  func isTensor(_ value: PickleValue) -> Bool {
    switch value {
    case .tensor: return true
    case .array(let index):
      guard let type = heap.arrays[index].type else { return false }
      if case .refused(.texts, _) = type { return false }
      return heap.arrays[index].bytes != nil
    default: return false
    }
  }

  /// What a container holds by name; nil for what is none.
  func fields(_ value: PickleValue) -> [Field]? {
    switch value {
    case .dictionary(let index): return fields(ofDictionary: index)
    case .object(let index):
      let object = heap.objects[index]
      if isModule(value) { return fields(ofModule: object) }
      if let items = object.items { return fields(ofDictionary: items) }
      // Arrays in attributes are what classes keep, such as histories of losses.
      return attributes(object).map { index in
        fields(ofDictionary: index).filter { if case .array = $0.value { false } else { true } }
      }
    case .list, .tuple:
      // Tensors in a list have no names.
      return heap.items(value)?.enumerated().compactMap { index, item in
        heap.identity(item) == nil ? nil : (String(index), item)
      }
    default: return nil
    }
  }

  /// The entries of a dictionary, the last of those with the same name.
  private func fields(ofDictionary index: Int) -> [Field] {
    var fields: [Field] = []
    var seen: [String: Int] = [:]
    for (key, value) in heap.dictionaries[index] {
      let name: String
      switch key {
      case .text(let text):
        guard let known = text.text(in: file) else { continue }
        name = known
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

  /// The dictionary of an object's attributes, or the one that it was made with.
  private func attributes(_ object: PickleHeap.Object) -> Int? {
    if case .dictionary(let index) = object.state { return index }
    for value in [object.state, object.arguments] {
      // Attributes in a dictionary and in slots, or a dictionary's subclass with its contents.
      for item in (heap.items(value) ?? []).prefix(Self.maximumMembers).reversed() {
        if case .dictionary(let index) = item { return index }
      }
    }
    return nil
  }

  /// The attributes of a module of PyTorch's that hold others.
  private func part(_ name: String, of object: PickleHeap.Object) -> PickleValue? {
    guard case .dictionary(let index) = object.state else { return nil }
    // They are among the first, since a module has them before its own.
    return heap.dictionaries[index].prefix(Self.maximumMembers).first {
      guard case .text(let text) = $0.key else { return false }
      return text.range.count < 2 * name.utf8.count && text.text(in: file) == name
    }?.value
  }

  private func isScript(_ object: PickleHeap.Object) -> Bool {
    object.name.map { heap.names[$0].hasPrefix("__torch__.") } ?? false
  }

  /// Whether an object is a module: of TorchScript's, or of `torch.nn`'s by what it has.
  func isModule(_ value: PickleValue) -> Bool {
    guard case .object(let index) = value else { return false }
    let object = heap.objects[index]
    return isScript(object)
      || part("_parameters", of: object) != nil && part("_modules", of: object) != nil
  }

  /// Parameters, buffers that are saved, and the modules in a module.
  private func fields(ofModule object: PickleHeap.Object) -> [Field] {
    guard !isScript(object) else {
      guard case .dictionary(let index) = object.state else { return [] }
      return fields(ofDictionary: index).filter { isTensor($0.value) || isModule($0.value) }
    }
    func members(_ name: String) -> [Field] {
      part(name, of: object).flatMap { fields($0) } ?? []
    }
    var passing: Set<String> = []
    if case .object(let set) = part("_non_persistent_buffers_set", of: object),
      let items = heap.items(heap.objects[set].arguments)?.first
    {
      for case .text(let text) in heap.items(items) ?? [] {
        if let name = text.text(in: file) { passing.insert(name) }
      }
    }
    return members("_parameters") + members("_buffers").filter { !passing.contains($0.name) }
      + members("_modules")
  }
}

extension PickleHeap {
  /// Which container a value is.
  enum Identity: Hashable {
    case list(Int), tuple(Int), dictionary(Int), object(Int)
  }

  /// Which container a value is; nil for what is none.
  func identity(_ value: PickleValue) -> Identity? {
    switch value {
    case .list(let index): .list(index)
    case .tuple(let range): range.isEmpty ? nil : .tuple(range.lowerBound)
    case .dictionary(let index): .dictionary(index)
    case .object(let index): .object(index)
    default: nil
    }
  }
}
