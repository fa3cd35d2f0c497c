// Bilinear resizing of maps with adjacent channels, by rows on all threads: libtorch's own takes one thread for each
// image then.
#include "operators.hpp"

#include <torch/library.h>

namespace {

/// A map of type float32 or bfloat16, or of codes, at `height` × `width`, as `upsample_bilinear2d` gives it. It goes `into` a
/// map with adjacent channels if there is one.
at::Tensor resize(const at::Tensor &x, int64_t height, int64_t width, bool alignsCorners,
                  std::optional<double> down, std::optional<double> across,
                  const std::optional<at::Tensor> &into, std::string_view instructions) {
  TORCH_CHECK(x.device().is_cpu() && (x.scalar_type() == at::kFloat || typeOf(x) != CA_FLOAT32),
              "takes maps of type float32, bfloat16 or uint8 on the CPU");
  TORCH_CHECK(x.dim() == 4 && x.size(2) > 0 && x.size(3) > 0 && height > 0 && width > 0,
              "resizes maps (N, C, H, W), not ", x.sizes());
  const int64_t shape[] = {x.size(0), x.size(1), height, width};
  const bool isGiven = into && into->defined();
  auto out = isGiven ? *into : channelsLast(x, shape);
  TORCH_CHECK(out.sizes() == at::IntArrayRef(shape) && isReadable(out) &&
                  out.scalar_type() == x.scalar_type() && out.device().is_cpu(),
              "writes ", at::IntArrayRef(shape), " into ", out.sizes());
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const ca_map read = map(in), write = isGiven ? map(out) : fresh(out);
  TORCH_CHECK(ca_resize(buildOf(instructions), &read, &write, alignsCorners, down.value_or(0),
                        across.value_or(0), at::get_num_threads()) == 0,
              "not enough memory");
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("resize(Tensor x, int height, int width, bool aligns_corners, float? down=None, "
              "float? across=None, Tensor(a!)? into=None, str instructions=\"\") -> Tensor(a!)",
              resize);
}
