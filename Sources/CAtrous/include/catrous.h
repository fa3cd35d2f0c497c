// Convolutions by fewer multiplications or memory accesses than usual, on channels-last maps.
//
// A 3×3 convolution of rate d is d² ordinary ones on interleaved sub-images. Each of those is cut
// into tiles that Winograd's minimal filtering computes (Winograd, 1980; Lavin and Gray, 2016), and
// what would be multiplied with padding is left out. A 1×1 convolution is one matrix product. What
// stands before and after a convolution in a network is done on the way in and out.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/// The type of the numbers of maps. Codes are whole numbers of eight bits, without a sign.
typedef enum { CA_FLOAT32, CA_BFLOAT16, CA_CODES } ca_type;

/// Feature maps with adjacent channels; distances are in numbers, not bytes. `data` points to numbers of
/// `type`. A map is of type float32 where nothing else is said.
typedef struct {
  float *data;
  int64_t images, height, width, channels;
  int64_t image_stride, row_stride, pixel_stride;
  ca_type type;
  /// The distance of a pixel's channels where they are not adjacent, which ca_reads_planes tells of.
  int64_t channel_stride;
} ca_map;

typedef enum {
  CA_NONE,
  CA_RELU,
  CA_RELU6,
  CA_HARDSWISH,
  CA_HARDSIGMOID,
  CA_SILU,
  CA_GELU
} ca_activation;

/// What is done on the way in and out; a null pointer leaves a step out.
typedef struct {
  /// For each input channel: x becomes x · scale + shift, then its positive part if `rectifies`.
  const float *scale, *shift;
  int rectifies;
  /// For each output channel.
  const float *bias;
  /// A map of the output's shape that is added before the activation.
  const ca_map *addend;
  ca_activation activation;
} ca_fusion;

/// Where convolutions take memory from while they run: `take` gives at least as many bytes, aligned to
/// a line of the cache, or null.
typedef struct {
  void *(*take)(size_t size);
  void (*give)(void *memory);
} ca_memory;
/// Has convolutions take and give back memory each time; a thread keeps what it has of the C library
/// otherwise. Before the first convolution.
void ca_set_memory(ca_memory memory);

/// The number of the instruction set "avx512", "avx2" or "portable", -1 if the processor lacks it. If
/// the name is empty, the best one, or the one that the environment's ATROUS_ISA names: better ones are
/// as if the processor lacked them then, and the number is -1 if it names none that the processor has.
/// "avx512_bf16" is as "avx512", but kernels of size 1 and the maps that they meet are rounded to
/// bfloat16; "avx512_vnni", "avx_vnni", "neon_i8mm" and "neon_dotprod" are for ca_pack_whole and ca_pack_codes, and "int8" is
/// the best of those.
int ca_build(const char *instructions);
/// The name of a build; "none" of what is none.
const char *ca_name(int build);

/// Kernels (outputs, inputs, size, size) of size 1 or 3.
typedef struct {
  int64_t outputs, inputs;
  int size;
  /// In the order in which the products of a build read them, as ca_pack wrote them in this process.
  const float *packed;
} ca_kernels;

/// How many numbers ca_pack writes for a build.
int64_t ca_packed_count(int build, int64_t outputs, int64_t inputs, int size);
/// Packs kernels; `packed` is aligned to a line of the cache. Returns 0, or -1 for a build that multiplies
/// whole numbers; see ca_pack_whole.
int ca_pack(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
            float *packed, int threads);

/// Packs kernels of size 1 as whole numbers of eight bits, each output's evenly between minus and plus its
/// largest, for maps of numbers from `low` to `high`; others are cut off there. Returns 0, or -1 for a
/// build that multiplies others.
int ca_pack_whole(int build, const float *weight, int64_t outputs, int64_t inputs, float low,
                  float high, float *packed);

/// Convolves `in` to `out`: of size 1 with a stride, of size 3 with a rate and as much padding.
/// `count` is the length of what ca_pack wrote.
/// Returns 0, or -1 if memory is short or the maps do not fit the kernels.
int ca_convolve(const ca_kernels *kernels, int64_t count, const ca_map *in, const ca_map *out,
                int stride, int rate, const ca_fusion *fusion, int threads);

/// How numbers lie in eight bits: a number is step · (code - zero), with codes from 0 to 255.
typedef struct {
  float step;
  int zero;
} ca_code;

enum { CA_MOST_CODED_TAPS = 64 };

/// What is done on the way in and out of a convolution of codes; a null pointer leaves a step out.
typedef struct {
  /// For each input channel: x becomes x · scale + shift, then its positive part if `rectifies`.
  const float *scale, *shift;
  int rectifies;
  /// How what is multiplied lies in eight bits: the map's own code where nothing is done before.
  ca_code inputs;
  /// For each output channel.
  const float *bias;
  /// A map of the output's shape that is added before the activation.
  const ca_map *addend;
  ca_code addend_code;
  ca_activation activation;
} ca_codes_fusion;

/// How many numbers ca_pack_codes writes for a build.
int64_t ca_codes_count(int build, int64_t outputs, int64_t inputs, int size);
/// Packs kernels (outputs, inputs, size, size), `size` 1 to 8, as whole numbers of eight bits, each output's evenly
/// between minus and plus its largest, and whole multiples of a step as those; as bfloat16 for "avx512_bf16". Returns 0, or
/// -1 for a build that multiplies others.
int ca_pack_codes(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
                  float *packed);
/// Whether the `count` numbers of each output are whole multiples of a step of its own, from -127 to 127.
int ca_in_codes(const float *weight, int64_t outputs, int64_t count);
/// Convolves `in` to `out` with zeros around the map as far as the outputs reach. The maps may be of any type; a code is
/// that of a map of codes, and says nothing of others.
/// Returns 0, or -1 if memory is short or the maps do not fit the kernels.
int ca_convolve_codes(const ca_kernels *kernels, int64_t count, const ca_map *in, ca_code in_code,
                      const ca_map *out, ca_code out_code, int stride, int padding, int rate,
                      const ca_codes_fusion *fusion, int threads);

/// Whether ca_convolve_codes reads maps of type float32 with adjacent pixels by these kernels, instead of adjacent
/// channels, where nothing is done on the way in.
int ca_reads_planes(const ca_kernels *kernels, int64_t count);

/// The largest number of each window of a map of codes, as ca_convolve_codes takes them. Returns 0, or -1 for a build that
/// has no codes or maps that do not fit.
int ca_pool_codes(int build, const ca_map *in, const ca_map *out, int size, int stride, int padding,
                  int rate, int threads);
/// Writes the numbers of a map of codes to a map of type float32. Returns 0, or -1 for a build that has no codes or maps
/// of different shapes.
int ca_decode(int build, const ca_map *in, ca_code code, const ca_map *out, int threads);
/// Writes the mean of each channel of a map of codes to `out`, of one pixel. Returns the same.
int ca_mean_of_codes(int build, const ca_map *in, ca_code code, const ca_map *out, int threads);

/// How many products of single numbers one output of a 3×3 convolution takes for each pair of
/// channels where there are many channels; 9 in the direct sum.
double ca_products(int64_t height, int64_t width, int rate);

enum { CA_MOST_TAPS = 32 };

/// A convolution of each channel by itself.
typedef struct {
  int64_t channels;
  /// The side of the kernels, CA_MOST_TAPS at most; the zeros above and to the left of the map.
  int size, stride, rate, padding;
  /// One tap of all channels after the other, as ca_depthwise_pack wrote them.
  const float *taps;
} ca_depthwise;

/// How many numbers the taps take.
int64_t ca_depthwise_count(int64_t channels, int size);
/// Packs kernels (channels, 1, size, size).
void ca_depthwise_pack(const float *weight, int64_t channels, int size, float *taps);
/// The kernels (channels, 1, size, size) that were packed as `taps`.
void ca_depthwise_unpack(const float *taps, int64_t channels, int size, float *weight);

// All sums are of type float32, whatever the type of the maps; `data` then points to numbers of that
// type. The results do not depend on the number of threads. They return 0, or -1 if memory is short or
// the maps do not fit.

/// Convolves `in` to `out`; the map is continued by zeros as far as the outputs reach. The fusion
/// changes nothing on the way in.
int ca_depthwise_convolve(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                          const ca_map *out, const ca_fusion *fusion, int threads);
/// The same for maps of codes; nothing is added.
int ca_depthwise_codes(int build, const ca_depthwise *kernels, const ca_map *in, ca_code in_code,
                       const ca_map *out, ca_code out_code, const ca_fusion *fusion, int threads);
/// The gradient of the inputs, `out`, from that of the outputs, `in`.
int ca_depthwise_transpose(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *out, int threads);
/// The gradient of the taps, written to `taps`, from the inputs and the gradient of the outputs; the
/// kernels' own taps are not read.
int ca_depthwise_correlate(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *gradient, float *taps, int threads);

/// Queries, keys and values of several heads; a number's address is that of its array plus its image,
/// head and token times the strides, plus its feature.
typedef struct {
  const float *data;
  int64_t image_stride, head_stride, token_stride;
} ca_tokens;

/// What is added to scores: the row of a query has `token_stride` numbers, a multiple of 32 that no key
/// lacks one of, those behind the last key -1e30; numbers are times log2(e). A row's address is the table's
/// plus the kind of its image, its head and its query times the strides; without `kinds` all are of one.
typedef struct {
  const float *table;
  int64_t kind_stride, head_stride, token_stride;
  const int32_t *kinds;
} ca_added_scores;

/// softmax(q kᵀ · scale + added) v for each image and head, written to (images, tokens, heads, outputs)
/// without gaps: queries and keys have `width` features, values `outputs`; a null pointer adds nothing. The
/// results do not depend on the number of threads. Returns 0, or -1 if memory is short.
int ca_attention(int build, const ca_tokens *queries, const ca_tokens *keys,
                 const ca_tokens *values, int64_t images, int64_t heads, int64_t tokens,
                 int64_t others, int64_t width, int64_t outputs, float scale,
                 const ca_added_scores *added, float *out, int threads);

/// Normalizes each of `rows` rows of `width` numbers, `stride` apart, to mean 0 and variance 1, then
/// times `weight` plus `bias`; a null pointer leaves a step out. `out` has no gaps.
void ca_layer_norm(int build, const float *in, int64_t rows, int64_t width, int64_t stride,
                   float eps, const float *weight, const float *bias, float *out, int threads);

/// Resizes `in` to `out`, both of one type, bilinearly by the rule of libtorch's `upsample_bilinear2d`: with `aligns` so
/// that the corners' centres stay where they are, otherwise so that the corners do. `down` and `across` are what height and
/// width were multiplied by; 0 stands for the ratio of the sizes. Codes must mean the same in both maps.
/// Returns 0, or -1 if memory is short or the maps do not fit.
int ca_resize(int build, const ca_map *in, const ca_map *out, int aligns, double down,
              double across, int threads);

/// A 1×1 convolution as one of several: its kernels as ca_pack wrote them, the length of that, and what
/// follows.
typedef struct {
  ca_kernels kernels;
  int64_t count;
  const float *bias;
  ca_activation activation;
} ca_stage;

/// Convolves `in` by a 1×1 convolution, the result depthwise and that by another 1×1 convolution to `out`, without maps in
/// between: rows of them are kept as long as they are read, in type float32, of which the maps are, or of bfloat16 where
/// there is no projection. Either of the 1×1 convolutions may be null, not both. The fusion is that of the depthwise
/// convolution, but its map is added to the projection's outputs.
/// Returns 0, or -1 if memory is short or the maps do not fit the kernels.
int ca_depthwise_by_rows(const ca_stage *expansion, const ca_depthwise *kernels,
                         const ca_stage *projection, const ca_map *in, const ca_map *out,
                         const ca_fusion *fusion, int threads);

/// Convolves the channels of all `inputs` maps of one size to `out` by several 1×1 convolutions, one after
/// another, without a map in between.
/// Before the activation of stage `place`, maps of its channels are added, `maps` of them, enlarged
/// bilinearly to the map's size, with `aligns` so that the corners' centres stay where they are.
/// Returns 0, or -1 if memory is short or the maps do not fit the kernels.
int ca_chain(const ca_stage *stages, int count, const ca_map *in, int inputs, const ca_map *out,
             const ca_map *added, int maps, int place, int aligns, int threads);

#ifdef __cplusplus
}
#endif
