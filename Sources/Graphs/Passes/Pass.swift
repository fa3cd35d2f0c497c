import Foundation
import Torch

/// One way in which a graph becomes faster, or takes less memory, on the processor.
///
/// A pass leaves alone what it does not recognise, and a graph is right after any of them.
package struct Pass: Sendable {
  /// The name by which it is switched off.
  package let name: String
  /// What it does, in a few words.
  package let summary: String
  let apply: @Sendable (inout Graph, Settings) -> Void

  /// What passes must know beside the graph.
  package struct Settings: Sendable {
    package init(precision: InferencePrecision = .float32, isWatched: Bool = false) {
      (self.precision, self.isWatched) = (precision, isWatched)
    }
    /// The type in which products are multiplied.
    package var precision = InferencePrecision.float32
    /// Whether the inputs of layers are looked at, so that they must be there.
    var isWatched = false
  }

  /// All passes, in the order in which they are applied.
  package static let all = [
    codes, pack, padding, norm, sum, activation, prenorm, scale, attention, layerNorm, projection,
    enlarge,
    rows, nest,
  ]
  /// The names of what the plan of a graph does beside: joins written in place, and sums written over
  /// what they add.
  static let planNames = ["join", "reuse"]

  /// The names of all that can be switched off.
  package static let names = all.map(\.name) + planNames

  /// The names that are switched off by `text`, such as `-norm,-join`; `none` switches all off.
  ///
  /// - Throws: ``UnknownPass``.
  package static func switchedOff(by text: String) throws -> Set<String> {
    var off: Set<String> = []
    for part in text.split(separator: ",").map({ $0.trimmingCharacters(in: .whitespaces) }) {
      if part == "none" {
        off.formUnion(names)
      } else if part.hasPrefix("-"), names.contains(String(part.dropFirst())) {
        off.insert(String(part.dropFirst()))
      } else {
        throw UnknownPass(text: part)
      }
    }
    return off
  }

  /// What the environment's `ATROUS_PASSES` switches off.
  package static func switchedOffByEnvironment() throws -> Set<String> {
    try switchedOff(by: ProcessInfo.processInfo.environment["ATROUS_PASSES"] ?? "")
  }
}

/// A name in `ATROUS_PASSES` that no pass has.
package struct UnknownPass: Error, Equatable, CustomStringConvertible {
  let text: String

  /// The message for a person.
  package var description: String {
    "ATROUS_PASSES: \(text), expected none, or names with a minus before them, of "
      + Pass.names.joined(separator: ", ")
  }
}

extension Graph {
  /// The graph after all passes but those of these names.
  package func optimized(without off: Set<String>, _ settings: Pass.Settings) -> Graph {
    var graph = functional
    var settings = settings
    for pass in Pass.all where !off.contains(pass.name) {
      pass.apply(&graph, settings)
      // What multiplies whole numbers is left to those kernels by the passes after.
      if !graph.codes.isEmpty { settings.precision = .int8 }
    }
    return graph
  }

  /// The graph with operators that give new values instead of those that write over old ones.
  ///
  /// A graph has no values that two operators write, so that nothing else changes.
  private var functional: Graph {
    var result = self
    for (place, node) in nodes.enumerated() {
      guard let (operation, arguments) = node.call, node.kind.hasSuffix("_"),
        let pure = Operator.find(
          String(operation.name.dropLast()), operation.overload, namespace: operation.namespace)
      else { continue }
      result.nodes[place] = Node(
        kind: String(node.kind.dropLast()), call: (pure, arguments), inputs: node.inputs,
        lists: node.lists, attributes: node.attributes, outputs: node.outputs, layer: node.layer,
        isAfterLayer: node.isAfterLayer)
    }
    return result
  }
}
