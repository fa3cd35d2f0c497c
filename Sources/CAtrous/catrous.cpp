#include "axes.h"
#include "catrous.h"
#include "kernels.h"
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace atrous {
namespace {
bool has(const Build &build) {
#if defined(__x86_64__)
  if (&build == &avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  if (&build == &avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return true;
}

constexpr const Build *builds[] = {
#if defined(__x86_64__)
    &avx512, &avx2,
#endif
    &portable};
constexpr int count = sizeof builds / sizeof *builds;

constexpr int64_t HEADER = packedHeader;

struct Release {
  void operator()(float *p) const { free(p); }
};
thread_local std::unique_ptr<float, Release> kept;
thread_local int64_t keptCount = 0;

std::unique_ptr<float, Release> allocated(int64_t count) {
  void *p = nullptr;
  if (posix_memalign(&p, 64, static_cast<size_t>(count) * sizeof(float) + 64) != 0)
    throw std::bad_alloc();
  return std::unique_ptr<float, Release>(static_cast<float *>(p));
}
} // namespace

const Build *buildAt(int number) {
  return number >= 0 && number < count && has(*builds[number]) ? builds[number] : nullptr;
}

float *workspace(int64_t count) {
  if (count > keptCount) {
    kept.reset();
    keptCount = 0;
    kept = allocated(count);
    keptCount = count;
  }
  return kept.get();
}
} // namespace atrous

using namespace atrous;

int ca_build(const char *instructions) {
  for (int i = 0; i < count; i++)
    if ((!*instructions || strcmp(builds[i]->name, instructions) == 0) && has(*builds[i])) return i;
  return -1;
}

const char *ca_name(int build) { return builds[build]->name; }

int64_t ca_packed_count(int build, int64_t outputs, int64_t inputs, int size) {
  const int64_t panel = builds[build]->panel;
  return HEADER + (outputs + panel - 1) / panel * panel * size * size * inputs;
}

void ca_pack(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
             float *packed) {
  const int64_t panel = builds[build]->panel, area = int64_t(size) * size;
  for (int64_t i = 0; i < HEADER; i++) *packed++ = static_cast<float>(build);
  for (int64_t begin = 0; begin < outputs; begin += panel)
    for (int64_t tap = 0; tap < area; tap++)
      for (int64_t k = 0; k < inputs; k++)
        for (int64_t output = begin; output < begin + panel; output++)
          *packed++ = output < outputs ? weight[(output * inputs + k) * area + tap] : 0;
}

namespace {
int convolve(void (*Build::*winograd)(const Job &), const ca_kernels *kernels, int64_t length,
             const ca_map *in, const ca_map *out, int stride, int rate, const ca_fusion *fusion,
             int threads) {
  const int build = length > HEADER ? static_cast<int>(kernels->packed[0]) : -1;
  const int step = kernels->size == 1 ? stride : 1;
  if (build < 0 || build >= count || !has(*builds[build]) ||
      (kernels->size != 1 && kernels->size != 3) ||
      length != ca_packed_count(build, kernels->outputs, kernels->inputs, kernels->size) ||
      in->channels != kernels->inputs || step < 1 || rate < 1 ||
      out->channels != kernels->outputs || out->images != in->images ||
      out->height != (in->height + step - 1) / step || out->width != (in->width + step - 1) / step)
    return -1;
  ca_kernels own = *kernels;
  own.packed += HEADER;
  try {
    const Job job{own, *in, *out, step, rate, threads < 1 ? 1 : threads, *fusion};
    (own.size == 1 ? builds[build]->pointwise : builds[build]->*winograd)(job);
    return 0;
  } catch (...) {
    return -1;
  }
}
} // namespace

int ca_convolve(const ca_kernels *kernels, int64_t count, const ca_map *in, const ca_map *out,
                int stride, int rate, const ca_fusion *fusion, int threads) {
  return convolve(&Build::winograd, kernels, count, in, out, stride, rate, fusion, threads);
}

int ca_convolve_finely(const ca_kernels *kernels, int64_t count, const ca_map *in,
                       const ca_map *out, int stride, int rate, const ca_fusion *fusion,
                       int threads) {
  return convolve(&Build::winogradFinely, kernels, count, in, out, stride, rate, fusion, threads);
}

namespace {
int64_t tapsPitch(int64_t channels) { return channels < 16 ? 16 : channels; }

using Kernel = void (*Build::*)(const DepthwiseJob &);

int depthwise(int build, Kernel kernel, const DepthwiseJob &job) {
  const ca_depthwise &kernels = job.kernels;
  if (build < 0 || build >= count || !has(*builds[build]) || kernels.size < 1 ||
      kernels.size > mostTaps || kernels.stride < 1 || kernels.rate < 1 || kernels.padding < 0 ||
      job.around.channels != kernels.channels || job.at.channels != kernels.channels ||
      job.around.images != job.at.images)
    return -1;
  try {
    (builds[build]->*kernel)(job);
    return 0;
  } catch (...) {
    return -1;
  }
}

constexpr ca_fusion nothing{};
int atLeastOne(int threads) { return threads < 1 ? 1 : threads; }
} // namespace

int64_t ca_depthwise_count(int64_t channels, int size) {
  return tapsPitch(channels) * size * size;
}

void ca_depthwise_pack(const float *weight, int64_t channels, int size, float *taps) {
  const int64_t area = int64_t(size) * size, pitch = tapsPitch(channels);
  for (int64_t tap = 0; tap < area; tap++)
    for (int64_t c = 0; c < pitch; c++)
      taps[tap * pitch + c] = c < channels ? weight[c * area + tap] : 0;
}

void ca_depthwise_unpack(const float *taps, int64_t channels, int size, float *weight) {
  const int64_t area = int64_t(size) * size, pitch = tapsPitch(channels);
  for (int64_t tap = 0; tap < area; tap++)
    for (int64_t c = 0; c < channels; c++) weight[c * area + tap] = taps[tap * pitch + c];
}

int ca_depthwise_convolve(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                          const ca_map *out, const ca_fusion *fusion, int threads) {
  if (fusion->scale || fusion->shift) return -1;
  return depthwise(build, &Build::depthwise,
                   {*kernels, type, *in, *out, atLeastOne(threads), *fusion, nullptr});
}

int ca_depthwise_transpose(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *out, int threads) {
  return depthwise(build, &Build::depthwiseTransposed,
                   {*kernels, type, *in, *out, atLeastOne(threads), nothing, nullptr});
}

int ca_depthwise_correlate(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *gradient, float *taps, int threads) {
  return depthwise(build, &Build::depthwiseTaps,
                   {*kernels, type, *in, *gradient, atLeastOne(threads), nothing, taps});
}

double ca_products(int64_t height, int64_t width, int rate) {
  auto along = [&](int64_t length) {
    double count = 0;
    for (const AxisTile &tile : cut(length, rate, F6)) count += productsOf[tile.kind];
    return count / static_cast<double>(length);
  };
  return along(height) * along(width);
}
