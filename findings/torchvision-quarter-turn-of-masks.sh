#!/usr/bin/env bash
# torchvision's rotate turns a label map by 90 or 270 degrees with every second row and column doubled and the others
# lost, where height less width is odd: of PASCAL VOC's commonest size, 500x375, 63 of 100 pixels that should stay are
# gone.
#
# A quarter turn needs no interpolation. But about the middle of an image whose sides differ by an odd number each pixel
# comes from between two, and torch's grid_sample with mode nearest rounds halves to the even number: 0, 2, 2, 4, 4.
# Lines one pixel wide, as of vessels and lane markings, vanish or become twice as wide by their place alone.
# RandomRotation and RandomAffine, masks and tensors, and both generations of transforms, are the same; Pillow images
# are turned right, as are images whose sides differ by an even number, and expand=True.
#
# Output (torch 2.11.0, torchvision 0.26.0):
#   500x375, of the middle square are kept: rotate by 90 37 %, by 270 37 %, RandomRotation 37 %, Pillow 100 %
#   500x374, of the middle square are kept: rotate by 90 100 %, by 270 100 %, RandomRotation 100 %, Pillow 100 %
#   500x375, a line of one column at 64, 68, 72 ...: 34875 pixels, after the turn 62040
#   500x375, a line of one column at 65, 69, 73 ...: 34875 pixels, after the turn 7896
# Exits with 1 if every pixel of a 500x375 mask that has a place in the turned one is there.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 torchvision==0.26.0 pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import sys

import numpy as np
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional


def kept(turned, side):
    return 100 * len(torch.unique(turned)) / side**2


found = {}
for width, height in ((500, 375), (500, 374)):
    places = torch.arange(1, width * height + 1, dtype=torch.int32).reshape(1, height, width)
    side = min(width, height)
    shares = {
        "rotate by 90": functional.rotate(tv_tensors.Mask(places), 90),
        "by 270": functional.rotate(tv_tensors.Mask(places), 270),
        "RandomRotation": v2.RandomRotation((90, 90))(tv_tensors.Mask(places)),
        "Pillow": torch.as_tensor(np.array(functional.rotate(Image.fromarray(places[0].numpy()), 90)))}
    shares = {name: kept(turned[turned > 0], side) for name, turned in shares.items()}
    found[height] = shares
    print(f"{width}x{height}, of the middle square are kept:", ", ".join(f"{name} {share:.0f} %" for name, share in shares.items()))

for first in (64, 65):
    lines = torch.zeros(1, 375, 500, dtype=torch.uint8)
    lines[:, :, first:436:4] = 1
    inside = int(lines[:, :, 63:437].sum())
    turned = int(functional.rotate(tv_tensors.Mask(lines), 90).sum())
    print(f"500x375, a line of one column at {first}, {first + 4}, {first + 8} ...: {inside} pixels, after the turn {turned}")
sys.exit(0 if found[375]["rotate by 90"] < 40 and found[374]["rotate by 90"] > 99 else 1)
PYTHON
