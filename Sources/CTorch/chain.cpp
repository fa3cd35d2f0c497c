// Several 1×1 convolutions one after another, with enlarged maps added between them: heads of networks
// without their widest maps.
#include "operators.hpp"

#include <ATen/core/List.h>
#include <torch/library.h>

namespace {

/// The channels of all `inputs` (N, any, H, W) through convolutions of `outputs` channels each, packed by
/// `pack`; an activation's name follows each. Before that at `place`, `maps` are added, enlarged bilinearly to (H, W).
at::Tensor chain(const std::vector<at::Tensor> &inputs, const std::vector<at::Tensor> &packed,
                 at::IntArrayRef outputs, const c10::List<std::optional<at::Tensor>> &biases,
                 std::string_view activations, const std::vector<at::Tensor> &maps, int64_t place,
                 bool alignsCorners) {
  TORCH_CHECK(!inputs.empty(), "takes at least one map");
  const at::Tensor &x = inputs.front();
  std::vector<at::Tensor> kept;
  std::vector<ca_map> read;
  int64_t channels = 0;
  for (const auto &input : inputs) {
    check(input);
    TORCH_CHECK(input.dim() == 4 && input.size(0) == x.size(0) && input.size(2) == x.size(2) &&
                    input.size(3) == x.size(3),
                "takes maps (N, C, H, W) of one size, not ", input.sizes());
    kept.push_back(readable(input));
    read.push_back(map(kept.back()));
    channels += input.size(1);
  }
  TORCH_CHECK(!packed.empty() && packed.size() == outputs.size() &&
                  packed.size() == biases.size() && place >= 0 &&
                  place < static_cast<int64_t>(packed.size()),
              "takes channels and a bias for each of ", packed.size(), " convolutions");
  auto out = channelsLast(x, {x.size(0), outputs.back(), x.size(2), x.size(3)});
  if (out.numel() == 0) return out;
  std::vector<ca_stage> stages;
  for (size_t i = 0; i < packed.size(); i++) {
    check(packed[i]);
    const auto end = activations.find(' ');
    const std::optional<at::Tensor> bias = biases.get(i);
    stages.push_back({{outputs[i], channels, 1, data(packed[i])},
                      packed[i].numel(),
                      numbers(bias, outputs[i], "bias"),
                      activation(activations.substr(0, end))});
    activations = end == std::string_view::npos ? "none" : activations.substr(end + 1);
    channels = outputs[i];
  }
  std::vector<ca_map> added;
  for (const auto &map : maps) {
    check(map);
    TORCH_CHECK(map.dim() == 4 && map.size(0) == x.size(0) && map.size(1) == outputs[place],
                "adds ", map.sizes(), " to ", outputs[place], " channels of ", x.sizes());
    kept.push_back(readable(map));
    added.push_back(::map(kept.back()));
  }
  const ca_map write = fresh(out);
  TORCH_CHECK(ca_chain(stages.data(), static_cast<int>(stages.size()), read.data(),
                       static_cast<int>(read.size()), &write, added.data(),
                       static_cast<int>(added.size()), static_cast<int>(place), alignsCorners,
                       at::get_num_threads()) == 0,
              "not enough memory, or kernels for other channels");
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def(
      "chain(Tensor[] inputs, Tensor[] packed, int[] outputs, Tensor?[] biases, str activations, "
      "Tensor[] maps, int place, bool aligns_corners) -> Tensor",
      chain);
}
