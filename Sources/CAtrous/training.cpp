#include "catrous_training.h"
#include "kernels.h"
#include <vector>

using namespace atrous;

namespace {
bool areAlike(const ca_map *a, const ca_map *b) {
  return !b || (a->images == b->images && a->height == b->height && a->width == b->width &&
                a->channels == b->channels);
}

/// Runs a kernel on maps that are all like `x`.
int run(int build, void (*Build::*kernel)(const BatchNormJob &), BatchNormJob job) {
  const Build *own = buildAt(build);
  if (!own || !areAlike(job.x, job.gradient) || !areAlike(job.x, job.y) ||
      !areAlike(job.x, job.addend) || !areAlike(job.x, job.out) || !areAlike(job.x, job.shared))
    return -1;
  if (job.threads < 1) job.threads = 1;
  try {
    (own->*kernel)(job);
    return 0;
  } catch (...) {
    return -1;
  }
}
} // namespace

int ca_statistics(int build, const ca_map *x, float *mean, float *variance, int threads) {
  try {
    std::vector<double> sums(2 * x->channels);
    BatchNormJob job{.x = x, .sums = sums.data(), .threads = threads};
    if (run(build, &Build::statistics, job) != 0) return -1;
    for (int64_t c = 0; c < x->channels; c++) {
      mean[c] = static_cast<float>(sums[c]);
      variance[c] = static_cast<float>(sums[x->channels + c]);
    }
    return 0;
  } catch (...) {
    return -1;
  }
}

int ca_normalize(int build, const ca_map *x, const ca_affine *affine, const ca_map *addend,
                 const ca_map *out, int threads) {
  return run(build, &Build::normalize,
             {.x = x, .addend = addend, .out = out, .affine = affine, .threads = threads});
}

int ca_normalized_sums(int build, const ca_map *x, const ca_map *gradient, const ca_map *y,
                       const ca_affine *affine, const float *mean, double *sums, const ca_map *out,
                       int threads) {
  return run(build, &Build::normalizedSums,
             {.x = x,
              .gradient = gradient,
              .y = y,
              .out = out,
              .affine = affine,
              .mean = mean,
              .sums = sums,
              .threads = threads});
}

int ca_normalized_gradient(int build, const ca_map *x, const ca_map *gradient, const ca_map *y,
                           const ca_affine *affine, const float *mean, const float *slope,
                           const float *offset, const ca_map *out, const ca_map *shared,
                           int threads) {
  return run(build, &Build::normalizedGradient,
             {.x = x,
              .gradient = gradient,
              .y = y,
              .out = out,
              .shared = shared,
              .affine = affine,
              .mean = mean,
              .slope = slope,
              .offset = offset,
              .threads = threads});
}

int ca_add_line(int build, const ca_map *x, const float *mean, const float *slope,
                const float *offset, const ca_map *out, int threads) {
  return run(
      build, &Build::addLine,
      {.x = x, .out = out, .mean = mean, .slope = slope, .offset = offset, .threads = threads});
}

int ca_kernel_gradient(int build, const ca_map *in, const ca_affine *affine, const ca_map *gradient,
                       int size, int stride, int rate, float *out, int threads) {
  const Build *own = buildAt(build);
  if (!own || (size != 1 && size != 3) || stride < 1 || rate < 1 ||
      in->images != gradient->images || gradient->height != (in->height + stride - 1) / stride ||
      gradient->width != (in->width + stride - 1) / stride)
    return -1;
  try {
    own->kernelGradient({.in = *in,
                         .gradient = *gradient,
                         .affine = affine,
                         .size = size,
                         .stride = stride,
                         .rate = rate,
                         .out = out,
                         .threads = threads < 1 ? 1 : threads});
    return 0;
  } catch (...) {
    return -1;
  }
}

void ca_pack_last(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
                  int transposes, float *packed, int threads) {
  const Build *own = buildAt(build);
  if (!own) return;
  own->packLast({.weight = weight,
                 .outputs = outputs,
                 .inputs = inputs,
                 .size = size,
                 .transposes = transposes != 0,
                 .packed = begin(packed, {.version = PackedHeader::current, .build = build}),
                 .threads = threads < 1 ? 1 : threads});
}
