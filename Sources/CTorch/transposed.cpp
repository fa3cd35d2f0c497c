// Transposed convolutions whose kernels do not overlap: each tap is a 1×1 convolution to every so
// many pixels.
#include "operators.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
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
  auto out = isGiven ? *into
                     : at::empty(shape, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  check(out);
  TORCH_CHECK(out.sizes() == at::IntArrayRef(shape) && isReadable(out), "writes ",
              at::IntArrayRef(shape), " into ", out.sizes());
  if (out.numel() == 0) return out;
  const auto in = isReadable(x) ? x : x.contiguous(at::MemoryFormat::ChannelsLast);
  const ca_map read = map(in), whole = isGiven ? map(out) : fresh(out);
  const ca_fusion fusion{nullptr, nullptr, 0, numbers(bias, outputs, "bias"), nullptr, CA_NONE};
  for (int64_t tap = 0; tap < scale * scale; tap++) {
    const at::Tensor &packed = taps[tap];
    check(packed);
    ca_map part = whole;
    part.data += tap / scale * whole.row_stride + tap % scale * whole.pixel_stride;
    part.height = read.height;
    part.width = read.width;
    part.row_stride *= scale;
    part.pixel_stride *= scale;
    const ca_kernels kernels{outputs, x.size(1), 1, data(packed)};
    TORCH_CHECK(ca_convolve(&kernels, packed.numel(), &read, &part, 1, 1, &fusion,
                            at::get_num_threads()) == 0,
                "not enough memory, or kernels for other channels");
  }
  return out;
}

} // namespace

TORCH_LIBRARY_FRAGMENT(atrous, library) {
  library.def("enlarge(Tensor x, Tensor[] taps, int outputs, int scale, Tensor? bias, Tensor? into) "
              "-> Tensor",
              enlarge);
}
