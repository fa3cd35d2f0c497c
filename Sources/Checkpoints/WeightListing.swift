import Foundation

/// The tensors of a file, for people and programs: names, shapes, types and sums.
public struct WeightListing: Sendable, Encodable {
  /// What is told of a tensor.
  public struct Tensor: Sendable, Encodable {
    /// The length of each dimension.
    public let shape: [Int]
    /// The type of the elements in the file.
    public let dtype: String
    /// The sum of the elements in float64.
    public let sum: Double
  }

  /// The file.
  public let file: String
  /// How the file holds its tensors.
  public let format: String
  /// What a person should know.
  public let notes: [String]
  /// The tensors by name.
  public let tensors: [String: Tensor]
  private let order: [String]

  private enum CodingKeys: String, CodingKey { case file, format, notes, tensors }

  /// Lists the tensors of a file, reading each once.
  ///
  /// - Throws: ``WeightFileError`` for packed elements that are damaged; `TorchError` if memory is
  ///   short.
  public init(_ weights: WeightFile) throws {
    file = weights.path
    format = weights.format.rawValue
    notes = weights.notes
    order = weights.entries.map(\.name)
    var tensors: [String: Tensor] = [:]
    for entry in weights.entries where tensors[entry.name] == nil {
      tensors[entry.name] = Tensor(
        shape: entry.shape, dtype: entry.typeName, sum: try weights.sum(entry))
    }
    self.tensors = tensors
  }

  /// A line for each tensor after what the file is.
  public var text: String {
    var lines = ["\(file): \(format), \(order.count) tensors"] + notes.map { "note: \($0)" }
    for name in order {
      guard let tensor = tensors[name] else { continue }
      let sum = String(format: "%.9g", tensor.sum)
      lines.append("  \(name.printable)  \(tensor.shape)  \(tensor.dtype)  sum \(sum)")
    }
    return lines.joined(separator: "\n")
  }

  /// The listing as JSON; sums that are no numbers are texts there.
  ///
  /// - Throws: `EncodingError`, which no listing causes.
  public func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
