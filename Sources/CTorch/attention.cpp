// Attention and layer normalization of transformers without gradients.
#include "operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>
#include <torch/library.h>
#include <vector>

namespace {

/// Queries, keys or values (N, heads, tokens, features) with adjacent features.
at::Tensor adjacent(const at::Tensor &x) {
  return x.stride(3) == 1 || x.size(3) == 1 ? x : x.contiguous();
}
ca_tokens tokens(const at::Tensor &x) { return {data(x), x.stride(0), x.stride(1), x.stride(2)}; }

/// What is added to scores (N or 1, heads or 1, queries, keys) as the kernels read it: a table (kinds, heads
/// or 1, queries, keys filled up to a multiple of 32), and the kind of each image. Images with the same
/// numbers share a kind, as nearly all windows of a map do.
std::tuple<at::Tensor, at::Tensor> scoreTable(const at::Tensor &added) {
  check(added);
  TORCH_CHECK(added.dim() == 4 && added.numel() > 0,
              "takes what is added to scores (N, heads, queries, keys), not ", added.sizes());
  const at::Tensor in = added.contiguous();
  const int64_t images = in.size(0), rows = in.size(1) * in.size(2), keys = in.size(3);
  const auto size = static_cast<size_t>(rows * keys);
  std::vector<const float *> kinds;
  at::Tensor numbers = at::empty({images}, in.options().dtype(at::kInt));
  auto *number = static_cast<int32_t *>(numbers.mutable_data_ptr());
  for (int64_t i = 0; i < images; i++) {
    const float *own = data(in) + i * rows * keys;
    size_t kind = 0;
    while (kind < kinds.size() && std::memcmp(kinds[kind], own, size * sizeof(float)) != 0) kind++;
    if (kind == kinds.size()) kinds.push_back(own);
    number[i] = static_cast<int32_t>(kind);
  }
  // What stands for no score in the kernels; minus infinity would leave nothing of a row that has no other.
  constexpr float never = -1e30f;
  const int64_t pitch = (keys + 31) / 32 * 32;
  at::Tensor table = at::full({static_cast<int64_t>(kinds.size()), in.size(1), in.size(2), pitch},
                              never, in.options());
  float *out = written(table);
  for (const float *from : kinds)
    for (int64_t r = 0; r < rows; r++, out += pitch, from += keys)
      for (int64_t k = 0; k < keys; k++)
        out[k] = from[k] < never ? never : from[k] * 1.4426950408889634f;
  return {table, numbers};
}

/// softmax(q kᵀ · scale + added) v of (N, heads, tokens, features), in memory as (N, tokens, heads,
/// features); `table` and `kinds` are of `scoreTable`.
at::Tensor attention(const at::Tensor &queries, const at::Tensor &keys, const at::Tensor &values,
                     std::optional<double> scale, std::string_view instructions,
                     const std::optional<at::Tensor> &table,
                     const std::optional<at::Tensor> &kinds) {
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
    ca_added_scores added{};
    if (table) {
      check(*table);
      TORCH_CHECK(kinds && kinds->scalar_type() == at::kInt && kinds->is_contiguous() &&
                      (kinds->numel() == images || kinds->numel() == 1) && table->dim() == 4 &&
                      table->is_contiguous() && (table->size(1) == heads || table->size(1) == 1) &&
                      table->size(2) == count && table->size(3) == (keys.size(2) + 31) / 32 * 32,
                  "has a table ", table->sizes(), " for queries ", queries.sizes(), " and keys ",
                  keys.sizes());
      const auto *first = static_cast<const int32_t *>(kinds->const_data_ptr());
      TORCH_CHECK(std::all_of(first, first + kinds->numel(),
                              [&](int32_t kind) { return kind >= 0 && kind < table->size(0); }),
                  "has kinds that its table lacks");
      // An image's number leads to a kind; one kind is that of all.
      added = {data(*table), table->stride(0), table->size(1) == 1 ? 0 : table->stride(1),
               table->stride(2), kinds->numel() == 1 ? nullptr : first};
    }
    const auto factor = static_cast<float>(
        scale.value_or(1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, width)))));
    TORCH_CHECK(ca_attention(buildOf(instructions), &from, &over, &read, images, heads, count,
                             keys.size(2), width, outputs, factor, table ? &added : nullptr,
                             written(out), at::get_num_threads()) == 0,
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
              "str instructions=\"\", Tensor? table=None, Tensor? kinds=None) -> Tensor",
              attention);
  library.def("score_table(Tensor added) -> (Tensor, Tensor)", scoreTable);
  library.def("layer_norm(Tensor x, Tensor weight, Tensor bias, float eps, "
              "str instructions=\"\") -> Tensor",
              layerNorm);
}
