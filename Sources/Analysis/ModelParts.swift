import Evaluation
import Foundation
import Segmentation
import Torch

/// The parts that networks are built of: a row for each backbone and for each head.
package struct ModelParts: JSONReport {
  /// A backbone with its own defaults.
  package struct BackboneRow: Sendable, Encodable {
    /// Its name, and the output strides that it reaches.
    package let name: String, strides: [Int]
    /// Its parameters.
    package let parameters: Int
    /// The floating-point operations of a forward pass at the largest of its strides.
    package let flops: Int
    /// The channels and output strides of its maps at the largest of its strides, finest first.
    package let mapChannels, mapStrides: [Int]
  }

  /// A head with its own defaults.
  package struct HeadRow: Sendable, Encodable {
    /// Its name, and what it needs of a backbone's maps; nil if any will do.
    package let name: String, needs: String?
    /// The backbone and the output stride that it was counted on.
    package let backbone: String, outputStride: Int
    /// Its parameters there.
    package let parameters: Int
  }

  /// The backbones and the heads, by name.
  package let backbones: [BackboneRow], heads: [HeadRow]

  /// Builds every backbone once, and every head on the first of ResNet-50 at stride 8 and the other
  /// backbones that it goes with, without memory for them.
  ///
  /// - Throws: `ConfigurationError` for a setting that the catalogue's own names do not have.
  package init(_ selection: ModelTable.Selection = .init()) throws {
    let places = ModelTable.backbones.map {
      ($0, Catalogue.backbones[$0]?.outputStrides.sorted() ?? [32])
    }
    let counted = try places.map { name, strides in
      try shapesOnly { try CountedBackbone(name, strides.last ?? 32, selection) }
    }
    backbones = zip(places, counted).map { place, backbone in
      BackboneRow(
        name: place.0, strides: place.1, parameters: backbone.parameters, flops: backbone.flops,
        mapChannels: backbone.network.channels, mapStrides: backbone.network.strides)
    }
    let usual = try shapesOnly { try CountedBackbone("resnet50", 8, selection) }
    heads = try Catalogue.heads.sorted { $0.key < $1.key }.compactMap { name, entry in
      guard let place = ([usual] + counted).first(where: { entry.fits($0.input) }) else {
        return nil
      }
      let row = try shapesOnly { try place.row(name) }
      return HeadRow(
        name: name, needs: entry.needs, backbone: place.name, outputStride: place.stride,
        parameters: row.parameters - place.parameters)
    }
  }

  /// The lists as text.
  package var text: String {
    func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }
    var lines = TextTable.lines(
      ["backbone", "strides", "channels of its maps", "parameters", "GFLOP"],
      backbones.map {
        [
          $0.name, list($0.strides), list($0.mapChannels), ModelSummary.grouped($0.parameters),
          ModelSummary.rounded(Double($0.flops) / 1e9),
        ]
      }, left: 3)
    lines.append("")
    lines += TextTable.lines(
      ["head", "needs", "counted on", "parameters"],
      heads.map {
        [
          $0.name, $0.needs ?? "any maps", "\($0.backbone) at stride \($0.outputStride)",
          ModelSummary.grouped($0.parameters),
        ]
      }, left: 3)
    return lines.joined(separator: "\n")
  }
}

/// The lists of parts and of pairs together, for other programs.
package struct ModelListing: JSONReport {
  /// The backbones and the heads; nothing where pairs were asked for by name.
  package let backbones: [ModelParts.BackboneRow]?, heads: [ModelParts.HeadRow]?
  /// The networks, and what does not go together.
  package let pairs: [ModelTable.Row], exclusions: [ModelTable.Refusal]

  /// A listing of these.
  package init(_ parts: ModelParts?, _ table: ModelTable) {
    (backbones, heads) = (parts?.backbones, parts?.heads)
    (pairs, exclusions) = (table.rows, table.refusals)
  }
}

extension ModelTable {
  /// What does not go together as text: for each head what it needs, and the backbones without that.
  package var exclusions: String {
    let groups = Dictionary(grouping: refusals) { "\($0.head) \($0.reason)" }
    return groups.sorted { $0.key < $1.key }.map { note, refusals in
      var places: [(name: String, strides: [String])] = []
      for refusal in refusals {
        if places.last?.name != refusal.backbone { places.append((refusal.backbone, [])) }
        places[places.count - 1].strides.append("\(refusal.outputStride)")
      }
      let text = places.map { place in
        "\(place.name) (stride \(place.strides.joined(separator: ", ")))"
      }
      return "\(note); it does not go with\n"
        + wrapped(text.joined(separator: "; "), width: 96, indent: "  ")
    }.joined(separator: "\n\n")
  }
}

/// Text in lines of at most `width` characters, broken between words.
func wrapped(_ text: String, width: Int, indent: String = "") -> String {
  var lines: [String] = [], line = ""
  for word in text.split(separator: " ") {
    if !line.isEmpty && line.count + word.count + 1 > width - indent.count {
      lines.append(line)
      line = ""
    }
    line += line.isEmpty ? "\(word)" : " \(word)"
  }
  return (lines + [line]).map { indent + $0 }.joined(separator: "\n")
}
