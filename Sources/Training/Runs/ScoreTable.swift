import Evaluation

/// The scores of several runs of one configuration: those over classes, then the IoU of each class.
public struct ScoreTable: Sendable, Encodable {
  /// A score of all runs.
  public struct Row: Sendable, Encodable {
    /// What is scored.
    public let name: String
    /// The score of each run that has it.
    public let score: Spread
  }

  /// The scores.
  public let rows: [Row]

  init(_ runs: [Scores]) {
    let overall: [(String, (Scores) -> Double?)] = [
      ("mean IoU", \.meanIoU), ("mean accuracy", \.meanAccuracy),
      ("pixel accuracy", \.pixelAccuracy), ("mean Dice", \.meanDice),
    ]
    let classes = (runs.first?.classes ?? []).enumerated().map { index, entry in
      (entry.name, { (scores: Scores) in scores.classes[index].iou })
    }
    rows = (overall + classes).map { name, score in
      Row(name: name, score: Spread(values: runs.compactMap(score)))
    }
  }

  init(_ rows: [Row]) { self.rows = rows }

  /// The scores in per cent as mean ± standard deviation; `runs` is what the runs are called.
  func lines(_ runs: String) -> [String] {
    TextTable.lines(
      ["score in per cent", runs, "mean", "± sd", "lowest", "highest"],
      rows.map { row in
        let values = row.score.values
        return [
          row.name, "\(values.count)", percent(row.score.mean), percent(row.score.deviation),
          percent(values.min()), percent(values.max()),
        ]
      })
  }
}
