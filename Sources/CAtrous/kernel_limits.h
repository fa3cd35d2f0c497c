// The limits of the kernels: what has room on a stack or in a cache, in one place.
#pragma once
#include "catrous.h"
#include "catrous_plans.h"
#include "tiles.h"

namespace atrous {

/// Numbers in a line of the cache.
constexpr int LINE = 16;
/// Inputs that are worked off at once, and the distance between rows of them: a little more, or
/// rows would compete for the same lines of the cache.
constexpr int DEPTH = 256, PITCH = DEPTH + LINE;

/// Products of tiles that threads work off together by the rules, for each pair of channels: what
/// they multiply stays in the third cache.
constexpr int PRODUCTS_TOGETHER = 8192;
/// Tiles that a thread works off by itself by the rules, and the most that a plan may name: what
/// they multiply stays in the second cache, and their places lie on the stack.
constexpr int TILES_TOGETHER = 12, MOST_TILES = 24;
/// Kernels, inputs times outputs, that are combined before the tiles come: the most by the rules,
/// and the most of a plan.
constexpr int64_t COMBINED_BEFORE = 32768, MOST_COMBINED_BEFORE = 65536;
/// With the smallest tiles: the most outputs.
constexpr int64_t SMALL_OUTPUTS = 256;

/// What plans choose among; see catrous_plans.h.
constexpr int largestTiles[] = {4, 6};
constexpr int tilesTogether[] = {6, TILES_TOGETHER, MOST_TILES};
constexpr int productsTogether[] = {4096, PRODUCTS_TOGETHER, 16384};
/// Panels' sums of all outputs lie in memory meanwhile: more outputs take no more products together.
constexpr int MANY_OUTPUTS = 256, MOST_PRODUCTS_OF_MANY = PRODUCTS_TOGETHER;

template <int count> constexpr bool areAtMost(const int (&numbers)[count], int most) {
  for (int number : numbers)
    if (number < 1 || number > most) return false;
  return true;
}
template <int count> constexpr int lengthOf(const int (&)[count]) { return count; }

static_assert(areAtMost(tilesTogether, MOST_TILES), "tiles of a plan have no place on the stack");
static_assert(CA_MOST_WAYS ==
              lengthOf(largestTiles) * (lengthOf(tilesTogether) + lengthOf(productsTogether)));
static_assert(areAtMost(inputsOf, sideOfTiles) && areAtMost(productsOf, sideOfTiles));
static_assert(combinations * combinations <= 256, "a pair of combinations is kept in eight bits");

} // namespace atrous
