// What training needs besides convolutions: batch normalization with what stands around it, and the
// gradients of kernels. All on channels-last maps of type float32.
//
// The results do not depend on the number of threads. The functions return 0, or -1 if memory is short
// or the maps do not fit.
#pragma once
#include "catrous.h"
#ifdef __cplusplus
extern "C" {
#endif

/// Convolves as ca_convolve does, 3×3 by the smallest of Winograd's tiles, whose rounding error is about that
/// of the direct sum: gradients of deep networks at the beginning of training enlarge errors a
/// hundred thousand times.
int ca_convolve_by_small_tiles(const ca_kernels *kernels, int64_t count, const ca_map *in,
                               const ca_map *out, int stride, int rate, const ca_fusion *fusion,
                               int threads);

/// A normalization with known statistics: y = max(0, x · scale + shift + addend), the positive part only
/// if `rectifies`. The arrays have a number for each channel.
typedef struct {
  const float *scale, *shift;
  int rectifies;
} ca_affine;

/// The mean and the mean squared deviation of each channel over all pixels.
int ca_statistics(int build, const ca_map *x, float *mean, float *variance, int threads);

/// Writes y to `out`; `addend` may be null.
int ca_normalize(int build, const ca_map *x, const ca_affine *affine, const ca_map *addend,
                 const ca_map *out, int threads);

/// With g the gradient of y where y is positive: sums[c] = Σ g and sums[channels + c] = Σ g (x - mean).
/// `y` decides what is positive where it is not null, otherwise x does, for an affine without an addend.
/// `out` is increased by g · scale where it is not null.
int ca_normalized_sums(int build, const ca_map *x, const ca_map *gradient, const ca_map *y,
                       const ca_affine *affine, const float *mean, double *sums, const ca_map *out,
                       int threads);

/// out = g · scale + (x - mean) · slope + offset, with g as before; g itself goes to `shared`, the
/// gradient of the addend, where that is not null. Either may be the gradient's own memory.
int ca_normalized_gradient(int build, const ca_map *x, const ca_map *gradient, const ca_map *y,
                           const ca_affine *affine, const float *mean, const float *slope,
                           const float *offset, const ca_map *out, const ca_map *shared,
                           int threads);

/// Adds (x - mean) · slope + offset to `out`.
int ca_add_line(int build, const ca_map *x, const float *mean, const float *slope,
                const float *offset, const ca_map *out, int threads);

/// The gradient (outputs, size, size, inputs) of kernels of size 1 or 3 with a stride, a rate and a
/// padding of rate · (size - 1) / 2, from that of the outputs. The convolution's inputs are `in`, or what
/// `affine` makes of it where it is not null.
int ca_kernel_gradient(int build, const ca_map *in, const ca_affine *affine, const ca_map *gradient,
                       int size, int stride, int rate, float *out, int threads);

/// Packs kernels (outputs, size, size, inputs) as ca_pack does, or those of the gradient of the
/// inputs if `transposes`: of `inputs` outputs and `outputs` inputs, turned around.
void ca_pack_last(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
                  int transposes, float *packed, int threads);

#ifdef __cplusplus
}
#endif
