#!/usr/bin/env bash
# GDAL's COG driver averages class numbers: the overviews of a label raster without a colour table hold classes that the
# raster has not, and every smaller read of the file gives them.
#
# The driver resamples overviews bicubically unless a band has a colour table, then by the nearest pixel. A raster of
# the classes 0, 3 and 9 becomes a cloud-optimized GeoTIFF whose full size is untouched, so that checks of pixels pass; its
# first overview has 1, 4 and 8 besides, at a fifth of the pixels, and a viewer, or rasterio's read with out_shape, shows
# and counts classes that are not there. With a colour table, and by rio-cogeo's default, all is well.
#
# Output (rasterio 1.4.4 with GDAL 3.10.3, rio-cogeo 7.0.4):
#   no colour table: full size [0, 3, 9], overview [0, 1, 3, 4, 8, 9], of its pixels 0.79 have a class of the raster
#   no colour table, read at 400x400: [0, 1, 3, 4, 8, 9]
#   colour table: full size [0, 3, 9], overview [0, 3, 9], of its pixels 1.00 have a class of the raster
#   rio-cogeo: full size [0, 3, 9], overview [0, 3, 9], of its pixels 1.00 have a class of the raster
# Exits with 1 if the overview of a raster without a colour table has only its classes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q rasterio==1.4.4 rio-cogeo==7.0.4
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sys

import numpy as np
import rasterio
import rasterio.shutil
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

classes = [0, 3, 9]
labels = np.kron(np.random.default_rng(0).choice(classes, size=(128, 128)), np.ones((8, 8), int)).astype(np.uint8)
form = dict(driver="GTiff", width=1024, height=1024, count=1, dtype="uint8", tiled=True, blockxsize=256,
            blockysize=256, crs="EPSG:32633", transform=rasterio.transform.from_origin(500_000, 5_000_000, 10, 10))
for name in ("plain", "coloured"):
    with rasterio.open(f"{name}.tif", "w", **form) as file:
        file.write(labels, 1)
        if name == "coloured":
            file.write_colormap(1, {0: (0, 0, 0, 255), 3: (255, 0, 0, 255), 9: (0, 255, 0, 255)})
    rasterio.shutil.copy(f"{name}.tif", f"{name}-cog.tif", driver="COG")
cog_translate("plain.tif", "rio.tif", cog_profiles.get("deflate"), quiet=True)

print(f"rasterio {rasterio.__version__}, GDAL {rasterio.__gdal_version__}")


def report(title, path):
    with rasterio.open(path) as file:
        whole = np.unique(file.read(1)).tolist()
    with rasterio.open(path, OVERVIEW_LEVEL=0) as file:
        overview = file.read(1)
    print(f"{title}: full size {whole}, overview {np.unique(overview).tolist()},"
          f" of its pixels {np.isin(overview, classes).mean():.2f} have a class of the raster")
    return np.isin(overview, classes).all()


right = report("no colour table", "plain-cog.tif")
with rasterio.open("plain-cog.tif") as file:
    print("no colour table, read at 400x400:", np.unique(file.read(1, out_shape=(400, 400))).tolist())
report("colour table", "coloured-cog.tif")
report("rio-cogeo", "rio.tif")
sys.exit(1 if right else 0)
PYTHON
