import Torch

/// Multiplies the loss so that small gradients do not become 0 in half precision, and takes the factor
/// out again before the step (Micikevicius et al., 2018, §3.2), by the rule of PyTorch's GradScaler.
final class GradientScaler {
  /// What changes from step to step.
  struct State: Sendable, Codable, Equatable {
    /// The factor.
    var scale = 65_536.0
    /// The steps since it last changed.
    var goodSteps = 0

    /// A step whose gradients were not all finite halves the factor; 2000 that were double it.
    mutating func update(isFinite: Bool) {
      guard isFinite else {
        self = State(scale: scale / 2)
        return
      }
      goodSteps += 1
      if goodSteps == Self.growthInterval { self = State(scale: scale * 2) }
    }

    private static let growthInterval = 2000
    /// A factor this small means that the fault is not the precision's.
    static let smallest = 1.0 / 65_536
  }

  /// What changes from step to step.
  var state = State()

  /// The loss that gradients are taken of.
  func scaled(_ loss: Tensor) -> Tensor { loss * state.scale }

  /// Divides gradients by the factor, and says whether all are finite; otherwise the step must be left
  /// out.
  func unscale(_ optimizer: Optimizer) -> Bool {
    let isFinite = optimizer.scaleGradients(by: 1 / state.scale)
    state.update(isFinite: isFinite)
    return isFinite
  }
}

/// Whether a device computes in a type, found out before a run begins.
enum PrecisionCheck {
  /// What a person should know before a run begins; nil for nothing.
  static func warning(_ precision: DType?, on device: Device) -> String? {
    guard let precision, !Engine.hasInstructions(for: precision, on: device) else { return nil }
    return
      "train.precision: this processor has no instructions for \(precision), so that training takes"
      + " very much longer than in float32; expected float32"
  }

  /// Runs a convolution forwards and backwards.
  ///
  /// - Throws: ``RunError/unsupportedPrecision(precision:device:reason:)``.
  static func run(_ precision: DType?, on device: Device) throws {
    guard let precision else { return }
    do {
      try attempt {
        let weight = Parameter(1, [8, 8, 3, 3])
        weight.adopt(withoutGradients { weight.to(device) })
        let image = Tensor(filledWith: 1, [1, 8, 8, 8]).to(device)
        autocast(to: precision, on: device) {
          image.conv2d(weight, padding: [1, 1])
        }.to(.float32).sum().backward()
      }
    } catch let error as TorchError {
      throw RunError.unsupportedPrecision(
        precision: "\(precision)", device: "\(device)", reason: error.message)
    }
  }
}
