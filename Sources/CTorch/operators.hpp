// Tensors as CAtrous sees them.
#pragma once
#include "catrous.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <cstdlib>

namespace {

inline const float *data(const at::Tensor &x) {
  return static_cast<const float *>(x.const_data_ptr());
}
inline float *written(at::Tensor &x) { return static_cast<float *>(x.mutable_data_ptr()); }

/// Numbers that the kernels read as they lie.
inline const float *numbers(const std::optional<at::Tensor> &tensor, int64_t count,
                            const char *name) {
  if (!tensor || !tensor->defined()) return nullptr;
  TORCH_CHECK(tensor->scalar_type() == at::kFloat && tensor->numel() == count &&
                  tensor->is_contiguous(),
              name, " must be ", count, " numbers of type float32, not ", tensor->sizes());
  return data(*tensor);
}

inline bool isReadable(const at::Tensor &x) { return x.stride(1) == 1 || x.size(1) == 1; }
/// A map that the kernels can read.
inline at::Tensor readable(const at::Tensor &x) {
  return isReadable(x) ? x : x.contiguous(at::MemoryFormat::ChannelsLast);
}
/// A map without values that the kernels can write.
inline at::Tensor channelsLast(const at::Tensor &like, at::IntArrayRef shape) {
  return at::empty(shape, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

/// The type of a map's numbers; float32 for those that the kernels do not know.
inline ca_type typeOf(const at::Tensor &x) {
  return x.scalar_type() == at::kByte       ? CA_CODES
         : x.scalar_type() == at::kBFloat16 ? CA_BFLOAT16
                                            : CA_FLOAT32;
}
inline ca_map map(const at::Tensor &x) {
  return {const_cast<float *>(data(x)),
          x.size(0),
          x.size(2),
          x.size(3),
          x.size(1),
          x.stride(0),
          x.stride(2),
          x.stride(3),
          typeOf(x)};
}

/// The map of a tensor that was made with adjacent channels: one of a single pixel or channel may have
/// strides that say nothing.
inline ca_map fresh(at::Tensor &x) {
  const int64_t channels = x.size(1), row = x.size(3) * channels;
  return {written(x),      x.size(0), x.size(2), x.size(3), channels,
          x.size(2) * row, row,       channels,  typeOf(x)};
}

/// A map (images, channels, height, width) without values and with adjacent channels, whose pixels do not
/// begin in the same lines of the first cache: products read some of them at a time, and would have the use
/// of a small part of it.
inline at::Tensor spacedMap(int64_t images, int64_t channels, int64_t height, int64_t width,
                            at::ScalarType type) {
  const int64_t size = static_cast<int64_t>(c10::elementSize(type));
  const int64_t room =
      channels * size % (size == 1 ? 4096 : 2048) == 0 ? channels + 64 / size : channels;
  return at::empty({images, height, width, room}, type)
      .narrow(3, 0, channels)
      .permute({0, 3, 1, 2});
}

inline ca_activation activation(std::string_view name) {
  constexpr std::pair<std::string_view, ca_activation> known[] = {{"none", CA_NONE},
                                                                  {"relu", CA_RELU},
                                                                  {"relu6", CA_RELU6},
                                                                  {"hardswish", CA_HARDSWISH},
                                                                  {"hardsigmoid", CA_HARDSIGMOID},
                                                                  {"silu", CA_SILU},
                                                                  {"gelu", CA_GELU}};
  for (const auto &[text, value] : known)
    if (text == name) return value;
  TORCH_CHECK(false, "unknown activation '", std::string(name), "'");
}

inline void check(const at::Tensor &x) {
  TORCH_CHECK(x.device().is_cpu() && x.scalar_type() == at::kFloat,
              "takes tensors of type float32 on the CPU");
}

/// A map that may be added to `sum`.
struct Addend {
  at::Tensor kept;
  ca_map numbers;

  Addend(const std::optional<at::Tensor> &addend, const at::Tensor &sum) {
    if (!addend || !addend->defined()) return;
    check(*addend);
    check(sum);
    TORCH_CHECK(addend->sizes() == sum.sizes(), "adds ", addend->sizes(), " to ", sum.sizes());
    kept = readable(*addend);
    numbers = map(kept);
  }
  /// Null if there is none.
  const ca_map *get() const { return kept.defined() ? &numbers : nullptr; }
};

/// Convolves by packed kernels.
inline void convolve(const at::Tensor &packed, int64_t outputs, int64_t inputs, int64_t size,
                     const ca_map &in, const ca_map &out, int64_t stride, int64_t rate,
                     const ca_fusion &fusion) {
  check(packed);
  const ca_kernels kernels{outputs, inputs, static_cast<int>(size), data(packed)};
  TORCH_CHECK(ca_convolve(&kernels, packed.numel(), &in, &out, static_cast<int>(stride),
                          static_cast<int>(rate), &fusion, at::get_num_threads()) == 0,
              "not enough memory, or kernels for other channels");
}

/// The number of an instruction set, of the best one or that of ATROUS_ISA if none is named.
inline int buildOf(std::string_view instructions) {
  const int build = ca_build(std::string(instructions).c_str());
  if (build >= 0) return build;
  TORCH_CHECK(instructions.empty(), "the processor has no instructions '",
              std::string(instructions), "'");
  std::string known;
  for (const char *name : {"avx512", "avx2", "portable"})
    if (ca_build(name) >= 0) known += (known.empty() ? "" : ", ") + std::string(name);
  TORCH_CHECK(false, "ATROUS_ISA is '", std::getenv("ATROUS_ISA"),
              "', expected an instruction set that this processor has: ", known);
}

} // namespace
