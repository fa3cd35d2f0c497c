import Foundation

/// A library whose scores of semantic segmentation can be computed from counts, by its own definition.
///
/// The same labels get other numbers in each: classes that are absent count nothing, 0 or 1; pixels are pooled over
/// all images, or each image has a vote. Checked against the packages in the versions named
/// (`Benchmarks/scoring/libraries.py`).
public enum ScoreLibrary: String, CaseIterable, Sendable, Codable {
  /// MMSegmentation's `IoUMetric`.
  case mmseg
  /// TorchMetrics' Jaccard index, and its mean IoU for segmentation.
  case torchmetrics
  /// Hugging Face's metric `mean_iou` of the package evaluate.
  case huggingface
  /// segmentation_models.pytorch's functions on `get_stats`.
  case smp
  /// MONAI's `MeanIoU` and `DiceMetric`.
  case monai
  /// scikit-learn's `jaccard_score`.
  case sklearn
  /// Keras' `MeanIoU`.
  case keras
  /// Ultralytics' semantic segmentation.
  case ultralytics
  /// The Cityscapes benchmark's script.
  case cityscapes
  /// Panoptic quality, each class of an image as one segment.
  case panoptic

  /// The package and the version whose definition is computed.
  public var version: String {
    switch self {
    case .mmseg: "mmsegmentation 1.2.2"
    case .torchmetrics: "torchmetrics 1.9.0"
    case .huggingface: "evaluate's metric mean_iou"
    case .smp: "segmentation_models_pytorch 0.6.0"
    case .monai: "monai 1.6.1"
    case .sklearn: "scikit-learn 1.9.1"
    case .keras: "keras 3.15.1"
    case .ultralytics: "ultralytics 8.4.190"
    case .cityscapes: "cityscapesScripts 2.3.0"
    case .panoptic: "panopticapi 7bb4655"
    }
  }

  /// What differs from the others, in a sentence.
  public var remark: String {
    switch self {
    case .mmseg:
      "pooled over all images; a class absent from truth and prediction is left out, one that is only predicted"
        + " counts 0; printed in percent with two decimals"
    case .torchmetrics:
      "JaccardIndex pools as mmseg does, MeanIoU gives each class of each image a vote and knows no ignored value"
    case .huggingface:
      "pooled over all images; a class absent from both is nan and left out of the mean"
    case .smp:
      "a class absent from both counts 1, so classes that never occur raise macro scores; micro counts each miss twice"
    case .monai:
      "a mean over each image's classes, then over images; a class absent from an image's truth is left out even if"
        + " it is predicted there"
    case .sklearn:
      "pooled over all images; a class of `labels` that is absent from both counts 0; without `labels` it is left out"
    case .keras: "pooled over all images; a class absent from both is left out"
    case .ultralytics:
      "pooled over all images; a class absent from the truth is left out, even if it is predicted; pixels predicted as"
        + " no class are left out; Ultralytics itself scores at the network's size"
    case .cityscapes:
      "pooled over all images; a class absent from both is nan and left out, one that is only predicted counts 0"
    case .panoptic:
      "each class of each image is one segment, found where its IoU is above a half; void is left out of unions"
    }
  }
}

/// One figure as a library computes it.
public struct LibraryScore: Sendable, Codable, Equatable {
  /// The library.
  public let library: ScoreLibrary
  /// The figure, as the library's user calls it.
  public let name: String
  /// The figure, 0 to 1; nil where the library gives nan.
  public let value: Double?

  init(_ library: ScoreLibrary, _ name: String, _ value: Double?) {
    (self.library, self.name) = (library, name)
    self.value = value.flatMap { $0.isFinite ? $0 : nil }
  }
}

/// The scores of the same counts by several libraries' definitions.
///
/// All are computed in double precision from whole counts; libraries that count or divide in single precision differ
/// from these in the seventh digit. Pixels whose truth is ignored are left out, as by each library's own
/// `ignore_index` where it has one; a predicted value that is no class misses the class of the truth.
public struct LibraryScores: Sendable, Codable, Equatable {
  /// The figures, library after library.
  public let figures: [LibraryScore]

  /// The scores of images by the definitions of some libraries.
  public init(_ images: [ImageCounts], by libraries: [ScoreLibrary] = ScoreLibrary.allCases) {
    let counts = Counts(images)
    figures = libraries.flatMap { library in
      counts.figures(library).map { LibraryScore(library, $0.0, $0.1) }
    }
  }

  /// The figures as a table, each library's with what it does differently.
  public var text: String {
    var lines: [String] = []
    let width = figures.map(\.name.count).max() ?? 0
    var last: ScoreLibrary?
    for figure in figures {
      if figure.library != last {
        lines.append("\(figure.library.version): \(figure.library.remark)")
        last = figure.library
      }
      let value = figure.value.map { String(format: "%.6f", $0) } ?? "nan"
      lines.append(
        "  " + figure.name.padding(toLength: width, withPad: " ", startingAt: 0) + "  " + value)
    }
    return lines.joined(separator: "\n")
  }
}

/// What all definitions are made of: for each image and class the hits, false alarms and misses.
private struct Counts {
  struct Cell {
    var hits = 0.0, falseHits = 0.0, misses = 0.0

    var union: Double { hits + falseHits + misses }
    var truth: Double { hits + misses }
    var iou: Double { hits / union }
    var dice: Double { 2 * hits / (2 * hits + falseHits + misses) }

    static func + (a: Cell, b: Cell) -> Cell {
      Cell(
        hits: a.hits + b.hits, falseHits: a.falseHits + b.falseHits, misses: a.misses + b.misses)
    }
  }

  /// For each image the cells of its classes, and of all images together.
  let images: [[Cell]]
  let pooled: [Cell]
  /// For each class the pixels of its truth that are predicted as no class.
  let unclaimed: [Double]
  /// For each image and class the share of the predicted pixels that lie where the truth is ignored.
  let voidShares: [[Double]]

  init(_ counts: [ImageCounts]) {
    let cells = counts.map { image in
      image.truth.indices.map { index in
        let hits = image.correct[index]
        return Cell(
          hits: Double(hits), falseHits: Double(image.predicted[index] - hits),
          misses: Double(image.truth[index] - hits))
      }
    }
    images = cells
    let classes = counts.first?.truth.count ?? 0
    pooled = (0..<classes).map { index in cells.reduce(Cell()) { $0 + $1[index] } }
    unclaimed = (0..<classes).map { index in
      counts.reduce(0) { $0 + Double($1.unclaimed?[index] ?? 0) }
    }
    voidShares = counts.map { image in
      image.predicted.indices.map { index in
        let void = Double(image.predictedOnIgnored?[index] ?? 0)
        let all = void + Double(image.predicted[index])
        return all > 0 ? void / all : 0
      }
    }
  }

  func figures(_ library: ScoreLibrary) -> [(String, Double?)] {
    let total = pooled.reduce(Cell(), +)
    let present = pooled.filter { $0.union > 0 }
    let pooledIoU = meanOf(present.map(\.iou))
    let recall = meanOf(pooled.filter { $0.truth > 0 }.map { $0.hits / $0.truth })
    let accuracy = total.hits / total.truth
    let micro = total.union > 0 ? total.iou : 0
    let weighted = present.reduce(0) { $0 + $1.truth * $1.iou } / total.truth
    switch library {
    case .mmseg:
      return [
        ("mIoU", pooledIoU), ("mAcc", recall), ("aAcc", accuracy),
        ("mDice", meanOf(present.map(\.dice))),
      ]
    case .huggingface:
      return [
        ("mean_iou", pooledIoU), ("mean_accuracy", recall), ("overall_accuracy", accuracy),
      ]
    case .cityscapes: return [("averageScoreClasses", pooledIoU)]
    case .torchmetrics:
      let votes = images.joined().filter { $0.union > 0 }
      return [
        ("MulticlassJaccardIndex(average=\"macro\")", present.isEmpty ? nil : pooledIoU),
        ("MulticlassJaccardIndex(average=\"micro\")", micro),
        ("MulticlassJaccardIndex(average=\"weighted\")", weighted),
        ("segmentation.MeanIoU(input_format=\"index\")", meanOf(votes.map(\.iou))),
      ]
    case .smp: return smp("iou_score", \.iou) + smp("f1_score", \.dice)
    case .monai:
      return [
        ("MeanIoU()", monai { $0.truth > 0 ? $0.iou : nil }),
        ("MeanIoU(reduction=\"mean_batch\").mean()", monaiByClass { $0.truth > 0 ? $0.iou : nil }),
        ("MeanIoU(ignore_empty=False)", monai { $0.union > 0 ? $0.iou : 1 }),
        ("DiceMetric()", monai { $0.truth > 0 ? $0.dice : nil }),
      ]
    case .sklearn:
      return [
        (
          "jaccard_score(labels=range(K), average=\"macro\")",
          meanOf(pooled.map { $0.union > 0 ? $0.iou : 0 })
        ),
        ("jaccard_score(average=\"macro\")", pooledIoU),
        ("jaccard_score(average=\"micro\")", micro),
        ("jaccard_score(average=\"weighted\")", weighted),
      ]
    case .keras:
      // Keras adds its epsilon to what it divides by.
      let epsilon = 1e-7
      let sum = present.reduce(0) { $0 + $1.hits / ($1.union + epsilon) }
      return [("MeanIoU(num_classes=K)", sum / (Double(present.count) + epsilon))]
    case .ultralytics: return ultralytics()
    case .panoptic: return panoptic()
    }
  }

  /// The four means of segmentation_models.pytorch, where what divides 0 by 0 counts 1.
  private func smp(_ name: String, _ score: (Cell) -> Double) -> [(String, Double?)] {
    func valued(_ cell: Cell) -> Double { cell.union > 0 ? score(cell) : 1 }
    let total = pooled.reduce(Cell(), +)
    return [
      ("\(name)(reduction=\"micro\")", total.union > 0 ? score(total) : nil),
      ("\(name)(reduction=\"macro\")", meanOf(pooled.map(valued))),
      (
        "\(name)(reduction=\"micro-imagewise\")",
        meanOf(images.map { valued($0.reduce(Cell(), +)) })
      ),
      (
        "\(name)(reduction=\"macro-imagewise\")",
        meanOf(images.compactMap { meanOf($0.map(valued)) })
      ),
    ]
  }

  /// The mean over each image's classes that have a score, then over the images that have one; 0 without any.
  private func monai(_ score: (Cell) -> Double?) -> Double? {
    meanOf(images.compactMap { meanOf($0.compactMap(score)) }) ?? 0
  }

  /// The mean over images of each class, 0 for one that no image has, then over all classes.
  private func monaiByClass(_ score: (Cell) -> Double?) -> Double? {
    meanOf(pooled.indices.map { index in meanOf(images.compactMap { score($0[index]) }) ?? 0 })
  }

  /// What is predicted as no class is left out there; accuracy has an epsilon below.
  private func ultralytics() -> [(String, Double?)] {
    let claimed = zip(pooled, unclaimed).map { cell, unclaimed in
      Cell(hits: cell.hits, falseHits: cell.falseHits, misses: cell.misses - unclaimed)
    }
    let total = claimed.reduce(Cell(), +)
    return [
      ("mIoU", meanOf(claimed.filter { $0.truth > 0 }.map(\.iou)) ?? 0),
      ("PixAcc", total.hits / (total.truth + 1e-10)),
    ]
  }

  private func panoptic() -> [(String, Double?)] {
    var classes = [PanopticCounts](repeating: PanopticCounts(), count: pooled.count)
    for (cells, voids) in zip(images, voidShares) {
      for (index, cell) in cells.enumerated() where cell.union > 0 || voids[index] > 0 {
        if cell.union > 0, cell.iou > 0.5 {
          classes[index].hits += 1
          classes[index].iou += cell.iou
          continue
        }
        if cell.truth > 0 { classes[index].misses += 1 }
        // A prediction that lies mostly in the void is no mistake.
        if cell.hits + cell.falseHits > 0, voids[index] <= 0.5 { classes[index].falseHits += 1 }
      }
    }
    return [
      ("PQ", meanOf(classes.compactMap(\.quality))),
      ("SQ", meanOf(classes.compactMap(\.segmentation))),
      ("RQ", meanOf(classes.compactMap(\.recognition))),
    ]
  }
}
