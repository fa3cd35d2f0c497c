// Convolutions of maps of eight bits; see `ca_code` in catrous.h. Maps of codes are tensors of type uint8, whose steps and
// zeros stand beside them; a step of 0 means numbers of type float32.
#include "catrous_halves.h"
#include "operators.hpp"

#include <cmath>
#include <torch/library.h>

namespace {

void checkMap(const at::Tensor &x) {
  const auto type = x.scalar_type();
  TORCH_CHECK(x.device().is_cpu() && x.dim() == 4 &&
                  (type == at::kFloat || type == at::kBFloat16 || type == at::kByte),
              "takes maps (N, C, H, W) of type float32, bfloat16 or uint8 on the CPU, not ",
              x.sizes(), " of type ", type);
}

ca_code code(double step, int64_t zero) {
  TORCH_CHECK(std::isfinite(step) && step >= 0 && zero >= 0 && zero <= 255,
              "takes steps from 0 and zeros from 0 to 255, not ", step, " and ", zero);
  return {static_cast<float>(step), static_cast<int>(zero)};
}

at::Tensor packCodes(const at::Tensor &weight, std::string_view instructions) {
  check(weight);
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == weight.size(3), "packs square kernels, not ",
              weight.sizes());
  const int build = buildOf(instructions);
  const auto plain = weight.contiguous();
  const int size = static_cast<int>(weight.size(2));
  auto packed = at::empty({ca_codes_count(build, weight.size(0), weight.size(1), size)},
                          weight.options().memory_format(at::MemoryFormat::Contiguous));
  TORCH_CHECK(
      ca_pack_codes(build, data(plain), weight.size(0), weight.size(1), size, written(packed)) == 0,
      "the instructions '", std::string(instructions),
      "' do not multiply whole numbers, or kernels are larger than 8 × 8");
  return packed;
}

/// Whether the weights of each output are whole multiples of a step, as those of a file of eight bits are.
bool inCodes(const at::Tensor &weight) {
  check(weight);
  TORCH_CHECK(weight.dim() >= 1, "takes weights of outputs");
  const auto plain = weight.contiguous();
  const int64_t outputs = plain.size(0);
  return plain.numel() == 0 || ca_in_codes(data(plain), outputs, plain.numel() / outputs) != 0;
}

/// How many products one output of a 3×3 convolution takes for each pair of channels, by combinations of taps.
double products(int64_t height, int64_t width, int64_t rate) {
  TORCH_CHECK(height > 0 && width > 0 && rate > 0 && rate < 1 << 20, "takes lengths and a rate");
  return ca_products(height, width, static_cast<int>(rate));
}

/// A map that is added to `sum`: one of its shape, or one pixel of each image that is added everywhere; `kept` holds its
/// numbers.
ca_map added(const at::Tensor &given, const at::Tensor &sum, at::Tensor &kept) {
  checkMap(given);
  const int64_t pixel[] = {sum.size(0), sum.size(1), 1, 1};
  const bool isPixel = given.sizes() == at::IntArrayRef(pixel);
  TORCH_CHECK(isPixel || given.sizes() == sum.sizes(), "adds ", given.sizes(), " to ", sum.sizes());
  kept = isPixel ? given.contiguous() : readable(given);
  ca_map result = map(kept);
  if (!isPixel) return result;
  result.height = sum.size(2);
  result.width = sum.size(3);
  result.image_stride = given.size(1);
  result.row_stride = result.pixel_stride = 0;
  return result;
}

/// A convolution of what `x` holds, as codes of `step` and `zero`, with what stands before and after it, written to `into` if
/// there is one.
at::Tensor convolution(const at::Tensor &x, double xStep, int64_t xZero, const at::Tensor &packed,
                       int64_t outputs, int64_t size, int64_t stride, int64_t padding, int64_t rate,
                       double step, int64_t zero, const std::optional<at::Tensor> &scale,
                       const std::optional<at::Tensor> &shift, bool rectifies,
                       const std::optional<at::Tensor> &bias,
                       const std::optional<at::Tensor> &addend, double addendStep,
                       int64_t addendZero, std::string_view name, double outStep, int64_t outZero,
                       at::ScalarType type, const std::optional<at::Tensor> &into) {
  checkMap(x);
  check(packed);
  TORCH_CHECK(size >= 1 && size <= 8 && stride >= 1 && stride <= INT_MAX && padding >= 0 &&
                  padding <= INT_MAX && rate >= 1 && rate <= INT_MAX / 8,
              "has no size ", size, ", stride ", stride, ", padding ", padding, " and rate ", rate);
  auto along = [&](int64_t length) {
    return (length + 2 * padding - rate * (size - 1) - 1) / stride + 1;
  };
  const int64_t shape[] = {x.size(0), outputs, along(x.size(2)), along(x.size(3))};
  at::Tensor out;
  if (into && into->defined()) {
    out = *into;
    checkMap(out);
    TORCH_CHECK(out.sizes() == at::IntArrayRef(shape) && isReadable(out) &&
                    out.scalar_type() == type,
                "writes maps ", at::IntArrayRef(shape), " of type ", type,
                " with adjacent channels, not ", out.sizes(), " of type ", out.scalar_type());
  } else {
    TORCH_CHECK(shape[2] >= 0 && shape[3] >= 0, "has no outputs for ", x.sizes());
    out = spacedMap(shape[0], shape[1], shape[2], shape[3], type);
  }
  if (out.numel() == 0) return out;
  const ca_kernels kernels{outputs, x.size(1), static_cast<int>(size), data(packed)};
  // An image as it usually lies, channel after channel.
  const bool isPlanar = !isReadable(x) && x.stride(3) == 1 && x.scalar_type() == at::kFloat &&
                        !(scale && scale->defined()) && ca_reads_planes(&kernels, packed.numel());
  const auto in = isPlanar ? x : readable(x);
  at::Tensor other;
  ca_map more;
  ca_codes_fusion fusion{numbers(scale, x.size(1), "scale"),
                         numbers(shift, x.size(1), "shift"),
                         rectifies,
                         {static_cast<float>(step), static_cast<int>(zero)},
                         numbers(bias, outputs, "bias"),
                         nullptr,
                         code(addendStep, addendZero),
                         activation(name)};
  if (addend && addend->defined()) {
    more = added(*addend, out, other);
    fusion.addend = &more;
  }
  auto write = map(out);
  write.data = written(out);
  ca_map read = map(in);
  if (isPlanar) read.channel_stride = x.stride(1);
  TORCH_CHECK(ca_convolve_codes(&kernels, packed.numel(), &read, code(xStep, xZero), &write,
                                code(outStep, outZero), static_cast<int>(stride),
                                static_cast<int>(padding), static_cast<int>(rate), &fusion,
                                at::get_num_threads()) == 0,
              "not enough memory, or kernels for other channels");
  return out;
}

at::Tensor decode(const at::Tensor &x, double step, int64_t zero, std::string_view instructions) {
  TORCH_CHECK(step > 0, "takes codes");
  checkMap(x);
  auto out = at::empty(x.sizes(),
                       x.options().dtype(at::kFloat).memory_format(at::MemoryFormat::ChannelsLast));
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const ca_map read = map(in), write = fresh(out);
  TORCH_CHECK(
      ca_decode(buildOf(instructions), &read, code(step, zero), &write, at::get_num_threads()) == 0,
      "cannot be decoded");
  return out;
}

/// A map like those that a function makes anew, or the memory that is given for it.
at::Tensor made(const std::optional<at::Tensor> &into, at::IntArrayRef shape, at::ScalarType type) {
  if (!into || !into->defined()) return spacedMap(shape[0], shape[1], shape[2], shape[3], type);
  checkMap(*into);
  TORCH_CHECK(into->sizes() == shape && isReadable(*into) && into->scalar_type() == type,
              "writes maps ", shape, " of type ", type, " with adjacent channels, not ",
              into->sizes(), " of type ", into->scalar_type());
  return *into;
}

/// The largest of each window.
at::Tensor poolCodes(const at::Tensor &x, int64_t size, int64_t stride, int64_t padding,
                     int64_t rate, bool roundsUp, const std::optional<at::Tensor> &into,
                     std::string_view instructions) {
  checkMap(x);
  TORCH_CHECK(x.scalar_type() != at::kFloat, "takes maps of type bfloat16 or uint8");
  TORCH_CHECK(size >= 1 && size <= 32 && stride >= 1 && stride <= INT_MAX && padding >= 0 &&
                  padding <= size / 2 && rate >= 1 && rate <= INT_MAX / 32,
              "has no windows of size ", size, ", stride ", stride, ", padding ", padding,
              " and rate ", rate);
  auto along = [&](int64_t length) {
    return (length + 2 * padding - rate * (size - 1) - 1) / stride + 1;
  };
  TORCH_CHECK(!roundsUp, "rounds sizes down");
  const int64_t shape[] = {x.size(0), x.size(1), along(x.size(2)), along(x.size(3))};
  auto out = made(into, shape, x.scalar_type());
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const ca_map read = map(in);
  ca_map write = map(out);
  write.data = written(out);
  TORCH_CHECK(ca_pool_codes(buildOf(instructions), &read, &write, static_cast<int>(size),
                            static_cast<int>(stride), static_cast<int>(padding),
                            static_cast<int>(rate), at::get_num_threads()) == 0,
              "has no such windows");
  return out;
}

/// The mean of each channel, (N, C, 1, 1).
at::Tensor meanOfCodes(const at::Tensor &x, double step, int64_t zero,
                       std::string_view instructions) {
  checkMap(x);
  const bool isCoded = x.scalar_type() == at::kByte;
  TORCH_CHECK((step > 0 || !isCoded) && x.numel() > 0 && x.scalar_type() != at::kFloat,
              "takes codes or numbers of type bfloat16");
  auto out = at::empty({x.size(0), x.size(1), 1, 1}, x.options().dtype(at::kFloat));
  const auto in = readable(x);
  const ca_map read = map(in), write = fresh(out);
  TORCH_CHECK(ca_mean_of_codes(buildOf(instructions), &read, code(step, zero), &write,
                               at::get_num_threads()) == 0,
              "has no mean");
  return out;
}

/// A map of type bfloat16 times a number of each channel plus another, as numbers of `type`.
at::Tensor scaledHalves(const at::Tensor &x, const std::optional<at::Tensor> &scale,
                        const std::optional<at::Tensor> &shift, at::ScalarType type,
                        const std::optional<at::Tensor> &into, std::string_view instructions) {
  checkMap(x);
  TORCH_CHECK(x.scalar_type() == at::kBFloat16 && (type == at::kFloat || type == at::kBFloat16),
              "takes maps of type bfloat16 to one of that type or float32");
  auto out = made(into, x.sizes(), type);
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const ca_map read = map(in);
  ca_map write = map(out);
  write.data = written(out);
  TORCH_CHECK(ca_scale_map(buildOf(instructions), &read, numbers(scale, x.size(1), "scale"),
                           numbers(shift, x.size(1), "shift"), &write, at::get_num_threads()) == 0,
              "takes a scale and a shift");
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("pack_codes(Tensor weight, str instructions) -> Tensor", packCodes);
  library.def("in_codes(Tensor weight) -> bool", inCodes);
  library.def("products(int height, int width, int rate) -> float", products);
  library.def(
      "codes_convolution(Tensor x, float x_step, int x_zero, Tensor packed, int outputs, int size, "
      "int stride, int padding, int rate, float step, int zero, Tensor? scale, Tensor? shift, "
      "bool rectifies, Tensor? bias, Tensor? addend, float addend_step, int addend_zero, "
      "str activation, float out_step, int out_zero, ScalarType type, "
      "Tensor(a!)? into) -> Tensor(a!)",
      convolution);
  library.def("decode(Tensor x, float step, int zero, str instructions=\"int8\") -> Tensor",
              decode);
  library.def("pool_codes(Tensor x, int size, int stride, int padding, int rate, "
              "bool rounds_up, Tensor(a!)? into=None, str instructions=\"int8\") -> Tensor(a!)",
              poolCodes);
  library.def("scaled_halves(Tensor x, Tensor? scale, Tensor? shift, ScalarType type, "
              "Tensor(a!)? into=None, str instructions=\"int8\") -> Tensor(a!)",
              scaledHalves);
  library.def("mean_of_codes(Tensor x, float step, int zero, str instructions=\"int8\") -> Tensor",
              meanOfCodes);
}
