import Checkpoints
import Files
import Foundation

/// Weights of another program with what lies beside them, for readers that know its kind.
public struct PretrainedSource {
  /// The file, or the folder.
  public let path: String
  /// The weights.
  public let weights: WeightFile
  /// The most bytes of a text beside weights that are read.
  private static let maximumText = 4_000_000

  /// Opens a file, or what a folder holds.
  ///
  /// - Throws: `WeightFileError`.
  init(_ path: String) throws {
    self.path = path
    weights = try WeightFile.open(path)
  }

  /// The JSON file called `name` in the folder; nil if the path is no folder or there is none.
  ///
  /// - Throws: ``PretrainedError`` for a file that is too long or no JSON object.
  package func json(_ name: String) throws -> JSON? {
    let file = "\(path)/\(name)"
    guard FileSystem.isFolder(path), FileSystem.exists(file) else { return nil }
    let text = FileSystem.beginning(file, Self.maximumText + 1)
    guard text.count <= Self.maximumText, let value = JSON(Data(text)), value.object != nil else {
      throw PretrainedError.invalid(
        file: file, key: "the file", value: "\(text.count) bytes", expected: "an object of JSON")
    }
    return value
  }
}

/// Why a network of another program that says what it is cannot be built here.
public enum PretrainedError: Error, CustomStringConvertible, Equatable {
  /// A value that makes no sense, or that nothing here stands for.
  case invalid(file: String, key: String, value: String, expected: String)
  /// Nothing in the file says what network it is.
  case unknown(file: String)
  /// A network that another program has no form of.
  case notWritable(family: String, reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .invalid(let file, let key, let value, let expected):
      "\(file): '\(key)' is \(value); expected \(expected)"
    case .unknown(let file):
      "\(file): nothing in it says what network it is; expected --model CONFIG.yaml, or what"
        + " docs/weights.md lists as enough by itself"
    case .notWritable(let family, let reason):
      "the network cannot be written for \(family): \(reason)"
    }
  }
}
