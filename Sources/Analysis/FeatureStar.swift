import Segmentation
import Torch

/// The positions of a feature map that one output of atrous kernels depends on: exactly
/// {0, ±r, ±2r, ±3r} on eight rays for a pyramid of the rates r, 2r, 3r, and a grid of 5×5 positions
/// r apart for two kernels of rate r one after the other.
public struct FeatureStar: Sendable, Codable, Equatable {
  /// The rates of the 3×3 kernels.
  public let rates: [Int]
  /// How many positions count, 25 for a pyramid of three rates and for two kernels of one rate.
  public let points: Int
  /// The features between the outermost positions, 6 r for the rates r, 2r, 3r.
  public let width: Int
  /// The positions that count, in features right of and below the output's own.
  public private(set) var offsets: [Offset] = []

  /// A step on the feature map.
  public struct Offset: Sendable, Equatable {
    /// To the right and down, in features.
    public let x, y: Int
  }

  private enum CodingKeys: String, CodingKey { case rates, points, width }

  /// Runs `module`, without means of the whole map, on noise and looks at the gradient.
  public init(_ module: any AtrousModule) {
    let reach = module.atrousWidth / 2
    let side = 2 * reach + 3
    let wasTraining = module.isTraining
    module.train(false)
    defer { module.train(wasTraining) }
    let device = module.state.first?.tensor.device ?? .cpu
    let x = Tensor(filledWith: 0, [1, module.inputs, side, side])
    x.drawNormal()
    let features = x.to(device)
    features.requiresGrad = true
    withGradients {
      let sums = module.sampled(features).map {
        $0.selected(3, reach + 1).selected(2, reach + 1).sum()
      }
      sums.dropFirst().reduce(sums[0]) { $0 + $1 }.backward()
    }
    let gradient = features.gradient.map { $0.abs().sum([0, 1]).floats } ?? []
    let hits = gradient.indices.filter { gradient[$0] != 0 }
    rates = module.atrousRates
    points = hits.count
    let columns = hits.map { $0 % side }
    width = (columns.max() ?? 0) - (columns.min() ?? 0)
    offsets = hits.map { Offset(x: $0 % side - reach - 1, y: $0 / side - reach - 1) }
  }
}
