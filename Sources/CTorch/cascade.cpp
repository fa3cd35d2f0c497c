// Layers that each see the maps of all before them (Huang et al., 2017): normalization, ReLU, 1×1,
// normalization, ReLU, 3×3. All write to one map, of each channel of which the statistics are taken once,
// and nothing that is normalized stays in memory (Pleiss et al., 2017, go the same way by running layers
// twice).
#include "training.hpp"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// The parameters of a layer, in their order.
enum Parameter { WEIGHT1, BIAS1, KERNELS1, WEIGHT2, BIAS2, KERNELS2, PARAMETERS };
/// Its running statistics, in their order.
enum Statistic { MEAN1, VARIANCE1, MEAN2, VARIANCE2, STATISTICS };

/// What a cascade is beside its parameters.
struct Settings {
  at::TensorList statistics;
  at::IntArrayRef rates;
  at::ArrayRef<double> momenta, epsilons;
  bool prepends;
};

/// Where a cascade's channels lie.
struct Layout {
  int64_t inputs, growth, layers;
  bool prepends;

  int64_t channels() const { return inputs + growth * layers; }
  /// The first channel that a layer sees, how many these are, and where its own begin.
  int64_t first(int64_t layer) const { return prepends ? growth * (layers - layer) : 0; }
  int64_t seen(int64_t layer) const { return inputs + growth * layer; }
  int64_t own(int64_t layer) const {
    return prepends ? growth * (layers - layer - 1) : seen(layer);
  }
};

struct Cascade : torch::autograd::Function<Cascade> {
  static at::Tensor forward(AutogradContext *context, const at::Tensor &x,
                            at::TensorList parameters, const Settings *settings) {
    const int64_t layers = static_cast<int64_t>(parameters.size()) / PARAMETERS;
    const Layout layout{x.size(1), parameters[KERNELS2].size(0), layers, settings->prepends};
    const int64_t pixels = x.size(0) * x.size(2) * x.size(3);
    const auto count = static_cast<double>(pixels);
    auto whole = channelsLast(x, {x.size(0), layout.channels(), x.size(2), x.size(3)});
    const ca_map all = fresh(whole);
    whole.narrow(1, layout.first(0), layout.inputs).copy_(x);
    // Statistics of all channels of the whole map.
    const Normalized known(layout.channels(), true);
    auto measure = [&](int64_t first, int64_t channels) {
      const Normalized some(channels, true);
      some.measure(sliced(all, first, channels));
      std::copy_n(some.mean(), channels, known.mean() + first);
      std::copy_n(some.variance(), channels, known.variance() + first);
    };
    measure(layout.first(0), layout.inputs);
    variable_list saved{whole};
    for (int64_t layer = 0; layer < layers; layer++) {
      const at::Tensor *own = &parameters[layer * PARAMETERS];
      const int64_t first = layout.first(layer), seen = layout.seen(layer);
      checkKernels(own[KERNELS1], seen);
      checkKernels(own[KERNELS2], own[KERNELS1].size(0));
      TORCH_CHECK(own[KERNELS1].size(2) == 1 && own[KERNELS2].size(2) == 3 &&
                      own[KERNELS2].size(0) == layout.growth,
                  "takes layers of 1×1 and 3×3 that all add ", layout.growth, " channels");
      const Normalized norm1(seen, true);
      std::copy_n(known.mean() + first, seen, norm1.mean());
      std::copy_n(known.variance() + first, seen, norm1.variance());
      norm1.scale(own[WEIGHT1], own[BIAS1], settings->epsilons[2 * layer]);
      auto middle = channelsLast(x, {x.size(0), own[KERNELS1].size(0), x.size(2), x.size(3)});
      const ca_map between = fresh(middle);
      Packed(own[KERNELS1], false)
          .convolve(sliced(all, first, seen), between, 1, 1, norm1.fusion());
      const Normalized norm2(middle.size(1), true);
      norm2.measure(between);
      norm2.scale(own[WEIGHT2], own[BIAS2], settings->epsilons[2 * layer + 1]);
      Packed(own[KERNELS2], false)
          .convolve(between, sliced(all, layout.own(layer), layout.growth), 1,
                    settings->rates[layer], norm2.fusion());
      if (layer + 1 < layers) measure(layout.own(layer), layout.growth);
      if (!settings->statistics.empty()) {
        const at::Tensor *running = &settings->statistics[layer * STATISTICS];
        norm1.track(running[MEAN1], running[VARIANCE1], settings->momenta[2 * layer], count);
        norm2.track(running[MEAN2], running[VARIANCE2], settings->momenta[2 * layer + 1], count);
      }
      saved.insert(saved.end(), {middle, norm1.table, norm2.table, own[KERNELS1], own[KERNELS2]});
    }
    context->save_for_backward(saved);
    context->saved_data["rates"] = settings->rates.vec();
    context->saved_data["layout"] =
        std::vector<int64_t>{layout.inputs, layout.growth, layers, layout.prepends};
    return whole;
  }

  static variable_list backward(AutogradContext *context, variable_list gradients) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "these layers have no second derivatives");
    const auto saved = context->get_saved_variables();
    const auto numbers = context->saved_data["layout"].toIntVector();
    const Layout layout{numbers[0], numbers[1], numbers[2], numbers[3] != 0};
    const auto rates = context->saved_data["rates"].toIntVector();
    const auto &whole = saved[0];
    const ca_map all = map(whole);
    const auto count = static_cast<double>(whole.numel() / whole.size(1));
    const int build = buildOf(""), threads = at::get_num_threads();
    auto gradient = channelsLast(whole, whole.sizes());
    gradient.copy_(gradients[0]);
    const ca_map back = fresh(gradient);
    // The parts of the gradient that follow from means and variances: lines of each channel's values,
    // which are added up and applied once.
    const auto zeros = std::vector<float>(layout.channels(), 0);
    auto slope = zeros, offset = zeros, mean = zeros;
    auto complete = [&](int64_t first, int64_t channels) {
      const ca_map from = sliced(all, first, channels), to = sliced(back, first, channels);
      succeed(ca_add_line(build, &from, mean.data() + first, slope.data() + first,
                          offset.data() + first, &to, threads));
    };
    variable_list result(2 + layout.layers * PARAMETERS);
    for (int64_t layer = layout.layers - 1; layer >= 0; layer--) {
      const at::Tensor *kept = &saved[1 + 5 * layer];
      const auto &middle = kept[0], &kernels1 = kept[3], &kernels2 = kept[4];
      const Normalized norm1(kept[1], true), norm2(kept[2], true);
      const auto affine1 = norm1.affine(), affine2 = norm2.affine();
      at::Tensor *own = &result[1 + layer * PARAMETERS];
      auto needs = [&](int parameter) {
        return context->needs_input_grad(1 + layer * PARAMETERS + parameter);
      };
      const int64_t first = layout.first(layer), seen = layout.seen(layer);
      if (layer + 1 < layout.layers) complete(layout.own(layer), layout.growth);
      const ca_map given = sliced(back, layout.own(layer), layout.growth);
      const ca_map inputs = sliced(all, first, seen), between = map(middle);
      if (needs(KERNELS2))
        own[KERNELS2] = kernelGradient(kernels2, between, &affine2, given, 1, rates[layer]);

      auto inner = channelsLast(middle, middle.sizes());
      const ca_map within = fresh(inner);
      Packed(kernels2, true).convolve(given, within, 1, rates[layer]);
      std::vector<double> sums(2 * norm2.channels);
      succeed(ca_normalized_sums(build, &between, &within, nullptr, &affine2, norm2.mean(),
                                 sums.data(), nullptr, threads));
      const NormalizedGradient second(norm2, sums, count);
      own[WEIGHT2] = second.weight;
      own[BIAS2] = second.bias;
      succeed(ca_normalized_gradient(build, &between, &within, nullptr, &affine2, norm2.mean(),
                                     second.slope.data(), second.offset.data(), &within, nullptr,
                                     threads));
      if (needs(KERNELS1)) own[KERNELS1] = kernelGradient(kernels1, inputs, &affine1, within, 1, 1);

      auto outer = channelsLast(middle, {middle.size(0), seen, middle.size(2), middle.size(3)});
      const ca_map around = fresh(outer);
      Packed(kernels1, true).convolve(within, around, 1, 1);
      sums.assign(2 * seen, 0);
      const ca_map to = sliced(back, first, seen);
      succeed(ca_normalized_sums(build, &inputs, &around, nullptr, &affine1, norm1.mean(),
                                 sums.data(), &to, threads));
      const NormalizedGradient outermost(norm1, sums, count);
      own[WEIGHT1] = outermost.weight;
      own[BIAS1] = outermost.bias;
      for (int64_t c = 0; c < seen; c++) {
        slope[first + c] += outermost.slope[c];
        offset[first + c] += outermost.offset[c];
        mean[first + c] = norm1.mean()[c];
      }
    }
    if (context->needs_input_grad(0)) {
      complete(layout.first(0), layout.inputs);
      auto dx = channelsLast(whole, {whole.size(0), layout.inputs, whole.size(2), whole.size(3)});
      dx.copy_(gradient.narrow(1, layout.first(0), layout.inputs));
      result[0] = dx;
    }
    return result;
  }
};

at::Tensor cascade(const at::Tensor &x, at::TensorList parameters, at::TensorList statistics,
                   at::IntArrayRef rates, at::ArrayRef<double> momenta,
                   at::ArrayRef<double> epsilons, bool prepends) {
  checkMap(x);
  const size_t layers = parameters.size() / PARAMETERS;
  TORCH_CHECK(layers > 0 && parameters.size() == layers * PARAMETERS &&
                  (statistics.empty() || statistics.size() == layers * STATISTICS) &&
                  rates.size() == layers && momenta.size() == 2 * layers &&
                  epsilons.size() == 2 * layers,
              "takes six parameters, four statistics, a rate and two momenta and epsilons a layer");
  for (const int64_t rate : rates) TORCH_CHECK(rate >= 1 && rate <= INT_MAX, "has no rate ", rate);
  TORCH_CHECK(x.numel() > x.size(1), "takes more than one value a channel, not ", x.sizes());
  const Settings settings{statistics, rates, momenta, epsilons, prepends};
  return Cascade::apply(x, parameters, &settings);
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("trained_cascade(Tensor x, Tensor[] parameters, Tensor[] statistics, int[] rates, "
              "float[] momenta, float[] epsilons, bool prepends) -> Tensor",
              cascade);
}
