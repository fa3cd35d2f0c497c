import Configuration
import Torch

/// The keys of the section `model`, as its readers ask for them.
package enum ModelReference {
  /// The section and those inside of it.
  ///
  /// Networks are built without memory for their weights, to see which keys each part reads.
  package static func topics() throws -> [ReferenceTopic] {
    let grounds: [any Backbone] = try shapesOnly {
      try usual.map { try ModelBuilder.backbone(Section(yaml: $0, named: "the reference")) }
    }
    let parts = ["backbone", "head"].map {
      "\($0)=\(ModelBuilder.notes[$0, in: ""]?.examples[0] ?? "")"
    }
    return [
      ReferenceTopic(
        "model", "The network: a backbone that makes maps of an image, and heads that class them.",
        notes: ModelBuilder.notes, inner: ["backbone", "neck", "head", "auxiliary"],
        // The number of classes is given from outside: two readings show that it varies.
        cases: [
          .init(
            "", "",
            runs: [2, 19].map { classes in
              run("", parts) { _ = try ModelBuilder.build($0, classes: classes, pretrained: false) }
            })
        ]),
      ReferenceTopic(
        "model.backbone", "The network that makes maps of an image, chosen by `name`.",
        notes: ModelBuilder.backboneNotes, cases: Catalogue.families.map(backbones)),
      ReferenceTopic(
        "model.neck", "What makes other maps of the backbone's for the heads, chosen by `name`.",
        notes: ModelBuilder.neckNotes,
        cases: Catalogue.necks.sorted { $0.key < $1.key }.map { name, entry in
          .init(
            name, ModelBuilder.neckSentences[name],
            facts: entry.needs.map { ["Needs \($0)."] } ?? [],
            runs: grounds.filter { entry.fits($0.strides) && $0.strides.count == 4 }.prefix(2).map {
              backbone in
              run(name, ["name=\(name)"]) { _ = try ModelBuilder.neck($0, on: backbone) }
            })
        }),
      ReferenceTopic(
        "model.head", "What makes scores of the maps, chosen by `name`.",
        notes: ModelBuilder.headNotes, inner: ["head"],
        cases: Catalogue.heads.sorted { $0.key < $1.key }.map { name, entry in
          .init(
            name, ModelBuilder.headSentences[name],
            facts: entry.needs.map { ["Needs \($0)."] } ?? [],
            runs: grounds.filter { entry.fits(HeadInput($0, classes: 2)) }.prefix(2).map {
              backbone in
              run(name, ["name=\(name)"]) {
                _ = try ModelBuilder.head($0, on: backbone, classes: 2)
              }
            })
        }),
      ReferenceTopic(
        "model.auxiliary",
        "A list of heads on earlier maps, which help training and are left out afterwards: the keys of"
          + " a head by its `name`, except `level`, which is the one map that it sees here, and `weight`.",
        notes: ModelBuilder.auxiliaryNotes, isEntry: true,
        cases: [
          .init(
            "", "",
            runs: grounds.prefix(2).map { backbone in
              run("", ["name=linear"]) {
                _ = try ModelBuilder.auxiliary($0, on: backbone, classes: 2)
              }
            })
        ]),
    ]
  }

  /// Backbones that heads and necks are built on: between them all find maps that they can use.
  private static let usual = [
    "{name: resnet18, outputStride: 8}", "{name: mobilenet_v2, outputStride: 32}",
    "{name: vit_t_16}", "{name: vit_s_16}",
  ]

  private static func run(
    _ name: String, _ overrides: [String], _ read: @escaping (Section) throws -> Void
  ) -> ReferenceTopic.Run {
    .init(name, overrides) { section in try shapesOnly { try read(section) } }
  }

  private static func backbones(
    _ family: String, _ entries: [String: BackboneEntry]
  ) -> ReferenceTopic.Case {
    let names = entries.keys.sorted()
    let byStrides = Dictionary(grouping: names) { entries[$0]?.outputStrides.sorted() ?? [] }
    let facts = byStrides.sorted { $0.value[0] < $1.value[0] }.map { strides, names in
      "\(names.map { "`\($0)`" }.joined(separator: ", ")): `outputStride`"
        + " \(strides.map(String.init).joined(separator: ", "))."
    }
    return .init(
      family, ModelBuilder.backboneSentences[family], facts: facts,
      runs: names.map { name in
        run(name, ["name=\(name)"]) { _ = try ModelBuilder.backbone($0, pretrained: false) }
      })
  }
}
