import Datasets
import Evaluation
import Imaging

/// What a checkpoint says of its network: enough to run and to score it.
public struct CheckpointRecord: Sendable, Codable, Equatable {
  /// A class of the label map.
  public struct Class: Sendable, Codable, Equatable {
    /// The class's name.
    public var name: String
    /// Red, green and blue, 0 to 255.
    public var color: [UInt8]
    /// The values that stand for the class in label files.
    public var values: [Int]
  }

  /// The version of this record's form.
  public var version = Self.currentVersion
  /// The configuration as YAML, overrides included.
  public var configuration: String
  /// The iterations done.
  public var step: Int
  /// The name of the label map.
  public var labelMap: String
  /// The classes in order.
  public var classes: [Class]
  /// The file values that count nowhere.
  public var ignored: [Int]
  /// What turns levels into the network's input: the mean and the deviation of each band.
  public var mean, deviation: [Double]
  /// The level of each band that counts as 1; nil for the 255 of 8 bits, as in older records.
  var scale: [Double]?
  /// The level of each band that stands for nothing; nil where no band has one.
  var missing: [Double?]?
  /// The scores at this step, if the network was scored then.
  public var scores: Scores?
  /// The protocol that the scores were computed by.
  public var scoring: ScoringProtocol?

  /// What probabilities are softened by, where it was fitted to these weights.
  public var temperature: Temperature?

  /// The version of records that this program writes, and the newest that it reads.
  static let currentVersion = 1

  /// What a record of any version has.
  struct Form: Decodable {
    let version: Int
  }

  /// The record of a network of these classes, with the scores that it had, if any.
  package init(
    configuration: String, step: Int, _ map: LabelMap, _ encoding: InputEncoding,
    result: EvaluationResult? = nil
  ) {
    self.configuration = configuration
    self.step = step
    labelMap = map.name
    classes = map.classes.enumerated().map { index, entry in
      Class(
        name: entry.name, color: [entry.color.red, entry.color.green, entry.color.blue],
        values: map.rows.filter { $0.index == index }.map { Int($0.value) })
    }
    ignored = map.rows.filter { $0.index == nil }.map { Int($0.value) }
    (mean, deviation) = (encoding.mean, encoding.deviation)
    scale = encoding.scale.allSatisfy { $0 == InputEncoding.usualScale } ? nil : encoding.scale
    missing = encoding.missing.allSatisfy { $0 == nil } ? nil : encoding.missing
    (scores, scoring) = (result?.scores, result?.scoring)
  }

  /// What turns levels into the network's input.
  ///
  /// - Throws: `DatasetError` for a record that makes no sense.
  func encoding() throws -> InputEncoding {
    let bands = max(1, mean.count)
    return try InputEncoding(
      mean: mean, deviation: deviation,
      scale: scale ?? [Double](repeating: InputEncoding.usualScale, count: bands),
      missing: missing ?? [Double?](repeating: nil, count: bands))
  }

  /// The label map; `background` names the class that is one, if it is not called so.
  ///
  /// - Throws: `DatasetError` for a record that makes no sense.
  func map(background: String?) throws -> LabelMap {
    var rows: [LabelMap.Row] = []
    for (index, entry) in classes.enumerated() {
      rows += entry.values.compactMap { UInt16(exactly: $0) }
        .map { .init(value: $0, index: index, label: entry.name) }
    }
    rows += ignored.compactMap { UInt16(exactly: $0) }
      .map { .init(value: $0, index: nil, label: "ignored") }
    let classes = classes.map { entry in
      let color = entry.color + [UInt8](repeating: 0, count: max(0, 3 - entry.color.count))
      return LabelMap.Class(entry.name, Color(color[0], color[1], color[2]))
    }
    let map = try LabelMap(name: labelMap, classes: classes, rows: rows)
    return try background.map { try map.withBackground($0) } ?? map
  }
}
