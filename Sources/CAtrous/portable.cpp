#include "axes.h"
#include "kernels.h"
#include "threads.h"
#include <math.h>
#include <type_traits>
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

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
#include "build.inc"
} // namespace in_portable
} // namespace atrous

constinit const atrous::Build atrous::portable = atrous::in_portable::buildNamed("portable");
#if defined(__aarch64__)
constinit const atrous::Build atrous::neon_i8mm =
    atrous::in_portable::codedBuild<atrous::in_portable::CodeProducts>("neon_i8mm");
constinit const atrous::Build atrous::neon_dotprod =
    atrous::in_portable::codedBuild<atrous::in_portable::SignedProducts>("neon_dotprod");
#endif
