import CTorch

extension Module {
  /// Has every batch normalization inside take mean and variance over the images of all processes.
  public final func synchronizeBatchNorm(over group: ProcessGroup?) {
    for case let norm as BatchNorm2d in modules.map(\.module) { norm.group = group }
  }
}

extension Tensor {
  /// Normalized by the statistics of the images (N, C, H, W) of all processes, which the running ones
  /// follow; the gradient is that of one process with all images.
  final func synchronizedBatchNorm(
    over group: ProcessGroup, weight: Tensor, bias: Tensor, runningMean: Tensor?,
    runningVar: Tensor?, momentum: Double, eps: Double
  ) -> Tensor {
    guard let handle, let factor = weight.handle, let shift = bias.handle else {
      return Tensor(adopting: nil)
    }
    let result = ct_synchronized_batch_norm(
      group.handle, handle, factor, shift, runningMean?.handle, runningVar?.handle, momentum, eps)
    if result == nil { Door.fail("synchronized batch_norm\(shape)", Door.message) }
    return Tensor(adopting: result)
  }
}
