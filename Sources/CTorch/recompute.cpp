// Activation checkpointing (Chen et al., 2016): a part of a network that keeps its inputs only, and runs
// again when backward comes to it.
#include "door.hpp"

#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <memory>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <vector>

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {
thread_local bool is_recomputing = false;

/// What the first run found, for the second to find again.
struct Surroundings {
  c10::Device device;
  at::Tensor cpu_random, device_random;
  bool has_autocast;
  at::ScalarType autocast_type;

  explicit Surroundings(c10::Device device)
      : device(device), cpu_random(random(at::kCPU)),
        device_random(device.is_cpu() ? at::Tensor() : random(device)),
        has_autocast(at::autocast::is_autocast_enabled(device.type())),
        autocast_type(at::autocast::get_autocast_dtype(device.type())) {}

  void restore() const {
    set_random(at::kCPU, cpu_random);
    if (device_random.defined()) set_random(device, device_random);
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device.type(), has_autocast);
    at::autocast::set_autocast_dtype(device.type(), autocast_type);
  }

private:
  static at::Tensor random(c10::Device device) {
    auto generator = at::globalContext().defaultGenerator(device);
    std::lock_guard<std::mutex> lock(generator.mutex());
    return generator.get_state();
  }
  static void set_random(c10::Device device, const at::Tensor &state) {
    auto generator = at::globalContext().defaultGenerator(device);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state);
  }
};

/// The caller's function over tensors, with what it keeps alive.
struct Body : torch::CustomClassHolder {
  ct_body function;
  std::shared_ptr<void> context;
  std::unique_ptr<Surroundings> surroundings;

  variable_list run(const variable_list &inputs) const {
    std::vector<ct_tensor_s> holders;
    holders.reserve(inputs.size());
    std::vector<ct_tensor> handles;
    for (const auto &input : inputs) {
      holders.push_back({input});
      handles.push_back(&holders.back());
    }
    last_error = "a part of the network gave no tensor";
    ct_tensor result = function(context.get(), handles.data(), static_cast<int>(handles.size()));
    TORCH_CHECK(result, last_error);
    std::unique_ptr<ct_tensor_s> owner(result);
    return {owner->value};
  }
};

struct Recomputed : torch::autograd::Function<Recomputed> {
  static variable_list forward(AutogradContext *ctx, at::TensorList inputs,
                               c10::intrusive_ptr<Body> body) {
    // The last input only makes sure that there is a backward.
    variable_list own(inputs.begin(), inputs.end() - 1);
    body->surroundings = std::make_unique<Surroundings>(own[0].device());
    auto outputs = body->run(own);
    ctx->save_for_backward(own);
    ctx->saved_data["body"] = c10::IValue::make_capsule(body);
    return outputs;
  }

  static variable_list backward(AutogradContext *ctx, variable_list gradients) {
    auto capsule = ctx->saved_data["body"].toCapsule();
    auto body = c10::static_intrusive_pointer_cast<Body>(capsule);
    variable_list inputs;
    for (const auto &saved : ctx->get_saved_variables())
      inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
    variable_list outputs;
    {
      Surroundings now(body->surroundings->device);
      bool outer = is_recomputing;
      struct Restore {
        const Surroundings &now;
        bool outer;
        ~Restore() {
          is_recomputing = outer;
          now.restore();
        }
      } restore{now, outer};
      body->surroundings->restore();
      is_recomputing = true;
      at::AutoGradMode with_graph(true);
      outputs = body->run(inputs);
    }
    if (outputs[0].requires_grad()) torch::autograd::backward(outputs, {gradients[0]});
    variable_list result;
    for (const auto &input : inputs)
      result.push_back(input.requires_grad() ? input.grad() : at::Tensor());
    result.emplace_back(); // for the last input
    result.emplace_back(); // for the body
    return result;
  }
};
} // namespace

ct_tensor ct_recomputed(const ct_tensor *inputs, int count, ct_body function,
                        void (*release)(void *), void *context) {
  std::shared_ptr<void> owner(context, release);
  return guarded<ct_tensor>(nullptr, [&] {
    auto body = c10::make_intrusive<Body>();
    body->function = function;
    body->context = owner;
    variable_list own;
    for (int i = 0; i < count; i++) own.push_back(inputs[i]->value);
    own.push_back(at::empty({0}, at::TensorOptions().dtype(at::kFloat)).set_requires_grad(true));
    return new ct_tensor_s{Recomputed::apply(at::TensorList(own), body)[0]};
  });
}

int ct_is_recomputing(void) { return is_recomputing; }
