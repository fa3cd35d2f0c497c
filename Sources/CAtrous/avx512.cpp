#if defined(__x86_64__)
#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>

#pragma clang attribute push( \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
namespace atrous {
namespace in_avx512 {
#define LANES 16
#define COLUMNS 2
#define ROWS 12
#include "build.inc"

/// With 1×1 kernels of bfloat16, and 3×3 ones that multiply sixteen bits.
constexpr Build halfBuild() {
  Build build = buildNamed("avx512_bf16");
  build.numbers = BFloat16Cell::numbers;
  build.pointwise = pointwise<BFloat16Cell>;
  build.winograd = winograd<HalfProducts>;
  build.codes = convolveDirectly<HalfCell>;
  return build;
}
constexpr Build wholeBuild() {
  Build build = codedBuild<CodeProducts>("avx512_vnni");
  build.winograd = winograd<HalfProducts>;
  return build;
}
} // namespace in_avx512
} // namespace atrous
#pragma clang attribute pop

constinit const atrous::Build atrous::avx512 = atrous::in_avx512::buildNamed("avx512");
constinit const atrous::Build atrous::avx512_bf16 = atrous::in_avx512::halfBuild();
constinit const atrous::Build atrous::avx512_vnni = atrous::in_avx512::wholeBuild();
#endif
