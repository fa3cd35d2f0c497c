import Datasets
import Evaluation
import Torch

extension Evaluator {
  /// The scores over all samples of `dataset`, of which each process takes its share, none twice: the
  /// same numbers in every process as one process gets alone.
  ///
  /// - Parameters:
  ///   - model: What the result calls the network.
  ///   - visit: Is given each sample of this process with its prediction, and how many it has scored.
  /// - Throws: What ``evaluate(_:model:visit:counted:)`` throws.
  func evaluate(
    _ dataset: any Dataset, model: String, over processes: Processes,
    visit: (Sample, ClassMask, Int) throws -> Void
  ) throws -> EvaluationResult {
    guard let group = processes.group else {
      return try evaluate(dataset, model: model, visit: visit)
    }
    let indices = Array(stride(from: group.rank, to: dataset.count, by: group.size))
    var images: [ImageMeans.Scores] = []
    var foreground = ForegroundScores(dataset.labelMap)
    // A row for every image of every process, as below.
    var found = [Int64](repeating: 0, count: foreground == nil ? 0 : dataset.count * 3)
    let own = try processes.together {
      try evaluate(
        dataset.subset(indices), model: model, visit: visit,
        counted: { counts in
          if let foreground {
            let start = indices[images.count] * 3
            found.replaceSubrange(start..<start + 3, with: foreground.counts(of: counts))
          }
          images.append(ImageMeans.Scores(counts))
        })
    }
    found = group.allReduce(found)
    for start in stride(from: 0, to: found.count, by: 3) {
      foreground?.add(Array(found[start..<start + 3]))
    }

    // The table has a row for every image of every process, so that means are taken in the order of
    // one process alone.
    var table = [Double](repeating: 0, count: dataset.count * ImageMeans.Scores.width)
    for (index, scores) in zip(indices, images) {
      let start = index * ImageMeans.Scores.width
      table.replaceSubrange(start..<start + ImageMeans.Scores.width, with: scores.row)
    }
    let counts = group.allReduce(own.confusion.flatMap { $0 } + [own.ignoredPixels])
    let seconds = group.allReduce([own.seconds], .largest)
    table = group.allReduce(table)

    var means = ImageMeans()
    for start in stride(from: 0, to: table.count, by: ImageMeans.Scores.width) {
      means.add(ImageMeans.Scores(row: table[start..<start + ImageMeans.Scores.width]))
    }
    var result = EvaluationResult(
      dataset: dataset.name, model: model, images: dataset.count, seconds: seconds[0],
      scoring: scoring(for: dataset.labelMap),
      matrix: ConfusionMatrix(
        classes: dataset.labelMap.count, counts: Array(counts.dropLast()),
        ignored: counts.last ?? 0),
      names: dataset.labelMap.classes.map(\.name), perImage: means)
    result.foreground = foreground
    return result
  }
}
