#if defined(__x86_64__)
#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>

#pragma clang attribute push(                                                                     \
    __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma"))), apply_to = function)
namespace atrous {
namespace in_avx512 {
#define LANES 16
#define COLUMNS 2
#define ROWS 12
#include "kernels.inc"
#include "depthwise.inc"
#include "attention.inc"
#include "norm.inc"
#include "chain.inc"
#include "fine.inc"
#include "normalization.inc"
#include "gradients.inc"
} // namespace in_avx512
} // namespace atrous
#pragma clang attribute pop

const atrous::Build atrous::avx512 = {
    "avx512",
    atrous::in_avx512::PANEL,
    atrous::in_avx512::pointwise,
    atrous::in_avx512::winograd,
    atrous::in_avx512::depthwise,
    atrous::in_avx512::depthwiseTransposed,
    atrous::in_avx512::depthwiseTaps,
    atrous::in_avx512::attention,
    atrous::in_avx512::layerNorm,
    atrous::in_avx512::chain,
    atrous::in_avx512::winogradFinely,
    atrous::in_avx512::statistics,
    atrous::in_avx512::normalize,
    atrous::in_avx512::normalizedSums,
    atrous::in_avx512::normalizedGradient,
    atrous::in_avx512::addLine,
    atrous::in_avx512::kernelGradient,
    atrous::in_avx512::packLast,
};
#endif
