#!/usr/bin/env bash
# rasterio's merge with method="first", its default, overwrites class 0 of the first raster by what later ones have
# there, where no no-data value is set: a mosaic of label tiles loses background wherever tiles overlap, and depends on
# a tag.
#
# Method "first" says that the first raster has its pixels. But what is still to be filled is told by the value 0 if the
# first file notes no no-data value, and then class 0 counts as empty. Overlapping tiles of predictions, which note none
# as a rule, are so merged to the union of what is not background: false alarms of every tile stay. method="min" leaves
# class 0 out of its minima likewise. With the tag 255 both do what they say; nodata=255 in the call mends it as well,
# and no message tells of the difference.
#
# Output (rasterio 1.4.4 with GDAL 3.10.3), a tile of class 0 and one of class 3 that overlap by half:
#   rasterio 1.4.4, GDAL 3.10.3
#   first, no-data not noted: [0, 0, 3, 3, 3, 3]
#   first, no-data 255: [0, 0, 0, 0, 3, 3]
#   min, no-data not noted: [0, 0, 3, 3, 3, 3]
#   min, no-data 255: [0, 0, 0, 0, 3, 3]
#   first, not noted, nodata=255 in the call: [0, 0, 0, 0, 3, 3]
# Exits with 1 if the first tile keeps its class 0 without a no-data value.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q rasterio==1.4.4 numpy==2.4.6
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sys

import numpy as np
import rasterio
from rasterio.merge import merge

print(f"rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}")


def tile(name, value, left, nodata):
    place = rasterio.transform.from_origin(500_000 + left, 5_000_000, 1, 1)
    form = dict(driver="GTiff", width=4, height=4, count=1, dtype="uint8", crs="EPSG:32633", transform=place, nodata=nodata)
    with rasterio.open(name, "w", **form) as file:
        file.write(np.full((1, 4, 4), value, np.uint8))
    return name


def mosaic(tag, **options):
    tiles = [tile("background.tif", 0, 0, tag), tile("car.tif", 3, 2, tag)]
    return merge(tiles, **options)[0][0, 0].tolist()


found = {}
for method in ("first", "min"):
    for tag in (None, 255):
        found[method, tag] = mosaic(tag, method=method)
        print(f"{method}, no-data {'not noted' if tag is None else tag}: {found[method, tag]}")
print(f"first, not noted, nodata=255 in the call: {mosaic(None, nodata=255)}")
sys.exit(0 if found["first", None] == [0, 0, 3, 3, 3, 3] and found["first", 255] == [0, 0, 0, 0, 3, 3] else 1)
PYTHON
