// Kernels as the products read them; docs/kernels.md draws them.
#pragma once
#include "kernel_limits.h"

namespace atrous {

/// What packed kernels begin with: a line of the cache. They are in memory only, for as long as the
/// process: the number of a build means nothing elsewhere.
struct PackedHeader {
  /// The form of what follows. Other numbers are no kernels of this version.
  static constexpr uint32_t current = 1;
  /// That of kernels for maps of eight bits.
  static constexpr uint32_t coded = 0x101;
  uint32_t version;
  int32_t build;
  /// Of kernels of eight bits alone: a map's number x has the code x · codes + zero, without what
  /// stands behind the point.
  float codes, zero;
  /// Of kernels for maps of eight bits alone: the inputs, several of which take one cell.
  int32_t inputs;
  uint32_t unused[LINE - 5];
};
constexpr int64_t HEADER = LINE;
static_assert(sizeof(PackedHeader) == HEADER * sizeof(float));

/// Packed kernels (outputs, inputs, size, size), taken apart.
struct Kernels {
  int64_t outputs, inputs;
  int size;
  /// What follows the header.
  const float *packed;
  /// Null for kernels that are none of ca_pack's.
  const PackedHeader *header = nullptr;
};

/// A 1×1 convolution and what follows.
struct Stage {
  Kernels kernels;
  const float *bias;
  ca_activation activation;
};

/// Writes the header; returns where the kernels go.
inline float *begin(float *packed, const PackedHeader &header) {
  __builtin_memcpy(packed, &header, sizeof header);
  return packed + HEADER;
}

} // namespace atrous
