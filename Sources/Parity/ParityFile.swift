import Files
import Foundation

/// Why a file of the parity kit cannot be checked.
package enum ParityError: Error, CustomStringConvertible, LocalizedError {
  case unreadable(file: String, reason: String)
  case malformed(file: String, key: String, expected: String)
  case unknownModel(file: String, model: String, known: [String])

  /// The message for a person.
  package var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .malformed(let file, let key, let expected): "\(file): '\(key)' is not \(expected)"
    case .unknownModel(let file, let model, let known):
      "\(file): the model '\(model)' is not known; known are \(known.joined(separator: ", "))"
    }
  }

  /// The message for a person.
  package var errorDescription: String? { description }
}

/// Some values of a tensor: its shape, its moments, and elements at flat indices.
package struct Probe: Sendable {
  let shape: [Int]
  let mean: Double?
  let std: Double
  let index: [Int]
  let value: [Double]

  init?(_ json: JSON) {
    guard let shape = json["shape"]?.ints, let std = json["std"]?.number,
      let index = json["index"]?.ints, let value = json["value"]?.numbers,
      index.count == value.count, index.allSatisfy({ $0 >= 0 && $0 < shape.reduce(1, *) })
    else { return nil }
    self.shape = shape
    self.std = std
    self.index = index
    self.value = value
    mean = json["mean"]?.number
  }
}

/// One file of the parity kit: what a reference implementation gave.
package struct ParityFile: Sendable {
  /// Where the file is.
  package let path: String
  /// The model's name, such as `torchvision/densenet121`.
  package let model: String
  /// Everything in the file.
  package let json: JSON

  /// Reads the file at `path`.
  ///
  /// - Throws: ``ParityError`` if it is no file of the kit.
  package init(contentsOf path: String) throws {
    try self.init(anyContentsOf: path)
    guard !model.isEmpty else {
      throw ParityError.malformed(file: path, key: "model", expected: "a name")
    }
  }

  /// Reads the file at `path`, which may name no model.
  ///
  /// - Throws: ``ParityError`` if it is no file of the kit.
  package init(anyContentsOf path: String) throws {
    guard let data = FileSystem.contents(path) else {
      let exists = FileSystem.exists(path)
      throw ParityError.unreadable(
        file: path, reason: exists ? "it is not a readable file" : "there is no such file")
    }
    guard let object = try? JSONSerialization.jsonObject(with: data), object is [String: Any] else {
      throw ParityError.malformed(file: path, key: "the file", expected: "a JSON object")
    }
    self.path = path
    json = JSON(object)
    model = json["model"]?.string ?? ""
  }

  /// The reference's setting at `key`, if the file carries settings.
  package func setting(_ key: String) -> JSON? { json["settings"]?[key] }

  /// The shape of the state entry called `name`, in the reference's state dictionary.
  package func stateShape(_ name: String) -> [Int]? { json["state"]?[name]?.ints }

  /// The shapes of the reference's state dictionary, by its names.
  func state() throws -> [String: [Int]] {
    guard let state = json["state"]?.object else {
      throw ParityError.malformed(file: path, key: "state", expected: "names and shapes")
    }
    return try state.mapValues { value in
      guard let shape = value.ints, shape.allSatisfy({ $0 > 0 && $0 <= 1 << 24 }) else {
        throw ParityError.malformed(file: path, key: "state", expected: "names and shapes")
      }
      return shape
    }
  }

  /// Whether the reference has state entries, or gradients, whose names begin so.
  package func hasEntries(_ prefix: String) -> Bool {
    ["state", "gradients"].contains { key in
      json[key]?.object?.keys.contains { $0.hasPrefix(prefix) } ?? false
    }
  }

  /// The shape of the input (N, C, H, W).
  func inputShape() throws -> [Int] {
    guard let shape = json["input"]?.ints, shape.count == 4,
      shape.allSatisfy({ $0 > 0 && $0 <= 16_384 })
    else { throw ParityError.malformed(file: path, key: "input", expected: "a shape (N, C, H, W)") }
    return shape
  }

  func probes(_ key: String) throws -> [(name: String, probe: Probe)] {
    guard let object = json[key]?.object else { return [] }
    return try object.sorted { $0.key < $1.key }.map { name, value in
      guard let probe = Probe(value) else {
        throw ParityError.malformed(file: path, key: "\(key).\(name)", expected: "a probe")
      }
      return (name, probe)
    }
  }
}
