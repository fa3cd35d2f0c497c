// The kernels of CAtrous by themselves against direct sums in double precision, for processors that no one has at hand:
// Scripts/check-neon builds this for AArch64 and runs it under emulation.
//
//     check SET…      expects the processor to have these instruction sets and no others
#include "catrous.h"
#include "catrous_halves.h"
#include "catrous_training.h"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {
int checks = 0, failures = 0;
const char *set = "";

void expect(bool holds, const std::string &what, double found) {
  checks++;
  if (holds) return;
  failures++;
  if (failures < 20) fprintf(stderr, "%s: %s: %g\n", set, what.c_str(), found);
}

uint64_t state = 1;
/// The same numbers in every run (Vigna's SplitMix64).
uint64_t bits() {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}
int number(int low, int high) {
  return low + static_cast<int>(bits() % static_cast<uint64_t>(high - low + 1));
}
bool sometimes() { return number(0, 1) == 1; }
float noise() { return static_cast<float>(number(-1000, 1000)) / 500; }

std::vector<float> some(int64_t count, float (*draw)() = noise) {
  std::vector<float> result(static_cast<size_t>(count));
  for (float &x : result) x = draw();
  return result;
}
/// Memory that begins with a line of the cache, as packed kernels do.
struct Packed {
  float *data;
  int64_t count;
  explicit Packed(int64_t count)
      : data(static_cast<float *>(
            aligned_alloc(64, static_cast<size_t>((count * 4 + 63) / 64 * 64)))),
        count(count) {}
  Packed(const Packed &) = delete;
  ~Packed() { free(data); }
};

uint16_t halfOf(float x) {
  uint32_t word;
  memcpy(&word, &x, 4);
  return static_cast<uint16_t>((word + 0x7fff + (word >> 16 & 1)) >> 16);
}
float ofHalf(uint16_t half) {
  const uint32_t word = uint32_t(half) << 16;
  float x;
  memcpy(&x, &word, 4);
  return x;
}

constexpr uint8_t untouched = 0xa7;

/// A map whose pixels have room for more channels, which must stay as they are.
struct Map {
  ca_type type;
  int64_t images, height, width, channels, pitch;
  ca_code code{};
  std::vector<uint8_t> bytes;

  Map(ca_type type, int64_t images, int64_t height, int64_t width, int64_t channels,
      ca_code code = {})
      : type(type), images(images), height(height), width(width), channels(channels),
        pitch(channels + (sometimes() ? number(1, 9) : 0)), code(code),
        bytes(static_cast<size_t>(images * height * width * pitch * size()), untouched) {}
  int64_t size() const { return type == CA_FLOAT32 ? 4 : type == CA_BFLOAT16 ? 2 : 1; }
  ca_map view() {
    return {reinterpret_cast<float *>(bytes.data()),
            images,
            height,
            width,
            channels,
            height * width * pitch,
            width * pitch,
            pitch,
            type,
            0};
  }
  uint8_t *at(int64_t n, int64_t y, int64_t x, int64_t c) {
    return bytes.data() + (((n * height + y) * width + x) * pitch + c) * size();
  }
  void put(int64_t n, int64_t y, int64_t x, int64_t c, float value) {
    const uint16_t half = halfOf(value);
    const auto byte = static_cast<uint8_t>(value);
    memcpy(at(n, y, x, c),
           type == CA_FLOAT32    ? static_cast<const void *>(&value)
           : type == CA_BFLOAT16 ? static_cast<const void *>(&half)
                                 : &byte,
           static_cast<size_t>(size()));
  }
  /// What lies there: a number, or a code.
  float raw(int64_t n, int64_t y, int64_t x, int64_t c) {
    float value;
    uint16_t half;
    if (type == CA_CODES) return *at(n, y, x, c);
    if (type == CA_FLOAT32) return memcpy(&value, at(n, y, x, c), 4), value;
    return memcpy(&half, at(n, y, x, c), 2), ofHalf(half);
  }
  double operator()(int64_t n, int64_t y, int64_t x, int64_t c) {
    if (y < 0 || x < 0 || y >= height || x >= width) return 0;
    const double value = raw(n, y, x, c);
    return type == CA_CODES ? code.step * (value - code.zero) : value;
  }
  template <typename Body> void each(Body body) {
    for (int64_t n = 0; n < images; n++)
      for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++)
          for (int64_t c = 0; c < channels; c++) body(n, y, x, c);
  }
  /// Whole multiples of `step`, or codes.
  void draw(float step) {
    each([&](int64_t n, int64_t y, int64_t x, int64_t c) {
      put(n, y, x, c,
          type == CA_CODES ? static_cast<float>(number(0, 255))
                           : step * static_cast<float>(number(-100, 100)));
    });
  }
  bool keepsGaps() {
    for (int64_t i = 0; i < images * height * width; i++)
      for (int64_t b = channels * size(); b < pitch * size(); b++)
        if (bytes[static_cast<size_t>(i * pitch * size() + b)] != untouched) return false;
    return true;
  }
  /// Compares with numbers, which codes are the nearest ones of; what is rounded goes by the largest of them, or `largest`.
  template <typename Expected>
  void compare(const std::string &what, double bound, Expected expected, double largest = 1) {
    double worst = 0;
    each([&](int64_t n, int64_t y, int64_t x, int64_t c) {
      double value = expected(n, y, x, c);
      largest = std::max(largest, std::fabs(value));
      if (type == CA_CODES) value = std::clamp(value / code.step + code.zero, 0.0, 255.0);
      const double off = std::fabs(raw(n, y, x, c) - value);
      worst = off <= worst ? worst : off;
    });
    const double most = type == CA_CODES ? 0.5 + bound * largest / code.step
                                         : (type == CA_BFLOAT16 ? 1.0 / 256 : bound) * largest;
    expect(worst <= most, what, worst);
    expect(keepsGaps(), what + ", beside the map", 0);
  }
};

ca_type anyType() { return static_cast<ca_type>(number(0, 2)); }
ca_activation anyActivation() {
  constexpr ca_activation all[] = {CA_NONE,        CA_RELU, CA_RELU6, CA_HARDSWISH,
                                   CA_HARDSIGMOID, CA_SILU, CA_GELU};
  return all[number(0, 6)];
}
double activated(double x, ca_activation activation) {
  switch (activation) {
  case CA_NONE: return x;
  case CA_RELU: return std::max(x, 0.0);
  case CA_RELU6: return std::clamp(x, 0.0, 6.0);
  case CA_HARDSWISH: return x * std::clamp(x + 3, 0.0, 6.0) / 6;
  case CA_HARDSIGMOID: return std::clamp(x + 3, 0.0, 6.0) / 6;
  case CA_SILU: return x / (1 + std::exp(-x));
  case CA_GELU: return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
  }
  return x;
}

/// A window and the map that it meets.
struct Window {
  int size, stride, rate, padding;
  int64_t height, width;
  int64_t along(int64_t length) const {
    return (length + 2 * padding - rate * (size - 1) - 1) / stride + 1;
  }
  static Window any(int largest) {
    Window w{number(1, largest), number(1, 3), number(1, 4), 0, 0, 0};
    const int reach = w.rate * (w.size - 1);
    w.padding = number(0, reach);
    w.height = std::max(1, reach + 1 - w.padding) + number(0, 12);
    w.width = std::max(1, reach + 1 - w.padding) + number(0, 30);
    return w;
  }
  std::string text(const char *what, int64_t inputs, int64_t outputs) const {
    char all[160];
    snprintf(all, sizeof all, "%s %lld to %lld, %d×%d, stride %d, rate %d, padding %d, %lld×%lld",
             what, static_cast<long long>(inputs), static_cast<long long>(outputs), size, size,
             stride, rate, padding, static_cast<long long>(height), static_cast<long long>(width));
    return all;
  }
};

/// The sums of a convolution with kernels (outputs, inputs, size, size).
template <typename Read>
std::vector<double> sums(const Window &w, Map &out, int64_t inputs,
                         const std::vector<float> &weight, Read read) {
  std::vector<double> result;
  out.each([&](int64_t n, int64_t y, int64_t x, int64_t c) {
    double sum = 0;
    for (int i = 0; i < w.size; i++)
      for (int j = 0; j < w.size; j++) {
        const int64_t from = y * w.stride - w.padding + i * w.rate,
                      across = x * w.stride - w.padding + j * w.rate;
        if (from < 0 || across < 0 || from >= w.height || across >= w.width) continue;
        for (int64_t k = 0; k < inputs; k++)
          sum += read(n, from, across, k) *
                 static_cast<double>(
                     weight[static_cast<size_t>(((c * inputs + k) * w.size + i) * w.size + j)]);
      }
    result.push_back(sum);
  });
  return result;
}

double largestOf(const std::vector<double> &numbers) {
  double most = 1;
  for (double x : numbers) most = std::max(most, std::fabs(x));
  return most;
}

/// Weights that are whole multiples of a unit, of which 127 is the largest.
std::vector<float> wholeWeights(int64_t outputs, int64_t count) {
  std::vector<float> weight;
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t k = 0; k < count; k++)
      weight.push_back(static_cast<float>(k == 0 ? 127 : number(-127, 127)) /
                       static_cast<float>(64 << o % 3));
  return weight;
}

void codes(int build) {
  const Window w = sometimes() ? Window::any(5) : Window{1, 1, 1, 0, number(1, 9), number(1, 40)};
  const int64_t inputs = number(1, 3) == 1 ? number(1, 4) : number(1, 150), outputs = number(1, 70),
                images = number(1, 2);
  const ca_code product{0.125f, number(0, 255)},
      result{static_cast<float>(number(1, 60)), number(0, 255)};
  Map in(anyType(), images, w.height, w.width, inputs, product);
  in.draw(product.step);
  const bool isNormalized = in.type != CA_CODES && number(0, 3) == 0;
  auto whole = [] { return static_cast<float>(number(-2, 2)); };
  const auto scale = some(inputs, whole), shift = some(inputs, whole), bias = some(outputs);
  const bool rectifies = sometimes(), adds = sometimes();
  const auto weight = wholeWeights(outputs, inputs * w.size * w.size);
  Packed packed(ca_codes_count(build, outputs, inputs, w.size));
  expect(ca_pack_codes(build, weight.data(), outputs, inputs, w.size, packed.data) == 0, "packs",
         0);
  Map out(anyType(), images, w.along(w.height), w.along(w.width), outputs, result);
  Map addend(anyType(), images, out.height, out.width, outputs, {4, number(0, 255)});
  addend.draw(8);
  const ca_map read = in.view(), write = out.view(), more = addend.view();
  const ca_kernels kernels{outputs, inputs, w.size, packed.data};
  const ca_codes_fusion fusion{isNormalized ? scale.data() : nullptr,
                               isNormalized ? shift.data() : nullptr,
                               rectifies,
                               product,
                               bias.data(),
                               adds ? &more : nullptr,
                               addend.code,
                               anyActivation()};
  expect(ca_convolve_codes(&kernels, packed.count, &read, in.code, &write, out.code, w.stride,
                           w.padding, w.rate, &fusion, 1) == 0,
         w.text("runs codes", inputs, outputs), 0);
  const auto expected =
      sums(w, out, inputs, weight, [&](int64_t n, int64_t y, int64_t x, int64_t k) {
        double value = in(n, y, x, k);
        if (isNormalized) {
          value = value * static_cast<double>(scale[static_cast<size_t>(k)]) +
                  static_cast<double>(shift[static_cast<size_t>(k)]);
          if (rectifies) value = std::max(value, 0.0);
        }
        const double code =
            std::clamp(std::nearbyint(value / product.step + product.zero), 0.0, 255.0);
        return product.step * (code - product.zero);
      });
  size_t i = 0;
  out.compare(w.text("codes", inputs, outputs), 4e-5,
              [&](int64_t n, int64_t y, int64_t x, int64_t c) {
                return activated(expected[i++] + static_cast<double>(bias[static_cast<size_t>(c)]) +
                                     (adds ? addend(n, y, x, c) : 0),
                                 fusion.activation);
              });
}

void whole(int build) {
  const int64_t inputs = number(1, 300), outputs = number(1, 90);
  const Window w{1, number(1, 2), 1, 0, number(1, 12), number(1, 40)};
  Map in(CA_FLOAT32, 1, w.height, w.width, inputs);
  in.draw(0.125f);
  const auto weight = wholeWeights(outputs, inputs);
  Packed packed(ca_packed_count(build, outputs, inputs, 1));
  expect(ca_pack_whole(build, weight.data(), outputs, inputs, -8, 23.875f, packed.data) == 0,
         "packs whole numbers", 0);
  Map out(CA_FLOAT32, 1, w.along(w.height), w.along(w.width), outputs);
  const ca_map read = in.view(), write = out.view();
  const ca_kernels kernels{outputs, inputs, 1, packed.data};
  const ca_fusion fusion{};
  expect(ca_convolve(&kernels, packed.count, &read, &write, w.stride, 1, &fusion, 1) == 0,
         "runs whole numbers", 0);
  const auto expected =
      sums(w, out, inputs, weight, [&](int64_t n, int64_t y, int64_t x, int64_t k) {
        return std::clamp(in(n, y, x, k), -8.0, 23.875);
      });
  size_t i = 0;
  out.compare(w.text("whole numbers", inputs, outputs), 2e-6,
              [&](auto...) { return expected[i++]; });
}

void others(int build) {
  const ca_code code{0.25f, number(0, 255)};
  const ca_type type = sometimes() ? CA_CODES : CA_BFLOAT16;
  Window w = Window::any(5);
  w.padding = std::min(w.padding, w.size / 2);
  w.height += w.rate * (w.size - 1);
  w.width += w.rate * (w.size - 1);
  Map in(type, 2, w.height, w.width, number(1, 150), code);
  in.draw(0.5f);
  Map pooled(type, 2, w.along(w.height), w.along(w.width), in.channels, code);
  ca_map read = in.view(), write = pooled.view();
  expect(ca_pool_codes(build, &read, &write, w.size, w.stride, w.padding, w.rate, 1) == 0,
         w.text("pools", in.channels, 0), 0);
  pooled.compare(w.text("pooling", in.channels, in.channels), 0,
                 [&](int64_t n, int64_t y, int64_t x, int64_t c) {
                   double most = -1e30;
                   for (int i = 0; i < w.size; i++)
                     for (int j = 0; j < w.size; j++) {
                       const int64_t from = y * w.stride - w.padding + i * w.rate,
                                     across = x * w.stride - w.padding + j * w.rate;
                       if (from >= 0 && across >= 0 && from < w.height && across < w.width)
                         most = std::max(most, in(n, from, across, c));
                     }
                   return most;
                 });
  Map mean(CA_FLOAT32, 2, 1, 1, in.channels);
  write = mean.view();
  expect(ca_mean_of_codes(build, &read, code, &write, 1) == 0, "takes a mean", 0);
  mean.compare("mean", 1e-5, [&](int64_t n, int64_t, int64_t, int64_t c) {
    double sum = 0;
    for (int64_t y = 0; y < w.height; y++)
      for (int64_t x = 0; x < w.width; x++) sum += in(n, y, x, c);
    return sum / static_cast<double>(w.height * w.width);
  });
  Map plain(CA_FLOAT32, 2, w.height, w.width, in.channels);
  write = plain.view();
  const auto scale = some(in.channels), shift = some(in.channels);
  expect((type == CA_CODES
              ? ca_decode(build, &read, code, &write, 1)
              : ca_scale_map(build, &read, scale.data(), shift.data(), &write, 1)) == 0,
         "decodes", 0);
  plain.compare("numbers", 1e-6, [&](int64_t n, int64_t y, int64_t x, int64_t c) {
    return type == CA_CODES ? in(n, y, x, c)
                            : in(n, y, x, c) * static_cast<double>(scale[static_cast<size_t>(c)]) +
                                  static_cast<double>(shift[static_cast<size_t>(c)]);
  });
}

void convolutions(int build) {
  const bool isPointwise = sometimes();
  const int rate = number(1, 5);
  const Window w = isPointwise ? Window{1, number(1, 2), 1, 0, number(1, 9), number(1, 40)}
                               : Window{3, 1, rate, rate, number(1, 25), number(1, 30)};
  const int64_t inputs = number(1, 6) == 1 ? 300 : number(1, 70), outputs = number(1, 70),
                images = number(1, 2);
  Map in(CA_FLOAT32, images, w.height, w.width, inputs),
      out(CA_FLOAT32, images, w.along(w.height), w.along(w.width), outputs),
      addend(CA_FLOAT32, images, out.height, out.width, outputs);
  in.draw(0.02f);
  addend.draw(0.02f);
  const auto scale = some(inputs), shift = some(inputs), bias = some(outputs),
             weight = some(outputs * inputs * w.size * w.size);
  const bool isNormalized = sometimes(), rectifies = sometimes(),
             isSmall = !isPointwise && sometimes();
  Packed packed(ca_packed_count(build, outputs, inputs, w.size));
  expect(ca_pack(build, weight.data(), outputs, inputs, w.size, packed.data, 1) == 0,
         "packs float32", 0);
  const ca_map read = in.view(), write = out.view(), more = addend.view();
  const ca_kernels kernels{outputs, inputs, w.size, packed.data};
  const ca_fusion fusion{isNormalized ? scale.data() : nullptr,
                         isNormalized ? shift.data() : nullptr,
                         rectifies,
                         bias.data(),
                         &more,
                         anyActivation()};
  expect((isSmall ? ca_convolve_by_small_tiles : ca_convolve)(&kernels, packed.count, &read, &write,
                                                              w.stride, w.rate, &fusion, 1) == 0,
         "runs float32", 0);
  const auto expected =
      sums(w, out, inputs, weight, [&](int64_t n, int64_t y, int64_t x, int64_t k) {
        double value = in(n, y, x, k);
        if (!isNormalized) return value;
        value = value * static_cast<double>(scale[static_cast<size_t>(k)]) +
                static_cast<double>(shift[static_cast<size_t>(k)]);
        return rectifies ? std::max(value, 0.0) : value;
      });
  size_t i = 0;
  out.compare(
      w.text("float32", inputs, outputs), 2e-5,
      [&](int64_t n, int64_t y, int64_t x, int64_t c) {
        return activated(expected[i++] + static_cast<double>(bias[static_cast<size_t>(c)]) +
                             addend(n, y, x, c),
                         fusion.activation);
      },
      largestOf(expected));
}

void depthwise(int build) {
  const Window w = Window::any(5);
  const int64_t channels = number(1, 90);
  const ca_type type = anyType();
  Map in(type, 2, w.height, w.width, channels, {0.0625f, number(0, 255)});
  Map out(type, 2, w.along(w.height), w.along(w.width), channels, {0.25f, number(0, 255)});
  in.draw(0.0625f);
  const auto weight = some(channels * w.size * w.size), bias = some(channels);
  Packed taps(ca_depthwise_count(channels, w.size));
  ca_depthwise_pack(weight.data(), channels, w.size, taps.data);
  const ca_depthwise kernels{channels, w.size, w.stride, w.rate, w.padding, taps.data};
  ca_map read = in.view(), write = out.view();
  const ca_fusion fusion{nullptr, nullptr, 0, bias.data(), nullptr, anyActivation()};
  expect((type == CA_CODES
              ? ca_depthwise_codes(build, &kernels, &read, in.code, &write, out.code, &fusion, 1)
              : ca_depthwise_convolve(build, &kernels, type, &read, &write, &fusion, 1)) == 0,
         w.text("runs depthwise", channels, channels), 0);
  auto tap = [&](int64_t c, int i, int j) {
    return static_cast<double>(weight[static_cast<size_t>((c * w.size + i) * w.size + j)]);
  };
  auto each = [&](int64_t y, int64_t x, auto body) {
    for (int i = 0; i < w.size; i++)
      for (int j = 0; j < w.size; j++)
        body(i, j, y * w.stride - w.padding + i * w.rate, x * w.stride - w.padding + j * w.rate);
  };
  out.compare(w.text("depthwise", channels, channels), 2e-6,
              [&](int64_t n, int64_t y, int64_t x, int64_t c) {
                double sum = static_cast<double>(bias[static_cast<size_t>(c)]);
                each(y, x, [&](int i, int j, int64_t from, int64_t across) {
                  sum += tap(c, i, j) * in(n, from, across, c);
                });
                return activated(sum, fusion.activation);
              });
  if (type == CA_CODES) return;
  Map gradient(type, 2, out.height, out.width, channels),
      back(type, 2, w.height, w.width, channels);
  gradient.draw(0.0625f);
  std::vector<double> expected(static_cast<size_t>(2 * w.height * w.width * channels)),
      corners(weight.size());
  gradient.each([&](int64_t n, int64_t y, int64_t x, int64_t c) {
    each(y, x, [&](int i, int j, int64_t from, int64_t across) {
      if (from < 0 || across < 0 || from >= w.height || across >= w.width) return;
      expected[static_cast<size_t>(((n * w.height + from) * w.width + across) * channels + c)] +=
          tap(c, i, j) * gradient(n, y, x, c);
      corners[static_cast<size_t>((c * w.size + i) * w.size + j)] +=
          in(n, from, across, c) * gradient(n, y, x, c);
    });
  });
  const ca_map from = gradient.view(), to = back.view();
  expect(ca_depthwise_transpose(build, &kernels, type, &from, &to, 1) == 0, "runs the transpose",
         0);
  size_t i = 0;
  back.compare(w.text("transpose", channels, channels), 2e-6,
               [&](auto...) { return expected[i++]; });
  expect(ca_depthwise_correlate(build, &kernels, type, &read, &from, taps.data, 1) == 0,
         "runs the correlation", 0);
  std::vector<float> found(weight.size());
  ca_depthwise_unpack(taps.data, channels, w.size, found.data());
  double worst = 0, largest = 1;
  for (size_t k = 0; k < found.size(); k++) {
    largest = std::max(largest, std::fabs(corners[k]));
    worst = std::max(worst, std::fabs(static_cast<double>(found[k]) - corners[k]));
  }
  expect(worst <= 1e-5 * largest, w.text("correlation", channels, channels), worst);
}

void attention(int build) {
  const int64_t heads = number(1, 3), tokens = number(1, 40), keys = number(1, 90),
                width = number(1, 40), outputs = number(1, 40);
  const auto q = some(heads * tokens * width), k = some(heads * keys * width),
             v = some(heads * keys * outputs);
  std::vector<float> out(static_cast<size_t>(heads * tokens * outputs));
  const ca_tokens queries{q.data(), 0, tokens * width, width},
      those{k.data(), 0, keys * width, width}, values{v.data(), 0, keys * outputs, outputs};
  expect(ca_attention(build, &queries, &those, &values, 1, heads, tokens, keys, width, outputs,
                      0.3f, nullptr, out.data(), 1) == 0,
         "attends", 0);
  double worst = 0;
  for (int64_t h = 0; h < heads; h++)
    for (int64_t t = 0; t < tokens; t++) {
      std::vector<double> scores;
      double most = -1e30, total = 0;
      for (int64_t s = 0; s < keys; s++) {
        double sum = 0;
        for (int64_t f = 0; f < width; f++)
          sum += static_cast<double>(q[static_cast<size_t>((h * tokens + t) * width + f)]) *
                 static_cast<double>(k[static_cast<size_t>((h * keys + s) * width + f)]);
        scores.push_back(sum * static_cast<double>(0.3f));
        most = std::max(most, scores.back());
      }
      for (double &score : scores) total += score = std::exp(score - most);
      for (int64_t f = 0; f < outputs; f++) {
        double sum = 0;
        for (int64_t s = 0; s < keys; s++)
          sum += scores[static_cast<size_t>(s)] / total *
                 static_cast<double>(v[static_cast<size_t>((h * keys + s) * outputs + f)]);
        worst = std::max(
            worst, std::fabs(sum - static_cast<double>(
                                       out[static_cast<size_t>((t * heads + h) * outputs + f)])));
      }
    }
  expect(worst < 1e-5, "attention", worst);
}

void rest(int build) {
  const int64_t rows = number(1, 5), width = number(1, 90);
  const auto in = some(rows * width), weight = some(width), bias = some(width);
  std::vector<float> out(in.size());
  ca_layer_norm(build, in.data(), rows, width, width, 1e-3f, weight.data(), bias.data(), out.data(),
                1);
  double worst = 0;
  for (int64_t r = 0; r < rows; r++) {
    double mean = 0, square = 0;
    auto x = [&](int64_t c) { return static_cast<double>(in[static_cast<size_t>(r * width + c)]); };
    for (int64_t c = 0; c < width; c++) mean += x(c) / static_cast<double>(width);
    for (int64_t c = 0; c < width; c++)
      square += (x(c) - mean) * (x(c) - mean) / static_cast<double>(width);
    for (int64_t c = 0; c < width; c++)
      worst =
          std::max(worst, std::fabs((x(c) - mean) / std::sqrt(square + 1e-3) *
                                        static_cast<double>(weight[static_cast<size_t>(c)]) +
                                    static_cast<double>(bias[static_cast<size_t>(c)]) -
                                    static_cast<double>(out[static_cast<size_t>(r * width + c)])));
  }
  expect(worst < 1e-4, "layer normalization", worst);
  const ca_code code{0.5f, 9};
  Map small(anyType(), 2, number(1, 9), number(1, 9), number(1, 70), code);
  Map large(small.type, 2, number(1, 20), number(1, 20), small.channels, code);
  small.draw(0.5f);
  const ca_map read = small.view(), write = large.view();
  expect(ca_resize(build, &read, &write, 1, 0, 0, 1) == 0, "resizes", 0);
  auto place = [](int64_t i, int64_t from, int64_t to) {
    return to > 1 ? static_cast<double>(i) * static_cast<double>(from - 1) /
                        static_cast<double>(to - 1)
                  : 0;
  };
  large.compare("resizing", 1e-5, [&](int64_t n, int64_t y, int64_t x, int64_t c) {
    const double down = place(y, small.height, large.height),
                 across = place(x, small.width, large.width);
    const auto i = std::min(static_cast<int64_t>(down), small.height - 1),
               j = std::min(static_cast<int64_t>(across), small.width - 1);
    const double u = down - static_cast<double>(i), v = across - static_cast<double>(j);
    const int64_t i1 = std::min(i + 1, small.height - 1), j1 = std::min(j + 1, small.width - 1);
    return (1 - u) * ((1 - v) * small(n, i, j, c) + v * small(n, i, j1, c)) +
           u * ((1 - v) * small(n, i1, j, c) + v * small(n, i1, j1, c));
  });
}
} // namespace

int main(int count, char **names) {
  constexpr const char *all[] = {"avx512",      "avx2",     "portable",  "avx512_bf16",
                                 "avx512_vnni", "avx_vnni", "neon_i8mm", "neon_dotprod"};
  for (const char *name : all) {
    const bool isWanted = std::any_of(names + 1, names + count,
                                      [&](const char *other) { return strcmp(name, other) == 0; });
    if (isWanted != (ca_build(name) >= 0)) {
      fprintf(stderr, "%s: %s by this processor\n", name,
              isWanted ? "is lacked" : "is offered, and was not expected,");
      return 1;
    }
  }
  for (char **name = names + 1; name < names + count; name++) {
    const int build = ca_build(set = *name);
    const bool isWhole = strstr(set, "vnni") || strstr(set, "neon_");
    if (strstr(set, "bf16")) continue;
    state = 1;
    for (int i = 0; i < 150; i++)
      if (isWhole) {
        codes(build);
        codes(build);
        whole(build);
        others(build);
      } else {
        convolutions(build);
        depthwise(build);
        attention(build);
        rest(build);
      }
    printf("%s: %d checks\n", set, checks);
    checks = 0;
  }
  printf("int8 by %s\n", ca_name(ca_build("int8")));
  if (failures > 0) fprintf(stderr, "%d failed\n", failures);
  return failures > 0 ? 1 : 0;
}
