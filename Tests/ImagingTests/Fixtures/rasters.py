#!/usr/bin/env python3
"""Writes the images of any bands in rasters/, and what rasterio (GDAL) and NumPy read of them.

Needs numpy, rasterio, tifffile, imagecodecs and Pillow:  ./rasters.py
"""

import json
import pathlib

import numpy as np
import rasterio
import tifffile
from rasterio.transform import Affine

folder = pathlib.Path(__file__).parent / "rasters"
folder.mkdir(exist_ok=True)
expected = {}
W, H = 23, 19


def samples(bands, dtype):
    rng = np.random.default_rng(bands)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        values = rng.normal(100, 50, (bands, H, W)).astype(kind)
        values[:, 3:6, 4:9] = np.nan
        return values
    info = np.iinfo(kind)
    return rng.integers(max(info.min, -(1 << 20)), min(info.max, 1 << 20), (bands, H, W)).astype(kind)


def note(name, values, page=1, **more):
    """values: (bands, H, W)"""
    flat = values.transpose(1, 2, 0).astype(np.float64).reshape(-1)
    expected[name] = dict(
        size=[values.shape[2], values.shape[1]], bands=values.shape[0], page=page,
        samples=[None if np.isnan(v) else float(np.float32(v)) for v in flat], **more)


def geo(name, values, place=True, **options):
    profile = dict(driver="GTiff", width=W, height=H, count=values.shape[0], dtype=values.dtype)
    if place:
        profile.update(crs="EPSG:32633", transform=Affine(10, 0, 500000, 0, -10, 5000000))
    profile.update(options)
    with rasterio.open(folder / name, "w", **profile) as file:
        file.write(values)
    with rasterio.open(folder / name) as file:
        facts = {}
        if place:
            facts = dict(transform=list(file.transform.to_gdal()), epsg=file.crs.to_epsg())
        if file.nodata is not None and not np.isnan(file.nodata):
            facts["noData"] = file.nodata
        note(name, file.read(), **facts)


geo("u1-tiles.tif", samples(4, "uint8"), tiled=True, blockxsize=16, blockysize=16, compress="lzw", nodata=7)
geo("u2-strips.tif", samples(4, "uint16"), compress="deflate", predictor=2, interleave="pixel", blockysize=4)
geo("u2-planes.tif", samples(3, "uint16"), tiled=True, blockxsize=16, blockysize=16, interleave="band", compress="deflate", predictor=2)
geo("u2-big-endian.tif", samples(5, "uint16"), ENDIANNESS="BIG", interleave="pixel")
geo("u2-bigtiff.tif", samples(2, "uint16"), BIGTIFF="YES", compress="lzw")
geo("i2.tif", samples(2, "int16"), nodata=-9999, compress="deflate", predictor=2)
geo("u4.tif", samples(1, "uint32"), compress="lzw")
geo("i4.tif", samples(2, "int32"), interleave="band")
geo("f4-tiles.tif", samples(6, "float32"), tiled=True, blockxsize=16, blockysize=16, compress="deflate", predictor=3)
geo("f8.tif", samples(2, "float64"), compress="deflate")
geo("u1-13bands.tif", samples(13, "uint8"), interleave="pixel", compress="packbits")
geo("rotated.tif", samples(1, "uint8"), crs="EPSG:3857", transform=Affine(3, 1, 1000, 0.5, -2, 2000))
geo("degrees.tif", samples(1, "uint8"), crs="EPSG:4326", transform=Affine(0.001, 0, 13.3, 0, -0.001, 52.5))
geo("custom.tif", samples(1, "uint8"), crs="+proj=laea +lat_0=10 +lon_0=20 +x_0=1000 +y_0=2000 +datum=WGS84 +units=m")
geo("points.tif", samples(1, "uint8"))
with rasterio.open(folder / "points.tif", "r+") as file:
    file.update_tags(AREA_OR_POINT="Point")
with rasterio.open(folder / "points.tif") as file:
    expected["points.tif"]["transform"] = list(file.transform.to_gdal())
geo("plain.tif", samples(2, "uint8"), place=False)
sparse = np.zeros((1, H, W), "uint16")
sparse[0, :16, :16] = 5
geo("sparse.tif", sparse, tiled=True, blockxsize=16, blockysize=16, SPARSE_OK="TRUE")

pages = [samples(3, "uint16") // (page + 1) for page in range(3)]
with tifffile.TiffWriter(folder / "pages.tif") as file:
    for page in pages:
        file.write(page.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig")
note("pages.tif", pages[1], page=2)
half = samples(2, "float16")
tifffile.imwrite(folder / "f2.tif", half.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig")
note("f2.tif", half)

for name, dtype, bands, form in [
    ("hwc-u2.npy", "<u2", 4, "hwc"), ("chw-u2.npy", ">u2", 4, "chw"), ("hw-u1.npy", "u1", 1, "hw"),
    ("hwc-f4.npy", "<f4", 3, "hwc"), ("hwc-i2.npy", ">i2", 2, "hwc"), ("fortran-f8.npy", "<f8", 3, "fortran"),
    ("pages-u1.npy", "u1", 3, "pages"), ("hwc-f2.npy", "<f2", 2, "hwc"), ("hw-bool.npy", "?", 1, "hw"),
]:
    values = samples(bands, np.dtype(dtype).newbyteorder("=")) if dtype != "?" else samples(1, "uint8") > 99
    stored = values.astype(dtype)
    stored = {
        "hwc": lambda v: v.transpose(1, 2, 0), "chw": lambda v: v, "hw": lambda v: v[0],
        "fortran": lambda v: np.asfortranarray(v.transpose(1, 2, 0)),
        "pages": lambda v: np.stack([v.transpose(1, 2, 0) * 0, v.transpose(1, 2, 0)]),
    }[form](stored)
    np.save(folder / name, stored if form == "fortran" else np.ascontiguousarray(stored))
    note(name, values, page=2 if form == "pages" else 1)

import imagecodecs

for name, bands in [("grey.png", 1), ("rgb.png", 3), ("rgba.png", 4)]:
    values = samples(bands, "uint16")
    pixels = np.ascontiguousarray(values.transpose(1, 2, 0).squeeze())
    (folder / name).write_bytes(imagecodecs.png_encode(pixels))
    assert (imagecodecs.png_decode((folder / name).read_bytes()) == pixels).all()
    note(name, values)

(folder / "values.json").write_text(json.dumps(expected))
