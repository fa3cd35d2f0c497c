import Datasets
import Segmentation
import Torch

extension Trainer {
  /// One step: scores, loss and gradients of each batch, then new weights.
  func update(_ batches: [Batch]) throws -> (loss: Double, norm: Double?) {
    optimizer.clearGradients()
    if processes.count > 1 { Engine.seed(processes.seed(settings.seed, step: step)) }
    var value = 0.0
    let shares = Self.shares(of: batches, loss.classWeights, processes)
    for (index, batch) in batches.enumerated() {
      // Where that is possible, gradients of the batches before the last add up here alone.
      let isAveraged = index == batches.count - 1 || averaging?.graph == .fixed
      let averaging = isAveraged ? averaging : nil
      averaging?.begin()
      var part = try total(batch, features)
      if shares[index] != 1 { part = part * shares[index] }
      value += part.detached().item
      let scaled = scaler?.scaled(part) ?? part
      (averaging?.expect(scaled) ?? scaled).backward()
    }
    value = processes.sum([value])[0] / Double(processes.count)
    // Half precision may have overflowed; the next steps have a smaller factor.
    guard scaler?.unscale(optimizer) != false else { return (value, nil) }
    let norm = settings.clip.map { optimizer.clipGradients(to: $0) }
    optimizer.step()
    return (value, norm)
  }

  /// The loss of a batch with the weights as they are: a tensor of one number.
  ///
  /// - Parameter features: Where the backbone's maps of the batch's images are kept, if anywhere.
  func total(_ batch: Batch, _ features: FeatureCache? = nil) throws -> Tensor {
    let images = batch.images(on: device)
    let maps = try features?.maps(batch, images)
    return pass.total(images, batch.target(on: device), maps: maps)
  }

  private var pass: TrainingPass {
    TrainingPass(model: model, loss: loss, precision: settings.precision, device: device)
  }

  /// The part of each batch in the loss of all of them, by its labelled pixels; with several processes,
  /// of whose losses the mean is taken, times their number.
  ///
  /// So a mean over pixels, such as cross-entropy, is that of one large batch, however many pixels
  /// each batch ignores.
  static func shares(
    of batches: [Batch], _ weights: [Double]?, _ processes: Processes = .one
  ) -> [Double] {
    guard batches.count * processes.count > 1 else { return batches.map { _ in 1 } }
    let masses = batches.map { mass(of: $0, weights) }
    let total = processes.sum([masses.reduce(0, +)])[0] / Double(processes.count)
    return masses.map { total > 0 ? $0 / total : 1 / Double(batches.count) }
  }

  /// The labelled pixels of a batch, each by the weight of its class.
  static func mass(of batch: Batch, _ weights: [Double]?) -> Double {
    var counts = [Int](repeating: 0, count: 256)
    batch.withMasks { for index in $0 { counts[Int(index)] += 1 } }
    counts[Int(LabelMap.ignored)] = 0
    guard let weights else { return Double(counts.reduce(0, +)) }
    return zip(counts, weights).reduce(0) { $0 + Double($1.0) * $1.1 }
  }
}

/// One batch's way through a network that trains, up to its loss.
struct TrainingPass {
  let model: SegmentationModel
  let loss: Loss
  let precision: DType?
  let device: Device

  /// The loss of images (N, C, H, W) whose classes are `target` (N, H, W): a tensor of one number.
  ///
  /// - Parameter maps: The backbone's maps of the images, where they are known already.
  func total(_ images: Tensor, _ target: Tensor, maps: [Tensor]? = nil) -> Tensor {
    let output = autocast(to: precision, on: device) { model.output(images, maps: maps) }
    return loss.total(output, of: model, for: images, target)
  }
}
