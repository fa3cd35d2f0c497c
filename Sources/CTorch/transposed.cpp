// Transposed convolutions whose kernels do not overlap: each tap is a 1×1 convolution to every so
// many pixels.
#include "operators.hpp"

#include <torch/library.h>

namespace {

/// Kernels of `scale` × `scale` with that stride, one packed 1×1 convolution for each tap, row by row.
/// The result goes `into` a map with adjacent channels if there is one.
at::Tensor enlarge(const at::Tensor &x, const std::vector<at::Tensor> &taps, int64_t outputs,
                   int64_t scale, const std::optional<at::Tensor> &bias,
                   const std::optional<at::Tensor> &into) {
  check(x);
  TORCH_CHECK(x.dim() == 4, "takes maps (N, C, H, W), not ", x.sizes());
  TORCH_CHECK(scale >= 1 && scale <= 32 && static_cast<int64_t>(taps.size()) == scale * scale,
              "has ", taps.size(), " taps for a stride of ", scale);
  const int64_t shape[] = {x.size(0), outputs, x.size(2) * scale, x.size(3) * scale};
  const bool isGiven = into && into->defined();
  auto out = isGiven ? *into : channelsLast(x, shape);
  check(out);
  TORCH_CHECK(out.sizes() == at::IntArrayRef(shape) && isReadable(out), "writes ",
              at::IntArrayRef(shape), " into ", out.sizes());
  if (out.numel() == 0) return out;
  const auto in = readable(x);
  const ca_map read = map(in), whole = isGiven ? map(out) : fresh(out);
  const ca_fusion fusion{nullptr, nullptr, 0, numbers(bias, outputs, "bias"), nullptr, CA_NONE};
  for (int64_t tap = 0; tap < scale * scale; tap++) {
    ca_map part = whole;
    part.data += tap / scale * whole.row_stride + tap % scale * whole.pixel_stride;
    part.height = read.height;
    part.width = read.width;
    part.row_stride *= scale;
    part.pixel_stride *= scale;
    convolve(taps[tap], outputs, x.size(1), 1, read, part, 1, 1, fusion);
  }
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def(
      "enlarge(Tensor x, Tensor[] taps, int outputs, int scale, Tensor? bias, Tensor? into) "
      "-> Tensor",
      enlarge);
}
