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

const Build *const builds[] = {
#if defined(__x86_64__)
    &avx512, &avx2,
#endif
    &portable};

const Build *&current() {
  static const Build *build = [] {
    for (const Build *build : builds)
      if (has(*build)) return build;
    return &portable;
  }();
  return build;
}

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

int64_t ca_packed_count(int64_t outputs, int64_t inputs, int size) {
  const int64_t panel = current()->panel;
  return (outputs + panel - 1) / panel * panel * size * size * inputs;
}

void ca_pack(const float *weight, int64_t outputs, int64_t inputs, int size, float *packed) {
  const int64_t panel = current()->panel, area = int64_t(size) * size;
  for (int64_t begin = 0; begin < outputs; begin += panel)
    for (int64_t tap = 0; tap < area; tap++)
      for (int64_t k = 0; k < inputs; k++)
        for (int64_t output = begin; output < begin + panel; output++)
          *packed++ = output < outputs ? weight[(output * inputs + k) * area + tap] : 0;
}

int ca_convolve(const ca_kernels *kernels, const ca_map *in, const ca_map *out, int stride,
                int rate, const ca_fusion *fusion, int threads) {
  const Build &build = *current();
  const int step = kernels->size == 1 ? stride : 1;
  if ((kernels->size != 1 && kernels->size != 3) || in->channels != kernels->inputs || step < 1 || rate < 1 ||
      out->channels != kernels->outputs || out->images != in->images ||
      out->height != (in->height + step - 1) / step || out->width != (in->width + step - 1) / step)
    return -1;
  try {
    const Job job{*kernels, *in, *out, step, rate, threads < 1 ? 1 : threads, *fusion};
    (kernels->size == 1 ? build.pointwise : build.winograd)(job);
    return 0;
  } catch (...) {
    return -1;
  }
}

double ca_products(int64_t height, int64_t width, int rate) {
  auto along = [&](int64_t length) {
    double count = 0;
    for (const AxisTile &tile : cut(length, rate)) count += productsOf[tile.kind];
    return count / static_cast<double>(length);
  };
  return along(height) * along(width);
}

const char *ca_instructions(void) { return current()->name; }

int ca_use_instructions(const char *name) {
  for (const Build *build : builds)
    if (strcmp(build->name, name) == 0 && has(*build)) {
      current() = build;
      return 0;
    }
  return -1;
}
