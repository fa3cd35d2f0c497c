#!/usr/bin/env bash
# torch's interpolate with antialias=True to a width of 1 gives other numbers by memory format and type: right in a
# contiguous float tensor, wrong in channels-last and in uint8, which torchvision's Resize uses for photographs.
#
# Width 1 and height 1 are no special cases of the formula: each result is a weighted mean of all columns, and the
# results for two columns, or for one row, agree in every format and type to rounding. To one column, bytes and
# channels-last floats are off by tens of 255 levels where the height changes, too; where only the width changes the
# floats agree. Asked for one row and one column, bytes are an error that says INTERNAL ASSERT FAILED. It meets whoever
# makes descriptors, strips or pooled maps by resizing, and whoever compares rules of resizing over all sizes.
#
# Output (torch 2.11.0): the largest difference to float64, of 255
#   bilinear 20x30 to 1x15: contiguous 0.0, channels last 30.6, uint8 30.1
#   bilinear 20x30 to 2x15: contiguous 0.0, channels last 0.0, uint8 0.7
#   bilinear 20x30 to 10x1: contiguous 0.0, channels last 0.0, uint8 0.6
#   bicubic 20x30 to 1x15: contiguous 0.0, channels last 34.6, uint8 35.0
#   uint8 to 1x1: RuntimeError, an internal assertion
# Exits with 1 if channels last and uint8 are right at a width of 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sys

import torch

torch.manual_seed(0)
levels = torch.randint(0, 256, (1, 3, 30, 20))
differs = True
for mode, height, width in (("bilinear", 15, 1), ("bilinear", 15, 2), ("bilinear", 1, 10), ("bicubic", 15, 1)):
    def resized(image):
        return torch.nn.functional.interpolate(image, size=(height, width), mode=mode, antialias=True)

    # Bytes are cut off at 0 and 255.
    right = resized(levels.double())
    images = {
        "contiguous": levels.float(), "channels last": levels.float().to(memory_format=torch.channels_last),
        "uint8": levels.byte()}
    errors = {}
    for name, image in images.items():
        wanted = right.clamp(0, 255) if name == "uint8" else right
        errors[name] = float((resized(image).double() - wanted).abs().max())
    print(f"{mode} 20x30 to {width}x{height}:", ", ".join(f"{name} {error:.1f}" for name, error in errors.items()))
    wrong = {name for name, error in errors.items() if error > 5}
    differs = differs and wrong == ({"channels last", "uint8"} if width == 1 else set())
try:
    torch.nn.functional.interpolate(levels.byte(), size=(1, 1), mode="bilinear", antialias=True)
    print("uint8 to 1x1: a result")
    differs = False
except RuntimeError as error:
    print("uint8 to 1x1: RuntimeError,", "an internal assertion" if "INTERNAL ASSERT" in str(error) else error)
sys.exit(0 if differs else 1)
PYTHON
