import Torch

/// Between what numbers the results of a network's operators lie, which maps of whole numbers need.
///
/// A result is called by the layer, the operator and its number among those of the layer, so that a name means the
/// same for images of other sizes; see ``Graph/resultNames``.
package struct ResultRanges: Sendable, Equatable {
  /// The least and the largest number of a result.
  package var results: [String: [Float]]
  /// Those of what layers take.
  package var inputs: InputRanges

  /// The passes that a graph goes through before its results get names: those that leave each result that
  /// rounding concerns where it is.
  static let passes: Set<String> = ["pack", "padding", "norm"]

  /// The names of the other passes.
  static var withoutPasses: Set<String> { Set(Pass.names).subtracting(passes) }
}

extension Graph {
  /// The names of results of type float32.
  var resultNames: [ValueID: String] {
    var names: [ValueID: String] = [:], counts: [String: Int] = [:]
    for node in nodes {
      for output in node.outputs where values[output].dtype == .float32 {
        let name = "\(node.layer) \(node.kind)"
        names[output] = "\(name) \(counts[name, default: 0])"
        counts[name, default: 0] += 1
      }
    }
    return names
  }
}

extension Runner {
  /// The ranges of what layers take and give while `body` runs images through the runner that it is given.
  ///
  /// All that was seen counts: what is cut off of sums costs more than coarser steps, as each sum rounds anew.
  package static func calibratedResults(
    _ module: Module, _ network: @escaping (Tensor) -> Tensor, _ body: (Runner) throws -> Void
  ) rethrows -> ResultRanges {
    let runner = Runner(
      module, Options(keepsWeights: true, without: ResultRanges.withoutPasses), network)
    let results = InputWatches(.minmax)
    runner.seen = results
    let inputs = try runner.watched(.minmax, body)
    return ResultRanges(results: results.ranges.layers, inputs: inputs)
  }
}
