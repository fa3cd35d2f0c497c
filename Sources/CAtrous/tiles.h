// How one axis of a sub-image is cut into tiles, and what each kind of tile multiplies.
#pragma once
#include <cstdint>
#include <vector>

namespace atrous {

/// The kinds of tiles along an axis. F2 to F6 are Winograd's F(m, 3) for m outputs of m + 2 inputs.
/// WHOLE2 and WHOLE1 are whole sub-images of two and one pixels, around which there is only
/// padding.
enum Kind : uint8_t { F2, F3, F4, F5, F6, WHOLE2, WHOLE1 };

constexpr int outputsOf[] = {2, 3, 4, 5, 6, 2, 1};
constexpr int inputsOf[] = {4, 5, 6, 7, 8, 2, 1};
/// Products along the axis.
constexpr int productsOf[] = {4, 5, 6, 7, 8, 3, 1};
/// Where the first input lies, counted from the first output.
constexpr int leadOf[] = {-1, -1, -1, -1, -1, 0, 0};

/// How many combinations of the taps g0, g1, g2 there are, the kernels' side of the products.
/// Winograd's kinds evaluate g0 + g1 x + g2 x² at 0, ∞, 1, -1, 2, -2, 1/2, -1/2 in this order, so
/// that smaller tiles share the combinations of larger ones; what depends on the tile is in the
/// transforms of the maps. The other kinds multiply with g1, g2 - g1 and g0 - g1.
constexpr int combinations = 11;
/// How much of each tap is in a combination; `transformKernel` gives several at once.
constexpr float tapsOf[combinations][3] = {{1, 0, 0}, {0, 0, 1},  {1, 1, 1}, {1, -1, 1},
                                           {1, 2, 4}, {1, -2, 4}, {4, 2, 1}, {4, -2, 1},
                                           {0, 1, 0}, {0, -1, 1}, {1, -1, 0}};
/// The most inputs, and products, that a tile has along an axis.
constexpr int sideOfTiles = 8;
/// The combination that the first product of a kind uses; the others follow.
constexpr int firstOf[] = {0, 0, 0, 0, 0, 8, 8};

struct AxisTile {
  int start; ///< the first output's pixel
  Kind kind;
};

/// The tiles of all sub-images of rate `rate` along an axis; F2, F4 or F6 is the largest kind. With
/// F2, whose rounding errors are the least, F3 takes what would be left over.
inline std::vector<AxisTile> cut(int64_t length, int rate, Kind largest) {
  std::vector<AxisTile> tiles;
  for (int phase = 0; phase < rate && phase < length; phase++) {
    int64_t left = (length - phase + rate - 1) / rate;
    int start = phase;
    auto add = [&](Kind kind) {
      tiles.push_back({start, kind});
      start += outputsOf[kind] * rate;
      left -= outputsOf[kind];
    };
    if (left == 1) add(WHOLE1);
    if (left == 2) add(WHOLE2);
    if (largest == F2)
      while (left > 0) add(left == 3 ? F3 : F2);
    if (largest == F6)
      // Never one left, nor two where two tiles of four take as many products.
      while (left > 8 || left == 6) add(F6);
    if (left == 5 && largest == F6) add(F5);
    while (left > 0) add(left == 4 || left > 5 ? F4 : left == 2 ? F2 : F3);
  }
  return tiles;
}

} // namespace atrous
