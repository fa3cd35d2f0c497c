import Segmentation
import Torch

/// A layer that a network does not have, or that gives no map.
public enum LayerError: Error, CustomStringConvertible {
  /// No operator uses parameters under this name.
  case unknown(layer: String, known: [String])
  /// The layer's result is no map.
  case noMap(layer: String, shape: [Int])

  /// The message for a person.
  public var description: String {
    switch self {
    case .unknown(let layer, let known):
      "--layer \(layer): the network has no such layer; expected 'features', or the beginning of a"
        + " layer's name such as \(known.joined(separator: ", "))"
    case .noMap(let layer, let shape):
      "--layer \(layer): gives \(shape), expected a map (N, C, H, W)"
    }
  }
}

/// Keeps the result of one layer as a network runs.
final class FeatureTap: OperatorObserver {
  /// The name of what the classifier's last layer sees.
  static let features = "features"

  private let layer: String
  private var names: [ObjectIdentifier: String] = [:]
  private(set) var result: Tensor?

  init(_ layer: String, of model: SegmentationModel) {
    self.layer = layer
    for (name, tensor) in model.state { names[ObjectIdentifier(tensor)] = name }
  }

  func observe(_ call: OperatorCall) {
    guard let name = call.tensors.lazy.compactMap({ [names] in names[ObjectIdentifier($0)] }).first
    else { return }
    if layer == Self.features {
      // The last operator of the classifier wins: what comes in, not the scores.
      guard name.hasPrefix("classifier."), case .tensor(let input)? = call.arguments.first else {
        return
      }
      if input.rank == 4 && input.height > 1 { result = input }
    } else if name == layer || name.hasPrefix(layer + ".") {
      result = call.results.first
    }
  }
}

extension SegmentationModel {
  /// What a layer gives for `image`, with the scores (N, K, h, w) at the head's own resolution.
  ///
  /// - Parameter layer: The beginning of a layer's name in the state dictionary, of which the last
  ///   operator counts, or `features` for what the classifier's last layer sees.
  /// - Throws: ``LayerError``, `TorchError`.
  public func tapped(_ layer: String, _ image: Tensor) throws -> (map: Tensor, logits: Tensor) {
    let tap = FeatureTap(layer, of: self)
    let wasTraining = isTraining
    train(false)
    defer { train(wasTraining) }
    let output = try attempt { withoutGradients { observing(tap) { self.output(image) } } }
    guard let map = tap.result else {
      let known = modules.map(\.name).filter { !$0.isEmpty && $0.count { $0 == "." } < 2 }
      throw LayerError.unknown(layer: layer, known: Array(known.prefix(12)))
    }
    guard map.rank == 4 else { throw LayerError.noMap(layer: layer, shape: map.shape) }
    return (map, output.logits)
  }
}
