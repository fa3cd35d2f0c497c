import CTorch

/// How libtorch computes on NVIDIA's GPUs. Everything here can be read and set without one.
extension Engine {
  /// Which products of float32 numbers may round their factors to TF32, which has 10 bits of the fraction
  /// instead of 23 and is several times as fast.
  public struct TF32: Sendable, Equatable {
    /// Those of matrices, by cuBLAS.
    public var matrices: Bool
    /// Those of convolutions, by cuDNN.
    public var convolutions: Bool

    /// These products.
    public init(matrices: Bool, convolutions: Bool) {
      (self.matrices, self.convolutions) = (matrices, convolutions)
    }
  }

  /// Where TF32 may be used; PyTorch's own choice is convolutions, not matrices.
  ///
  /// It is `torch.backends.cuda.matmul.allow_tf32` and `torch.backends.cudnn.allow_tf32`.
  public static var tf32: TF32 {
    get { TF32(matrices: ct_tf32_matrices() == 1, convolutions: ct_tf32_convolutions() == 1) }
    set {
      Door.check(
        ct_set_tf32(newValue.matrices ? 1 : 0, newValue.convolutions ? 1 : 0), "set_tf32")
    }
  }

  /// Whether cuDNN times its algorithms for each new shape and keeps the fastest, which pays where
  /// sizes are few; `torch.backends.cudnn.benchmark`.
  public static var cudnnBenchmark: Bool {
    get { ct_cudnn_benchmark() != 0 }
    set { Door.check(ct_set_cudnn_benchmark(newValue ? 1 : 0), "set_cudnn_benchmark") }
  }

  /// Waits until `device` has done what it was given; the CPU always has.
  public static func synchronize(_ device: Device) {
    Door.check(ct_synchronize(device.name), "synchronize")
  }

  /// Whether this build records CUDA graphs; see ``RecordedFunction``.
  public static var hasGraphs: Bool { ct_has_graphs() != 0 }
}
