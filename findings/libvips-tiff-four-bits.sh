#!/usr/bin/env bash
# libvips writes the last column of a 4-bit TIFF wrong where the width is odd: it repeats the column before.
#
# `tiffsave` with `bitdepth=4` is how label maps of up to 16 classes are kept small. With an even width, and
# with 1, 2 and 8 bits at any width, all values come back; with an odd width the last value of each row is the
# one left of it, without a warning. Two independent readers agree on what is in the file.
#
# Output with pyvips 3.2.0 and its libvips 8.18.7, tifffile 2026.3.3, Pillow 13.0.0:
#   libvips 8.18.7
#   bits 2, width 5: wrote [1, 2, 3, 1, 2], tifffile [1, 2, 3, 1, 2], Pillow [1, 2, 3, 1, 2]
#   bits 2, width 6: wrote [1, 2, 3, 1, 2, 3], tifffile [1, 2, 3, 1, 2, 3], Pillow [1, 2, 3, 1, 2, 3]
#   bits 4, width 5: wrote [1, 2, 3, 4, 5], tifffile [1, 2, 3, 4, 4], Pillow [1, 2, 3, 4, 4]
#   bits 4, width 6: wrote [1, 2, 3, 4, 5, 6], tifffile [1, 2, 3, 4, 5, 6], Pillow [1, 2, 3, 4, 5, 6]
# Exits with 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q pyvips==3.2.0 pyvips-binary==8.18.7 tifffile==2026.3.3 imagecodecs==2026.3.6 pillow==13.0.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import pyvips
import tifffile
from PIL import Image

print("libvips", ".".join(str(pyvips.version(part)) for part in range(3)))
wrong = []
for bits in (2, 4):
    most = (1 << bits) - 1
    for width in (5, 6):
        values = (np.arange(width) % most + 1).astype(np.uint8)
        shades = values * (255 // most)
        image = pyvips.Image.new_from_memory(shades.tobytes(), width, 1, 1, "uchar").copy(interpretation="b-w")
        data = image.tiffsave_buffer(bitdepth=bits, predictor="none")
        by_tifffile = tifffile.imread(io.BytesIO(data))[0]
        by_pillow = np.asarray(Image.open(io.BytesIO(data)).convert("L"))[0] // (255 // most)
        print(f"bits {bits}, width {width}: wrote {values.tolist()}, tifffile {by_tifffile.tolist()}, "
              f"Pillow {by_pillow.tolist()}")
        assert (by_tifffile == by_pillow).all()
        if (by_tifffile != values).any():
            wrong.append((bits, width, by_tifffile[-1] == values[-2]))
sys.exit(0 if wrong == [(4, 5, True)] else 1)
PYTHON
