import Configuration
import Foundation
import Segmentation
import Torch

/// What networks of the catalogue's parts cost: one row for each backbone, output stride and head.
public struct ModelTable: Sendable {
  /// What is listed; an empty list stands for everything in the catalogue.
  public struct Selection: Sendable {
    /// The backbones, by name.
    public var backbones: [String] = []
    /// The output strides.
    public var outputStrides: [Int] = []
    /// The heads, by name.
    public var heads: [String] = []
    /// The number of classes.
    public var classes = 19
    /// The size of the image.
    public var height = 512, width = 1024

    /// Everything, for 19 classes and images of 1024x512.
    public init() {}
  }

  /// One network, with its parts' own defaults.
  public struct Row: Sendable {
    /// The parts.
    public let backbone: String, outputStride: Int, head: String
    /// All parameters of backbone and head.
    public let parameters: Int
    /// Floating-point operations of one forward pass, two for each multiplication and addition.
    public let flops: Int
  }

  /// A pair that does not go together.
  public struct Refusal: Sendable {
    /// The parts.
    public let backbone: String, outputStride: Int, head: String
    /// Why not, and what does.
    public let reason: String
  }

  /// The networks.
  public private(set) var rows: [Row] = []
  /// The pairs that were left out.
  public private(set) var refusals: [Refusal] = []

  /// Builds every network of the selection without memory for it and counts.
  ///
  /// - Throws: `ConfigurationError` for names that the catalogue does not have, and for a stride that
  ///   a backbone of the selection does not reach.
  public init(_ selection: Selection = .init()) throws {
    let all = Catalogue.backbones.filter(\.value.isComplete).keys.sorted {
      $0.localizedStandardCompare($1) == .orderedAscending
    }
    let heads = selection.heads.isEmpty ? Catalogue.heads.keys.sorted() : selection.heads
    for backbone in selection.backbones.isEmpty ? all : selection.backbones {
      let reached = Catalogue.backbones[backbone]?.outputStrides.sorted() ?? [32]
      var strides = selection.outputStrides.isEmpty ? reached : selection.outputStrides
      // In a list of all backbones those that cannot reach a stride are left out.
      if selection.backbones.isEmpty { strides = strides.filter(reached.contains) }
      for stride in strides {
        for head in heads {
          let network = try shapesOnly { try Self.backbone(backbone, stride) }
          let input = HeadInput(network, classes: selection.classes)
          // A pair that was asked for by name is refused by the builder, with what would do.
          let isAskedFor = !selection.backbones.isEmpty && !selection.heads.isEmpty
          if !isAskedFor, let entry = Catalogue.heads[head], !entry.fits(input) {
            refusals.append(
              Refusal(
                backbone: backbone, outputStride: stride, head: head,
                reason: "needs \(entry.needs ?? "other maps")"))
            continue
          }
          let (parameters, flops) = try shapesOnly {
            try Self.count(selection, network, head, place: "\(backbone) at stride \(stride)")
          }
          rows.append(
            Row(
              backbone: backbone, outputStride: stride, head: head, parameters: parameters,
              flops: flops))
        }
      }
    }
  }

  private static func backbone(_ name: String, _ stride: Int) throws -> any Backbone {
    let section = try Section(
      yaml: "{name: \(quoted(name)), outputStride: \(stride)}", named: "backbone \(name)")
    return try ModelBuilder.backbone(section)
  }

  private static func count(
    _ selection: Selection, _ backbone: any Backbone, _ head: String, place: String
  ) throws -> (parameters: Int, flops: Int) {
    let section = try Section(yaml: "{name: \(quoted(head))}", named: "head on \(place)")
    let built = try ModelBuilder.head(section, on: backbone, classes: selection.classes)
    let model = SegmentationModel(backbone, built.head, classes: selection.classes)
    let counter = FlopCounter()
    let image = Tensor(uninitialized: [1, 3, selection.height, selection.width])
    model.train(false)
    try attempt { withoutGradients { observing(counter) { _ = model.output(image) } } }
    return (model.parameters.reduce(0) { $0 + $1.parameter.count }, counter.total)
  }

  /// A name of the command line as YAML.
  private static func quoted(_ name: String) -> String {
    "'" + name.replacing("'", with: "''").replacing("\n", with: " ") + "'"
  }

  /// The table as text.
  public var text: String {
    let header = ["backbone", "stride", "head", "parameters", "GFLOP"]
    let cells = rows.map {
      [
        $0.backbone, "\($0.outputStride)", $0.head, ModelSummary.grouped($0.parameters),
        ModelSummary.rounded(Double($0.flops) / 1e9),
      ]
    }
    let widths = header.indices.map { column in
      ([header] + cells).map { $0[column].count }.max() ?? 0
    }
    func line(_ row: [String]) -> String {
      row.enumerated().map { index, cell in
        let space = String(repeating: " ", count: widths[index] - cell.count)
        return index == 0 || index == 2 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    let rule = widths.map { String(repeating: "-", count: $0) }.joined(separator: "  ")
    return ([line(header), rule] + cells.map(line)).joined(separator: "\n")
  }

  /// The table as comma-separated values.
  public var csv: String {
    (["backbone,output_stride,head,parameters,flops"]
      + rows.map { "\($0.backbone),\($0.outputStride),\($0.head),\($0.parameters),\($0.flops)" })
      .joined(separator: "\n")
  }
}
