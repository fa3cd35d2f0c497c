import Annotations
import Evaluation
import Configuration
import Datasets
import Segmentation
import Torch

/// Every key of a configuration, as the readers ask for them.
package enum ConfigurationReference {
  /// What `key` means, for a terminal: a section such as `train.optimizer`, a key by its path or its own
  /// name, or a word such as `ohem`; without one, the list of sections.
  ///
  /// - Throws: An error that names near keys where there is no such key.
  package static func text(of key: String? = nil) throws -> String {
    try reference().text(of: key)
  }

  /// All sections as a page of Markdown, which is `docs/configuration.md`.
  package static func markdown() throws -> String { try reference().markdown }

  /// All sections with their keys.
  package static func reference() throws -> Reference {
    Reference(try topics().map(ReferenceTable.init))
  }

  /// The sections in the order of a configuration.
  ///
  /// - Throws: What readers throw that the sentences and examples beside them do not satisfy.
  package static func topics() throws -> [ReferenceTopic] {
    let model = try ModelReference.topics()
    return [file, data] + model + [train, optimizer, schedule, loss, augmentation, evaluate]
  }

  private static var file: ReferenceTopic {
    let notes = TrainingConfiguration.notes
    return ReferenceTopic(
      "", "A configuration is a YAML file of five keys; `--set key.path=value` overrides any.",
      notes: notes, inner: ["data", "model", "train", "evaluate"],
      overrides: ["data", "model", "train"].compactMap { key in
        notes[key, in: ""]?.examples.first.map { "\(key)=\($0)" }
      },
      read: { section in
        try shapesOnly { _ = try TrainingConfiguration(root: section) }
      })
  }

  private static var data: ReferenceTopic {
    func one(
      _ title: String, _ layouts: [String], _ facts: [String], beside: [String] = []
    ) -> ReferenceTopic.Case {
      .init(
        title, DataConfiguration.sentences[title], facts: facts,
        runs: layouts.map { layout in
          .init(layout, ["layout=\(layout)"] + beside) { _ = try DataConfiguration($0) }
        })
    }
    let known = DatasetDescription.all.map { set in
      "`\(set.name)`: \(set.title), \(set.labelMap.count) classes; splits"
        + " \(set.splits.map { "`\($0)`" }.joined(separator: ", ")); \(set.source) (\(set.licence))."
    }
    let tools = AnnotationFormat.allCases.map { "`\($0.rawValue)`: \($0.title)." }
    return ReferenceTopic(
      "data", "Which images, which classes, and how levels become numbers.",
      notes: DataConfiguration.notes,
      cases: [
        one("folders", ["folders"], []),
        one("cityscapes", ["cityscapes"], ["Splits `train`, `val`, `test`."]),
        one("a known data set", DatasetDescription.all.map(\.name), known),
        // With classes, so that no files are asked for them.
        one(
          "an annotation tool's", AnnotationFormat.allCases.map(\.rawValue), tools,
          beside: ["classes=[road, car, person]"]),
      ])
  }

  private static var train: ReferenceTopic {
    ReferenceTopic(
      "train", "How long, with which images, and by which rule the network is trained.",
      notes: TrainingSettings.notes, inner: ["optimizer", "schedule", "loss", "augmentation"],
      overrides: ["optimizer"].compactMap { key in
        TrainingSettings.notes[key, in: ""]?.examples.first.map { "\(key)=\($0)" }
      },
      read: { _ = try TrainingSettings($0, classes: ["background", "vessel"]) })
  }

  private static var evaluate: ReferenceTopic {
    ReferenceTopic(
      "evaluate", "How the network is scored, while it is trained and by `atrous evaluate`.",
      notes: EvaluationSettings.notes, read: { _ = try EvaluationSettings($0) })
  }

  private static var optimizer: ReferenceTopic {
    named(
      "train.optimizer", "The rule by which gradients change weights, chosen by `name`.",
      OptimizerSettings.notes, OptimizerSettings.Name.allCases.map(\.rawValue),
      OptimizerSettings.sentences, { _ = try OptimizerSettings($0) })
  }

  private static var schedule: ReferenceTopic {
    named(
      "train.schedule",
      "How the learning rate changes from iteration to iteration, chosen by `name`.",
      Schedule.notes, Schedule.Name.allCases.map(\.rawValue), Schedule.sentences,
      { _ = try Schedule($0) })
  }

  private static var loss: ReferenceTopic {
    named(
      "train.loss", "What training makes small, chosen by `name`.", Loss.notes,
      Loss.Name.allCases.map(\.rawValue), Loss.sentences,
      {
        let weights = try TrainingSettings.classWeights($0)
        if try Loss($0).isByPixel == false && weights != .none {
          throw $0.invalid("classWeights", "given", expected: "none")
        }
      })
  }

  private static var augmentation: ReferenceTopic {
    ReferenceTopic(
      "train.augmentation",
      "A list of what is done to every training image, in order; each entry is named by its first key.",
      notes: Transform.notes, isEntry: true,
      cases: Transform.readers.keys.sorted().map { name in
        let note = Transform.notes[name, in: name]
        return .init(
          name, note?.sentence,
          runs: [
            .init(name, ["\(name)=\(note?.examples.first ?? "true")"]) { _ = try Transform($0) }
          ])
      })
  }

  /// A section whose `name` decides which keys it has.
  private static func named(
    _ path: String, _ summary: String, _ notes: KeyNotes, _ names: [String],
    _ sentences: [String: String], _ read: @escaping (Section) throws -> Void
  ) -> ReferenceTopic {
    ReferenceTopic(
      path, summary, notes: notes,
      cases: names.map { name in
        .init(name, sentences[name], runs: [.init(name, ["name=\(name)"], read: read)])
      })
  }
}
