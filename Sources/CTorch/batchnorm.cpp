// Batch normalization by the statistics of the images of all processes (Zhang et al., 2018, §2).
#include "group.hpp"

#include <ATen/ops/batch_norm_update_stats.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/native_batch_norm.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/custom_function.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {
/// Sums over pixels lose too much in 16 bits.
at::Tensor wide(const at::Tensor &x) {
  return at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
}

struct Statistics {
  at::Tensor mean, variance; // (C), of all ranks
  double count;              // values per channel, of all ranks
};

/// The statistics over all ranks: each tells its own mean, variance and count, which are put together
/// in 64 bits.
Statistics gathered(const ct_group_s &group, const at::Tensor &x) {
  int64_t channels = x.size(1);
  auto [own_mean, own_variance] = at::batch_norm_update_stats(x, {}, {}, 0.0);
  double own_count = static_cast<double>(x.numel() / channels);
  std::vector<at::Tensor> own{
      at::cat({own_mean.to(at::kDouble), own_variance.to(at::kDouble),
               at::full({1}, own_count, own_mean.options().dtype(at::kDouble))})};
  std::vector<std::vector<at::Tensor>> all(1);
  for (int i = 0; i < group.calls->getSize(); i++) all[0].push_back(at::empty_like(own[0]));
  group.calls->allgather(all, own)->wait();
  auto table = at::stack(all[0]); // (ranks, 2C + 1)
  auto means = table.narrow(1, 0, channels), variances = table.narrow(1, channels, channels);
  auto counts = table.narrow(1, 2 * channels, 1);
  auto total = counts.sum();
  auto mean = (means * counts).sum(0) / total;
  auto variance = ((variances + (means - mean).square()) * counts).sum(0) / total;
  return {mean.to(x.scalar_type()), variance.to(x.scalar_type()), total.item<double>()};
}

/// (C) as a factor of (N, C, …).
at::Tensor per_channel(const at::Tensor &values, const at::Tensor &x) {
  std::vector<int64_t> shape(x.dim(), 1);
  shape[1] = values.numel();
  return values.to(x.scalar_type()).view(shape);
}

struct Synchronized : torch::autograd::Function<Synchronized> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &weight,
                            const at::Tensor &bias, at::Tensor running_mean, at::Tensor running_var,
                            double momentum, double eps, int64_t group) {
    auto input = wide(x);
    auto all = gathered(*reinterpret_cast<ct_group_s *>(group), input);
    if (running_mean.defined()) {
      running_mean.mul_(1 - momentum).add_(all.mean, momentum);
      double unbiased = all.count / std::max(all.count - 1, 1.0);
      running_var.mul_(1 - momentum).add_(all.variance, momentum * unbiased);
    }
    // With given statistics the fast kernels of evaluation do the rest.
    auto y = std::get<0>(
        at::native_batch_norm(input, weight, bias, all.mean, all.variance, false, 0, eps));
    ctx->save_for_backward({x, weight, all.mean, all.variance});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["count"] = all.count;
    ctx->saved_data["group"] = group;
    return y.to(x.scalar_type());
  }

  // dx = w s (dy - Σdy / n - x̂ Σ(dy x̂) / n), with s = 1 / √(variance + eps), x̂ = (x - mean) s and
  // sums over all ranks. The kernels of evaluation give w s dy and this rank's sums.
  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    auto saved = ctx->get_saved_variables();
    auto input = wide(saved[0]);
    auto weight = saved[1], mean = saved[2], variance = saved[3];
    double eps = ctx->saved_data["eps"].toDouble(), count = ctx->saved_data["count"].toDouble();
    auto &group = *reinterpret_cast<ct_group_s *>(ctx->saved_data["group"].toInt());

    auto dy = wide(gradients[0]).contiguous(input.suggest_memory_format());
    auto [dx, own_scaled, own_plain] = at::native_batch_norm_backward(
        dy, input, weight, mean, variance, {}, {}, false, eps, {true, true, true});
    std::vector<at::Tensor> sums{
        at::stack({own_plain.to(at::kDouble), own_scaled.to(at::kDouble)})};
    group.calls->allreduce(sums)->wait();

    auto scale = (variance.to(at::kDouble) + eps).rsqrt();
    auto factor = weight.to(at::kDouble) * scale / count;
    auto slope = factor * scale * sums[0][1];
    auto offset = factor * sums[0][0] - mean.to(at::kDouble) * slope;
    dx.addcmul_(input, per_channel(slope, input), -1).sub_(per_channel(offset, input));
    return {dx.to(saved[0].scalar_type()), own_scaled, own_plain, {}, {}, {}, {}, {}};
  }
};
} // namespace

ct_tensor ct_synchronized_batch_norm(ct_group group, ct_tensor x, ct_tensor weight, ct_tensor bias,
                                     ct_tensor running_mean, ct_tensor running_var, double momentum,
                                     double eps) {
  return guarded<ct_tensor>(nullptr, [&] {
    auto optional = [](ct_tensor t) { return t ? t->value : at::Tensor(); };
    return new ct_tensor_s{Synchronized::apply(x->value, weight->value, bias->value,
                                               optional(running_mean), optional(running_var),
                                               momentum, eps, reinterpret_cast<int64_t>(group))};
  });
}
