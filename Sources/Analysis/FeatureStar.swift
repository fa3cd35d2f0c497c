import Segmentation
import Torch

/// The positions of a feature map that one output of an atrous pyramid depends on: exactly
/// {0, ±r, ±2r, ±3r} on eight rays for the rates r, 2r, 3r.
public struct FeatureStar: Sendable, Codable, Equatable {
  /// The rates of the pyramid's 3×3 kernels.
  public let rates: [Int]
  /// How many positions count, 25 for three rates.
  public let points: Int
  /// The features between the outermost positions, 6 r for the rates r, 2r, 3r.
  public let width: Int

  /// Runs `pyramid`, without the mean of the whole map, on noise and looks at the gradient.
  public init(_ pyramid: ASPP) {
    let reach = pyramid.rates.max() ?? 1
    let side = 2 * reach + 3
    let wasTraining = pyramid.isTraining
    pyramid.train(false)
    defer { pyramid.train(wasTraining) }
    let device = pyramid.state.first?.tensor.device ?? .cpu
    let x = Tensor(filledWith: 0, [1, pyramid.inputs, side, side])
    x.drawNormal()
    let features = x.to(device)
    features.requiresGrad = true
    withGradients {
      let sums = pyramid.sampled(features).map {
        $0.selected(3, reach + 1).selected(2, reach + 1).sum()
      }
      sums.dropFirst().reduce(sums[0]) { $0 + $1 }.backward()
    }
    let gradient = features.gradient.map { $0.abs().sum([0, 1]).floats } ?? []
    let hits = gradient.indices.filter { gradient[$0] != 0 }
    rates = pyramid.atrousRates
    points = hits.count
    let columns = hits.map { $0 % side }
    width = (columns.max() ?? 0) - (columns.min() ?? 0)
  }
}
