// What the operators of training share: kernels packed at every step, and a normalization's numbers.
#pragma once
#include "catrous_training.h"
#include "operators.hpp"

#include <cmath>
#include <vector>

namespace {

inline void succeed(int result) {
  TORCH_CHECK(result == 0, "not enough memory, or maps that do not fit");
}

inline void checkMap(const at::Tensor &x) {
  check(x);
  TORCH_CHECK(x.dim() == 4, "takes maps (N, C, H, W), not ", x.sizes());
}
/// `count` channels of a map from `first`.
inline ca_map sliced(ca_map map, int64_t first, int64_t count) {
  map.data += first;
  map.channels = count;
  return map;
}

/// Kernels of size 1 or 3 as products read them, or those for the gradient of the inputs.
struct Packed {
  at::Tensor numbers;
  ca_kernels kernels;

  Packed(const at::Tensor &weight, bool transposes, int build = buildOf("")) {
    const auto last = weight.contiguous(at::MemoryFormat::ChannelsLast);
    const int64_t outputs = weight.size(0), inputs = weight.size(1);
    const int size = static_cast<int>(weight.size(2));
    kernels = {transposes ? inputs : outputs, transposes ? outputs : inputs, size, nullptr};
    numbers =
        at::empty({ca_packed_count(build, kernels.outputs, kernels.inputs, size)}, at::kFloat);
    ca_pack_last(build, data(last), outputs, inputs, size, transposes, written(numbers),
                 at::get_num_threads());
    kernels.packed = data(numbers);
  }

  void convolve(const ca_map &in, const ca_map &out, int64_t stride, int64_t rate,
                const ca_fusion &fusion = {}) const {
    succeed(ca_convolve_by_small_tiles(&kernels, numbers.numel(), &in, &out,
                                       static_cast<int>(stride), static_cast<int>(rate), &fusion,
                                       at::get_num_threads()));
  }
};

/// Kernels that the operators of training take.
inline void checkKernels(const at::Tensor &weight, int64_t inputs) {
  check(weight);
  TORCH_CHECK(weight.dim() == 4 && weight.size(2) == weight.size(3) &&
                  (weight.size(2) == 1 || weight.size(2) == 3) && weight.size(1) == inputs &&
                  weight.numel() > 0,
              "takes kernels of size 1 or 3 for ", inputs, " channels, not ", weight.sizes());
}

/// The gradient of kernels, in channels-last order.
inline at::Tensor kernelGradient(const at::Tensor &weight, const ca_map &in,
                                 const ca_affine *affine, const ca_map &gradient, int64_t stride,
                                 int64_t rate, int build = buildOf("")) {
  auto result = channelsLast(weight, weight.sizes());
  succeed(ca_kernel_gradient(build, &in, affine, &gradient, static_cast<int>(weight.size(2)),
                             static_cast<int>(stride), static_cast<int>(rate), written(result),
                             at::get_num_threads()));
  return result;
}

/// A batch normalization of `channels` channels by the statistics of its inputs: a table (5, channels) of
/// means, variances, scales, shifts and 1 / √(variance + eps).
struct Normalized {
  at::Tensor table;
  int64_t channels;
  bool rectifies;

  explicit Normalized(int64_t channels, bool rectifies)
      : table(at::empty({5, channels}, at::kFloat)), channels(channels), rectifies(rectifies) {}
  Normalized(at::Tensor table, bool rectifies)
      : table(table), channels(table.size(1)), rectifies(rectifies) {}

  float *row(int index) const { return static_cast<float *>(table.data_ptr()) + index * channels; }
  float *mean() const { return row(0); }
  float *variance() const { return row(1); }
  float *inverse() const { return row(4); }
  ca_affine affine() const { return {row(2), row(3), rectifies}; }
  ca_fusion fusion() const { return {row(2), row(3), rectifies, nullptr, nullptr, CA_NONE}; }

  /// Takes the statistics of `x`.
  void measure(const ca_map &x) const {
    succeed(ca_statistics(buildOf(""), &x, mean(), variance(), at::get_num_threads()));
  }
  /// Finds scales and shifts from the statistics.
  void scale(const at::Tensor &weight, const at::Tensor &bias, double eps) const {
    check(weight);
    check(bias);
    const auto own = weight.contiguous(), added = bias.contiguous();
    TORCH_CHECK(own.numel() == channels && added.numel() == channels, "normalizes ", channels,
                " channels with ", own.numel(), " scales and ", added.numel(), " shifts");
    for (int64_t c = 0; c < channels; c++) {
      const double inverse = 1 / std::sqrt(double(variance()[c]) + eps);
      const double scale = data(own)[c] * inverse;
      row(2)[c] = static_cast<float>(scale);
      row(3)[c] = static_cast<float>(data(added)[c] - mean()[c] * scale);
      row(4)[c] = static_cast<float>(inverse);
    }
  }
  /// Moves running statistics towards those of `count` values a channel.
  void track(const at::Tensor &running_mean, const at::Tensor &running_var, double momentum,
             double count) const {
    check(running_mean);
    check(running_var);
    TORCH_CHECK(running_mean.numel() == channels && running_var.numel() == channels &&
                    running_mean.is_contiguous() && running_var.is_contiguous(),
                "keeps statistics of ", channels, " channels");
    auto *own_mean = static_cast<float *>(running_mean.mutable_data_ptr());
    auto *own_variance = static_cast<float *>(running_var.mutable_data_ptr());
    const double unbiased = count / std::max(count - 1, 1.0);
    for (int64_t c = 0; c < channels; c++) {
      own_mean[c] = static_cast<float>((1 - momentum) * own_mean[c] + momentum * mean()[c]);
      own_variance[c] = static_cast<float>((1 - momentum) * own_variance[c] +
                                           momentum * unbiased * variance()[c]);
    }
  }
};

/// What a normalization's gradient is made of, from Σ g and Σ g (x - mean) over `count` values.
struct NormalizedGradient {
  std::vector<float> slope, offset;
  at::Tensor weight, bias;

  NormalizedGradient(const Normalized &norm, const std::vector<double> &sums, double count)
      : slope(norm.channels), offset(norm.channels), weight(at::empty({norm.channels}, at::kFloat)),
        bias(at::empty({norm.channels}, at::kFloat)) {
    for (int64_t c = 0; c < norm.channels; c++) {
      const double scale = norm.affine().scale[c], inverse = norm.inverse()[c];
      const double product = sums[norm.channels + c];
      slope[c] = static_cast<float>(-scale * inverse * inverse * product / count);
      offset[c] = static_cast<float>(-scale * sums[c] / count);
      written(weight)[c] = static_cast<float>(product * inverse);
      written(bias)[c] = static_cast<float>(sums[c]);
    }
  }
};

} // namespace
