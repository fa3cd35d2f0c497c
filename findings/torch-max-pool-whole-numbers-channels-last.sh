#!/usr/bin/env bash
# torch.nn.functional.max_pool2d takes whole numbers of 8 and 16 bits, but with adjacent channels (channels_last) only
# for maps of so few pixels that a pixel's place fits into the elements' own type, with a sign: 127 pixels of uint8 and
# int8, 32,767 of int16. The same map with separate channels is pooled at any size.
#
# Both orders are promised to give the same, and the places of the largest elements are of type int64 in the result
# whatever the elements are. A quantized network's maps, which are uint8 and channels_last, thus cannot be pooled by
# this operator at any real size, while a test on a map of 8 by 8 pixels passes. The refusal names neither the type nor
# the memory format.
#
# Output (torch 2.11.0):
#   uint8: separate channels 127 ok, 128 ok; adjacent channels 127 ok, 128 refused
#   int8: separate channels 127 ok, 128 ok; adjacent channels 127 ok, 128 refused
#   int16: separate channels 32767 ok, 32768 ok; adjacent channels 32767 ok, 32768 refused
#   int32: separate channels 32767 ok, 32768 ok; adjacent channels 32767 ok, 32768 ok
# Exits with 1 if another of these is refused, or one fewer.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import sys

import torch

SIZES = {torch.uint8: (127, 128), torch.int8: (127, 128), torch.int16: (32767, 32768),
         torch.int32: (32767, 32768)}


def pooled(pixels, dtype, order):
    image = (torch.arange(2 * pixels) % 100).reshape(1, 2, 1, pixels).to(dtype)
    image = image.contiguous(memory_format=order)
    try:
        result = torch.nn.functional.max_pool2d(image, (1, 2))
    except RuntimeError as error:
        assert "numeric_limits" in str(error), error
        return "refused"
    expected = image[..., : pixels // 2 * 2].unflatten(-1, (-1, 2)).amax(-1)
    return "ok" if torch.equal(result, expected) else "wrong"


same = True
for dtype, sizes in SIZES.items():
    apart = [pooled(size, dtype, torch.contiguous_format) for size in sizes]
    adjacent = [pooled(size, dtype, torch.channels_last) for size in sizes]
    same = same and apart == ["ok", "ok"]
    same = same and adjacent == ["ok", "ok" if dtype == torch.int32 else "refused"]
    say = [f"{a} {b}" for a, b in zip(sizes, apart)], [f"{a} {b}" for a, b in zip(sizes, adjacent)]
    name = str(dtype).removeprefix("torch.")
    print(f"{name}: separate channels {', '.join(say[0])}; adjacent channels {', '.join(say[1])}")
sys.exit(0 if same else 1)
PYTHON
