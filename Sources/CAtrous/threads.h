// Work on several threads: those of the OpenMP runtime that libtorch has loaded, so that there is
// one pool in the process; the calling thread alone where there is none.
#pragma once
#include <atomic>
#include <cstdint>

namespace atrous {

/// Calls `body(context, thread, index)` for each index below `count`.
void parallel(int threads, int64_t count, void (*body)(void *, int, int64_t), void *context);

/// The same for a closure.
template <typename Body> void parallel(int threads, int64_t count, Body &&body) {
  parallel(
      threads, count,
      [](void *context, int thread, int64_t index) {
        (*static_cast<Body *>(context))(thread, index);
      },
      &body);
}

} // namespace atrous
