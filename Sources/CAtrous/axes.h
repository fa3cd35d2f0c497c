// Which numbers of a map a kernel's taps meet along one axis.
#pragma once
#include "catrous.h"
#include <algorithm>
#include <vector>

namespace atrous {

/// Places along an axis, `step` apart, that meet the same taps; what lies beyond the map meets none.
struct Run {
  int64_t start, count;
  int taps;
  int tap[CA_MOST_TAPS];
  /// Where each tap is met at the first place, in ascending order; it moves by `Axis::move` from place to place.
  int64_t source[CA_MOST_TAPS];
};

struct Axis {
  int64_t step, move;
  /// The run of one place for each place.
  std::vector<Run> places;
  /// All places in longer runs.
  std::vector<Run> runs;

  /// An axis of `length` places that look at `sourceLength` others: the outputs of a convolution at
  /// its inputs, or, `isTransposed`, the inputs at the outputs that they go into.
  Axis(int64_t length, int64_t sourceLength, const ca_depthwise &kernels, bool isTransposed)
      : step(isTransposed ? kernels.stride : 1), move(isTransposed ? 1 : kernels.stride) {
    places.reserve(length);
    for (int64_t place = 0; place < length; place++) {
      Run run{place, 1, 0, {}, {}};
      for (int i = 0; i < kernels.size; i++) {
        // Memory is met in its own order.
        const int tap = isTransposed ? kernels.size - 1 - i : i;
        const int64_t reach = int64_t(tap) * kernels.rate - kernels.padding;
        int64_t source = isTransposed ? place - reach : place * kernels.stride + reach;
        if (isTransposed) {
          if (source < 0 || source % kernels.stride != 0) continue;
          source /= kernels.stride;
        }
        if (source < 0 || source >= sourceLength) continue;
        run.tap[run.taps] = tap;
        run.source[run.taps++] = source;
      }
      places.push_back(run);
    }
    firsts.resize(length);
    int64_t first = sourceLength;
    for (int64_t place = length - 1; place >= 0; place--) {
      const Run &run = places[place];
      if (run.taps) first = std::min(first, run.source[0]);
      firsts[place] = first;
    }
    for (int64_t phase = 0; phase < step && phase < length; phase++)
      for (int64_t place = phase; place < length; place += step) {
        const Run &next = places[place];
        if (place > phase && follows(runs.back(), next))
          runs.back().count++;
        else
          runs.push_back(next);
      }
  }

  /// The last source that a place meets; -1 if it meets none.
  int64_t last(int64_t place) const {
    const Run &run = places[place];
    return run.taps == 0 ? -1 : run.source[run.taps - 1];
  }
  /// The first source that a place or one after it meets.
  int64_t first(int64_t place) const { return firsts[place]; }
  /// How many rows of sources a ring buffer has to hold for outputs that are computed from top to
  /// bottom.
  int64_t span() const {
    int64_t span = 1, reached = 0;
    for (size_t place = 0; place < places.size(); place++) {
      reached = std::max(reached, last(place));
      span = std::max(span, reached - firsts[place] + 1);
    }
    return span;
  }

private:
  std::vector<int64_t> firsts;

  bool follows(const Run &run, const Run &next) const {
    if (run.taps != next.taps) return false;
    for (int i = 0; i < run.taps; i++)
      if (run.tap[i] != next.tap[i] || run.source[i] + run.count * move != next.source[i])
        return false;
    return true;
  }
};

} // namespace atrous
