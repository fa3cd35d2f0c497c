extension Module {
  /// Puts this module and all inside it in evaluation mode and in a form that is faster on the
  /// processor, where no gradients are wanted.
  ///
  /// Normalizations become part of the convolutions before or after them, as do activations and
  /// sums; kernels are packed at their first use; maps have adjacent channels; atrous convolutions
  /// take fewer multiplications. Results differ by rounding. Layers without such a form, other
  /// devices and other types than float32 work as before. Weights must not change from now on:
  /// `train(true)` and loading end the form.
  ///
  /// - Parameters:
  ///   - keepingWeights: Whether the weights stay beside what is packed of them. Without
  ///     them the network takes about half the memory and can only run in this form: a `TorchError`
  ///     says so where they are needed, and they are not written to files. Loading gives the network
  ///     weights again.
  ///   - precision: The type in which the network multiplies, where that type is faster; a
  ///     `TorchError` says so where the processor lacks it. See ``InferencePrecision/check()``.
  ///   - ranges: What ``calibrated(_:)`` found, for products of whole numbers; layers without a range
  ///     do without them.
  @discardableResult
  public final func prepared(
    keepingWeights: Bool = true, precision: InferencePrecision = .float32,
    ranges: InputRanges? = nil
  ) -> Self {
    train(false)
    guard checkWeights("prepared") else { return self }
    guard precision.isSupported else {
      Door.fail("prepared", "\(UnsupportedPrecision(precision: precision))")
      return self
    }
    Plans.loaded
    take(ranges)
    setPrepared(true, releasesWeights: !keepingWeights, precision)
    return self
  }

  /// Ends the form of ``prepared(keepingWeights:precision:ranges:)``.
  public final func unprepare() {
    guard checkWeights("unprepare") else { return }
    setPrepared(false, releasesWeights: false)
  }

  /// Ends the form and gives weights that were given back memory again, for others to be loaded.
  package final func makeLoadable() {
    guard isPrepared else { return }
    for (_, parameter) in parameters { parameter.restore() }
    setPrepared(false, releasesWeights: false)
  }

  /// Whether the weights are there.
  private func checkWeights(_ operation: String) -> Bool {
    guard let missing = parameters.first(where: \.parameter.isReleased) else { return true }
    Door.fail(
      operation, "\(missing.name) was given back when the network was prepared for inference")
    return false
  }

  private func setPrepared(
    _ on: Bool, releasesWeights: Bool, _ precision: InferencePrecision = .float32
  ) {
    isPrepared = on
    self.precision = precision
    self.releasesWeights = releasesWeights
    discardPrepared()
    for child in children {
      child.module.setPrepared(on, releasesWeights: releasesWeights, precision)
    }
  }

  /// Whether `x` goes through the module in its form for inference.
  package final func runsPrepared(_ x: Tensor) -> Bool {
    isPrepared && !isTraining && !isGradientEnabled && x.dtype == .float32 && x.device.isCPU
      && DoorScope.current?.isShapesOnly != true
  }
}
