import Configuration
import Evaluation
import Foundation
import Segmentation
import Torch

/// What networks of the catalogue's parts cost: one row for each backbone, output stride and head.
package struct ModelTable: Sendable {
  /// What is listed; an empty list stands for everything in the catalogue.
  package struct Selection: Sendable {
    /// The backbones, by name.
    package var backbones: [String] = []
    /// The output strides.
    package var outputStrides: [Int] = []
    /// The heads, by name.
    package var heads: [String] = []
    /// The number of classes.
    package var classes = 19
    /// The size of the image.
    package var height = 512, width = 1024
    /// Whether networks are counted; otherwise only what does not go together is found.
    package var counts = true

    /// Everything, for 19 classes and images of 1024x512.
    package init() {}
  }

  /// One network, with its parts' own defaults.
  package struct Row: Sendable, Encodable {
    /// The parts.
    package let backbone: String, outputStride: Int, head: String
    /// All parameters of backbone and head.
    package let parameters: Int
    /// Floating-point operations of one forward pass, two for each multiplication and addition.
    package let flops: Int
  }

  /// A pair that does not go together.
  package struct Refusal: Sendable, Encodable {
    /// The parts.
    package let backbone: String, outputStride: Int, head: String
    /// Why not, and what does.
    package let reason: String
  }

  /// The backbones that lists have, by name.
  static var backbones: [String] {
    Catalogue.backbones.filter(\.value.isComplete).keys.sorted {
      $0.localizedStandardCompare($1) == .orderedAscending
    }
  }

  /// The networks.
  package private(set) var rows: [Row] = []
  /// The pairs that were left out.
  package private(set) var refusals: [Refusal] = []

  /// Builds every network of the selection without memory for it and counts.
  ///
  /// - Throws: `ConfigurationError` for names that the catalogue does not have, and for a stride that
  ///   a backbone of the selection does not reach.
  package init(_ selection: Selection = .init()) throws {
    let all = Self.backbones
    let heads = selection.heads.isEmpty ? Catalogue.heads.keys.sorted() : selection.heads
    for backbone in selection.backbones.isEmpty ? all : selection.backbones {
      let reached = Catalogue.backbones[backbone]?.outputStrides.sorted() ?? [32]
      var strides = selection.outputStrides.isEmpty ? reached : selection.outputStrides
      // In a list of all backbones those that cannot reach a stride are left out.
      if selection.backbones.isEmpty { strides = strides.filter(reached.contains) }
      for stride in strides {
        let network = try shapesOnly { try CountedBackbone(backbone, stride, selection) }
        for head in heads {
          // A pair that was asked for by name is refused by the builder, with what would do.
          let isAskedFor = !selection.backbones.isEmpty && !selection.heads.isEmpty
          if !isAskedFor, let entry = Catalogue.heads[head], !entry.fits(network.input) {
            refusals.append(
              Refusal(
                backbone: backbone, outputStride: stride, head: head,
                reason: "needs \(entry.needs ?? "other maps")"))
          } else if selection.counts {
            rows.append(try shapesOnly { try network.row(head) })
          }
        }
      }
    }
  }

  /// The table as text.
  package var text: String {
    let header = ["backbone", "stride", "head", "parameters", "GFLOP"]
    let cells = rows.map {
      [
        $0.backbone, "\($0.outputStride)", $0.head, ModelSummary.grouped($0.parameters),
        ModelSummary.rounded(Double($0.flops) / 1e9),
      ]
    }
    return TextTable.lines(header, cells, left: 3).joined(separator: "\n")
  }

  /// The table as comma-separated values.
  package var csv: String {
    (["backbone,output_stride,head,parameters,flops"]
      + rows.map { "\($0.backbone),\($0.outputStride),\($0.head),\($0.parameters),\($0.flops)" })
      .joined(separator: "\n")
  }
}

/// A backbone and its maps, counted once for all heads on them.
struct CountedBackbone {
  let name: String, stride: Int
  let network: any Backbone
  let image: Tensor, maps: [Tensor]
  let parameters: Int, flops: Int
  let input: HeadInput

  init(_ name: String, _ stride: Int, _ selection: ModelTable.Selection) throws {
    let section = try Section(
      yaml: "{name: \(quoted(name)), outputStride: \(stride)}", named: "backbone \(name)")
    let network = try ModelBuilder.backbone(section)
    let image = Tensor(uninitialized: [1, 3, selection.height, selection.width])
    network.train(false)
    (maps, flops) = try counted { network.features(image) }
    parameters = network.parameters.reduce(0) { $0 + $1.parameter.count }
    input = HeadInput(network, classes: selection.classes)
    (self.name, self.stride, self.network, self.image) = (name, stride, network, image)
  }

  func row(_ head: String) throws -> ModelTable.Row {
    let section = try Section(
      yaml: "{name: \(quoted(head))}", named: "head on \(name) at output stride \(stride)")
    let built = try ModelBuilder.head(section, on: network, classes: input.classes).head
    built.train(false)
    let (_, own) = try counted { built.scores(maps, image: image) }
    return ModelTable.Row(
      backbone: name, outputStride: stride, head: head,
      parameters: parameters + built.parameters.reduce(0) { $0 + $1.parameter.count },
      flops: flops + own)
  }
}

/// What `body` gives and the operations that it takes.
private func counted<R>(_ body: () throws -> R) throws -> (R, flops: Int) {
  let counter = FlopCounter()
  let result = try attempt { try withoutGradients { try observing(counter, body) } }
  return (result, counter.total)
}

/// A name of the command line as YAML.
private func quoted(_ name: String) -> String {
  "'" + name.replacing("'", with: "''").replacing("\n", with: " ") + "'"
}
