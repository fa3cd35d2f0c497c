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

/// The same with 1×1 kernels of other cells, and 3×3 ones that multiply sixteen bits.
template <typename Cell> constexpr Build reduced(const char *name) {
  Build build = buildNamed(name);
  build.numbers = Cell::numbers;
  build.pointwise = pointwise<Cell>;
  build.winograd = winograd<HalfProducts>;
  build.codes = convolveDirectly<std::conditional_t<Cell::numbers == 4, CodeCell, HalfCell>>;
  if (Cell::numbers == 4) {
    build.poolCodes = poolCodes;
    build.decode = decode;
    build.meanOfCodes = meanOfCodes;
    build.scaleHalves = scaleHalves;
  }
  return build;
}
} // namespace in_avx512
} // namespace atrous
#pragma clang attribute pop

constinit const atrous::Build atrous::avx512 = atrous::in_avx512::buildNamed("avx512");
constinit const atrous::Build atrous::avx512_bf16 =
    atrous::in_avx512::reduced<atrous::in_avx512::BFloat16Cell>("avx512_bf16");
constinit const atrous::Build atrous::avx512_vnni =
    atrous::in_avx512::reduced<atrous::in_avx512::Int8Cell>("avx512_vnni");
#endif
