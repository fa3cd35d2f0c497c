import Analysis
import Datasets
import Evaluation
import Files
import Imaging
import Inference
import Synchronization
import Torch

/// A network that a service predicts with and explains.
public final class ServedNetwork: Sendable {
  /// What requests and the page call it.
  public let name: String
  /// What predicts.
  let session: InferenceSession
  /// How it sees images.
  var seen: SeenScale { trained.seen }
  /// Whether it has a backbone and a head, which ``Similarity`` needs.
  let hasParts: Bool
  /// The network with its gradients, which only the network's thread uses.
  private nonisolated(unsafe) let trained: TrainedNetwork

  /// The network of a run's folder, a checkpoint or an ONNX file.
  ///
  /// - Parameters:
  ///   - path: The folder or the file.
  ///   - name: What it is called; nil for the name of the folder or file.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - options: How it is run.
  ///   - device: Where it runs.
  /// - Throws: As `InferenceSession`.
  public init(
    _ path: String, name: String? = nil, overrides: [String] = [],
    options: InferenceSession.Options = .init(), device: Device = .cpu
  ) throws {
    session = try InferenceSession(path, overrides: overrides, options: options, device: device)
    trained = try TrainedNetwork(checkpoint: path, overrides: overrides, device: device)
    hasParts = !TrainedNetwork.isONNX(path)
    let isFolder = FileSystem.isFolder(path)
    self.name = name ?? (isFolder ? path.fileName : path.fileStem)
    // What is made when a network first runs: the first request need not wait for that.
    // A network of a fixed size refuses this one.
    let size = Size(width: 480, height: 360)
    let bands = session.bandPlan?.bands.count ?? 3
    let black = Levels(
      size: size, bands: bands, values: [Float](repeating: 0, count: bands * 480 * 360))
    _ = try? session.predict(  // may fail: so
      session.bandPlan == nil
        ? Image(width: 480, height: 360, pixels: [UInt8](repeating: 0, count: 3 * 480 * 360))
        : Image(black))
  }

  private init(_ other: ServedNetwork, name: String) {
    (session, hasParts, trained) = (other.session, other.hasParts, other.trained)
    self.name = name
  }

  /// The networks under names of their own: of equal ones the second is called `NAME-2`, and so on.
  static func named(_ all: [ServedNetwork]) -> [ServedNetwork] {
    var taken: Set<String> = []
    return all.map { network in
      var (name, number) = (network.name, 1)
      while !taken.insert(name).inserted {
        number += 1
        name = "\(network.name)-\(number)"
      }
      return name == network.name ? network : ServedNetwork(network, name: name)
    }
  }

  /// What `body` does with the network as it was trained, on the network's thread.
  ///
  /// - Throws: What `body` throws; `TorchError` for what an operator cannot do.
  func analyzing<Result>(_ body: (TrainedNetwork) throws -> Result) throws -> Result {
    try attempt { try body(trained) }
  }
}
