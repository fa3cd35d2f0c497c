// What each instruction set has its own build of.
#pragma once
#include "catrous.h"
#include "catrous_halves.h"
#include "catrous_plans.h"
#include "catrous_training.h"
#include "packed.h"

namespace atrous {

struct Job {
  const Kernels &kernels;
  const ca_map &in, &out;
  int stride, rate, threads;
  const ca_fusion &fusion;
  /// What a measured plan chose; the rules where it says nothing.
  ca_way way = {};
  /// Whether maps are of other types than float32, and the codes of those of codes.
  bool isMixed = false;
  ca_code in_code{}, out_code{}, addend_code{};
};

/// What ca_convolve_codes works on.
struct CodesJob {
  const Kernels &kernels;
  ca_map in, out;
  ca_code in_code, out_code;
  int stride, padding, rate, threads;
  ca_codes_fusion fusion;
};

/// What ca_decode and ca_mean_of_codes work on.
struct DecodeJob {
  const ca_map &in, &out;
  ca_code code;
  int threads;
};

/// What ca_scale_map works on.
struct ScaleJob {
  const ca_map &in, &out;
  const float *scale, *shift;
  int threads;
};

/// What ca_depthwise_convolve and its gradients work on.
struct DepthwiseJob {
  const ca_depthwise &kernels;
  ca_type type;
  /// The map whose windows of size × size numbers are read, and the map with one number for each
  /// window: the inputs and the outputs of a convolution, the other way round of its transpose.
  const ca_map &windows, &centers;
  int threads;
  const ca_fusion &fusion;
  /// Where the gradient of the taps goes; null for a convolution.
  float *taps = nullptr;
  /// The 1×1 convolution of `windows` that gives what is read, if there is one.
  const Stage *expansion = nullptr;
  /// The 1×1 convolution of what is convolved that gives the outputs, if there is one; the fusion's map is added to those
  /// then, and all maps are of type float32.
  const Stage *projection = nullptr;
  /// The codes of maps of codes.
  ca_code in_code{}, out_code{};
};

/// What ca_attention works on.
struct AttentionJob {
  const ca_tokens &queries, &keys, &values;
  int64_t images, heads, tokens, others, width, outputs;
  float scale;
  const ca_added_scores &added;
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

/// What the functions of batch normalization work on, named as in catrous_training.h; what a function
/// there does not take stays null.
struct BatchNormJob {
  const ca_map *x = nullptr, *gradient = nullptr, *y = nullptr, *addend = nullptr, *out = nullptr;
  const ca_map *shared = nullptr;
  const ca_affine *affine = nullptr;
  const float *mean = nullptr, *slope = nullptr, *offset = nullptr;
  /// Two numbers for each channel, one kind after the other.
  double *sums = nullptr;
  int threads = 1;
};

/// What ca_kernel_gradient works on; `affine` may be null.
struct GradientJob {
  const ca_map &in, &gradient;
  const ca_affine *affine;
  int size, stride, rate;
  float *out;
  int threads;
};

/// What ca_pack_last works on.
struct PackJob {
  const float *weight;
  int64_t outputs, inputs;
  int size;
  bool transposes;
  float *packed;
  int threads;
};

/// What ca_resize works on.
struct ResizeJob {
  const ca_map &in, &out;
  bool aligns;
  double down, across;
  int threads;
};

/// What ca_chain works on.
struct ChainJob {
  const Stage *stages;
  /// The numbers of each stage's kernels that lie in a cell.
  const int *numbers;
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
  /// The numbers of a 1×1 kernel that lie in a cell of 32 bits: of type float32 one, of bfloat16
  /// two, of int8 four.
  int numbers;
  /// What codes are less by where they are multiplied.
  int shift;
  void (*pointwise)(const Job &);
  void (*winograd)(const Job &);
  /// Null where products are of other numbers.
  void (*codes)(const CodesJob &);
  void (*poolCodes)(const CodesJob &);
  void (*decode)(const DecodeJob &);
  void (*meanOfCodes)(const DecodeJob &);
  void (*scaleHalves)(const ScaleJob &);
  /// Kernels that gather around what they write, or the transpose of that; the taps' gradient.
  void (*depthwise)(const DepthwiseJob &);
  void (*depthwiseTransposed)(const DepthwiseJob &);
  void (*depthwiseTaps)(const DepthwiseJob &);
  void (*attention)(const AttentionJob &);
  void (*layerNorm)(const NormJob &);
  void (*resize)(const ResizeJob &);
  void (*chain)(const ChainJob &);
  /// Batch normalization in training, as in catrous_training.h.
  void (*statistics)(const BatchNormJob &);
  void (*normalize)(const BatchNormJob &);
  void (*normalizedSums)(const BatchNormJob &);
  void (*normalizedGradient)(const BatchNormJob &);
  void (*addLine)(const BatchNormJob &);
  void (*kernelGradient)(const GradientJob &);
  void (*packLast)(const PackJob &);
};

extern const Build portable;
#if defined(__x86_64__)
extern const Build avx2, avx_vnni, avx512, avx512_bf16, avx512_vnni;
#elif defined(__aarch64__)
extern const Build neon_i8mm, neon_dotprod;
#endif

/// The build of a number, or null if there is none or the processor lacks it.
const Build *buildAt(int number);

/// Memory that the calling thread keeps for its next convolution, aligned to a cache line.
/// Throws std::bad_alloc.
float *workspace(int64_t count);

} // namespace atrous
