import Imaging

/// The classes of several files, whose numbers must agree.
struct ClassNumbers {
  private(set) var classes: [AnnotationSet.Class] = []
  /// What each id means, and the file that says so.
  private var ids: [Int: (name: String, file: String)] = [:]
  private var names: [String: (id: Int, file: String)] = [:]
  private var numbers: [String: Int] = [:]
  /// Whether ids may differ, as the person has given the order of the names.
  let isFree: Bool

  init(_ options: ReadingOptions) { isFree = options.classes != nil }

  /// The number of a class by the id that a file gives it.
  ///
  /// - Throws: ``AnnotationError`` naming both files where another gave the id or the name otherwise.
  mutating func add(
    _ name: String, id: Int, color: Color? = nil, file: String, entry: String
  ) throws -> Int {
    if !isFree {
      if let other = ids[id], other.name != name {
        throw AnnotationError(
          file, entry,
          found: "the class \(id) is \(quoted(name)), in \(other.file) it is \(quoted(other.name))",
          expected: "one meaning in all files, or the names in order with --classes")
      }
      if let other = names[name], other.id != id {
        throw AnnotationError(
          file, entry,
          found: "the class \(quoted(name)) is \(id), in \(other.file) it is \(other.id)",
          expected: "one number in all files, or the names in order with --classes")
      }
      if ids[id] == nil { (ids[id], names[name]) = ((name, file), (id, file)) }
    }
    return add(name, color)
  }

  /// The number of a class by its name alone.
  mutating func add(_ name: String, _ color: Color? = nil) -> Int {
    if let number = numbers[name] {
      if classes[number].color == nil { classes[number].color = color }
      return number
    }
    classes.append(.init(name, color))
    numbers[name] = classes.count - 1
    return classes.count - 1
  }

  /// The number of a class that is known.
  subscript(name: String) -> Int? { numbers[name] }
}
