#!/usr/bin/env bash
# oxipng, called lossless, gives the classes of a label PNG other numbers: it sorts palettes by its own needs, writes a
# grey image of few values as an indexed one, and grey values as fewer bits. The colours on a screen stay as they were.
#
# Label files are the numbers in them: indices of an indexed PNG, as PASCAL VOC's and what Pillow, labelme and datumaro
# write, or values of a grey one, as Cityscapes' and ADE20K's. After oxipng at its default level an indexed file has its
# classes permuted, by the order of the palette that packs best, and a file without a palette that held 0 to 4 is
# indexed, in an order of its own: whoever reads indices, as Pillow does in np.asarray, trains on permuted classes, of
# which nothing can be seen but by palettes. Two classes of one colour become one. A mask of 0 and 255 becomes one bit.
# With reduction of palettes, of bit depths and of grey off, and the colour type kept, the numbers stay.
#
# Output (pyoxipng 9.1.1, Pillow 13.0.0):
#   oxipng, default level
#   indexed: 4 bits, indexed, 0 is 4, 1 is 1, 2 is 3, 3 is 2, 4 is 0
#   grey: 4 bits, indexed, 0 is 4, 1 is 3, 2 is 2, 3 is 1, 4 is 0
#   indexed, 0 and 2 black: 2 bits, indexed, 0 is 3, 1 is 2, 2 is 3, 3 is 1, 4 is 0
#   grey, 0 and 255: 1 bits, grey, 0 is 0, 255 is 1
#   with the reductions off
#   indexed: 4 bits, indexed, 0 is 0, 1 is 1, 2 is 2, 3 is 3, 4 is 4
#   grey: 8 bits, grey, 0 is 0, 1 is 1, 2 is 2, 3 is 3, 4 is 4
# Exits with 1 if the classes of the first three keep their numbers, or if one of the last does not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q pyoxipng==9.1.1 pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import io
import sys

import numpy as np
import oxipng
from PIL import Image

classes = np.random.default_rng(0).integers(0, 5, (16, 16))
labels = np.kron(classes, np.ones((8, 8), int)).astype(np.uint8)
colours = [0, 0, 0, 128, 64, 128, 70, 70, 70, 220, 20, 60, 0, 0, 142]


def written(values, palette=None):
    image = Image.fromarray(values)
    if palette:
        image = Image.frombytes("P", image.size, values.tobytes())
        image.putpalette(palette)
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def numbers(title, values, palette=None, **options):
    data = oxipng.optimize_from_memory(written(values, palette), **options)
    with Image.open(io.BytesIO(data)) as image:
        kind = {0: "grey", 2: "RGB", 3: "indexed"}[data[25]]
        found = np.asarray(image).astype(int)
        old = np.asarray(Image.open(io.BytesIO(written(values, palette))).convert("RGB"))
        assert (np.asarray(image.convert("RGB")) == old).all()
    became = {int(value): np.unique(found[values == value]).tolist() for value in np.unique(values)}
    assert all(len(values) == 1 for values in became.values())
    became = {value: new[0] for value, new in became.items()}
    print(f"{title}: {data[24]} bits, {kind}, {', '.join(f'{a} is {b}' for a, b in became.items())}")
    return all(a == b for a, b in became.items())


print("oxipng, default level")
kept = [
    numbers("indexed", labels, colours),
    numbers("grey", labels),
    numbers("indexed, 0 and 2 black", labels, [0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 128, 0, 0, 0, 128])]
numbers("grey, 0 and 255", (255 * (labels > 2)).astype(np.uint8))
print("with the reductions off")
off = dict(bit_depth_reduction=False, color_type_reduction=False, palette_reduction=False, grayscale_reduction=False)
kept += [not numbers("indexed", labels, colours, **off), not numbers("grey", labels, **off)]
sys.exit(1 if any(kept) else 0)
PYTHON
