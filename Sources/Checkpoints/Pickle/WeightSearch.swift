/// Finds the weights among all that a pickle made.
///
/// Training scripts put them beside much else, under `state_dict`, `model` or the like; a module that
/// was saved whole has them in its attributes.
struct WeightSearch {
  /// A name and what it stands for.
  typealias Field = (name: String, value: PickleValue)

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
  /// How many modules may lie in one another.
  private static let maximumNesting = 64
  /// The most tensors that are read.
  private static let maximumTensors = 1 << 18

  let file: MappedFile
  let heap: PickleHeap
  /// The most fields that are looked at: what is shared may be met again and again.
  private static let maximumWork = 16 << 20

  private var work = 0
  /// How many tensors a container holds, by ``PickleHeap/identity(_:)``.
  private var counts: [PickleHeap.Identity: Int] = [:]
  /// The classes whose objects were walked as modules.
  private var moduleNames: Set<Int> = []
  /// What a person should know.
  private(set) var notes: [String] = []
  /// Other places in the file that have weights, as `part` names them.
  private(set) var alternatives: [String] = []

  /// A search in what the pickle in `file` made.
  init(_ file: MappedFile, _ heap: PickleHeap) {
    self.file = file
    self.heap = heap
  }

  func fault(found: String) -> WeightFileError { .noTensors(file: file.path, found: found) }

  // MARK: The search

  /// The tensors of the state dictionary in `root`, by name; `part` names the one to take, with dots
  /// between those that it lies in.
  mutating func weights(_ root: PickleValue, part: String?) throws -> [Field] {
    let start = try part.map { try descend(root, $0) } ?? root
    let tensors = try weights(start, at: [])
    noteClasses()
    return tensors
  }

  /// The value at `path` in `root`.
  private func descend(_ root: PickleValue, _ path: String) throws -> PickleValue {
    var value = root
    var rest = path[...]
    while !rest.isEmpty {
      let fields = fields(value) ?? []
      // Keys may have dots of their own.
      let field = fields.filter { rest == $0.name || rest.hasPrefix($0.name + ".") }
        .max { $0.name.count < $1.name.count }
      guard let field else {
        let names = fields.prefix(20).map { "'\($0.name.printable)'" }.joined(separator: ", ")
        throw fault(
          found: "no '\(rest.prefix { $0 != "." })', but " + (names.isEmpty ? "nothing" : names))
      }
      value = field.value
      rest = rest.dropFirst(field.name.count + 1)
    }
    return value
  }

  private mutating func weights(_ root: PickleValue, at start: [String]) throws -> [Field] {
    var (value, path) = (root, start)
    for _ in 0..<Self.maximumDepth {
      guard let fields = fields(value) else { throw fault(found: heap.kind(value)) }
      note(path)
      if isModule(value) {
        _ = count(value)
        notes.append(
          "the weights are those of a whole module, \(heap.kind(value)), of which nothing is run")
        return try flattened(fields)
      }
      let tensors = fields.filter { isTensor($0.value) }
      var parts = fields.filter {
        !isTensor($0.value) && !Self.others.contains($0.name) && count($0.value) > 0
      }
      let all = parts.reduce(0) { $0 + count($1.value) }
      if parts.contains(where: { !WeightFile.isAverage($0.name) }) || tensors.count >= all {
        parts = split(parts, in: path)
      }
      let wrapper = largest(parts.filter { Self.wrappers.contains($0.name) })
      let total = parts.reduce(0) { $0 + count($1.value) }
      if wrapper == nil, !tensors.isEmpty, tensors.count >= total {
        note(passedOver: fields.filter { !isTensor($0.value) })
        return tensors
      }
      guard let next = wrapper ?? parts.first else { throw fault(found: Self.empty(value, fields)) }
      if wrapper == nil, parts.count > 1 { return try flattened(parts) }
      add(parts.filter { $0.name != next.name }, in: path)
      path.append(next.name)
      value = next.value
    }
    throw fault(found: "dictionaries in each other more than \(Self.maximumDepth) deep")
  }

  private static func empty(_ value: PickleValue, _ fields: [Field]) -> String {
    switch value {
    case .list, .tuple: return "\(value.kind) without dictionaries of tensors"
    default: break
    }
    guard !fields.isEmpty else { return "an empty dictionary" }
    return "a dictionary without tensors; its keys are "
      + fields.prefix(8).map { "'\($0.name.printable)'" }.joined(separator: ", ")
  }

  /// The parts that are no moving averages of others; the averages are noted.
  private mutating func split(_ parts: [Field], in path: [String]) -> [Field] {
    add(parts.filter { WeightFile.isAverage($0.name) }, in: path)
    return parts.filter { !WeightFile.isAverage($0.name) }
  }

  /// The part with most tensors, of those that have as many the likeliest.
  private mutating func largest(_ parts: [Field]) -> Field? {
    var best: (field: Field, count: Int)?
    for name in Self.wrappers {
      for field in parts where field.name == name {
        let count = count(field.value)
        if count > best?.count ?? 0 { best = (field, count) }
      }
    }
    return best?.field
  }

  /// The tensors in fields and in what lies in them, with dotted names.
  private mutating func flattened(_ fields: [Field]) throws -> [Field] {
    var tensors: [Field] = []
    try flatten(fields, "", 0, into: &tensors)
    guard !tensors.isEmpty else { throw fault(found: "a module without parameters") }
    return tensors
  }

  private mutating func flatten(
    _ fields: [Field], _ prefix: String, _ depth: Int, into tensors: inout [Field]
  ) throws {
    work += fields.count + 1
    guard work < 2 * Self.maximumWork else { throw fault(found: "one thing in many others") }
    for field in fields where !Self.others.contains(field.name) {
      if isTensor(field.value) {
        guard tensors.count < Self.maximumTensors else {
          throw fault(found: "more than \(Self.maximumTensors) tensors")
        }
        tensors.append((prefix + field.name, field.value))
      } else if depth < Self.maximumNesting, count(field.value) > 0 {
        try flatten(
          self.fields(field.value) ?? [], prefix + field.name + ".", depth + 1, into: &tensors)
      }
    }
  }

  /// How many tensors a value holds, itself and in what lies in it.
  private mutating func count(_ value: PickleValue, _ depth: Int = 0) -> Int {
    if isTensor(value) { return 1 }
    guard depth < Self.maximumNesting, let identity = heap.identity(value) else { return 0 }
    if let known = counts[identity] { return known }
    // What holds itself counts once.
    counts[identity] = 0
    guard work < Self.maximumWork else { return 0 }
    let fields = fields(value) ?? []
    work += fields.count + 1
    let names = Set(fields.map(\.name))
    guard !names.isSuperset(of: ["state", "param_groups"]) else { return 0 }
    if isModule(value), case .object(let index) = value, let name = heap.objects[index].name {
      moduleNames.insert(name)
    }
    let sum = fields.reduce(0) { min($0 + count($1.value, depth + 1), Self.maximumTensors) }
    counts[identity] = sum
    return sum
  }

  // MARK: Notes

  private mutating func note(_ path: [String]) {
    let line = "the tensors are those of '"
    notes.removeAll { $0.hasPrefix(line) }
    if !path.isEmpty { notes.append("\(line)\(path.joined(separator: ".").printable)'") }
  }

  private mutating func add(_ parts: [Field], in path: [String]) {
    guard !parts.isEmpty else { return }
    let names = parts.map { (path + [$0.name]).joined(separator: ".") }
    alternatives += names.prefix(8)
    let shown = names.prefix(8).map { "'\($0.printable)'" }
    notes.append("the file has weights under \(shown.joined(separator: ", ")), too")
  }

  private mutating func note(passedOver rest: [Field]) {
    guard !rest.isEmpty else { return }
    let shown = rest.prefix(8).map { "'\($0.name.printable)' (\($0.value.kind))" }
    notes.append(
      "passed over \(shown.joined(separator: ", "))" + (rest.count > 8 ? " and more" : ""))
  }

  private mutating func noteClasses() {
    let names = heap.names.indices.filter { !moduleNames.contains($0) }.map { heap.names[$0] }
      .filter { !PickleGlobal.unremarkable.contains($0) && !$0.hasPrefix("__torch__.") }
    guard !names.isEmpty else { return }
    let rest = names.count > 6 ? " and \(names.count - 6) more" : ""
    notes.append(
      "passed over, and nothing of it run: "
        + names.prefix(6).map(\.printable).joined(separator: ", ") + rest)
  }
}
