// How convolutions find their way; see catrous_plans.h.
#pragma once
#include "catrous_plans.h"

namespace atrous {

/// Convolves to a map in one of the ways.
struct Attempt {
  void (*run)(void *context, const ca_map &out, ca_way way);
  void *context;
};

/// The way of a layer by its plan. Where measuring is on and the layer is new it is measured first, on a
/// map of its own like `out`.
ca_way wayOf(const ca_layer &layer, const ca_map &out, Attempt attempt);

} // namespace atrous
