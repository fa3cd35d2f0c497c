import CTorch
import Foundation
import Synchronization

/// libtorch's own state: threads, random numbers, what the build can do.
public enum Engine {
  /// The version of libtorch, such as `2.11.0`.
  public static var version: String { String(cString: ct_version()) }

  /// The version of libtorch that this package is made for.
  public static let expectedVersion = "2.11.0"

  /// The instruction set that libtorch's kernels use, such as `AVX512`.
  public static var cpuCapability: String { String(cString: ct_cpu_capability()) }

  /// The instruction set that the package's own kernels use, `avx512`, `avx2` or `portable`: the best that the
  /// processor has, or the one that `ATROUS_ISA` names; `none` where the processor lacks that.
  package static var kernels: String { String(cString: ca_name(ca_build(""))) }

  /// The instruction sets for which the package's kernels have a build that this process may use, the best first.
  package static var kernelBuilds: [String] {
    ["avx512", "avx2", "portable"].filter { ca_build($0) >= 0 }
  }

  /// Those for products of whole numbers, the best first.
  package static var wholeBuilds: [String] {
    ["avx512_vnni", "avx_vnni", "neon_i8mm", "neon_dotprod"].filter { ca_build($0) >= 0 }
  }

  /// How libtorch was built: compiler, oneDNN, BLAS.
  public static var buildDescription: String { String(cString: ct_build()) }

  /// The folder that libtorch was loaded from.
  public static var libraryFolder: String { String(cString: ct_library_folder()) }

  /// The number of threads that an operator may use.
  public static var threads: Int {
    get { Int(ct_threads()) }
    set { Door.check(ct_set_threads(Int32(max(1, newValue))), "set_num_threads") }
  }

  /// Keeps oneDNN's convolutions to an instruction set such as `AVX2`, unless the environment names
  /// another; before the first convolution of the process.
  ///
  /// Processors with other instructions round the last bits otherwise.
  public static func limitInstructions(to name: String) {
    setenv("ONEDNN_MAX_CPU_ISA", name, 0)
  }

  /// Keeps memory that tensors give back for those that come next instead of returning it to the
  /// system and taking it again page by page, which costs a training step a third of its time.
  ///
  /// On Linux the pages of large tensors serve tensors of any other length, so that the process holds
  /// as much as its tensors once held together, and code that only the start called takes none.
  /// For programs whose main work this is; `MALLOC_…` variables or `GLIBC_TUNABLES` come first. Does
  /// nothing where the C library is not glibc.
  public static func keepFreedMemory() {
    let chosen = ProcessInfo.processInfo.environment.keys.contains {
      $0.hasPrefix("MALLOC_") || $0 == "GLIBC_TUNABLES"
    }
    if !chosen {
      ct_keep_freed_memory()
      ct_reuse_pages()
      keepsFreedMemory.store(true, ordering: .relaxed)
      giveBackCode()
    }
  }
  private static let keepsFreedMemory = Atomic(false)

  /// Gives back the memory of code that was called to get ready, in programs that ``keepFreedMemory()`` is for.
  ///
  /// libtorch's start alone calls some 50 MB of code in passing. What is called again comes back by itself.
  package static func giveBackCode() {
    if keepsFreedMemory.load(ordering: .relaxed) { ct_give_back_code() }
  }

  /// Sets the state of the random numbers that operators draw.
  public static func seed(_ seed: UInt64) { ct_seed(seed) }

  /// The state of the random numbers of the CPU, as bytes.
  public static var randomState: Tensor {
    get { Tensor(adopting: ct_random_state()) }
    set {
      guard let handle = newValue.handle else { return }
      Door.check(ct_set_random_state(handle), "set_state")
    }
  }

  /// Keeps libtorch to algorithms that give the same bits on every run; an operator that has none fails
  /// then.
  public static func setDeterministic(_ on: Bool) {
    Door.check(ct_set_deterministic(on ? 1 : 0), "set_deterministic")
  }

  /// Treats numbers too small for a normal representation as zero, which is much faster.
  @discardableResult
  public static func setFlushDenormal(_ on: Bool) -> Bool { ct_set_flush_denormal(on ? 1 : 0) != 0 }

  /// Loads libtorch's CUDA libraries if the installation has them, and says whether a GPU answers.
  ///
  /// - Throws: ``TorchError`` with the loader's reason.
  public static func loadCUDA() throws -> Bool {
    guard ct_load_cuda(ct_library_folder()) == 0 else {
      throw TorchError(operation: "load CUDA", message: Door.message)
    }
    return ct_has_cuda() != 0
  }
}

/// Runs `body` and puts the state of the random numbers back.
package func withPreservedRandomState<R>(_ body: () throws -> R) rethrows -> R {
  let state = Engine.randomState
  defer { Engine.randomState = state }
  return try body()
}

extension Engine {
  /// Whether a device has instructions for products of a type.
  ///
  /// Without them libtorch's convolutions in bfloat16 take some hundred times as long as in float32
  /// (2.11.0 with AVX2: loops that are not vectorized).
  package static func hasInstructions(for type: DType, on device: Device) -> Bool {
    guard device.isCPU, let name = [DType.bfloat16: "bf16", .float16: "fp16"][type] else {
      return true
    }
    let asks = Operator("_is_mkldnn_\(name)_supported", namespace: "mkldnn")
    return (try? attempt { asks.number() }) != 0
  }
}
