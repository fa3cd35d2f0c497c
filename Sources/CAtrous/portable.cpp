#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>

namespace atrous {
namespace in_portable {
#define LANES 4
#if defined(__aarch64__)
#define COLUMNS 4
#define ROWS 6
#else
#define COLUMNS 2
#define ROWS 4
#endif
#include "kernels.inc"
#include "depthwise.inc"
#include "attention.inc"
#include "norm.inc"
#include "chain.inc"
#include "fine.inc"
#include "normalization.inc"
#include "gradients.inc"
} // namespace in_portable
} // namespace atrous

const atrous::Build atrous::portable = {
    "portable",
    atrous::in_portable::PANEL,
    atrous::in_portable::pointwise,
    atrous::in_portable::winograd,
    atrous::in_portable::depthwise,
    atrous::in_portable::depthwiseTransposed,
    atrous::in_portable::depthwiseTaps,
    atrous::in_portable::attention,
    atrous::in_portable::layerNorm,
    atrous::in_portable::chain,
    atrous::in_portable::winogradFinely,
    atrous::in_portable::statistics,
    atrous::in_portable::normalize,
    atrous::in_portable::normalizedSums,
    atrous::in_portable::normalizedGradient,
    atrous::in_portable::addLine,
    atrous::in_portable::kernelGradient,
    atrous::in_portable::packLast,
};
