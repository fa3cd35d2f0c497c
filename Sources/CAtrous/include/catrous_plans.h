// Which of several ways a 3×3 convolution takes on this machine, found by measuring.
//
// Each way gives the same sums but for rounding. Without plans, and where a plan does not fit, rules choose.
#pragma once
#include "catrous.h"
#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
  CA_BY_RULE,
  /// Each thread takes a few tiles from the map to the outputs; for no more than 256 inputs.
  CA_BY_TILES,
  /// Threads share many tiles and take a panel of kernels each.
  CA_BY_PANELS,
} ca_order;

/// One way; 0 in a field leaves it to the rules.
typedef struct {
  ca_order order;
  /// The largest tiles: of 4 or of 6 outputs along an axis.
  int largest;
  /// What is worked off at once: by tiles, tiles; by panels, products for each pair of channels.
  int together;
} ca_way;

/// A convolution of size 3 with a stride of 1, as far as its time depends on it.
typedef struct {
  int build, threads, rate;
  int64_t images, inputs, outputs, height, width;
  /// Whether inputs are normalized on the way in.
  int normalizes;
} ca_layer;

/// What was measured for a layer: the seconds of a way and those of the rules' way.
typedef struct {
  ca_layer layer;
  ca_way way;
  double seconds, rule_seconds;
} ca_plan;

/// The most ways that a layer has.
enum { CA_MOST_WAYS = 12 };
/// The ways that may pay for a layer; returns how many there are, those past `capacity` are dropped.
int ca_ways(const ca_layer *layer, ca_way *out, int capacity);

/// Has the layers of these plans take their ways from now on, all others the rules'. Returns 0, or -1
/// without a change if memory is short or one of the ways is none of its layer.
int ca_set_plans(const ca_plan *plans, int64_t count);
/// The way that the calling thread's last convolution of size 3 took by a plan.
ca_way ca_last_way(void);

/// Has every layer that comes from now on measured on the maps that it gets, once, each way `repeats`
/// times in turn; 0 ends that. What was measured before is forgotten at the beginning.
void ca_measure(int repeats);
/// What was measured: for each layer the way that was clearly the fastest, or that of order CA_BY_RULE.
/// Returns how many there are, those past `capacity` are dropped.
int64_t ca_measured(ca_plan *out, int64_t capacity);

#ifdef __cplusplus
}
#endif
