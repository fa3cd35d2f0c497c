// Convolutions and normalizations of networks that train: by fewer multiplications, and with fewer ways
// through memory, than libtorch's.
#include "training.hpp"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// A convolution of size 1 or 3 whose padding keeps the size; with a stride only of size 1.
struct Convolution : torch::autograd::Function<Convolution> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                            const std::optional<at::Tensor> &bias, int64_t stride, int64_t rate,
                            int64_t build) {
    checkMap(x);
    checkKernels(weight, x.size(1));
    const int64_t size = weight.size(2);
    TORCH_CHECK(stride >= 1 && rate >= 1 && rate <= INT_MAX && (size == 1 || stride == 1),
                "has no stride ", stride, " and rate ", rate, " for size ", size);
    const auto in = readable(x);
    context->save_for_backward({in, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["rate"] = rate;
    context->saved_data["build"] = build;
    context->saved_data["adds"] = bias && bias->defined();
    auto out = channelsLast(x, {x.size(0), weight.size(0), (x.size(2) + stride - 1) / stride,
                                (x.size(3) + stride - 1) / stride});
    ca_fusion fusion{};
    fusion.bias = numbers(bias, weight.size(0), "bias");
    if (out.numel() > 0)
      Packed(weight, false, static_cast<int>(build))
          .convolve(map(in), fresh(out), stride, rate, fusion);
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "these convolutions have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const int64_t stride = context->saved_data["stride"].toInt();
    const int64_t rate = context->saved_data["rate"].toInt();
    const int build = static_cast<int>(context->saved_data["build"].toInt());
    const auto gradient = readable(gradients[0]);
    at::Tensor dx, dw, db;
    const bool isEmpty = gradient.numel() == 0;
    if (context->needs_input_grad(0) && (stride > 1 || isEmpty)) {
      dx = std::get<0>(at::convolution_backward(gradient, x, weight, std::nullopt, {stride, stride},
                                                {0, 0}, {1, 1}, false, {0, 0}, 1,
                                                {true, false, false}));
    } else if (context->needs_input_grad(0)) {
      dx = channelsLast(x, x.sizes());
      Packed(weight, true, build).convolve(map(gradient), fresh(dx), 1, rate);
    }
    if (context->needs_input_grad(1))
      dw = isEmpty ? at::zeros_like(weight)
                   : kernelGradient(weight, map(x), nullptr, map(gradient), stride, rate, build);
    // A bias that is not there is no input.
    if (context->saved_data["adds"].toBool() && context->needs_input_grad(2))
      db = at::sum(gradient, {0, 2, 3});
    return {dx, dw, db, {}, {}, {}};
  }
};

/// max(0, normalization + addend); the positive part only if `rectifies`.
struct NormUnit : torch::autograd::Function<NormUnit> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x, const at::Tensor &weight,
                            const at::Tensor &bias, const std::optional<at::Tensor> &addend,
                            const std::optional<at::Tensor> &running_mean,
                            const std::optional<at::Tensor> &running_var, double momentum,
                            double eps, bool rectifies) {
    checkMap(x);
    const auto in = readable(x);
    const Normalized norm(x.size(1), rectifies);
    const ca_map read = map(in);
    TORCH_CHECK(x.numel() > x.size(1), "takes more than one value a channel, not ", x.sizes());
    norm.measure(read);
    norm.scale(weight, bias, eps);
    if (running_mean && running_mean->defined() && running_var && running_var->defined())
      norm.track(*running_mean, *running_var, momentum, static_cast<double>(x.numel() / x.size(1)));
    auto out = channelsLast(x, x.sizes());
    const Addend other(addend, out);
    const bool adds = other.get();
    const auto affine = norm.affine();
    const ca_map write = fresh(out);
    succeed(ca_normalize(buildOf(""), &read, &affine, other.get(), &write, at::get_num_threads()));
    context->saved_data["rectifies"] = rectifies;
    context->saved_data["adds"] = adds;
    variable_list saved{in, norm.table};
    // Without an addend the inputs tell what is positive.
    if (adds && rectifies) saved.push_back(out);
    context->save_for_backward(saved);
    return out;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "these normalizations have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0];
    const Normalized norm(saved[1], context->saved_data["rectifies"].toBool());
    const bool adds = context->saved_data["adds"].toBool();
    const auto gradient = readable(gradients[0]);
    const ca_map read = map(x), from = map(gradient);
    ca_map signs;
    if (saved.size() > 2) signs = map(saved[2]);
    const ca_map *y = saved.size() > 2 ? &signs : nullptr;
    const auto affine = norm.affine();
    const int build = buildOf(""), threads = at::get_num_threads();
    std::vector<double> sums(2 * norm.channels);
    succeed(ca_normalized_sums(build, &read, &from, y, &affine, norm.mean(), sums.data(), nullptr,
                               threads));
    const NormalizedGradient own(norm, sums, static_cast<double>(x.numel() / norm.channels));
    at::Tensor dx, shared;
    const bool shares = adds && context->needs_input_grad(3);
    if (shares && !norm.rectifies) shared = gradient;
    if (context->needs_input_grad(0) || (shares && norm.rectifies)) {
      dx = channelsLast(x, x.sizes());
      const ca_map write = fresh(dx);
      ca_map also;
      if (shares && norm.rectifies) {
        shared = channelsLast(x, x.sizes());
        also = fresh(shared);
      }
      succeed(ca_normalized_gradient(build, &read, &from, y, &affine, norm.mean(), own.slope.data(),
                                     own.offset.data(), &write,
                                     shares && norm.rectifies ? &also : nullptr, threads));
    }
    return {dx, own.weight, own.bias, shared, {}, {}, {}, {}, {}};
  }
};

at::Tensor convolution(const at::Tensor &x, const at::Tensor &weight,
                       const std::optional<at::Tensor> &bias, int64_t stride, int64_t rate,
                       std::string_view instructions) {
  return Convolution::apply(x, weight, bias, stride, rate, buildOf(instructions));
}

at::Tensor normUnit(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                    const std::optional<at::Tensor> &addend,
                    const std::optional<at::Tensor> &running_mean,
                    const std::optional<at::Tensor> &running_var, double momentum, double eps,
                    bool rectifies) {
  return NormUnit::apply(x, weight, bias, addend, running_mean, running_var, momentum, eps,
                         rectifies);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("trained_convolution(Tensor x, Tensor weight, Tensor? bias, int stride, int rate, "
              "str instructions=\"\") -> Tensor",
              convolution);
  library.def("trained_norm(Tensor x, Tensor weight, Tensor bias, Tensor? addend, "
              "Tensor? running_mean, Tensor? running_var, float momentum, float eps, "
              "bool rectifies) -> Tensor",
              normUnit);
}
