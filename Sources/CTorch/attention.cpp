// Attention and layer normalization of transformers without gradients.
#include "operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <cmath>
#include <torch/library.h>

namespace {

/// Queries, keys or values (N, heads, tokens, features) with adjacent features.
at::Tensor adjacent(const at::Tensor &x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : x.contiguous();
}
ca_tokens tokens(const at::Tensor &x) { return {data(x), x.stride(0), x.stride(1), x.stride(2)}; }

/// softmax(q kᵀ · scale) v of (N, heads, tokens, features), in memory as (N, tokens, heads, features).
at::Tensor attention(const at::Tensor &queries, const at::Tensor &keys, const at::Tensor &values,
                     std::optional<double> scale, std::string_view instructions) {
  for (const auto *x : {&queries, &keys, &values}) {
    check(*x);
    TORCH_CHECK(x->dim() == 4 && x->size(0) == queries.size(0) && x->size(1) == queries.size(1),
                "takes queries, keys and values (N, heads, tokens, features), not ", x->sizes());
  }
  TORCH_CHECK(keys.size(2) == values.size(2) && keys.size(3) == queries.size(3) && keys.size(2) > 0,
              "has no keys ", keys.sizes(), " for queries ", queries.sizes(), " and values ",
              values.sizes());
  const int64_t images = queries.size(0), heads = queries.size(1), count = queries.size(2);
  const int64_t width = queries.size(3), outputs = values.size(3);
  auto out = at::empty({images, count, heads, outputs},
                       queries.options().memory_format(at::MemoryFormat::Contiguous));
  if (out.numel() > 0) {
    const auto q = adjacent(queries), k = adjacent(keys), v = adjacent(values);
    const auto from = tokens(q), over = tokens(k), read = tokens(v);
    const auto factor = static_cast<float>(
        scale.value_or(1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, width)))));
    TORCH_CHECK(ca_attention(buildOf(instructions), &from, &over, &read, images, heads, count,
                             keys.size(2), width, outputs, factor, written(out),
                             at::get_num_threads()) == 0,
                "not enough memory");
  }
  return out.transpose(1, 2);
}

/// Normalization over the last dimension.
at::Tensor layerNorm(const at::Tensor &x, const at::Tensor &weight, const at::Tensor &bias,
                     double eps, std::string_view instructions) {
  check(x);
  TORCH_CHECK(x.dim() >= 1, "takes at least one dimension");
  const int64_t width = x.size(-1);
  const auto in = x.contiguous();
  auto out = at::empty(x.sizes(), x.options().memory_format(at::MemoryFormat::Contiguous));
  if (out.numel() > 0)
    ca_layer_norm(buildOf(instructions), data(in), in.numel() / width, width, width,
                  static_cast<float>(eps), numbers(weight, width, "weight"),
                  numbers(bias, width, "bias"), written(out), at::get_num_threads());
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("attention(Tensor queries, Tensor keys, Tensor values, float? scale=None, "
              "str instructions=\"\") -> Tensor",
              attention);
  library.def("layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, "
              "str instructions=\"\") -> Tensor",
              layerNorm);
}
