// Gradients averaged over processes by PyTorch's own reducer, bucket by bucket while backward runs
// (Li et al., 2020, "PyTorch Distributed: Experiences on Accelerating Data Parallel Training").
#include "group.hpp"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/engine.h>
#include <torch/csrc/distributed/c10d/logger.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct ct_reducer_s {
  std::shared_ptr<c10d::Reducer> reducer;
  std::shared_ptr<c10d::Logger> logger;
  bool is_fixed;
  bool has_begun = false;
};

namespace {
/// The identity; in the first backward of a fixed graph it has the reducer wait for the end, when it
/// is known which parameters take part.
struct Sink : torch::autograd::Function<Sink> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &loss, int64_t owner) {
    ctx->saved_data["owner"] = owner;
    return loss.clone();
  }
  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    auto *owner = reinterpret_cast<ct_reducer_s *>(ctx->saved_data["owner"].toInt());
    if (!owner->has_begun) {
      owner->has_begun = true;
      torch::autograd::Engine::get_default_engine().queue_callback(
          [owner] { owner->reducer->delay_all_reduce(); });
    }
    return {gradients[0], at::Tensor()};
  }
};
} // namespace

ct_reducer ct_reducer_make(ct_group group, const ct_tensor *parameters, int count, int is_fixed,
                           int64_t first_bucket_bytes, int64_t bucket_bytes) {
  return guarded<ct_reducer>(nullptr, [&] {
    std::vector<at::Tensor> own;
    for (int i = 0; i < count; i++) own.push_back(parameters[i]->value);
    std::vector<bool> sparse(own.size(), false);
    std::vector<size_t> limits{static_cast<size_t>(first_bucket_bytes),
                               static_cast<size_t>(bucket_bytes)};
    auto buckets =
        std::get<0>(c10d::compute_bucket_assignment_by_size(own, limits, sparse, {}, std::nullopt));
    // Gradients come about from the last parameter to the first.
    std::reverse(buckets.begin(), buckets.end());
    c10d::verify_params_across_processes(group->gradients, own, std::nullopt);
    auto reducer = std::make_shared<c10d::Reducer>(
        own, buckets, group->gradients, sparse, bucket_bytes,
        /*find_unused_parameters=*/!is_fixed, /*gradient_as_bucket_view=*/true,
        std::unordered_map<size_t, std::string>(), first_bucket_bytes,
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false,
        std::vector<int64_t>());
    if (is_fixed) reducer->set_static_graph();
    // Of no use here, but the reducer calls it without asking whether it is there.
    auto logger = std::make_shared<c10d::Logger>(reducer);
    reducer->set_logger(logger);
    logger->set_construction_data_and_log("", {}, -1, false, false, is_fixed != 0);
    return new ct_reducer_s{reducer, logger, is_fixed != 0};
  });
}

int ct_reducer_begin(ct_reducer reducer) {
  return guarded(-1, [&] {
    // After the first step: in the order in which gradients came about.
    reducer->reducer->rebuild_buckets();
    reducer->reducer->prepare_for_forward();
    return 0;
  });
}

ct_tensor ct_reducer_expect(ct_reducer reducer, ct_tensor loss) {
  return guarded<ct_tensor>(nullptr, [&] {
    if (reducer->is_fixed) {
      reducer->reducer->prepare_for_backward({});
      auto address = reinterpret_cast<int64_t>(reducer);
      return new ct_tensor_s{Sink::apply(loss->value, address)};
    }
    reducer->reducer->prepare_for_backward({loss->value});
    return new ct_tensor_s{loss->value};
  });
}
