import Files

/// What a pickle says beside weights, as plain data.
extension PickleHeap {
  /// How deep values may lie in one another, and how many there may be.
  private static let maximumDepth = 32, maximumCount = 200_000
  /// The most bytes of a text.
  private static let maximumText = 4 << 20

  /// A value of texts, numbers, lists and dictionaries; what has no such form becomes nothing, and so does
  /// everything if there is more of it than any description has.
  func json(_ value: PickleValue, in file: MappedFile) -> JSON? {
    var left = Self.maximumCount
    let json = json(value, in: file, &left, 0)
    return left > 0 ? json : nil
  }

  private func json(
    _ value: PickleValue, in file: MappedFile, _ left: inout Int, _ depth: Int
  ) -> JSON {
    left -= 1
    guard left > 0, depth < Self.maximumDepth else { return .null }
    switch value {
    case .bool(let value): return .bool(value)
    case .int(let value): return .number(Double(value))
    case .float(let value): return .number(value)
    case .text(let text):
      guard let text = text.text(in: file, atMost: Self.maximumText) else { return .null }
      left -= text.utf8.count / 64
      return .string(text)
    case .list, .tuple:
      var list: [JSON] = []
      for item in items(value) ?? [] where left > 0 {
        list.append(json(item, in: file, &left, depth + 1))
      }
      return .list(list)
    case .dictionary(let index): return object(index, in: file, &left, depth)
    case .object(let index):
      // A subclass of a dictionary has its contents as items.
      return objects[index].items.map { object($0, in: file, &left, depth) } ?? .null
    default: return .null
    }
  }

  private func object(
    _ index: Int, in file: MappedFile, _ left: inout Int, _ depth: Int
  ) -> JSON {
    var object: [String: JSON] = [:]
    for (key, value) in dictionaries[index] where left > 0 {
      switch key {
      case .text(let text):
        guard let name = text.text(in: file, atMost: Pickle.maximumName) else { continue }
        object[name] = json(value, in: file, &left, depth + 1)
      case .int(let number): object["\(number)"] = json(value, in: file, &left, depth + 1)
      default: continue
      }
    }
    return .object(object)
  }

  /// What a dictionary has under a name, as plain data; nil if there is none.
  func described(_ name: String, of root: PickleValue, in file: MappedFile) -> JSON? {
    guard case .dictionary(let index) = root else { return nil }
    let entry = dictionaries[index].last {
      guard case .text(let text) = $0.key else { return false }
      return text.text(in: file, atMost: Pickle.maximumName) == name
    }
    return entry.flatMap { json($0.value, in: file) }
  }
}
