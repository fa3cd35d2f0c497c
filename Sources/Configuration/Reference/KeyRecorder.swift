/// Takes note of the keys that readers ask sections for, with the kind of value and what holds without it.
///
/// A reader that runs on a section with a recorder tells what it would tell nobody else: a reference is
/// made of that, so that types, bounds and defaults stand in one place, where they are read.
package final class KeyRecorder {
  /// A key that was asked for.
  package struct Key: Sendable {
    /// The keys from the root to it, joined by dots; places in lists are left out.
    package let path: String
    /// The kinds of value that the reader tried, in order.
    package var kinds: [ValueKind] = []
    /// The value without the key, as YAML; nil if there is none.
    package var fallback: String?
    /// Whether the reader goes on without the key.
    package var isOptional = false
    /// Whether ``kinds`` come from ``Section/declare(_:as:default:)``, which knows more than a type.
    fileprivate var isDeclared = false
  }

  /// The keys in the order in which they were first asked for.
  package private(set) var keys: [Key] = []
  private var places: [String: Int] = [:]

  /// Nothing has been asked yet.
  package init() {}

  /// The key of this path, if it was asked for.
  package subscript(_ path: String) -> Key? { places[path].map { keys[$0] } }

  /// The key was asked for as this kind of value.
  func note(_ path: String, _ kind: ValueKind, default fallback: String?) {
    change(path) { key in
      if !key.isDeclared && !key.kinds.contains(kind) { key.kinds.append(kind) }
      key.fallback = key.fallback ?? fallback
    }
  }

  /// The reader looked whether the key is there.
  func noteOptional(_ path: String) { change(path) { $0.isOptional = true } }

  /// The reader said in words of its own what the key takes.
  func declare(_ path: String, _ kind: ValueKind, default fallback: String?) {
    change(path) { key in
      if !key.isDeclared { key.kinds = [] }
      key.isDeclared = true
      if !key.kinds.contains(kind) { key.kinds.append(kind) }
      key.fallback = key.fallback ?? fallback
    }
  }

  private func change(_ path: String, _ body: (inout Key) -> Void) {
    let path = path.replacing(/\[\d+\]/, with: "")
    if places[path] == nil {
      places[path] = keys.count
      keys.append(Key(path: path))
    }
    if let place = places[path] { body(&keys[place]) }
  }
}
