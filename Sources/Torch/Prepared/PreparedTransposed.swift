extension Operator {
  fileprivate static let pack = Operator("pack", namespace: "atrous")
  fileprivate static let enlarge = Operator("enlarge", namespace: "atrous")
}

extension ConvTranspose2d {
  /// The result in a prepared network, written to `target` if there is one; nil where kernels overlap
  /// or leave gaps.
  func prepared(_ x: Tensor, into target: Tensor?) -> Tensor? {
    let kernel = weight.size(2)
    guard runsPrepared(x), x.rank == 4, padding == 0, stride == kernel, weight.size(3) == kernel
    else { return nil }
    let taps =
      self.taps
      ?? (0..<kernel * kernel).map { tap in
        let (row, column) = (tap / kernel, tap % kernel)
        let part = weight.detached().sliced(2, row, row + 1).sliced(3, column, column + 1)
        return Operator.pack(part.transposed(0, 1))
      }
    self.taps = taps
    if releasesWeights { weight.release() }
    return Operator.enlarge(x, taps, weight.size(1), stride, bias, target)
  }
}
