// What each instruction set has its own build of.
#pragma once
#include "catrous.h"
#include "tiles.h"

namespace atrous {

struct Job {
  const ca_kernels &kernels;
  const ca_map &in, &out;
  int stride, rate, threads;
  const ca_fusion &fusion;
};

/// What ca_depthwise_convolve and its gradients work on.
struct DepthwiseJob {
  const ca_depthwise &kernels;
  ca_type type;
  /// The map that is read around each number of the other, and that other.
  const ca_map &around, &at;
  int threads;
  const ca_fusion &fusion;
  /// Where the gradient of the taps goes; null for a convolution.
  float *taps;
};

/// What ca_attention works on.
struct AttentionJob {
  const ca_tokens &queries, &keys, &values;
  int64_t images, heads, tokens, others, width, outputs;
  float scale;
  float *out;
  int threads;
};

/// What ca_layer_norm works on.
struct NormJob {
  const float *in;
  int64_t rows, width, stride;
  float eps;
  const float *weight, *bias;
  float *out;
  int threads;
};

/// What ca_chain works on.
struct ChainJob {
  const ca_stage *stages;
  int count;
  const ca_map *in;
  int inputs;
  const ca_map &out;
  const ca_map *added;
  int maps, place;
  bool aligns;
  int threads;
};

/// A build of the kernels for an instruction set.
struct Build {
  const char *name;
  int panel;
  void (*pointwise)(const Job &);
  void (*winograd)(const Job &);
  /// Kernels that gather around what they write, or the transpose of that; the taps' gradient.
  void (*depthwise)(const DepthwiseJob &);
  void (*depthwiseTransposed)(const DepthwiseJob &);
  void (*depthwiseTaps)(const DepthwiseJob &);
  void (*attention)(const AttentionJob &);
  void (*layerNorm)(const NormJob &);
  void (*chain)(const ChainJob &);
};

extern const Build portable;
#if defined(__x86_64__)
extern const Build avx2, avx512;
#endif

/// Memory that the calling thread keeps for its next convolution, aligned to a cache line.
/// Throws std::bad_alloc.
float *workspace(int64_t count);

} // namespace atrous
