import Datasets
import Files
import Foundation
import Imaging

/// What the values of predicted label files are.
public enum PredictionValues: String, Sendable, CaseIterable {
  /// The indices of classes, as `predict` and `evaluate` write them.
  case classes
  /// The values of the truth.
  case truth
}

extension LabelFileScoring {
  /// Label files of two selections, matched by name.
  ///
  /// To NAME of the truth answers NAME of the predictions or, as `predict` writes it, NAME_labels.
  /// - Parameters:
  ///   - truth: The true labels.
  ///   - predictions: The predicted ones.
  ///   - images: The pictures themselves, for the report.
  ///   - map: What the values mean.
  ///   - values: What the predictions' values are; nil for indices of classes in files called
  ///     NAME_labels and in what `evaluate` wrote, and the truth's values in others.
  /// - Throws: `DatasetError`, ``ScoringError/missingPrediction(image:expected:)``,
  ///   ``ScoringError/severalPredictions(image:files:)``.
  public init(
    truth: FileSelection, predictions: FileSelection, images: FileSelection? = nil, map: LabelMap,
    values: PredictionValues? = nil
  ) throws {
    let (truths, answers) = (try truth.noted(), try predictions.noted())
    let shown: (files: [String: String], notes: [String]) = try images?.noted() ?? ([:], [])
    var (own, others, pictures) = (truths.files, answers.files, shown.files)
    if let images {
      var same = own
      FileSelection.match(&pictures, images, &same, truth)
    }
    FileSelection.match(&own, truth, &others, predictions)
    let items = own.sorted { $0.key < $1.key }.map { name, file in
      Item(name: name, imagePath: pictures[name] ?? "", labelPath: file)
    }
    try self.init(
      pairs: Self.pairs(items, others, predictions, values), map: map,
      notes: truths.notes + answers.notes + shown.notes)
  }

  /// The labels of a data set against predictions; see
  /// ``init(truth:predictions:images:map:values:)``.
  ///
  /// - Throws: As that does.
  public init(
    dataset: FileDataset, predictions: FileSelection, values: PredictionValues? = nil
  ) throws {
    let (answers, notes) = try predictions.noted()
    try self.init(
      pairs: Self.pairs(dataset.items, answers, predictions, values), map: dataset.labelMap,
      labelColors: dataset.labelColors, notes: dataset.notes + notes)
  }

  /// The label ids of a Cityscapes split against predictions as they are submitted.
  ///
  /// A prediction is the one PNG anywhere below `predictions` whose name begins with the image's:
  /// `<city>_<sequence>_<frame>*.png`. Beside the labels that `predict` wrote its pictures are passed
  /// over.
  /// - Parameters:
  ///   - root: The folder that holds `gtFine`; images and instances are used where they are.
  ///   - split: The split's folder.
  ///   - instances: Whether instances are scored too.
  ///   - predictions: The folder of predictions.
  ///   - values: As in ``init(truth:predictions:images:map:values:)``.
  /// - Throws: `DatasetError`, ``ScoringError``.
  public init(
    cityscapes root: String, split: String = "val", predictions: String, instances: Bool = true,
    values: PredictionValues? = nil
  ) throws {
    let found = try CityscapesSubmission.predictions(in: predictions)
    let truth = "\(root)/gtFine/\(split)"
    var pairs: [Pair] = []
    for city in try CityscapesSubmission.cities(truth) {
      let files = try FileSelection(
        "\(truth)/\(city)", suffix: "_gtFine_labelIds", extensions: ["png"]
      ).files()
      for (name, file) in files {
        func existing(_ path: String) -> String? {
          FileSystem.exists(path) ? path : nil
        }
        var answers = found[CityscapesSubmission.frame(name) ?? name] ?? []
        if answers.contains(where: { $0.hasSuffix("_labels.png") }) {
          answers.removeAll { $0.hasSuffix("_overlay.png") || $0.hasSuffix("_panel.png") }
        }
        guard let prediction = answers.first else {
          throw ScoringError.missingPrediction(
            image: file, expected: "a file \(name)*.png in \(predictions)")
        }
        guard answers.count == 1 else {
          throw ScoringError.severalPredictions(image: file, files: answers)
        }
        pairs.append(
          Pair(
            name: name, truth: file, prediction: prediction,
            image: existing("\(root)/leftImg8bit/\(split)/\(city)/\(name)_leftImg8bit.png"),
            instances: instances
              ? existing("\(truth)/\(city)/\(name)_gtFine_instanceIds.png") : nil,
            holdsClasses: Self.holdsClasses(prediction, in: predictions, values)))
      }
    }
    try self.init(
      pairs: pairs.sorted { $0.name < $1.name }, map: Cityscapes.classes19, isCityscapes: true)
  }

  private static func pairs(
    _ items: [Item], _ others: [String: String], _ predictions: FileSelection,
    _ values: PredictionValues?
  ) throws -> [Pair] {
    try items.compactMap { item in
      guard let truth = item.labelPath else { return nil }
      let answers = [item.name, "\(item.name)_labels"].compactMap { others[$0] }
      guard let prediction = answers.first else {
        let wanted = "\(predictions.folder)/\(item.name)\(predictions.suffix)"
        throw ScoringError.missingPrediction(
          image: truth, expected: "\(wanted).png or \(wanted)_labels.png")
      }
      guard answers.count == 1 else {
        throw ScoringError.severalPredictions(image: truth, files: answers)
      }
      return Pair(
        name: item.name, truth: truth, prediction: prediction,
        image: item.imagePath.isEmpty ? nil : item.imagePath,
        holdsClasses: holdsClasses(prediction, in: predictions.folder, values))
    }
  }

  private static func holdsClasses(
    _ file: String, in folder: String, _ values: PredictionValues?
  ) -> Bool {
    if let values { return values == .classes }
    let path = URL(fileURLWithPath: folder).standardizedFileURL
    return file.fileStem.hasSuffix("_labels")
      || path.lastPathComponent == "predictions"
        && ResultFolder.holdsResults(path.deletingLastPathComponent().path)
  }
}
