import Imaging

/// What a person writes of the classes of label files: names in order, values, colours, and what counts
/// nowhere; the one place where a configuration and a command line become a label map.
public struct LabelTable: Sendable {
  /// Where it is written, for messages.
  public var origin: LabelMap.Origin
  /// The classes in order; nil for those of ``file``.
  public var classes: [String]?
  /// The class of each value, or `ignored`; empty for 0, 1, 2 … in the order of the classes.
  public var values: [Int: String]
  /// The values that count nowhere; nil for 255, unless that is a class's.
  public var ignored: [Int]?
  /// The colours of classes, and of `ignored`.
  public var colors: [(name: String, colors: [Color])] = []
  /// A file of names and colours, and its name.
  public var file: (name: String, content: ColorFile)?

  /// A table of these classes and values.
  public init(
    _ origin: LabelMap.Origin, classes: [String]? = nil, values: [Int: String] = [:],
    ignored: [Int]? = nil
  ) {
    self.origin = origin
    self.classes = classes
    self.values = values
    self.ignored = ignored
  }

  /// What the values of label files mean, and those of the colours of coloured ones; nil for no colours.
  ///
  /// - Parameter name: The map's name in messages.
  /// - Throws: `DatasetError.invalidLabelMap`.
  public func resolved(_ name: String) throws -> (map: LabelMap, colors: [Color: UInt16]?) {
    func fail(_ reason: String) -> DatasetError { .invalidLabelMap(name: name, reason: reason) }
    let classes = classes ?? file?.content.entries.map(\.name) ?? []
    let word = LabelMap.ignoredWord
    func isIgnored(_ label: String) -> Bool { label == word && !classes.contains(word) }

    var colors = colors
    if let file {
      let listed = file.content.entries
      if let lost = classes.first(where: { name in !listed.contains { $0.name == name } }) {
        throw fail(
          "\(file.name) has no colour for \"\(lost)\"; it has"
            + " \(listed.map(\.name).joined(separator: ", "))")
      }
      // What the file names and nobody asked for counts nowhere.
      colors += listed.map { (classes.contains($0.name) ? $0.name : word, $0.colors) }
    }
    for entry in colors where !classes.contains(entry.name) && !isIgnored(entry.name) {
      throw fail(
        "gives a colour to \"\(entry.name)\"; expected one of \(classes.joined(separator: ", ")),"
          + " or \(word)")
    }

    var values = values
    if values.isEmpty { for (index, name) in classes.enumerated() { values[index] = name } }
    let unlisted = values.filter { isIgnored($0.value) }.map(\.key)
    for value in unlisted { values[value] = nil }
    var ignored = Set(unlisted + (self.ignored ?? [255].filter { values[$0] == nil }))
    if let value = ignored.sorted().first(where: { values[$0] != nil }) {
      throw fail(
        "ignores the value \(value), which is \"\(values[value] ?? "")\"; expected one of the two")
    }
    // Colours stand for values, which those that have none are given here.
    func freeValue() -> Int {
      (0...65_535).first { values[$0] == nil && !ignored.contains($0) } ?? 65_535
    }
    for entry in colors {
      if isIgnored(entry.name) {
        if ignored.isEmpty { ignored.insert(freeValue()) }
      } else if !values.values.contains(entry.name) {
        values[freeValue()] = entry.name
      }
    }

    let shown = zip(classes, LabelMap.usualColors(classes)).map { name, usual in
      colors.first { $0.name == name }?.colors.first ?? usual
    }
    let map = try LabelMap(
      name: name, origin: origin, classes: classes, values: values, ignored: ignored.sorted(),
      colors: shown)
    guard !colors.isEmpty else { return (map, nil) }
    var table: [Color: UInt16] = [:]
    for entry in colors {
      let index = classes.firstIndex(of: entry.name).map(UInt8.init) ?? LabelMap.ignored
      guard let value = map.value(of: index) else { continue }
      for color in entry.colors {
        if let other = table.updateValue(value, forKey: color), other != value {
          throw fail("gives \(color.text) two meanings; expected one")
        }
      }
    }
    return (map, table)
  }

  /// A map with these values and what is ignored put over its own.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` for a class that the map does not have.
  public func over(_ map: LabelMap) throws -> LabelMap {
    guard !values.isEmpty || ignored != nil else { return map.from(origin) }
    func fail(_ reason: String) -> DatasetError { .invalidLabelMap(name: map.name, reason: reason) }
    let names = map.classes.map(\.name)
    var rows: [UInt16: LabelMap.Row] = [:]
    for row in map.rows { rows[row.value] = row }
    for value in ignored ?? [] {
      if let label = values[value], label != LabelMap.ignoredWord {
        throw fail("ignores the value \(value), which is \"\(label)\"; expected one of the two")
      }
      let value = UInt16(clamping: value)
      rows[value] = .init(value: value, index: nil, label: LabelMap.ignoredWord)
    }
    for (value, label) in values {
      let value = UInt16(clamping: value)
      let index = names.firstIndex(of: label)
      guard index != nil || label == LabelMap.ignoredWord else {
        throw fail(
          "value \(value) means \"\(label)\"; expected one of \(names.joined(separator: ", "))")
      }
      rows[value] = .init(value: value, index: index, label: label)
    }
    // A class's own value stays the one that it is exported as.
    let order = map.rows.map(\.value) + rows.keys.filter { map.index(of: $0) == nil }.sorted()
    return try LabelMap(
      name: map.name, classes: map.classes, rows: order.compactMap { rows[$0] }
    ).from(origin)
  }
}
