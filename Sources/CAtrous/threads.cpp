#include "threads.h"

// Entry points of GCC's OpenMP runtime, which LLVM's offers as well.
extern "C" {
__attribute__((weak)) void GOMP_parallel(void (*)(void *), void *, unsigned threads, unsigned);
__attribute__((weak)) int omp_get_thread_num(void);
}

namespace atrous {
namespace {
struct Team {
  std::atomic<int64_t> next{0};
  int64_t count;
  void (*body)(void *, int, int64_t);
  void *context;

  // Whoever is free takes the next index: neighbours on the machine slow threads unevenly.
  void work(int thread) {
    for (;;) {
      int64_t index = next.fetch_add(1, std::memory_order_relaxed);
      if (index >= count) return;
      body(context, thread, index);
    }
  }
};
} // namespace

void parallel(int threads, int64_t count, void (*body)(void *, int, int64_t), void *context) {
  Team team;
  team.count = count;
  team.body = body;
  team.context = context;
  if (threads <= 1 || count <= 1 || !GOMP_parallel || !omp_get_thread_num) return team.work(0);
  GOMP_parallel([](void *team) { static_cast<Team *>(team)->work(omp_get_thread_num()); }, &team,
                static_cast<unsigned>(threads), 0);
}

} // namespace atrous
