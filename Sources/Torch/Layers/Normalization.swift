/// Batch normalization over the channels of images (Ioffe and Szegedy, 2015).
///
/// A batch with a single value per channel (a pooled image, batch 1) has no statistics of its own;
/// the running ones serve then.
public final class BatchNorm2d: Layer {
  /// The scale of each channel.
  public let weight: Parameter
  /// The shift of each channel.
  public let bias: Parameter
  /// The statistics that evaluation uses.
  public let runningMean: Buffer, runningVar: Buffer
  /// How many batches the running statistics have seen.
  public let numBatchesTracked: Buffer
  /// What is added to the variance.
  public let eps: Double
  /// The weight of the newest batch in the running statistics (PyTorch's sense).
  public var momentum: Double
  /// The processes whose images share their statistics while training; nil for this one alone.
  public var group: ProcessGroup?

  /// A normalization of `channels` channels.
  public init(_ channels: Int, eps: Double = 1e-5, momentum: Double = 0.1) {
    weight = Parameter(1, [channels])
    bias = Parameter(0, [channels])
    runningMean = Buffer(0, [channels])
    runningVar = Buffer(1, [channels])
    numBatchesTracked = Buffer(Tensor([Int64(0)], []))
    self.eps = eps
    self.momentum = momentum
  }

  public override func forward(_ x: Tensor) -> Tensor {
    if let y = trainedUnit(x, rectifies: false) { return y }
    let images = x.size(0) * (group?.size ?? 1)
    let usesBatch = isTraining && images * x.shape.dropFirst(2).reduce(1, *) > 1
    let tracks = !usesBatch || countBatch()
    if usesBatch, let group {
      return x.synchronizedBatchNorm(
        over: group, weight: weight, bias: bias, runningMean: tracks ? runningMean : nil,
        runningVar: tracks ? runningVar : nil, momentum: momentum, eps: eps)
    }
    return x.batchNorm(
      weight: weight, bias: bias, runningMean: tracks ? runningMean : nil,
      runningVar: tracks ? runningVar : nil,
      training: usesBatch, momentum: momentum, eps: eps)
  }

  private static let one = Tensor([Int64(1)], [])

  /// What the layer makes of `x`, a sum with `shortcut` and a ReLU, where training goes through memory for
  /// all three at once; nil where they are separate steps.
  func trainedUnit(_ x: Tensor, adding shortcut: Tensor? = nil, rectifies: Bool = true) -> Tensor? {
    guard trainsOnBatch(x), shortcut?.shape ?? x.shape == x.shape,
      shortcut?.trainsOnOwnKernels != false
    else { return nil }
    let tracks = countBatch()
    return Operator.norm(
      x, weight, bias, shortcut, tracks ? runningMean : nil, tracks ? runningVar : nil, momentum,
      eps, rectifies)
  }

  /// Whether the package's kernels normalize `x` by its own statistics.
  func trainsOnBatch(_ x: Tensor) -> Bool {
    isTraining && group == nil && x.trainsOnOwnKernels && weight.dtype == .float32
      && x.size(1) == weight.count && x.count > x.size(1)
  }

  /// Counts a batch, and says whether the running statistics follow it: a second run over the same batch
  /// must leave them alone.
  func countBatch() -> Bool {
    guard !Recomputation.isActive else { return false }
    withoutGradients { _ = numBatchesTracked.add(Self.one) }
    return true
  }
}

extension Operator {
  fileprivate static let norm = Operator("trained_norm", namespace: "atrous")
}

/// Layer normalization over the last dimension, or over the channels of images (Ba et al., 2016).
public final class LayerNorm: Layer {
  /// The scale of each feature.
  public let weight: Parameter
  /// The shift of each feature.
  public let bias: Parameter
  private let ofImages: Bool
  /// What is added to the variance.
  public let eps: Double

  /// A normalization of `features` features; `ofImages` takes (N, C, H, W) and normalizes over C.
  public init(_ features: Int, ofImages: Bool = false, eps: Double = 1e-5) {
    weight = Parameter(1, [features])
    bias = Parameter(0, [features])
    self.ofImages = ofImages
    self.eps = eps
  }

  public override func forward(_ x: Tensor) -> Tensor {
    let last = ofImages ? x.permuted(0, 2, 3, 1) : x
    let y = last.layerNorm([weight.count], weight: weight, bias: bias, eps: eps)
    return ofImages ? y.permuted(0, 3, 1, 2) : y
  }
}

/// Normalization over groups of channels (Wu and He, 2018), which needs no batch.
public final class GroupNorm: Layer {
  /// The scale of each channel.
  public let weight: Parameter
  /// The shift of each channel.
  public let bias: Parameter
  private let groups: Int, eps: Double

  /// A normalization of `channels` channels in `groups` groups.
  public init(_ groups: Int, _ channels: Int, eps: Double = 1e-5) {
    weight = Parameter(1, [channels])
    bias = Parameter(0, [channels])
    self.groups = groups
    self.eps = eps
  }

  public override func forward(_ x: Tensor) -> Tensor {
    x.groupNorm(groups, weight: weight, bias: bias, eps: eps)
  }
}

/// Sets elements, or whole channels, to zero at random while training (Srivastava et al., 2014).
public final class Dropout: Layer {
  /// The share that is dropped; 0 turns the layer off.
  public var probability: Double
  private let ofChannels: Bool

  /// A dropout of a share of the elements, or `ofChannels` of the channels.
  public init(_ probability: Double, ofChannels: Bool = false) {
    self.probability = probability
    self.ofChannels = ofChannels
  }

  public override func forward(_ x: Tensor) -> Tensor {
    isTraining && probability > 0 ? x.dropout(probability, channels: ofChannels) : x
  }
}
