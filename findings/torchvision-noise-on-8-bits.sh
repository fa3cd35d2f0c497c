#!/usr/bin/env bash
# torchvision's gaussian_noise (and transforms.v2.GaussianNoise) takes pictures of 8 bits, and cuts the fraction off the
# noise before it adds it: what lies between -1 and 1 level becomes 0. The deviation is then smaller than asked for, by
# a third at 1 level and by more than half at 0.5, which are the noises of real cameras in daylight, and a mean below
# one level adds nothing at all. The same noise on the same picture as floating point has the deviation that was asked
# for. A network that is trained on pictures of 8 bits so sees less noise than the recipe says, and another amount
# than one whose recipe converts to floating point first.
#
# Rounding is expected: it would give the square root of deviation^2 + 1/12, 1.041 for 1.
#
# Output (torch 2.11.0, torchvision 0.26.0), deviations in levels of 255:
#   asked for 0.5: 8 bits 0.21, floating point 0.50
#   asked for 1: 8 bits 0.68, floating point 1.00
#   asked for 2: 8 bits 1.65, floating point 2.00
#   asked for 10: 8 bits 9.62, floating point 10.00
#   a mean of 0.9: 8 bits 0.00, floating point 0.90
# Exits with 1 if one of these is another by more than 0.02.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 torchvision==0.26.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import sys

import torch
from torchvision.transforms.v2 import functional

torch.manual_seed(0)
picture = torch.full((3, 1000, 1000), 128, dtype=torch.uint8)


def both(mean, deviation):
    small = functional.gaussian_noise(picture, mean / 255, deviation / 255).double() - 128
    real = functional.gaussian_noise(picture.double() / 255, mean / 255, deviation / 255) * 255 - 128
    return small, real


found = []
for deviation in (0.5, 1, 2, 10):
    small, real = both(0, deviation)
    found += [float(small.std()), float(real.std())]
    print(f"asked for {deviation}: 8 bits {small.std():.2f}, floating point {real.std():.2f}")
small, real = both(0.9, 0)
found += [float(small.mean()), float(real.mean())]
print(f"a mean of 0.9: 8 bits {small.mean():.2f}, floating point {real.mean():.2f}")
expected = [0.21, 0.50, 0.68, 1.00, 1.65, 2.00, 9.62, 10.00, 0.00, 0.90]
sys.exit(0 if all(abs(a - b) <= 0.02 for a, b in zip(found, expected)) else 1)
PYTHON
