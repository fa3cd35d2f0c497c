// Convolutions of each channel by itself, with their gradients: libtorch's are slow for strides, rates
// and kernels of 5×5, and that of dilated kernels in bfloat16 is memory that was never written.
#include "operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// How a convolution scans the map; `end` more zeros lie below and to the right.
struct Scan {
  int64_t size, stride, padding, end, rate;

  ca_depthwise kernels(int64_t channels, const float *taps) const {
    return {channels,
            static_cast<int>(size),
            static_cast<int>(stride),
            static_cast<int>(rate),
            static_cast<int>(padding),
            taps};
  }
  int64_t length(int64_t input) const {
    return (input + 2 * padding + end - rate * (size - 1) - 1) / stride + 1;
  }
  void check(const at::Tensor &x) const {
    TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16,
                "takes maps of type float32 or bfloat16, not ", x.scalar_type());
    checkWindows(x);
  }
  void checkWindows(const at::Tensor &x) const {
    TORCH_CHECK(x.dim() == 4 && x.device().is_cpu(), "takes maps (N, C, H, W) on the CPU, not ",
                x.sizes());
    constexpr int64_t most = 1 << 20;
    TORCH_CHECK(size >= 1 && size <= CA_MOST_TAPS && stride >= 1 && stride <= most &&
                    padding >= 0 && padding <= most && end >= 0 && end <= most && rate >= 1 &&
                    rate <= most,
                "has no kernels of size ", size, ", stride ", stride, ", padding ", padding,
                " and rate ", rate);
    const int64_t reach = rate * (size - 1) + 1 - 2 * padding - end;
    TORCH_CHECK(x.size(2) >= reach && x.size(3) >= reach, "kernels are larger than the map ",
                x.sizes());
  }
};

at::Tensor numbers(int64_t count) { return at::empty({count}, at::kFloat); }

/// Kernels (C, 1, size, size) in the order in which they are read.
at::Tensor pack(const at::Tensor &weight) {
  TORCH_CHECK(weight.dim() == 4 && weight.size(1) == 1 && weight.size(2) == weight.size(3) &&
                  weight.size(2) >= 1 && weight.size(2) <= CA_MOST_TAPS && weight.device().is_cpu(),
              "packs kernels (C, 1, size, size) of size 1 to ", CA_MOST_TAPS, ", not ",
              weight.sizes());
  const auto plain = weight.to(at::kFloat).contiguous();
  const int size = static_cast<int>(weight.size(2));
  auto taps = numbers(ca_depthwise_count(weight.size(0), size));
  ca_depthwise_pack(data(plain), weight.size(0), size, written(taps));
  return taps;
}

void succeed(int result) {
  TORCH_CHECK(result == 0, "not enough memory, or kernels for other channels");
}

void checkTaps(const at::Tensor &taps, int64_t channels, int64_t size) {
  TORCH_CHECK(taps.scalar_type() == at::kFloat && taps.is_contiguous() &&
                  taps.numel() == ca_depthwise_count(channels, static_cast<int>(size)),
              "has no kernels for ", channels, " channels");
}

at::Tensor convolved(const at::Tensor &x, const at::Tensor &taps, const Scan &scan,
                     const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &addend,
                     ca_activation function, int build) {
  scan.check(x);
  const int64_t channels = x.size(1);
  checkTaps(taps, channels, scan.size);
  auto out = channelsLast(x, {x.size(0), channels, scan.length(x.size(2)), scan.length(x.size(3))});
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const auto kernels = scan.kernels(channels, data(taps));
  const Addend other(addend, out);
  const ca_fusion fusion{nullptr,     nullptr, 0, numbers(bias, channels, "bias"),
                         other.get(), function};
  const ca_map read = map(in), write = fresh(out);
  succeed(ca_depthwise_convolve(build, &kernels, typeOf(x), &read, &write, &fusion,
                                at::get_num_threads()));
  return out;
}

/// The convolution of a prepared network, from packed kernels.
at::Tensor prepared(const at::Tensor &x, const at::Tensor &taps, int64_t size, int64_t stride,
                    int64_t padding, int64_t end, int64_t rate,
                    const std::optional<at::Tensor> &bias, const std::optional<at::Tensor> &addend,
                    std::string_view name, std::string_view instructions) {
  return convolved(x, taps, {size, stride, padding, end, rate}, bias, addend, activation(name),
                   buildOf(instructions));
}

/// The same of codes; see `codes.cpp`.
at::Tensor coded(const at::Tensor &x, double step, int64_t zero, const at::Tensor &taps,
                 int64_t size, int64_t stride, int64_t padding, int64_t end, int64_t rate,
                 const std::optional<at::Tensor> &bias, std::string_view name, double outStep,
                 int64_t outZero, std::string_view instructions) {
  const Scan scan{size, stride, padding, end, rate};
  scan.checkWindows(x);
  TORCH_CHECK(x.scalar_type() == at::kByte, "takes codes, not ", x.scalar_type());
  const int64_t channels = x.size(1);
  checkTaps(taps, channels, size);
  auto out =
      spacedMap(x.size(0), channels, scan.length(x.size(2)), scan.length(x.size(3)), at::kByte);
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const auto kernels = scan.kernels(channels, data(taps));
  const ca_fusion fusion{nullptr, nullptr,         0, numbers(bias, channels, "bias"),
                         nullptr, activation(name)};
  const ca_map read = map(in), write = map(out);
  succeed(ca_depthwise_codes(buildOf(instructions), &kernels, &read,
                             {static_cast<float>(step), static_cast<int>(zero)}, &write,
                             {static_cast<float>(outStep), static_cast<int>(outZero)}, &fusion,
                             at::get_num_threads()));
  return out;
}

/// A 1×1 convolution from packed kernels, if there is one.
std::optional<ca_stage> stage(const std::optional<at::Tensor> &packed, int64_t outputs,
                              int64_t inputs, const std::optional<at::Tensor> &bias,
                              std::string_view name) {
  if (!packed || !packed->defined()) return {};
  check(*packed);
  return ca_stage{{outputs, inputs, 1, data(*packed)},
                  packed->numel(),
                  numbers(bias, outputs, "bias"),
                  activation(name)};
}

/// The same of `width` channels, to which a 1×1 convolution leads, and another one from there to `outputs` channels, each
/// if it is given with its own bias and activation.
at::Tensor byRows(const at::Tensor &x, const std::optional<at::Tensor> &expansion, int64_t width,
                  const std::optional<at::Tensor> &before, std::string_view first,
                  const at::Tensor &taps, int64_t size, int64_t stride, int64_t padding,
                  int64_t end, int64_t rate, const std::optional<at::Tensor> &bias,
                  std::string_view name, const std::optional<at::Tensor> &projection,
                  int64_t outputs, const std::optional<at::Tensor> &after,
                  const std::optional<at::Tensor> &addend, std::string_view last,
                  const std::optional<at::Tensor> &into) {
  const Scan scan{size, stride, padding, end, rate};
  scan.check(x);
  checkTaps(taps, width, size);
  const auto expands = stage(expansion, width, x.size(1), before, first);
  const auto projects = stage(projection, outputs, width, after, last);
  TORCH_CHECK(expands || projects, "has no 1×1 convolution");
  TORCH_CHECK(expands || x.size(1) == width, "takes maps of ", width, " channels, not ", x.sizes());
  const int64_t shape[] = {x.size(0), projects ? outputs : width, scan.length(x.size(2)),
                           scan.length(x.size(3))};
  const bool isGiven = into && into->defined();
  auto out = isGiven ? *into : channelsLast(x, shape);
  TORCH_CHECK(out.sizes() == at::IntArrayRef(shape) && out.scalar_type() == x.scalar_type() &&
                  isReadable(out),
              "writes maps ", at::IntArrayRef(shape), " of adjacent channels, not ", out.sizes());
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const auto kernels = scan.kernels(width, data(taps));
  const Addend other(addend, out);
  const ca_fusion fusion{nullptr,     nullptr,         0, numbers(bias, width, "bias"),
                         other.get(), activation(name)};
  const ca_map read = map(in), write = isGiven ? map(out) : fresh(out);
  succeed(ca_depthwise_by_rows(expands ? &*expands : nullptr, &kernels,
                               projects ? &*projects : nullptr, &read, &write, &fusion,
                               at::get_num_threads()));
  return out;
}

struct Depthwise : torch::autograd::Function<Depthwise> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias, int64_t stride, int64_t padding,
                            int64_t end, int64_t rate, int64_t build) {
    context->save_for_backward({x, weight});
    context->saved_data["scan"] = std::vector<int64_t>{stride, padding, end, rate, build};
    std::optional<at::Tensor> added;
    const bool adds = bias && bias->defined();
    context->saved_data["adds"] = adds;
    if (adds) added = bias->to(at::kFloat).contiguous();
    return convolved(x, pack(weight), {weight.size(2), stride, padding, end, rate}, added, {},
                     CA_NONE, static_cast<int>(build));
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "depthwise convolutions have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto x = readable(saved[0]), weight = saved[1];
    const auto settings = context->saved_data["scan"].toIntVector();
    const Scan scan{weight.size(2), settings[0], settings[1], settings[2], settings[3]};
    const int build = static_cast<int>(settings[4]), threads = at::get_num_threads();
    const int64_t channels = x.size(1);
    const auto gradient = readable(gradients[0].to(x.scalar_type()));
    const ca_map from = map(gradient);
    at::Tensor dx, dw, db;
    if (context->needs_input_grad(0)) {
      dx = channelsLast(x, x.sizes());
      const auto taps = pack(weight);
      const auto kernels = scan.kernels(channels, data(taps));
      const ca_map to = fresh(dx);
      if (dx.numel() > 0)
        succeed(ca_depthwise_transpose(build, &kernels, typeOf(x), &from, &to, threads));
    }
    if (context->needs_input_grad(1)) {
      auto taps = numbers(ca_depthwise_count(channels, static_cast<int>(scan.size)));
      auto plain = at::empty(weight.sizes(), at::kFloat);
      const auto kernels = scan.kernels(channels, nullptr);
      const ca_map in = map(x);
      if (weight.numel() > 0) {
        succeed(
            ca_depthwise_correlate(build, &kernels, typeOf(x), &in, &from, written(taps), threads));
        ca_depthwise_unpack(data(taps), channels, static_cast<int>(scan.size), written(plain));
      }
      dw = plain.to(weight.scalar_type());
    }
    if (context->saved_data["adds"].toBool() && context->needs_input_grad(2))
      db = at::sum(gradient, {0, 2, 3}, false, at::kFloat);
    return {dx, dw, db, {}, {}, {}, {}, {}};
  }
};

/// The convolution of a network that trains: with gradients, and in autocast's type where that is on.
at::Tensor depthwise(const at::Tensor &x, const at::Tensor &weight,
                     const std::optional<at::Tensor> &bias, int64_t stride, int64_t padding,
                     int64_t end, int64_t rate, std::string_view instructions) {
  const auto type = at::autocast::is_autocast_enabled(at::kCPU)
                        ? at::autocast::get_autocast_dtype(at::kCPU)
                        : x.scalar_type();
  TORCH_CHECK(x.dim() == 4 && weight.dim() == 4 && weight.size(0) == x.size(1), "kernels ",
              weight.sizes(), " are not those of a map ", x.sizes());
  return Depthwise::apply(x.to(type), weight, bias, stride, padding, end, rate,
                          buildOf(instructions));
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("pack_depthwise(Tensor weight) -> Tensor", pack);
  library.def("codes_depthwise(Tensor x, float step, int zero, Tensor taps, int size, int stride, "
              "int padding, int end_padding, int rate, Tensor? bias, str activation, "
              "float out_step, int out_zero, str instructions=\"\") -> Tensor",
              coded);
  library.def("prepared_depthwise(Tensor x, Tensor taps, int size, int stride, int padding, "
              "int end_padding, int rate, Tensor? bias, Tensor? addend, str activation, "
              "str instructions=\"\") -> Tensor",
              prepared);
  library.def("depthwise_by_rows(Tensor x, Tensor? expansion, int width, Tensor? expansion_bias, "
              "str expansion_activation, Tensor taps, int size, int stride, int padding, "
              "int end_padding, int rate, Tensor? bias, str activation, Tensor? projection, "
              "int outputs, Tensor? projection_bias, Tensor? addend, str projection_activation, "
              "Tensor(a!)? into) -> Tensor(a!)",
              byRows);
  library.def("depthwise(Tensor x, Tensor weight, Tensor? bias, int stride, int padding, "
              "int end_padding, int rate, str instructions=\"\") -> Tensor",
              depthwise);
}
