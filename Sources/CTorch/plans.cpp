// Measured plans of CAtrous; see catrous_plans.h.
#include "catrous_plans.h"
#include "door.hpp"

#include <algorithm>
#include <climits>
#include <cstring>
#include <fstream>
#include <vector>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace {
ct_plan outside(const ca_plan &plan) {
  const ca_layer &layer = plan.layer;
  return {layer.threads,     layer.rate,   layer.images,     layer.inputs,   layer.outputs,
          layer.height,      layer.width,  layer.normalizes, plan.way.order, plan.way.largest,
          plan.way.together, plan.seconds, plan.rule_seconds};
}

/// Numbers that do not fit become ones that no layer has.
int small(int64_t number) { return number < 0 || number > INT_MAX ? -1 : static_cast<int>(number); }

ca_plan inside(const ct_plan &plan) {
  const int order = small(plan.order);
  return {{ca_build(""), small(plan.threads), small(plan.rate), plan.images, plan.inputs,
           plan.outputs, plan.height, plan.width, plan.normalizes != 0},
          {order < 0 || order > CA_BY_PANELS ? CA_BY_RULE : static_cast<ca_order>(order),
           small(plan.largest), small(plan.together)},
          plan.seconds,
          plan.rule_seconds};
}
} // namespace

const char *ct_kernels(void) { return ca_name(ca_build("")); }

const char *ct_processor(void) {
  static const std::string name = [] {
    std::string found;
#if defined(__x86_64__)
    unsigned words[12] = {};
    if (__get_cpuid_max(0x80000000, nullptr) >= 0x80000004) {
      for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, words + 4 * i, words + 4 * i + 1, words + 4 * i + 2,
                    words + 4 * i + 3);
      const char *text = reinterpret_cast<const char *>(words);
      found.assign(text, strnlen(text, sizeof words));
    }
#elif defined(__APPLE__)
    char text[128] = {};
    size_t length = sizeof text - 1;
    if (sysctlbyname("machdep.cpu.brand_string", text, &length, nullptr, 0) == 0) found = text;
#else
    // The first lines say what a core is.
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; found.empty() && std::getline(file, line);)
      if (line.rfind("CPU part", 0) == 0 || line.rfind("model name", 0) == 0)
        found = line.substr(line.find(':') + 1);
#endif
    return found.empty() ? std::string("processor") : found;
  }();
  return name.c_str();
}

int ct_set_plans(const ct_plan *plans, int64_t count) {
  return guarded(-1, [&] {
    std::vector<ca_plan> own;
    for (int64_t i = 0; i < count; i++) own.push_back(inside(plans[i]));
    TORCH_CHECK(ca_set_plans(own.data(), count) == 0, "a plan names no way of its layer");
    return 0;
  });
}

void ct_measure_plans(int repeats) { ca_measure(repeats); }

int64_t ct_measured_plans(ct_plan *out, int64_t capacity) {
  return guarded<int64_t>(0, [&] {
    std::vector<ca_plan> own(static_cast<size_t>(ca_measured(nullptr, 0)));
    const int64_t count = ca_measured(own.data(), static_cast<int64_t>(own.size()));
    for (int64_t i = 0; i < std::min({capacity, count, static_cast<int64_t>(own.size())}); i++)
      out[i] = outside(own[static_cast<size_t>(i)]);
    return count;
  });
}

int ct_plan_ways(const ct_plan *layer, ct_plan *out, int capacity) {
  return guarded(0, [&] {
    const ca_plan own = inside(*layer);
    ca_way ways[32];
    const int count = std::min(ca_ways(&own.layer, ways, 32), 32);
    for (int i = 0; i < std::min(count, capacity); i++) {
      out[i] = *layer;
      out[i].order = ways[i].order;
      out[i].largest = ways[i].largest;
      out[i].together = ways[i].together;
    }
    return count;
  });
}

int ct_planned_order(void) { return ca_last_way().order; }
