#!/usr/bin/env bash
# PyTorch's convolutions in bfloat16 and float16 take about a hundred times as long as in float32 on processors
# without AVX-512 (AVX2 only, as many desktop and cloud processors are), and nothing warns.
#
# oneDNN takes these types only where `torch.ops.mkldnn._is_mkldnn_bf16_supported()` says so. Elsewhere a loop
# over gathered columns with an unvectorized product of matrices runs, for autocast, too: training that is asked
# to be faster becomes slower by two orders. Float32 of the same shape goes through oneDNN as usual.
#
# Output on an AMD EPYC with AVX2, one thread, PyTorch 2.11.0 (ratios of medians from 77 to 206 in two runs):
#   torch 2.11.0, AVX2, oneDNN takes bfloat16: False, float16: False
#   3x3, 64 to 64 channels at 64x64, rate 1: bfloat16 100, float16 108 times float32
#   3x3, 64 to 64 channels at 64x64, rate 2: bfloat16 102, float16 114 times float32
#   under autocast the output is torch.bfloat16, warnings: 0
# Exits with 1 if a ratio is below 10, and says so and exits with 0 on a processor whose oneDNN takes the types.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import statistics
import sys
import time
import warnings

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
taken = [torch.ops.mkldnn._is_mkldnn_bf16_supported(), torch.ops.mkldnn._is_mkldnn_fp16_supported()]
print(
    f"torch {torch.__version__.split('+')[0]}, {torch.backends.cpu.get_cpu_capability()},"
    f" oneDNN takes bfloat16: {taken[0]}, float16: {taken[1]}"
)
if any(taken):
    print("nothing to show on this processor")
    sys.exit(0)

image, kernels = torch.randn(1, 64, 64, 64), torch.randn(64, 64, 3, 3)


def seconds(dtype, rate):
    x, w = image.to(dtype), kernels.to(dtype)
    times = []
    for _ in range(4):
        start = time.perf_counter()
        torch.conv2d(x, w, padding=rate, dilation=rate)
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


slow = True
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    for rate in (1, 2):
        single = seconds(torch.float32, rate)
        ratios = [seconds(dtype, rate) / single for dtype in (torch.bfloat16, torch.float16)]
        slow = slow and min(ratios) > 10
        print(
            f"3x3, 64 to 64 channels at 64x64, rate {rate}: bfloat16 {ratios[0]:.0f},"
            f" float16 {ratios[1]:.0f} times float32"
        )
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = torch.conv2d(image, kernels, padding=1)
    print(f"under autocast the output is {output.dtype}, warnings: {len(said)}")
sys.exit(0 if slow and output.dtype == torch.bfloat16 and not said else 1)
PYTHON
