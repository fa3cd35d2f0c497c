// Maps of type bfloat16 by themselves, for builds that have codes. ca_pool_codes and ca_mean_of_codes take them as they
// take maps of codes.
#pragma once
#include "catrous.h"
#ifdef __cplusplus
extern "C" {
#endif

/// Writes a map of type bfloat16 to one of that type or float32, each number times its channel's `scale` plus its `shift`
/// unless both are null. Returns 0, or -1 for a build that has no codes or maps of different shapes.
int ca_scale_map(int build, const ca_map *in, const float *scale, const float *shift,
                 const ca_map *out, int threads);

#ifdef __cplusplus
}
#endif
