import Files
import Foundation

/// How scores were computed: without it two numbers cannot be compared.
public struct ScoringProtocol: Sendable, Codable, Equatable {
  /// The number of classes that are scored.
  public var classes: Int
  /// What is left out: pixels whose truth the label map ignores.
  public var ignored: String
  /// The size at which prediction and truth were compared.
  public var scoredAt: String
  /// The size of the images that the network saw.
  public var imageSize: String
  /// The factors by which images were scaled; their scores are averaged.
  public var scales: [Double]
  /// Whether scores were averaged with those of the mirrored image.
  public var flip: Bool
  /// How images were cut: `whole image`, or tiles.
  public var mode: String
  /// The type that convolutions were computed in.
  public var precision: String
  /// What became of sides that are no multiples of the network's stride; nil where there is no network,
  /// and in results of versions that always extended them by zeros.
  public var sides: String?
  /// What part of the images was scored; nil for all.
  public var subset: String?

  /// A protocol; the defaults are whole images of their own size at one scale.
  public init(
    classes: Int, ignored: String, scoredAt: String = "size of the ground truth",
    imageSize: String = "own size", scales: [Double] = [1], flip: Bool = false,
    mode: String = "whole image", precision: String = "float32", sides: String? = nil,
    subset: String? = nil
  ) {
    self.classes = classes
    self.ignored = ignored
    self.scoredAt = scoredAt
    self.imageSize = imageSize
    self.scales = scales
    self.flip = flip
    self.mode = mode
    self.precision = precision
    self.sides = sides
    self.subset = subset
  }

  /// The protocol in one line.
  public var summary: String {
    let factors = scales.map { number($0) }.joined(separator: ", ")
    let parts = [
      "\(classes) classes, ignored: \(ignored)", "scored at the \(scoredAt)",
      "images at their \(imageSize), \(sides.map { "\($0), " } ?? "")\(mode), scales \(factors),"
        + " flip \(flip ? "on" : "off"), \(precision)",
    ]
    return ((subset.map { [$0] } ?? []) + parts).joined(separator: "; ")
  }
}

/// The scores of a network on a data set, with the protocol that they were computed by.
public struct EvaluationResult: Sendable, Codable, Equatable {
  /// The data set's name.
  public var dataset: String
  /// What was evaluated.
  public var model: String
  /// The number of images.
  public var images: Int
  /// The pixels scored, and those left out because their truth is ignored.
  public var pixels, ignoredPixels: Int64
  /// The time it took, in seconds.
  public var seconds: Double
  /// How it was computed.
  public var scoring: ScoringProtocol
  /// The scores.
  public var scores: Scores
  /// The confusion matrix by rows, of which each ends with the predictions that are no class.
  public var confusion: [[Int64]]
  /// The boundary IoU of each class, where it was computed.
  public var boundary: BoundaryScores?
  /// The categories and instances of Cityscapes, where they were scored.
  public var cityscapes: CityscapesScores?
  /// The foreground where there are two classes.
  public var foreground: ForegroundScores?
  /// How well probabilities fit what is found, where it was counted.
  public var reliability: ReliabilityScores?
  /// The scores by other libraries' definitions, where they were asked for.
  public var libraries: LibraryScores?

  private enum CodingKeys: String, CodingKey {
    case dataset, model, images, pixels, ignoredPixels, seconds
    case scoring = "protocol"
    case scores, confusion, boundary, cityscapes, foreground, reliability, libraries
  }

  /// The result of counting `matrix`.
  public init(
    dataset: String, model: String, images: Int, seconds: Double, scoring: ScoringProtocol,
    matrix: ConfusionMatrix, names: [String], perImage: ImageMeans? = nil
  ) {
    self.dataset = dataset
    self.model = model
    self.images = images
    pixels = matrix.total
    ignoredPixels = matrix.ignored
    self.seconds = seconds
    self.scoring = scoring
    scores = Scores(matrix, names: names, perImage: perImage)
    confusion = (0..<matrix.classes).map { row in
      (0...matrix.classes).map { matrix[row, $0] }
    }
  }
}

/// The boundary IoU of classes and their mean.
public struct BoundaryScores: Sendable, Codable, Equatable {
  /// The share of the diagonal that strips are wide.
  public let ratio: Double
  /// The score of each class; nil for one without a strip.
  public let classes: [Double?]
  /// The mean over the classes that have one.
  public let mean: Double?

  /// The scores of these counts.
  public init(_ counts: BoundaryCounts) {
    ratio = counts.ratio
    classes = counts.iou
    mean = counts.mean
  }
}

extension EvaluationResult {
  /// The result as JSON with sorted keys.
  public func json() throws -> Data { Data(try jsonText(self).utf8) }

  /// The result as a table for a terminal.
  public var text: String {
    var lines = ["\(dataset): \(images) images, \(model)", ""]
    if !foregroundRows.isEmpty {
      lines +=
        aligned([Self.foregroundHeader] + foregroundRows, numeric: 1).map { "  " + $0 } + [""]
    }
    lines += aligned([Self.header] + rows, numeric: 1).map { "  " + $0 }
    lines.append("")
    lines += aligned([Self.summaryHeader] + summaryRows, numeric: 1).map { "  " + $0 }
    if cityscapes != nil {
      lines += [""] + aligned(cityscapesRows, numeric: 1).map { "  " + $0 }
    }
    if !reliabilityRows.isEmpty {
      lines += [""]
      lines += aligned([Self.reliabilityHeader] + reliabilityRows, numeric: 1).map { "  " + $0 }
    }
    lines += ["", "  " + protocolLine]
    if let warning { lines += ["  " + warning] }
    return lines.joined(separator: "\n")
  }

  /// The result as two Markdown tables.
  public var markdown: String {
    var lines = [
      "# \(Markdown.escaped(dataset)): \(images) images", "",
      "Evaluated: \(Markdown.escaped(model))", "",
    ]
    if !foregroundRows.isEmpty {
      lines += [Markdown.row(Self.foregroundHeader), "|---|---:|---:|---|"]
      lines += foregroundRows.map(Markdown.row) + [""]
    }
    lines += Markdown.table([Self.header] + rows)
    lines += ["", Markdown.row(Self.summaryHeader), "|---|---:|---:|---|"]
    lines += summaryRows.map(Markdown.row)
    if !cityscapesRows.isEmpty {
      lines += [""] + Markdown.table([["Cityscapes", "%"]] + cityscapesRows)
    }
    if !reliabilityRows.isEmpty {
      lines += [""] + Markdown.table([Self.reliabilityHeader] + reliabilityRows)
    }
    lines += ["", "Protocol: \(Markdown.escaped(protocolLine))."]
    if let warning { lines += ["", Markdown.escaped(warning)] }
    return lines.joined(separator: "\n") + "\n"
  }

  private static let header = [
    "class", "IoU %", "Dice %", "precision %", "recall %", "share of truth %",
  ]

  private var rows: [[String]] {
    scores.classes.map { entry in
      [
        entry.name, percent(entry.iou), percent(entry.dice), percent(entry.precision),
        percent(entry.recall),
        percent(pixels == 0 ? nil : Double(entry.truth) / Double(pixels)),
      ]
    }
  }

  static let summaryHeader = ["score", "data set %", "per image %", ""]

  /// Scores of the data set and, beside them, each image's own averaged over images; empty where there
  /// is no such thing.
  var summaryRows: [[String]] {
    let all = scores.classes.count
    let covered =
      scores.coveredClasses == all ? "\(all) classes" : "\(scores.coveredClasses) of \(all) classes"
    let means = scores.perImage
    func row(_ name: String, _ score: Double?, _ mean: RunningMean?, _ note: String) -> [String] {
      [name, percent(score), means == nil ? "" : mean.map { percent($0.mean) } ?? "", note]
    }
    var rows = [
      row("mean IoU", scores.meanIoU, means?.meanIoU, "of \(covered); also Jaccard macro"),
      row("pixel accuracy", scores.pixelAccuracy, means?.pixelAccuracy, "also accuracy"),
      row(
        "mean accuracy", scores.meanAccuracy, means?.meanAccuracy, "recall averaged over classes"),
      row(
        "frequency-weighted IoU", scores.frequencyWeightedIoU, means?.jaccardWeighted,
        "also Jaccard weighted"),
      row("mean Dice", scores.meanDice, means?.meanDice, "also macro F1"),
      row("Jaccard micro", scores.jaccardMicro, means?.jaccardMicro, "all pixels taken together"),
    ]
    if let boundary {
      rows.append(
        row(
          "boundary IoU", boundary.mean, nil,
          "strips of \(number(boundary.ratio * 100)) % of the diagonal"))
    }
    if let cityscapes {
      rows.append(
        row(
          "category IoU", cityscapes.meanCategoryIoU, nil,
          "of \(cityscapes.categories.count { $0.score != nil }) categories of Cityscapes"))
      if !cityscapes.instanceClasses.isEmpty {
        rows += [
          row(
            "iIoU", cityscapes.meanInstanceIoU, nil,
            "weighted by instances, of \(cityscapes.instanceClasses.count { $0.score != nil }) classes"
          ),
          row(
            "category iIoU", cityscapes.meanCategoryInstanceIoU, nil,
            "weighted by instances, of "
              + "\(cityscapes.instanceCategories.count { $0.score != nil }) categories"),
        ]
      }
    }
    return rows
  }

  /// The scores of Cityscapes' categories and of instances, where there are such.
  var cityscapesRows: [[String]] {
    guard let cityscapes else { return [] }
    func rows(_ title: String, _ entries: [CityscapesScores.Entry]) -> [[String]] {
      entries.isEmpty ? [] : [[title, "%"]] + entries.map { [$0.name, percent($0.score)] }
    }
    return rows("category IoU", cityscapes.categories) + rows("iIoU", cityscapes.instanceClasses)
      + rows("category iIoU", cityscapes.instanceCategories)
  }

  var warning: String? {
    let absent = scores.absentFromTruth
    return absent.isEmpty ? nil : "Never in the truth: \(absent.joined(separator: ", "))."
  }
}

/// Rows as lines with columns of equal width, from column `numeric` on flush right where they hold
/// numbers.
func aligned(_ rows: [[String]], numeric: Int) -> [String] {
  let rows = rows.map { $0.map(\.shownInLine) }
  let columns = rows.map(\.count).max() ?? 0
  let widths = (0..<columns).map { column in
    rows.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0
  }
  return rows.map { row in
    row.enumerated().map { column, cell in
      let gap = String(repeating: " ", count: widths[column] - cell.count)
      let isNumber = cell == "n/a" || cell.last == "%" || Double(cell) != nil
      return column >= min(numeric, 1) && isNumber ? gap + cell : cell + gap
    }.joined(separator: "  ")
  }.map { line in
    String(line.reversed().drop { $0 == " " }.reversed())
  }
}

/// A share in percent with two digits, or `n/a`.
package func percent(_ value: Double?) -> String {
  value.map { String(format: "%.2f", $0 * 100) } ?? "n/a"
}

/// A number with no more digits than it needs.
package func number(_ value: Double) -> String {
  value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(value)
}
