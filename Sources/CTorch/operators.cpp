// The kernels of CAtrous as operators of libtorch's dispatcher, `atrous::…`, so that they are called
// and observed like all others.
#include "operators.hpp"

#include <cmath>
#include <torch/library.h>

namespace {

/// Kernels (outputs, inputs, size, size) in the order of the products of an instruction set, the best
/// one if none is named.
at::Tensor pack(const at::Tensor &weight, std::string_view instructions) {
  check(weight);
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == weight.size(3) &&
                  (weight.size(2) == 1 || weight.size(2) == 3),
              "packs kernels of size 1 or 3, not ", weight.sizes());
  const int build = buildOf(instructions);
  const auto plain = weight.contiguous();
  const int size = static_cast<int>(weight.size(2));
  auto packed = at::empty({ca_packed_count(build, weight.size(0), weight.size(1), size)},
                          weight.options().memory_format(at::MemoryFormat::Contiguous));
  TORCH_CHECK(ca_pack(build, data(plain), weight.size(0), weight.size(1), size, written(packed),
                      at::get_num_threads()) == 0,
              "packs whole numbers by pack_whole");
  return packed;
}

/// Kernels (outputs, inputs, 1, 1) as whole numbers of eight bits, for maps of numbers from `low` to `high`.
at::Tensor packWhole(const at::Tensor &weight, double low, double high,
                     std::string_view instructions) {
  check(weight);
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 1 && weight.size(3) == 1,
              "packs kernels of size 1, not ", weight.sizes());
  TORCH_CHECK(std::isfinite(low) && std::isfinite(high) && low <= high, "takes no range from ", low,
              " to ", high);
  const int build = buildOf(instructions);
  const auto plain = weight.contiguous();
  auto packed = at::empty({ca_packed_count(build, weight.size(0), weight.size(1), 1)},
                          weight.options().memory_format(at::MemoryFormat::Contiguous));
  TORCH_CHECK(ca_pack_whole(build, data(plain), weight.size(0), weight.size(1),
                            static_cast<float>(low), static_cast<float>(high),
                            written(packed)) == 0,
              "the instructions '", std::string(instructions), "' do not multiply whole numbers");
  return packed;
}

/// A convolution whose padding keeps the size, with what stands before and after it, written to `out`.
void convolve(const at::Tensor &x, const at::Tensor &packed, int64_t outputs, int64_t size,
              int64_t stride, int64_t rate, const std::optional<at::Tensor> &scale,
              const std::optional<at::Tensor> &shift, bool rectifies,
              const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &addend,
              std::string_view name, at::Tensor &out) {
  check(packed);
  const auto in = readable(x);
  if (out.numel() == 0) return;
  auto write = map(out);
  write.data = written(out);
  const Addend other(addend, out);
  convolve(packed, outputs, x.size(1), size, map(in), write, stride, rate,
           {numbers(scale, x.size(1), "scale"), numbers(shift, x.size(1), "shift"), rectifies,
            numbers(bias, outputs, "bias"), other.get(), activation(name)});
}

/// The shape of what a convolution gives for `x`.
std::array<int64_t, 4> shape(const at::Tensor &x, int64_t outputs, int64_t size, int64_t stride,
                             int64_t rate) {
  check(x);
  TORCH_CHECK(x.dim() == 4, "takes maps (N, C, H, W), not ", x.sizes());
  TORCH_CHECK(stride >= 1 && rate >= 1 && rate <= INT_MAX && (size == 1 || stride == 1),
              "has no stride ", stride, " and rate ", rate, " for size ", size);
  return {x.size(0), outputs, (x.size(2) + stride - 1) / stride, (x.size(3) + stride - 1) / stride};
}

at::Tensor convolution(const at::Tensor &x, const at::Tensor &packed, int64_t outputs, int64_t size,
                       int64_t stride, int64_t rate, const std::optional<at::Tensor> &scale,
                       const std::optional<at::Tensor> &shift, bool rectifies,
                       const std::optional<at::Tensor> &bias,
                       const std::optional<at::Tensor> &addend, std::string_view name) {
  const auto sizes = shape(x, outputs, size, stride, rate);
  auto out = spacedMap(sizes[0], sizes[1], sizes[2], sizes[3], at::kFloat);
  convolve(x, packed, outputs, size, stride, rate, scale, shift, rectifies, bias, addend, name,
           out);
  return out;
}

/// The same, written to a map that is there, such as some channels of a larger one.
void convolutionInto(const at::Tensor &x, const at::Tensor &packed, int64_t outputs, int64_t size,
                     int64_t stride, int64_t rate, const std::optional<at::Tensor> &scale,
                     const std::optional<at::Tensor> &shift, bool rectifies,
                     const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &addend,
                     std::string_view name, at::Tensor out) {
  check(out);
  const auto sizes = shape(x, outputs, size, stride, rate);
  TORCH_CHECK(out.sizes() == at::IntArrayRef(sizes) && isReadable(out), "writes maps ",
              at::IntArrayRef(sizes), " with adjacent channels, not ", out.sizes());
  convolve(x, packed, outputs, size, stride, rate, scale, shift, rectifies, bias, addend, name,
           out);
}

/// A matrix product along the last dimension, with what follows it.
at::Tensor linear(const at::Tensor &x, const at::Tensor &packed, int64_t outputs,
                  const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &addend,
                  std::string_view name) {
  check(x);
  check(packed);
  TORCH_CHECK(x.dim() >= 1, "takes at least one dimension");
  const int64_t inputs = x.size(-1);
  const auto in = x.contiguous();
  auto shape = x.sizes().vec();
  shape.back() = outputs;
  auto out = at::empty(shape, x.options().memory_format(at::MemoryFormat::Contiguous));
  if (out.numel() == 0) return out;
  const int64_t rows = in.numel() / inputs;
  const ca_map read{const_cast<float *>(data(in)), 1, 1, rows, inputs, 0, 0, inputs};
  const ca_map write{written(out), 1, 1, rows, outputs, 0, 0, outputs};
  ca_fusion fusion{nullptr, nullptr, 0, numbers(bias, outputs, "bias"), nullptr, activation(name)};
  at::Tensor other;
  ca_map added;
  if (addend && addend->defined()) {
    check(*addend);
    TORCH_CHECK(addend->sizes() == out.sizes(), "adds ", addend->sizes(), " to ", out.sizes());
    other = addend->contiguous();
    added = {const_cast<float *>(data(other)), 1, 1, rows, outputs, 0, 0, outputs};
    fusion.addend = &added;
  }
  convolve(packed, outputs, inputs, 1, read, write, 1, 1, fusion);
  return out;
}

} // namespace

TORCH_LIBRARY(atrous, library) {
  library.def("pack(Tensor weight, str instructions=\"\") -> Tensor", pack);
  library.def("pack_whole(Tensor weight, float low, float high, str instructions) -> Tensor",
              packWhole);
  library.def("map(int images, int channels, int height, int width, "
              "ScalarType type) -> Tensor",
              spacedMap);
  library.def("convolution(Tensor x, Tensor packed, int outputs, int size, int stride, int rate, "
              "Tensor? scale, Tensor? shift, bool rectifies, Tensor? bias, Tensor? addend, "
              "str activation) -> Tensor",
              convolution);
  library.def("convolution_into(Tensor x, Tensor packed, int outputs, int size, int stride, "
              "int rate, Tensor? scale, Tensor? shift, bool rectifies, Tensor? bias, "
              "Tensor? addend, str activation, Tensor(a!) out) -> ()",
              convolutionInto);
  library.def("linear(Tensor x, Tensor packed, int outputs, Tensor? bias, Tensor? addend, "
              "str activation) -> Tensor",
              linear);
}
