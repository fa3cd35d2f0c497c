#!/usr/bin/env bash
# Pillow reads an uncompressed RGB TIFF of 16 bits in planes as if its bytes were samples of 8 bits.
#
# Rasters in bands (PLANARCONFIG separate, GDAL's INTERLEAVE=BAND) are often stored so. Compressed, or
# interleaved, the same picture comes out as the upper 8 bits of each sample. Uncompressed in planes each row
# is its own first half, low and high bytes in turn, without an error or a warning.
#
# Output with Pillow 13.0.0 and tifffile 2026.3.3 (red, first row; the stored samples are
# 0x0100, 0x0302, 0x0504, 0x0706):
#   interleaved, uncompressed: [1, 3, 5, 7]
#   interleaved, deflate: [1, 3, 5, 7]
#   in planes, uncompressed: [0, 1, 2, 3]
#   in planes, deflate: [1, 3, 5, 7]
# Exits with 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q tifffile==2026.3.3 imagecodecs==2026.3.6 pillow==13.0.0 numpy
"$folder/env/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

print("Pillow", PIL.__version__, "tifffile", tifffile.__version__)
planes = np.arange(24, dtype=np.uint8).view("<u2").reshape(3, 1, 4)
found = {}
for layout, data in (("contig", np.ascontiguousarray(np.moveaxis(planes, 0, 2))), ("separate", planes)):
    for compression in (None, "zlib"):
        out = io.BytesIO()
        tifffile.imwrite(out, data, photometric="rgb", planarconfig=layout, compression=compression, metadata=None)
        assert (tifffile.imread(io.BytesIO(out.getvalue())) == data).all()
        red = np.asarray(Image.open(io.BytesIO(out.getvalue())))[0, :, 0].tolist()
        found[layout, compression] = red
        print(f"{'interleaved' if layout == 'contig' else 'in planes'}, "
              f"{'deflate' if compression else 'uncompressed'}: {red}")
right = (planes[0, 0] >> 8).tolist()
wrong = [key for key, red in found.items() if red != right]
sys.exit(0 if wrong == [("separate", None)] and found[wrong[0]] == [0, 1, 2, 3] else 1)
PYTHON
