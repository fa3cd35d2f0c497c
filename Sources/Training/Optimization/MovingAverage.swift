import Torch

/// A copy of a network's weights that follows them slowly: their exponential moving average.
public final class MovingAverage {
  /// The largest share of itself that the average keeps at a step.
  public let decay: Double
  /// The averaged parameters and buffers by name.
  public let state: [(name: String, tensor: Tensor)]
  /// The network's own tensors in the same order: to look for them at each step would take milliseconds.
  private let own: [Tensor]

  /// An average that starts at the present weights of `model`.
  public init(of model: Module, decay: Double) {
    self.decay = decay
    let found = model.state
    own = found.map(\.tensor)
    state = withoutGradients { found.map { ($0.name, $0.tensor.detached().cloned()) } }
  }

  /// Takes in the weights that `step`, counted from 0, has left.
  ///
  /// The share kept is (1 + step) / (10 + step) until that is above ``decay``: the weights at the start
  /// would stay in the average of a short run otherwise. The rule is that of TensorFlow's
  /// `ExponentialMovingAverage`. A decay of 1 keeps everything from the beginning.
  public func update(after step: Int) {
    let decay = decay < 1 ? min(decay, Double(1 + step) / Double(10 + step)) : 1
    withoutGradients {
      for (average, current) in zip(state, own) {
        if average.tensor.dtype.isFloatingPoint {
          average.tensor.multiply(by: decay).add(current, scale: 1 - decay)
        } else {
          average.tensor.assign(current)
        }
      }
    }
  }

  /// Runs `body` with the averaged weights in the network, and puts its own back.
  public func inPlace<R>(_ body: () throws -> R) rethrows -> R {
    let kept = withoutGradients { own.map { $0.detached().cloned() } }
    for (tensor, average) in zip(own, state) { tensor.assign(average.tensor) }
    defer { for (tensor, before) in zip(own, kept) { tensor.assign(before) } }
    return try body()
  }
}
