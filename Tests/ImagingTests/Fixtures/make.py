#!/usr/bin/env python3
"""Writes the picture and label files beside it, and what other readers find in them into values.json.

    pip install pillow tifffile imagecodecs 'pyvips[binary]' opencv-python-headless numpy && python make.py

The encoders are those of Pillow, tifffile and libvips (libpng, libtiff, libwebp, libjpeg) and OpenCV, the readers
Pillow and tifffile. BMP with 4 bits or runs, which they only read, is put together here.
"""

import io
import json
import pathlib
import struct

import cv2
import numpy as np
import pyvips
import tifffile
from PIL import Image

HERE = pathlib.Path(__file__).parent
WIDTH, HEIGHT = 13, 7
rng = np.random.default_rng(19)
found = {}


def noise(count, channels=None):
    return rng.integers(0, count, (HEIGHT, WIDTH) + ((channels,) if channels else ())).astype(np.uint8)


def write(name, data, labels=None, picture=None):
    (HERE / name).write_bytes(data)
    if picture is not None:
        found[name] = {"size": [WIDTH, HEIGHT]}
    else:
        image = Image.open(io.BytesIO(data))
        found[name] = {"size": [image.width, image.height]}
        if image.mode.startswith("I;16"):
            picture = (np.asarray(image).astype(np.uint16) >> 8)[..., None].repeat(3, 2)
        elif image.mode in ("RGBA", "LA"):
            picture = np.asarray(image.convert("RGBA"))[..., :3]
        else:
            picture = np.asarray(image.convert("RGB"))
    if picture is not False:
        found[name]["picture"] = np.asarray(picture).astype(int).ravel().tolist()
    if labels is not None:
        found[name]["labels"] = np.asarray(labels).astype(int).ravel().tolist()


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def vips(array, bands=1):
    image = pyvips.Image.new_from_memory(
        np.ascontiguousarray(array).tobytes(), WIDTH, HEIGHT, bands, "ushort" if array.dtype == np.uint16 else "uchar")
    wide = array.dtype == np.uint16
    return image.copy(interpretation={1: "grey16" if wide else "b-w", 3: "rgb16" if wide else "srgb", 4: "srgb", 2: "b-w"}[bands])


def pngs():
    for interlace in (False, True):
        order = "adam7" if interlace else "rows"
        for depth in (1, 2, 4, 8):
            step = 255 // ((1 << depth) - 1)
            data = vips(noise(1 << depth) * step).pngsave_buffer(interlace=interlace, bitdepth=depth)
            assert data[24] == depth and data[25] == 0 and data[28] == interlace
            write(f"grey{depth}-{order}.png", data, np.asarray(Image.open(io.BytesIO(data)).convert("L")) // step)
            colors = np.array([[v * 97 % 256, v * 31 % 256, 255 - v * 59 % 256] for v in range(1 << min(depth, 6))], np.uint8)
            data = vips(colors[noise(len(colors))], 3).pngsave_buffer(interlace=interlace, palette=True, bitdepth=depth)
            assert data[24] == depth and data[25] == 3 and data[28] == interlace
            write(f"indexed{depth}-{order}.png", data, np.asarray(Image.open(io.BytesIO(data))))
        wide = rng.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16)
        write(f"grey16-{order}.png", vips(wide).pngsave_buffer(interlace=interlace), wide)
        write(f"rgb8-{order}.png", vips(noise(256, 3), 3).pngsave_buffer(interlace=interlace))
        write(f"rgba8-{order}.png", vips(noise(256, 4), 4).pngsave_buffer(interlace=interlace))
        equal = noise(20)
        opaque = np.dstack([equal, equal, equal, np.full_like(equal, 255)])
        write(f"rgba8-equal-{order}.png", vips(opaque, 4).pngsave_buffer(interlace=interlace), equal)
        wide = np.dstack([wide] * 3)
        write(f"rgb16-equal-{order}.png", vips(wide, 3).pngsave_buffer(interlace=interlace), wide[..., 0], wide >> 8)


def tiffs():
    def by_tifffile(name, array, labels=True, picture=False, **options):
        out = io.BytesIO()
        tifffile.imwrite(out, array, metadata=None, **options)
        found = tifffile.imread(io.BytesIO(out.getvalue()))
        assert (found == array).all()
        write(name, out.getvalue(), found if labels is True else labels, picture)

    grey = noise(30)
    kinds = ["i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]
    for number, kind in enumerate(kinds):
        array = grey.astype(kind) * (1 if kind in ("i1", "f2") else 1000)
        order = "<>"[number % 2]
        by_tifffile(f"{kind}.tif", array, byteorder=order, photometric="minisblack")
        predictor = 3 if kind[0] == "f" else kind[1] != "8"
        by_tifffile(
            f"{kind}-tiles.tif", array, byteorder=order, photometric="minisblack", tile=(16, 16), bigtiff=True,
            compression=["zlib", "lzw", "zstd", "lzma"][number % 4], predictor=predictor)
    for name in ["zlib", "lzw", "packbits", "zstd", "lzma"]:
        by_tifffile(f"u1-{name}.tif", grey, photometric="minisblack", compression=name, rowsperstrip=3)
    by_tifffile("bits.tif", noise(2).astype(bool), photometric="minisblack")
    by_tifffile("zero-is-white.tif", grey, photometric="miniswhite", picture=255 - grey[..., None].repeat(3, 2))
    colors = rng.integers(256, 65536, (3, 256)).astype(np.uint16)
    by_tifffile(
        "indexed.tif", grey, photometric="palette", colormap=colors, picture=(colors[:, grey] >> 8).transpose(1, 2, 0))
    five = noise(256, 5)
    for bands, order in [(3, "contig"), (3, "separate"), (4, "contig"), (4, "separate"), (5, "contig"), (5, "separate")]:
        array = five[..., :bands]
        array = np.ascontiguousarray(np.moveaxis(array, 2, 0) if order == "separate" else array)
        by_tifffile(
            f"bands{bands}-{order}.tif", array, None, five[..., :3], photometric="rgb", planarconfig=order,
            extrasamples=["unspecified"] * (bands - 3), tile=(16, 16) if bands == 5 else None)
    equal = np.dstack([grey] * 3)
    by_tifffile("rgb-equal-planes.tif", np.ascontiguousarray(np.moveaxis(equal, 2, 0)), grey, equal, photometric="rgb", planarconfig="separate")
    wide = rng.integers(0, 65536, (HEIGHT, WIDTH, 3)).astype(np.uint16)
    by_tifffile("rgb16.tif", wide, None, wide >> 8, photometric="rgb", byteorder=">")
    for depth in (2, 4):
        step = 255 // ((1 << depth) - 1)
        values = noise(1 << depth)
        data = vips(values * step).tiffsave_buffer(bitdepth=depth, tile=True, tile_width=16, tile_height=16)
        # libvips 8.18 loses the last column of odd widths in 4 bits, so that tifffile tells what is there.
        values = tifffile.imread(io.BytesIO(data))
        write(f"grey{depth}-tiles.tif", data, values, (values * step)[..., None].repeat(3, 2))
    for name in ("group3", "group4", "tiff_ccitt"):
        data = saved(Image.fromarray(noise(2).astype(bool)), "TIFF", compression=name)
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            white = file.pages[0].photometric == 0
        shown = np.asarray(Image.open(io.BytesIO(data)))
        write(f"{name}.tif", data, ~shown if white else shown)
    write("cmyk.tif", saved(Image.fromarray(noise(256, 4), "CMYK"), "TIFF"))
    smooth = np.add.outer(np.arange(HEIGHT) * 9, np.arange(WIDTH) * 5)[..., None] + np.array([0, 40, 90])
    write("ycbcr-jpeg.tif", saved(Image.fromarray(smooth.astype(np.uint8)), "TIFF", compression="jpeg"))


def bmps():
    for mode, colors in (("1", 2), ("L", 256), ("P", 256), ("RGB", 0), ("RGBA", 0)):
        array = noise(2).astype(bool) if mode == "1" else noise(256, {"RGB": 3, "RGBA": 4}.get(mode))
        image = Image.fromarray(array)
        if mode == "P":
            image = image.convert("P")
            image.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
        write(f"{mode}.bmp", saved(image, "BMP"), array if colors else None)

    def assembled(name, bits, compression, height, body, table, labels):
        start = 54 + 4 * len(table)
        header = struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(body), 0, 0, len(table), 0)
        entries = b"".join(bytes(c[::-1]) + b"\0" for c in table)
        data = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + entries + body
        image = Image.open(io.BytesIO(data))
        assert image.mode != "P" or (np.asarray(image) == labels).all()
        write(name, data, labels)

    table = rng.integers(0, 256, (16, 3)).astype(np.uint8)
    values = noise(16)
    rows = np.pad(values, ((0, 0), (0, 1)))
    four = np.pad(rows[:, ::2] << 4 | rows[:, 1::2], ((0, 0), (0, 1)))
    assembled("four-bits.bmp", 4, 0, HEIGHT, four[::-1].tobytes(), table, values)
    assembled("four-bits-top-down.bmp", 4, 0, -HEIGHT, four.tobytes(), table, values)
    values[:, 3:9] = 7
    runs = b"".join(
        bytes([0, 3]) + bytes(row[:3]) + b"\0" + bytes([6, 7]) + bytes([0, 4]) + bytes(row[9:]) + b"\0\0"
        for row in values[::-1])
    assembled("runs8.bmp", 8, 1, HEIGHT, runs + b"\0\1", table, values)
    values[:, 9:] = 0
    runs = b"".join(
        bytes([0, 3, row[0] << 4 | row[1], row[2] << 4]) + bytes([6, 0x77]) + b"\0\2\1\0" + b"\0\0"
        for row in values[::-1])
    assembled("runs4.bmp", 4, 2, HEIGHT, runs + b"\0\1", table, values)


def others():
    for interlace in (0, 1):
        image = Image.fromarray(noise(40)).convert("P")
        image.putpalette(rng.integers(0, 256, 768).astype(np.uint8).tobytes())
        data = saved(image, "GIF", interlace=interlace, optimize=False)
        write(f"{'interlaced' if interlace else 'rows'}.gif", data, np.asarray(Image.open(io.BytesIO(data))))
    write("colours.webp", saved(Image.fromarray(noise(256, 3)), "WEBP", lossless=True))
    equal = noise(30)
    write("equal.webp", saved(Image.fromarray(np.dstack([equal] * 3)), "WEBP", lossless=True), equal)
    write("lossy.webp", saved(Image.fromarray(noise(256, 3)), "WEBP", quality=80))
    frames = [Image.fromarray(noise(256, 3)) for _ in range(2)]
    write("animation.webp", saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True))
    bits = noise(2).astype(bool)
    write("bits.pbm", saved(Image.fromarray(bits), "PPM"), bits)
    write("grey.pgm", saved(Image.fromarray(equal), "PPM"), equal)
    ok, text = cv2.imencode(".ppm", np.dstack([equal] * 3), [cv2.IMWRITE_PXM_BINARY, 0])
    assert ok and text.tobytes().startswith(b"P3")
    write("text.ppm", text.tobytes(), equal)
    for mode, options in (("RGB", {}), ("L", {}), ("CMYK", {}), ("RGB", {"progressive": True})):
        channels = {"RGB": 3, "L": 1, "CMYK": 4}[mode]
        array = noise(256, channels) if channels > 1 else noise(256)
        name = f"{'progressive' if options else mode}.jpg"
        write(name, saved(Image.fromarray(array, mode), "JPEG", quality=85, **options))


pngs()
tiffs()
bmps()
others()
lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in sorted(found.items()))
(HERE / "values.json").write_text("{\n" + lines + "\n}\n")

# What is read with a word, or not at all: no values beside these.
(HERE / "strange").mkdir(exist_ok=True)
for name, array in (
    ("negative", np.array([[0, 1, 2, 3], [4, 5, 6, -7]], "i2")), ("fraction", np.array([[0, 1, 1.5, 3]], "f4")),
    ("large", np.array([[1, 2], [70000, 3]], "u4")), ("no-data", np.array([[0, 1, -1, 2]], "i4"))):
    tifffile.imwrite(HERE / "strange" / f"{name}.tif", array, metadata=None, photometric="minisblack")
