#include "plans.h"
#include "kernel_limits.h"
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <time.h>
#include <tuple>
#include <vector>

namespace atrous {
namespace {
/// A way has to be this much faster than the rules', twice.
constexpr double clearly = 0.95;

using Key = std::tuple<int, int, int, int64_t, int64_t, int64_t, int64_t, int64_t, int>;
Key key(const ca_layer &layer) {
  return {layer.build,   layer.threads, layer.rate,  layer.images,         layer.inputs,
          layer.outputs, layer.height,  layer.width, layer.normalizes != 0};
}

/// Readers are many and never wait for each other; `isInUse` spares them the lock where there is nothing.
std::shared_mutex guard;
std::map<Key, ca_way> plans;
std::map<Key, ca_plan> measured;
std::atomic<bool> isInUse{false};
std::atomic<int> repeatsOfEach{0};
thread_local ca_way last{};

std::vector<ca_way> waysOf(const ca_layer &layer) {
  std::vector<ca_way> ways;
  const bool canTakeTiles = layer.inputs >= 1 && layer.inputs <= DEPTH &&
                            layer.outputs <= MOST_COMBINED_BEFORE / layer.inputs;
  for (int largest : largestTiles) {
    if (canTakeTiles)
      for (int together : tilesTogether) ways.push_back({CA_BY_TILES, largest, together});
    for (int together : productsTogether)
      if (together <= MOST_PRODUCTS_OF_MANY || layer.outputs <= MANY_OUTPUTS)
        ways.push_back({CA_BY_PANELS, largest, together});
  }
  return ways;
}

bool isWay(const ca_layer &layer, const ca_way &way) {
  for (const ca_way &other : waysOf(layer))
    if (other.order == way.order && other.largest == way.largest && other.together == way.together)
      return true;
  return false;
}

double now(bool isAlone) {
  timespec time;
  // A thread's own time is not that of others on the machine.
  clock_gettime(isAlone ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

/// The median seconds of each way, which take turns in alternating order.
std::vector<double> times(const std::vector<ca_way> &ways, int repeats, const ca_map &out,
                          Attempt attempt, bool isAlone) {
  std::vector<std::vector<double>> seconds(ways.size());
  for (int turn = 0; turn <= repeats; turn++)
    for (size_t i = 0; i < ways.size(); i++) {
      const size_t way = turn % 2 ? ways.size() - 1 - i : i;
      const double start = now(isAlone);
      attempt.run(attempt.context, out, ways[way]);
      // The first turn takes memory.
      if (turn > 0) seconds[way].push_back(now(isAlone) - start);
    }
  std::vector<double> medians;
  for (auto &all : seconds) {
    std::sort(all.begin(), all.end());
    medians.push_back(all[all.size() / 2]);
  }
  return medians;
}

/// The fastest way that beats the rules' clearly, once among all and once alone with it.
ca_plan measure(const ca_layer &layer, int repeats, const ca_map &out, Attempt attempt) {
  std::vector<float> memory(static_cast<size_t>((out.images - 1) * out.image_stride +
                                                (out.height - 1) * out.row_stride +
                                                (out.width - 1) * out.pixel_stride + out.channels));
  ca_map target = out;
  target.data = memory.data();
  std::vector<ca_way> ways = waysOf(layer);
  ways.insert(ways.begin(), ca_way{});
  const bool isAlone = layer.threads == 1;
  const auto all = times(ways, repeats, target, attempt, isAlone);
  const size_t best = static_cast<size_t>(std::min_element(all.begin(), all.end()) - all.begin());
  if (all[best] >= clearly * all[0]) return {layer, {}, all[0], all[0]};
  const auto pair = times({ways[0], ways[best]}, repeats, target, attempt, isAlone);
  if (pair[1] >= clearly * pair[0]) return {layer, {}, pair[0], pair[0]};
  return {layer, ways[best], pair[1], pair[0]};
}
} // namespace

ca_way wayOf(const ca_layer &layer, const ca_map &out, Attempt attempt) {
  last = {};
  if (!isInUse.load(std::memory_order_acquire)) return last;
  const Key own = key(layer);
  if (const int repeats = repeatsOfEach.load()) {
    // One layer at a time, or they would measure each other.
    std::unique_lock lock(guard);
    if (!measured.count(own)) measured[own] = measure(layer, repeats, out, attempt);
    return last;
  }
  std::shared_lock lock(guard);
  const auto found = plans.find(own);
  if (found != plans.end()) last = found->second;
  return last;
}
} // namespace atrous

using namespace atrous;

int ca_ways(const ca_layer *layer, ca_way *out, int capacity) {
  const auto ways = waysOf(*layer);
  for (int i = 0; i < capacity && i < static_cast<int>(ways.size()); i++) out[i] = ways[i];
  return static_cast<int>(ways.size());
}

int ca_set_plans(const ca_plan *given, int64_t count) {
  try {
    std::map<Key, ca_way> next;
    for (int64_t i = 0; i < count; i++) {
      if (!isWay(given[i].layer, given[i].way)) return -1;
      next[key(given[i].layer)] = given[i].way;
    }
    std::unique_lock lock(guard);
    plans.swap(next);
    isInUse = !plans.empty() || repeatsOfEach > 0;
    return 0;
  } catch (...) {
    return -1;
  }
}

ca_way ca_last_way(void) { return last; }

void ca_measure(int repeats) {
  std::unique_lock lock(guard);
  if (repeats > 0) measured.clear();
  repeatsOfEach = repeats > 0 ? repeats : 0;
  isInUse = !plans.empty() || repeats > 0;
}

int64_t ca_measured(ca_plan *out, int64_t capacity) {
  std::shared_lock lock(guard);
  int64_t count = 0;
  for (const auto &[key, plan] : measured)
    if (count++ < capacity) out[count - 1] = plan;
  return count;
}
