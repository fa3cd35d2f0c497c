import Foundation

/// The processor that tests run on, as the system tells it and not as the kernels do.
package enum Processor {
  /// Whether it has AVX-VNNI, by Linux's word.
  package static let hasVNNI =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?  // may fail: another system
    .contains(" avx_vnni") ?? false
}
