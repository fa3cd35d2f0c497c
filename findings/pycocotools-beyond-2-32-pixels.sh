#!/usr/bin/env bash
# pycocotools' masks of polygons are garbled without a word in images of more than 2^32 pixels, such as slides of
# pathology or maps: area, box, union and IoU are those of another shape.
#
# Runs count pixels from the top of the first column on, in 32 bits, so that places beyond 2^32 begin again at 0. A COCO
# file with polygons for an image of 70,000 by 70,000 pixels is valid, and none of these functions makes the mask
# itself, so that memory is no reason. Below, a square that lies at the right gets a box at the left, one that lies
# across the border gets thousands of times its area, and two squares that lie apart overlap wholly.
#
# Output (pycocotools 2.0.11):
#   60000x60000, a square of 1000 at 55000, 1000: area 1000000, box [55000, 1000, 1000, 1000]
#   66000x66000, a square of 1000 at 65000, 1000: area 3574933992, box [0, 0, 65001, 66000]
#   70000x70000, a square of 1000 at 65000, 1000: area 1000000, box [3643, 23704, 1000, 1000]
#   70000x70000, squares at 62000, 48000 and 644, 704: IoU 1.00
# Exits with 1 if these are right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q pycocotools==2.0.11 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import sys

from pycocotools import mask


def square(side, left, top):
    ring = [left, top, left + 1000, top, left + 1000, top + 1000, left, top + 1000]
    return mask.frPyObjects([ring], side, side)


right = True
for side in (60_000, 66_000, 70_000):
    left = side - 5000 if side != 66_000 else 65_000
    run = square(side, left, 1000)
    area, box = int(mask.area(run)[0]), [int(value) for value in mask.toBbox(run)[0]]
    print(f"{side}x{side}, a square of 1000 at {left}, 1000: area {area}, box {box}")
    if side > 65_536:
        right = right and (area, box) == (1_000_000, [left, 1000, 1000, 1000])
    else:
        assert (area, box) == (1_000_000, [left, 1000, 1000, 1000])

# The place of the first in memory is that of the second and 2^32.
side = 70_000
columns, rows = divmod(2**32, side)
first, second = square(side, 62_000, 48_000), square(side, 62_000 - columns, 48_000 - rows)
overlap = float(mask.iou(first, second, [0])[0, 0])
print(f"{side}x{side}, squares at 62000, 48000 and {62_000 - columns}, {48_000 - rows}: IoU {overlap:.2f}")
sys.exit(1 if right or overlap == 0 else 0)
PYTHON
