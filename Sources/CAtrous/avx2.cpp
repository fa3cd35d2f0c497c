#if defined(__x86_64__)
#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>

#pragma clang attribute push(                                                                     \
    __attribute__((target("avx2,fma"))), apply_to = function)
namespace atrous {
namespace in_avx2 {
#define LANES 8
#define COLUMNS 2
#define ROWS 6
#include "kernels.inc"
#include "depthwise.inc"
#include "attention.inc"
#include "norm.inc"
#include "chain.inc"
#include "fine.inc"
#include "normalization.inc"
#include "gradients.inc"
} // namespace in_avx2
} // namespace atrous
#pragma clang attribute pop

const atrous::Build atrous::avx2 = {
    "avx2",
    atrous::in_avx2::PANEL,
    atrous::in_avx2::pointwise,
    atrous::in_avx2::winograd,
    atrous::in_avx2::depthwise,
    atrous::in_avx2::depthwiseTransposed,
    atrous::in_avx2::depthwiseTaps,
    atrous::in_avx2::attention,
    atrous::in_avx2::layerNorm,
    atrous::in_avx2::chain,
    atrous::in_avx2::winogradFinely,
    atrous::in_avx2::statistics,
    atrous::in_avx2::normalize,
    atrous::in_avx2::normalizedSums,
    atrous::in_avx2::normalizedGradient,
    atrous::in_avx2::addLine,
    atrous::in_avx2::kernelGradient,
    atrous::in_avx2::packLast,
};
#endif
