#include "axes.h"
#include "catrous.h"
#include "kernels.h"
#include "plans.h"
#include "threads.h"
#include <algorithm>
#include <cfloat>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace atrous {
namespace {
/// Whether the processor has the instructions of a build.
bool isSupported(const Build &build) {
#if defined(__x86_64__)
  if (&build == &avx512_vnni) return isSupported(avx512) && __builtin_cpu_supports("avx512vnni");
  if (&build == &avx512_bf16)
    return isSupported(avx512_vnni) && __builtin_cpu_supports("avx512bf16");
  if (&build == &avx512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
  if (&build == &avx_vnni) return isSupported(avx2) && __builtin_cpu_supports("avxvnni");
  if (&build == &avx2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
  // As the kernel names them: HWCAP_ASIMDDP and HWCAP2_I8MM.
#if defined(__linux__)
  if (&build == &neon_dotprod) return (getauxval(AT_HWCAP) >> 20 & 1) != 0;
  if (&build == &neon_i8mm) return (getauxval(AT_HWCAP2) >> 13 & 1) != 0;
#else
  if (&build != &portable) return false;
#endif
#endif
  return true;
}

/// The best come first, and those of reduced precision last, the best of each precision before the others: they are
/// never chosen where none is named.
constexpr const Build *builds[] = {
#if defined(__x86_64__)
    &avx512, &avx2, &portable, &avx512_bf16, &avx512_vnni, &avx_vnni};
#elif defined(__aarch64__)
    &portable, &neon_i8mm, &neon_dotprod};
#else
    &portable};
#endif
constexpr int count = sizeof builds / sizeof *builds;

/// The build that is taken where none is named: the best one, or that of ATROUS_ISA; -1 if there is
/// none of that name or the processor lacks it.
int chosen() {
  static const int number = [] {
    const char *wish = getenv("ATROUS_ISA");
    for (int i = 0; i < count; i++) {
      const bool isWished = !wish || !*wish || strcmp(builds[i]->name, wish) == 0;
      if (isWished && builds[i]->numbers == 1 && isSupported(*builds[i])) return i;
    }
    return -1;
  }();
  return number;
}

/// Whether a build may be used: the processor has it, and ATROUS_ISA names no lesser one.
bool has(int number) {
  if (number < 0 || number >= count || !isSupported(*builds[number])) return false;
  return chosen() < 0 || builds[chosen()]->panel >= builds[number]->panel;
}

void *takeAligned(size_t size) {
  void *p = nullptr;
  return posix_memalign(&p, 64, size) == 0 ? p : nullptr;
}
ca_memory source{takeAligned, free};
/// Whether memory comes from elsewhere, where others have use for it between two convolutions.
bool isShared = false;

struct Release {
  void (*give)(void *) = free;
  void operator()(float *p) const { give(p); }
};
thread_local std::unique_ptr<float, Release> kept;
thread_local int64_t keptCount = 0;

std::unique_ptr<float, Release> allocated(int64_t count) {
  void *p = source.take(static_cast<size_t>(count) * sizeof(float) + 64);
  if (!p) throw std::bad_alloc();
  return {static_cast<float *>(p), Release{source.give}};
}

/// Gives the memory of a convolution back at its end.
struct Convolving {
  ~Convolving() {
    if (!isShared) return;
    kept.reset();
    keptCount = 0;
  }
};
} // namespace

const Build *buildAt(int number) { return has(number) ? builds[number] : nullptr; }

float *workspace(int64_t count) {
  if (count > keptCount) {
    kept.reset();
    keptCount = 0;
    kept = allocated(count);
    keptCount = count;
  }
  return kept.get();
}
} // namespace atrous

using namespace atrous;

int ca_build(const char *instructions) {
  if (!*instructions) return chosen();
  const bool isWhole = strcmp(instructions, "int8") == 0;
  for (int i = 0; i < count; i++)
    if ((isWhole ? builds[i]->numbers == 4 : strcmp(builds[i]->name, instructions) == 0) && has(i))
      return i;
  return -1;
}

void ca_set_memory(ca_memory memory) {
  source = memory;
  isShared = true;
}

const char *ca_name(int build) { return has(build) ? builds[build]->name : "none"; }

namespace {
int atLeastOne(int threads) { return threads < 1 ? 1 : threads; }

/// The numbers that share a cell in packed kernels.
int64_t numbersOf(int build, int size) { return size == 1 ? builds[build]->numbers : 1; }

/// The nearest number of type bfloat16, of two the even one.
uint16_t bfloat16Bits(float number) {
  uint32_t bits;
  memcpy(&bits, &number, sizeof bits);
  // What is no number must not become infinite.
  if (number != number) return static_cast<uint16_t>(bits >> 16 | 64);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/// The cell of a kernel's inputs from `k`, `step` apart, that are `left` in number.
float cellOf(const float *weight, int64_t step, int64_t left, int64_t numbers) {
  if (numbers == 1) return *weight;
  uint32_t cell = 0;
  for (int64_t i = 0; i < numbers && i < left; i++)
    cell |= uint32_t(bfloat16Bits(weight[i * step])) << 16 * i;
  float result;
  memcpy(&result, &cell, sizeof result);
  return result;
}
} // namespace

int64_t ca_packed_count(int build, int64_t outputs, int64_t inputs, int size) {
  const int64_t panel = builds[build]->panel, numbers = numbersOf(build, size);
  const int64_t whole = (outputs + panel - 1) / panel * panel;
  // Whole numbers have a factor and an offset for each output.
  return HEADER + (numbers == 4 ? 2 * whole : 0) +
         whole * size * size * ((inputs + numbers - 1) / numbers);
}

int ca_pack(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
            float *packed, int threads) {
  const int64_t panel = builds[build]->panel, area = int64_t(size) * size;
  const int64_t numbers = numbersOf(build, size);
  if (numbers > 2) return -1;
  packed = begin(packed, {.version = PackedHeader::current, .build = build});
  const int64_t cells = (inputs + numbers - 1) / numbers;
  parallel(threads, (outputs + panel - 1) / panel, [&](int, int64_t index) {
    float *const own = packed + index * area * cells * panel;
    // A line of an output's weights is read whole before those of the next output.
    for (int64_t begin = 0; begin < cells; begin += LINE)
      for (int64_t lane = 0; lane < panel; lane++) {
        const int64_t output = index * panel + lane;
        for (int64_t cell = begin; cell < std::min(begin + LINE, cells); cell++)
          for (int64_t tap = 0, k = cell * numbers; tap < area; tap++)
            own[(tap * cells + cell) * panel + lane] =
                output < outputs
                    ? cellOf(weight + (output * inputs + k) * area + tap, area, inputs - k, numbers)
                    : 0;
      }
  });
  return 0;
}

int64_t ca_codes_count(int build, int64_t outputs, int64_t inputs, int size) {
  const int64_t panel = builds[build]->panel, whole = (outputs + panel - 1) / panel * panel;
  const int64_t area = int64_t(size) * size, numbers = builds[build]->numbers;
  return HEADER + whole + whole * area + whole * area * ((inputs + numbers - 1) / numbers);
}

/// The step of which `count` numbers, the largest of them `most`, are whole multiples up to 127; 0 if there is none.
/// Numbers of a file of eight bits are.
static float stepOf(const float *own, int64_t count, float most) {
  for (int largest = 127; largest > 0; largest--) {
    const float unit = most / static_cast<float>(largest);
    int64_t k = 0;
    while (k < count && __builtin_fabsf(own[k] / unit - __builtin_rintf(own[k] / unit)) < 1e-3f)
      k++;
    if (k == count) return unit;
  }
  return 0;
}

static float largestOf(const float *own, int64_t count) {
  float most = 0;
  for (int64_t k = 0; k < count; k++) most = std::max(most, __builtin_fabsf(own[k]));
  return most;
}

int ca_in_codes(const float *weight, int64_t outputs, int64_t count) {
  for (int64_t output = 0; output < outputs; output++) {
    const float *own = weight + output * count, most = largestOf(own, count);
    if (most > 0 && !(most <= FLT_MAX && stepOf(own, count, most) > 0)) return 0;
  }
  return 1;
}

int ca_pack_codes(int build, const float *weight, int64_t outputs, int64_t inputs, int size,
                  float *packed) {
  if (!builds[build]->codes || size < 1 || size * size > CA_MOST_CODED_TAPS) return -1;
  const int64_t panel = builds[build]->panel, numbers = builds[build]->numbers;
  const int64_t cells = (inputs + numbers - 1) / numbers;
  const int64_t whole = (outputs + panel - 1) / panel * panel, area = int64_t(size) * size;
  memset(packed, 0,
         static_cast<size_t>(ca_codes_count(build, outputs, inputs, size)) * sizeof(float));
  float *units = begin(
      packed,
      {.version = PackedHeader::coded, .build = build, .inputs = static_cast<int32_t>(inputs)});
  int32_t *sums = reinterpret_cast<int32_t *>(units + whole);
  int8_t *bytes = reinterpret_cast<int8_t *>(sums + whole * area);
  if (numbers == 2) {
    uint16_t *halves = reinterpret_cast<uint16_t *>(bytes);
    for (int64_t output = 0; output < outputs; output++) {
      units[output] = 1;
      const int64_t place = output / panel, lane = output % panel;
      for (int64_t tap = 0; tap < area; tap++)
        for (int64_t k = 0; k < inputs; k++)
          halves[(((place * area + tap) * cells + k / 2) * panel + lane) * 2 + k % 2] =
              bfloat16Bits(weight[(output * inputs + k) * area + tap]);
    }
    return 0;
  }
  for (int64_t output = 0; output < outputs; output++) {
    const float *own = weight + output * inputs * area;
    const float most = largestOf(own, inputs * area);
    // Kernels of zeros, or of what is no number, are zeros.
    float unit = 1;
    if (most > 0 && most <= FLT_MAX) {
      // Codes that numbers came from stay what they are.
      unit = stepOf(own, inputs * area, most);
      if (!(unit > 0)) unit = most / 127;
    }
    units[output] = unit;
    const int64_t place = output / panel, lane = output % panel;
    for (int64_t tap = 0; tap < area; tap++)
      for (int64_t k = 0; k < inputs; k++) {
        const float number = __builtin_roundf(own[k * area + tap] / unit);
        const int value = number >= -127 && number <= 127 ? static_cast<int>(number) : 0;
        sums[(place * area + tap) * panel + lane] += value;
        bytes[(((place * area + tap) * cells + k / 4) * panel + lane) * 4 + k % 4] =
            static_cast<int8_t>(value);
      }
  }
  return 0;
}

int ca_pack_whole(int build, const float *weight, int64_t outputs, int64_t inputs, float low,
                  float high, float *packed) {
  if (numbersOf(build, 1) != 4) return -1;
  const int64_t panel = builds[build]->panel, cells = (inputs + 3) / 4;
  const int64_t whole = (outputs + panel - 1) / panel * panel;
  // Zero has a code of its own, or padding would come out as something that is not zero.
  low = low < 0 ? low : 0;
  high = high > 0 ? high : 0;
  const float width = high / 255 - low / 255, step = width > FLT_MIN ? width : 1;
  const float zero = __builtin_roundf(-low / step),
              shift = static_cast<float>(builds[build]->shift);
  // Half a step more, as what follows the point is cut off.
  float *factors = begin(
      packed,
      {.version = PackedHeader::current, .build = build, .codes = 1 / step, .zero = zero + 0.5f});
  float *offsets = factors + whole;
  int8_t *bytes = reinterpret_cast<int8_t *>(offsets + whole);
  memset(factors, 0, static_cast<size_t>(whole) * (2 + cells) * sizeof(float));
  for (int64_t output = 0; output < outputs; output++) {
    const float *own = weight + output * inputs;
    float most = 0;
    for (int64_t k = 0; k < inputs; k++) most = std::max(most, __builtin_fabsf(own[k]));
    // Kernels of zeros, or of what is no number, are zeros.
    const float unit = most > 0 && most <= FLT_MAX ? most / 127 : 1;
    int64_t sum = 0;
    for (int64_t k = 0; k < inputs; k++) {
      const float number = __builtin_roundf(own[k] / unit);
      const int value = number >= -127 && number <= 127 ? static_cast<int>(number) : 0;
      sum += value;
      bytes[((output / panel * cells + k / 4) * panel + output % panel) * 4 + k % 4] =
          static_cast<int8_t>(value);
    }
    factors[output] = unit * step;
    offsets[output] = -unit * step * (zero - shift) * static_cast<float>(sum);
  }
  return 0;
}

namespace {
/// The build that packed kernels, which wrote `length` numbers; -1 if they are none of this version
/// or others than they say.
int buildOf(const ca_kernels &kernels, int64_t length) {
  if (length <= HEADER) return -1;
  PackedHeader header;
  memcpy(&header, kernels.packed, sizeof header);
  const bool isKnown = header.version == PackedHeader::current && has(header.build);
  return isKnown && length ==
                        ca_packed_count(header.build, kernels.outputs, kernels.inputs, kernels.size)
             ? header.build
             : -1;
}

Kernels opened(const ca_kernels &kernels) {
  return {.outputs = kernels.outputs,
          .inputs = kernels.inputs,
          .size = kernels.size,
          .packed = kernels.packed + HEADER,
          .header = reinterpret_cast<const PackedHeader *>(kernels.packed)};
}
Stage opened(const ca_stage &stage) {
  return {.kernels = opened(stage.kernels), .bias = stage.bias, .activation = stage.activation};
}

/// Convolves by tiles of up to `largest` outputs, or as plans and rules choose if that is 0.
int convolve(int largest, const ca_kernels *kernels, int64_t length, const ca_map *in,
             const ca_map *out, int stride, int rate, const ca_fusion *fusion, int threads) {
  const int build = buildOf(*kernels, length);
  const int step = kernels->size == 1 ? stride : 1;
  if (build < 0 || (kernels->size != 1 && kernels->size != 3) || in->channels != kernels->inputs ||
      step < 1 || rate < 1 || out->channels != kernels->outputs || out->images != in->images ||
      out->height != (in->height + step - 1) / step || out->width != (in->width + step - 1) / step)
    return -1;
  const ca_map *other = fusion->addend;
  if (in->type != CA_FLOAT32 || out->type != CA_FLOAT32 || (other && other->type != CA_FLOAT32))
    return -1;
  const Kernels own = opened(*kernels);
  const Convolving convolving;
  try {
    const int team = atLeastOne(threads);
    auto run = [&](const ca_map &target, ca_way way) {
      const Job job{.kernels = own,
                    .in = *in,
                    .out = target,
                    .stride = step,
                    .rate = rate,
                    .threads = team,
                    .fusion = *fusion,
                    .way = way};
      (own.size == 1 ? builds[build]->pointwise : builds[build]->winograd)(job);
    };
    ca_way way{.order = CA_BY_RULE, .largest = largest, .together = 0};
    if (own.size == 3 && largest == 0)
      way = wayOf({.build = build,
                   .threads = team,
                   .rate = rate,
                   .images = in->images,
                   .inputs = own.inputs,
                   .outputs = own.outputs,
                   .height = in->height,
                   .width = in->width,
                   .normalizes = fusion->scale != nullptr},
                  *out,
                  {[](void *context, const ca_map &target, ca_way way) {
                     (*static_cast<decltype(run) *>(context))(target, way);
                   },
                   &run});
    run(*out, way);
    return 0;
  } catch (...) {
    return -1;
  }
}
} // namespace

int ca_convolve(const ca_kernels *kernels, int64_t count, const ca_map *in, const ca_map *out,
                int stride, int rate, const ca_fusion *fusion, int threads) {
  return convolve(0, kernels, count, in, out, stride, rate, fusion, threads);
}

int ca_convolve_by_small_tiles(const ca_kernels *kernels, int64_t count, const ca_map *in,
                               const ca_map *out, int stride, int rate, const ca_fusion *fusion,
                               int threads) {
  return convolve(2, kernels, count, in, out, stride, rate, fusion, threads);
}

namespace {
int64_t tapsPitch(int64_t channels) { return channels < 16 ? 16 : channels; }

using Kernel = void (*Build::*)(const DepthwiseJob &);

int depthwise(int build, Kernel kernel, const DepthwiseJob &job) {
  const ca_depthwise &kernels = job.kernels;
  if (!has(build) || kernels.size < 1 || kernels.size > CA_MOST_TAPS || kernels.stride < 1 ||
      kernels.rate < 1 || kernels.padding < 0 ||
      (!job.expansion && job.windows.channels != kernels.channels) ||
      (!job.projection && job.centers.channels != kernels.channels) ||
      job.windows.images != job.centers.images)
    return -1;
  const Convolving convolving;
  try {
    (builds[build]->*kernel)(job);
    return 0;
  } catch (...) {
    return -1;
  }
}

constexpr ca_fusion nothing{};
} // namespace

int64_t ca_depthwise_count(int64_t channels, int size) { return tapsPitch(channels) * size * size; }

void ca_depthwise_pack(const float *weight, int64_t channels, int size, float *taps) {
  const int64_t area = int64_t(size) * size, pitch = tapsPitch(channels);
  for (int64_t tap = 0; tap < area; tap++)
    for (int64_t c = 0; c < pitch; c++)
      taps[tap * pitch + c] = c < channels ? weight[c * area + tap] : 0;
}

namespace {
bool isCode(ca_code code) { return code.step > 0 && code.zero >= 0 && code.zero <= 255; }
/// Whether a map has a code if it is one of codes.
bool fits(const ca_map &map, ca_code code) { return map.type != CA_CODES || isCode(code); }

/// Whether windows of a map lie where the outputs want them.
bool isWindow(int size, int stride, int padding, int rate, const ca_map *in, const ca_map *out) {
  if (size < 1 || stride < 1 || rate < 1 || padding < 0) return false;
  const int64_t reach = int64_t(rate) * (size - 1);
  auto fits = [&](int64_t length, int64_t outputs) {
    return outputs >= 1 &&
           (outputs - 1) * stride + reach - padding <= length - 1 + int64_t(padding);
  };
  return out->images == in->images && fits(in->height, out->height) && fits(in->width, out->width);
}
} // namespace

void ca_depthwise_unpack(const float *taps, int64_t channels, int size, float *weight) {
  const int64_t area = int64_t(size) * size, pitch = tapsPitch(channels);
  for (int64_t tap = 0; tap < area; tap++)
    for (int64_t c = 0; c < channels; c++) weight[c * area + tap] = taps[tap * pitch + c];
}

int ca_depthwise_convolve(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                          const ca_map *out, const ca_fusion *fusion, int threads) {
  if (type == CA_CODES || fusion->scale || fusion->shift) return -1;
  return depthwise(build, &Build::depthwise,
                   {.kernels = *kernels,
                    .type = type,
                    .windows = *in,
                    .centers = *out,
                    .threads = atLeastOne(threads),
                    .fusion = *fusion});
}

int ca_depthwise_codes(int build, const ca_depthwise *kernels, const ca_map *in, ca_code in_code,
                       const ca_map *out, ca_code out_code, const ca_fusion *fusion, int threads) {
  if (fusion->scale || fusion->shift || fusion->addend || in->type != CA_CODES ||
      out->type != CA_CODES || !isCode(in_code) || !isCode(out_code))
    return -1;
  return depthwise(build, &Build::depthwise,
                   {.kernels = *kernels,
                    .type = CA_CODES,
                    .windows = *in,
                    .centers = *out,
                    .threads = atLeastOne(threads),
                    .fusion = *fusion,
                    .in_code = in_code,
                    .out_code = out_code});
}

int ca_depthwise_by_rows(const ca_stage *expansion, const ca_depthwise *kernels,
                         const ca_stage *projection, const ca_map *in, const ca_map *out,
                         const ca_fusion *fusion, int threads) {
  if (!expansion && !projection) return -1;
  const auto buildOfStage = [](const ca_stage *stage) {
    return buildOf(stage->kernels, stage->count);
  };
  const int build = buildOfStage(expansion ? expansion : projection);
  if (build < 0 || builds[build]->numbers > 1 || fusion->scale || fusion->shift ||
      in->type == CA_CODES || out->type != in->type || (projection && in->type != CA_FLOAT32) ||
      (fusion->addend && !projection))
    return -1;
  const auto leads = [&](const ca_stage *stage, int64_t inputs, int64_t outputs) {
    return !stage || (buildOfStage(stage) == build && stage->kernels.size == 1 &&
                      stage->kernels.inputs == inputs && stage->kernels.outputs == outputs);
  };
  if (!leads(expansion, in->channels, kernels->channels) ||
      !leads(projection, kernels->channels, out->channels))
    return -1;
  const Stage first = expansion ? opened(*expansion) : Stage{},
              last = projection ? opened(*projection) : Stage{};
  return depthwise(build, &Build::depthwise,
                   {.kernels = *kernels,
                    .type = in->type,
                    .windows = *in,
                    .centers = *out,
                    .threads = atLeastOne(threads),
                    .fusion = *fusion,
                    .expansion = expansion ? &first : nullptr,
                    .projection = projection ? &last : nullptr});
}

int ca_depthwise_transpose(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *out, int threads) {
  return depthwise(build, &Build::depthwiseTransposed,
                   {.kernels = *kernels,
                    .type = type,
                    .windows = *in,
                    .centers = *out,
                    .threads = atLeastOne(threads),
                    .fusion = nothing});
}

int ca_depthwise_correlate(int build, const ca_depthwise *kernels, ca_type type, const ca_map *in,
                           const ca_map *gradient, float *taps, int threads) {
  return depthwise(build, &Build::depthwiseTaps,
                   {.kernels = *kernels,
                    .type = type,
                    .windows = *in,
                    .centers = *gradient,
                    .threads = atLeastOne(threads),
                    .fusion = nothing,
                    .taps = taps});
}

int ca_attention(int build, const ca_tokens *queries, const ca_tokens *keys,
                 const ca_tokens *values, int64_t images, int64_t heads, int64_t tokens,
                 int64_t others, int64_t width, int64_t outputs, float scale,
                 const ca_added_scores *added, float *out, int threads) {
  try {
    const ca_added_scores none{};
    builds[build]->attention({.queries = *queries,
                              .keys = *keys,
                              .values = *values,
                              .images = images,
                              .heads = heads,
                              .tokens = tokens,
                              .others = others,
                              .width = width,
                              .outputs = outputs,
                              .scale = scale,
                              .added = added ? *added : none,
                              .out = out,
                              .threads = atLeastOne(threads)});
    return 0;
  } catch (...) {
    return -1;
  }
}

void ca_layer_norm(int build, const float *in, int64_t rows, int64_t width, int64_t stride,
                   float eps, const float *weight, const float *bias, float *out, int threads) {
  builds[build]->layerNorm({.in = in,
                            .rows = rows,
                            .width = width,
                            .stride = stride,
                            .eps = eps,
                            .weight = weight,
                            .bias = bias,
                            .out = out,
                            .threads = atLeastOne(threads)});
}

int ca_resize(int build, const ca_map *in, const ca_map *out, int aligns, double down,
              double across, int threads) {
  if (in->images != out->images || in->channels != out->channels || in->type != out->type ||
      in->height < 1 || in->width < 1)
    return -1;
  try {
    builds[build]->resize({.in = *in,
                           .out = *out,
                           .aligns = aligns != 0,
                           .down = down,
                           .across = across,
                           .threads = atLeastOne(threads)});
    return 0;
  } catch (...) {
    return -1;
  }
}

int ca_chain(const ca_stage *stages, int number, const ca_map *in, int inputs, const ca_map *out,
             const ca_map *added, int maps, int place, int aligns, int threads) {
  if (number < 1 || place < 0 || place >= number ||
      out->channels != stages[number - 1].kernels.outputs)
    return -1;
  int64_t channels = 0;
  for (int i = 0; i < inputs; i++) {
    if (in[i].images != out->images || in[i].height != out->height || in[i].width != out->width)
      return -1;
    channels += in[i].channels;
  }
  for (int m = 0; m < maps; m++)
    if (added[m].images != out->images || added[m].channels != stages[place].kernels.outputs ||
        added[m].height < 1 || added[m].width < 1)
      return -1;
  const int build = buildOf(stages[0].kernels, stages[0].count);
  try {
    std::vector<Stage> own;
    std::vector<int> numbers;
    for (const ca_stage *stage = stages; stage < stages + number; stage++) {
      const int other = buildOf(stage->kernels, stage->count);
      // Precisions may differ, but not instructions.
      if (build < 0 || other < 0 || builds[other]->numbers > 2 ||
          builds[other]->chain != builds[build]->chain || stage->kernels.size != 1 ||
          stage->kernels.inputs != channels)
        return -1;
      numbers.push_back(builds[other]->numbers);
      channels = stage->kernels.outputs;
      own.push_back(opened(*stage));
    }
    builds[build]->chain({.stages = own.data(),
                          .numbers = numbers.data(),
                          .count = number,
                          .in = in,
                          .inputs = inputs,
                          .out = *out,
                          .added = added,
                          .maps = maps,
                          .place = place,
                          .aligns = aligns != 0,
                          .threads = atLeastOne(threads)});
    return 0;
  } catch (...) {
    return -1;
  }
}

int ca_pool_codes(int build, const ca_map *in, const ca_map *out, int size, int stride, int padding,
                  int rate, int threads) {
  // Each window meets the map.
  if (!builds[build]->poolCodes || !isWindow(size, stride, padding, rate, in, out) ||
      size > CA_MOST_TAPS || padding > size / 2 || in->channels != out->channels ||
      (in->type != CA_CODES && in->type != CA_BFLOAT16) || out->type != in->type)
    return -1;
  const Kernels window{in->channels, in->channels, size, nullptr};
  try {
    builds[build]->poolCodes({.kernels = window,
                              .in = *in,
                              .out = *out,
                              .stride = stride,
                              .padding = padding,
                              .rate = rate,
                              .threads = atLeastOne(threads)});
    return 0;
  } catch (...) {
    return -1;
  }
}

namespace {
/// The same by products of sixteen bits.
int convolveMixed(const ca_kernels *kernels, int64_t length, const ca_map *in, ca_code in_code,
                  const ca_map *out, ca_code out_code, int stride, int padding, int rate,
                  const ca_codes_fusion *fusion, int threads) {
  const int build = buildOf(*kernels, length);
  if (in->channel_stride > 1 || build < 0 || builds[build]->numbers < 2 || kernels->size != 3 ||
      stride != 1 || rate < 1 || padding != rate || fusion->scale ||
      in->channels != kernels->inputs || out->channels != kernels->outputs ||
      out->images != in->images || out->height != in->height || out->width != in->width ||
      !fits(*in, in_code) || !fits(*out, out_code) ||
      (fusion->addend && !fits(*fusion->addend, fusion->addend_code)))
    return -1;
  const Kernels own = opened(*kernels);
  const ca_fusion rest{nullptr, nullptr, 0, fusion->bias, fusion->addend, fusion->activation};
  const Convolving convolving;
  try {
    builds[build]->winograd({.kernels = own,
                             .in = *in,
                             .out = *out,
                             .stride = 1,
                             .rate = rate,
                             .threads = atLeastOne(threads),
                             .fusion = rest,
                             .isMixed = true,
                             .in_code = in_code,
                             .out_code = out_code,
                             .addend_code = fusion->addend_code});
    return 0;
  } catch (...) {
    return -1;
  }
}
} // namespace

int ca_reads_planes(const ca_kernels *kernels, int64_t length) {
  if (length <= HEADER) return 0;
  PackedHeader header;
  memcpy(&header, kernels->packed, sizeof header);
  return header.version == PackedHeader::coded && kernels->size > 1 && kernels->inputs <= 4;
}

int ca_convolve_codes(const ca_kernels *kernels, int64_t length, const ca_map *in, ca_code in_code,
                      const ca_map *out, ca_code out_code, int stride, int padding, int rate,
                      const ca_codes_fusion *fusion, int threads) {
  if (length <= HEADER) return -1;
  PackedHeader header;
  memcpy(&header, kernels->packed, sizeof header);
  if (header.version == PackedHeader::current)
    return convolveMixed(kernels, length, in, in_code, out, out_code, stride, padding, rate, fusion,
                         threads);
  if (header.version != PackedHeader::coded || !has(header.build) || kernels->size < 1 ||
      header.inputs != kernels->inputs ||
      length != ca_codes_count(header.build, kernels->outputs, kernels->inputs, kernels->size))
    return -1;
  if (in->channel_stride > 1 && (!ca_reads_planes(kernels, length) || in->type != CA_FLOAT32 ||
                                 in->pixel_stride != 1 || fusion->scale))
    return -1;
  if (!isWindow(kernels->size, stride, padding, rate, in, out) || in->channels != kernels->inputs ||
      out->channels != kernels->outputs ||
      (builds[header.build]->numbers == 4 && !isCode(fusion->inputs)) || !fits(*in, in_code) ||
      !fits(*out, out_code) || (fusion->addend && !fits(*fusion->addend, fusion->addend_code)))
    return -1;
  const Kernels own = opened(*kernels);
  const Convolving convolving;
  try {
    builds[header.build]->codes({.kernels = own,
                                 .in = *in,
                                 .out = *out,
                                 .in_code = in_code,
                                 .out_code = out_code,
                                 .stride = stride,
                                 .padding = padding,
                                 .rate = rate,
                                 .threads = atLeastOne(threads),
                                 .fusion = *fusion});
    return 0;
  } catch (...) {
    return -1;
  }
}

int ca_decode(int build, const ca_map *in, ca_code code, const ca_map *out, int threads) {
  if (!builds[build]->decode || in->images != out->images || in->height != out->height ||
      in->width != out->width || in->channels != out->channels)
    return -1;
  builds[build]->decode({*in, *out, code, atLeastOne(threads)});
  return 0;
}

int ca_mean_of_codes(int build, const ca_map *in, ca_code code, const ca_map *out, int threads) {
  if (!builds[build]->meanOfCodes || in->images != out->images || in->channels != out->channels ||
      in->height < 1 || in->width < 1 || in->height * in->width > INT32_MAX / 255)
    return -1;
  if (in->type == CA_FLOAT32) return -1;
  const Convolving convolving;
  try {
    builds[build]->meanOfCodes({*in, *out, code, atLeastOne(threads)});
    return 0;
  } catch (...) {
    return -1;
  }
}

int ca_scale_map(int build, const ca_map *in, const float *scale, const float *shift,
                 const ca_map *out, int threads) {
  if (!builds[build]->scaleHalves || in->type != CA_BFLOAT16 || out->type == CA_CODES ||
      in->images != out->images || in->height != out->height || in->width != out->width ||
      in->channels != out->channels || !scale != !shift)
    return -1;
  builds[build]->scaleHalves({*in, *out, scale, shift, atLeastOne(threads)});
  return 0;
}

double ca_products(int64_t height, int64_t width, int rate) {
  auto along = [&](int64_t length) {
    double count = 0;
    for (const AxisTile &tile : cut(length, rate, F6)) count += productsOf[tile.kind];
    return count / static_cast<double>(length);
  };
  return along(height) * along(width);
}
