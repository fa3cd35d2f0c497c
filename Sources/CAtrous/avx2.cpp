#if defined(__x86_64__)
#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
namespace atrous {
namespace in_avx2 {
#define LANES 8
#define COLUMNS 2
#define ROWS 6
#include "build.inc"
} // namespace in_avx2
} // namespace atrous
#pragma clang attribute pop

constinit const atrous::Build atrous::avx2 = atrous::in_avx2::buildNamed("avx2");
constinit const atrous::Build atrous::avx_vnni =
    atrous::in_avx2::codedBuild<atrous::in_avx2::CodeProducts>("avx_vnni");
#endif
