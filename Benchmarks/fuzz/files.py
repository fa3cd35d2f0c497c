"""Makes valid image files of odd kinds, and what they hold.

Each maker takes a random generator and gives (bytes, labels, picture): what a reader of labels should find
(None if they are refused), and what a reader of pictures should (None where the reference decides alone).
"""

import io
import struct
import warnings
import zlib

import cv2
import numpy as np
import pyvips
import tifffile
from PIL import Image

warnings.filterwarnings("ignore")


def shape(rng):
    return int(rng.integers(1, 40)), int(rng.integers(1, 40))


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def rgb(grey):
    return np.repeat(grey[..., None], 3, axis=2)


def palette(rng, count):
    return rng.integers(0, 256, (count, 3), dtype=np.uint8)


# PNG, row by row, with every filter, depth and order.


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def filtered(rng, rows, step):
    out, above = bytearray(), None
    for row in rows:
        kind = int(rng.integers(0, 5))
        row = row.astype(np.int32)
        up = np.zeros_like(row) if above is None else above
        left = np.concatenate([np.zeros(min(step, len(row)), np.int32), row[:-step]])[: len(row)]
        corner = np.concatenate([np.zeros(min(step, len(row)), np.int32), up[:-step]])[: len(row)]
        p = left + up - corner
        da, db, dc = abs(p - left), abs(p - up), abs(p - corner)
        paeth = np.where((da <= db) & (da <= dc), left, np.where(db <= dc, up, corner))
        guess = [0 * row, left, up, (left + up) // 2, paeth][kind]
        out += bytes([kind]) + ((row - guess) & 255).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def packed(samples, depth):
    if depth == 16:
        return samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    if depth == 8:
        return samples.astype(np.uint8)
    bits = (samples[..., None].astype(np.uint8) >> np.arange(depth - 1, -1, -1, dtype=np.uint8)) & 1
    return np.packbits(bits.reshape(len(samples), -1), axis=1)


def png(rng):
    height, width = shape(rng)
    kind = int(rng.choice([0, 0, 2, 3, 3, 4, 6]))
    depth = int(rng.choice({0: [1, 2, 4, 8, 16], 3: [1, 2, 4, 8]}.get(kind, [8, 16])))
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    samples = rng.integers(0, 1 << depth, (height, width, channels))
    equal = kind in (2, 6) and rng.integers(2)
    if equal:
        samples[..., :3] = samples[..., :1]
    if kind in (4, 6) and rng.integers(2):
        samples[..., -1] = (1 << depth) - 1
    opaque = kind not in (4, 6) or (samples[..., -1] == (1 << depth) - 1).all()
    interlaced = bool(rng.integers(2))
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    data, step = b"", max(1, channels * depth // 8)
    for y, dy, x, dx in passes if interlaced else [(0, 1, 0, 1)]:
        part = samples[y::dy, x::dx]
        if part.size:
            data += filtered(rng, packed(part.reshape(len(part), -1), depth), step)
    data = zlib.compress(data, int(rng.integers(0, 10)))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, int(interlaced))
    colors = palette(rng, 1 << depth) if kind == 3 else None
    parts = [chunk(b"IHDR", header)]
    if rng.integers(3) == 0:
        parts.append(chunk(b"tEXt", b"Comment\0" + bytes(rng.integers(32, 127, 9, dtype=np.uint8))))
    if kind == 3:
        parts.append(chunk(b"PLTE", colors.tobytes()))
    if rng.integers(4) == 0 and kind in (0, 3):
        parts.append(chunk(b"tRNS", b"\0\1" if kind == 0 else b"\0"))
    if rng.integers(6) == 0:
        # A check sum that is wrong, in a chunk that nobody needs.
        parts.append(chunk(b"tIME", bytes(7))[:-1] + b"\7")
    cuts = sorted(int(c) for c in rng.integers(0, len(data) + 1, int(rng.integers(0, 3))))
    parts += [chunk(b"IDAT", data[a:b]) for a, b in zip([0] + cuts, cuts + [len(data)])]
    parts.append(chunk(b"IEND", b""))
    tail = bytes(rng.integers(0, 256, 5, dtype=np.uint8)) if rng.integers(5) == 0 else b""
    labels = samples[..., 0] if kind in (0, 3) or opaque and (kind == 4 or equal) else None
    if kind in (2, 6) and opaque and (samples[..., :3] == samples[..., :1]).all():
        labels = samples[..., 0]
    if kind == 3:
        picture = colors[samples[..., 0]]
    else:
        eight = samples >> 8 if depth == 16 else samples * 255 // ((1 << depth) - 1)
        picture = rgb(eight[..., 0]) if kind in (0, 4) else eight[..., :3]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + tail, labels, picture


# JPEG: what libjpeg makes, with stray things in it.


def smooth(rng, height, width, channels):
    grid = rng.integers(0, 256, (2, 2, channels), dtype=np.uint8)
    picture = cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR)
    noise = rng.integers(0, 30, (height, width, channels))
    return np.clip(picture.reshape(height, width, channels) + noise, 0, 255).astype(np.uint8)


def jpeg(rng):
    height, width = shape(rng)
    channels = int(rng.choice([1, 3, 3, 4]))
    pixels = smooth(rng, height, width, channels)
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, {1: "L", 3: "RGB", 4: "CMYK"}[channels])
    options = {"quality": int(rng.integers(1, 100)), "progressive": bool(rng.integers(2))}
    if channels == 3:
        options["subsampling"] = int(rng.integers(0, 3))
    if rng.integers(3) == 0:
        options["restart_marker_blocks"] = int(rng.integers(1, 5))
    if channels == 3 and rng.integers(4) == 0:
        data = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, 3, "uchar").jpegsave_buffer(
            Q=options["quality"], interlace=options["progressive"], optimize_coding=True,
            subsample_mode=str(rng.choice(["on", "off"])))
    else:
        data = saved(image, "JPEG", **options)
    fault = int(rng.integers(0, 8))
    if fault == 0 and data[6:11] == b"JFIF\0":
        data = data[:11] + bytes(rng.integers(0, 4, 2, dtype=np.uint8)) + data[13:]
    elif fault == 1 and not options["progressive"]:
        at = data.index(b"\xff\xda") + 4
        at += 1 + 2 * data[at]
        data = data[:at] + bytes(rng.integers(0, 2, 2, dtype=np.uint8)) + data[at + 2 :]
    elif fault == 2:
        data += bytes(rng.integers(0, 256, 20, dtype=np.uint8))
    elif fault == 3:
        data = data[:2] + b"\xff\xfe\0\6abcd" + data[2:]
    elif fault == 4:
        data = data[:-2] + b"\0\1\2" + data[-2:]
    return data, None, None


# TIFF.

PLAIN = [None, "zlib", "lzw", "packbits", "zstd", "lzma"]


def tiff(rng):
    pick = int(rng.integers(0, 10))
    if pick < 6:
        return tiff_by_tifffile(rng)
    return tiff_by_vips(rng) if pick < 8 else tiff_by_pillow(rng)


def tiff_by_tifffile(rng):
    height, width = shape(rng)
    kind = str(rng.choice(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "b1"]))
    bands = int(rng.choice([1, 1, 1, 2, 3, 3, 4, 5])) if kind in ("u1", "u2") else 1
    most = {"u1": 256, "i1": 128, "b1": 2, "f2": 2048, "i2": 32768}.get(kind, 65536)
    data = rng.integers(0, most, (height, width, bands)).astype(kind)
    equal = bands >= 3 and rng.integers(2)
    if equal:
        data[..., :3] = data[..., :1]
    options = {"compression": PLAIN[int(rng.integers(len(PLAIN)))], "byteorder": str(rng.choice(["<", ">"])),
               "bigtiff": bool(rng.integers(2)), "metadata": None}
    compressed = options["compression"] in ("zlib", "lzw", "zstd", "lzma")
    if compressed and kind[0] in "ui" and kind[1] != "8" and kind != "b1" and rng.integers(2):
        options["predictor"] = True
    if compressed and kind in ("f2", "f4", "f8") and rng.integers(2):
        options["predictor"] = 3
    if kind != "b1" and rng.integers(2):
        options["tile"] = (16 * int(rng.integers(1, 3)), 16 * int(rng.integers(1, 3)))
    else:
        options["rowsperstrip"] = int(rng.integers(1, height + 1))
    planar = bands > 1 and rng.integers(2)
    colored = bands >= 3
    options["photometric"] = "rgb" if colored else str(rng.choice(["minisblack", "miniswhite"]))
    extra = bands - (3 if colored else 1)
    if extra:
        options["extrasamples"] = [str(rng.choice(["unspecified", "unassalpha"]))] + ["unspecified"] * (extra - 1)
    if bands > 1:
        options["planarconfig"] = "separate" if planar else "contig"
    colors = None
    if bands == 1 and kind in ("u1", "u2") and options["photometric"] == "minisblack" and rng.integers(3) == 0:
        colors = rng.integers(256, 65536, (3, 1 << (8 * int(kind[1])))).astype(np.uint16)
        options["photometric"], options["colormap"] = "palette", colors
    out = io.BytesIO()
    array = data[..., 0] if bands == 1 else np.moveaxis(data, 2, 0) if planar else data
    tifffile.imwrite(out, np.ascontiguousarray(array), **options)
    alpha = extra == 1 and options["extrasamples"][0] == "unassalpha"
    top = (1 << (8 * data.dtype.itemsize)) - 1 if kind[0] in "ui" else 1
    opaque = not alpha or (data[..., -1] == top).all()
    same = not colored or (data[..., :3] == data[..., :1]).all()
    labels = data[..., 0] if (not extra or alpha) and opaque and same else None
    picture = None
    if colors is not None:
        picture = (colors[:, data[..., 0]] >> 8).transpose(1, 2, 0)
    elif kind in ("u1", "u2", "b1"):
        eight = data >> 8 if kind == "u2" else data * 255 if kind == "b1" else data
        eight = eight.astype(np.int64)
        picture = eight[..., :3] if colored else rgb(eight[..., 0])
        if options["photometric"] == "miniswhite":
            picture = 255 - picture
    return out.getvalue(), labels, picture


def tiff_by_vips(rng):
    height, width = shape(rng)
    depth = int(rng.choice([1, 2, 4, 8]))
    values = rng.integers(0, 1 << depth, (height, width)).astype(np.uint8)
    eight = values * (255 // ((1 << depth) - 1))
    image = pyvips.Image.new_from_memory(eight.tobytes(), width, height, 1, "uchar").copy(interpretation="b-w")
    options = {"compression": str(rng.choice(["none", "lzw", "deflate", "packbits"]))}
    if depth == 1 and rng.integers(2):
        options["compression"] = "ccittfax4"
    if depth < 8:
        options |= {"bitdepth": depth, "predictor": "none"}
    if rng.integers(2):
        options |= {"tile": True, "tile_width": 16, "tile_height": 32}
    if rng.integers(2):
        options["bigtiff"] = True
    inverse = depth in (1, 8) and options["compression"] != "ccittfax4" and bool(rng.integers(2))
    if inverse:
        options["miniswhite"] = True
    # Values of labels are those in the file, which tifffile reads. libvips 8.18 loses the last column of
    # odd widths in 4 bits, so that Pillow tells what the picture is.
    data = image.tiffsave_buffer(**options)
    exact = options["compression"] != "ccittfax4"
    return data, "tifffile" if exact else None, "pillow" if depth == 4 else rgb(eight)


def tiff_by_pillow(rng):
    height, width = shape(rng)
    mode = str(rng.choice(["1", "CMYK", "P", "YCbCr", "LA", "RGBA"]))
    options = {}
    if mode == "1":
        bits = rng.integers(0, 2, (height, width)).astype(bool)
        options["compression"] = str(rng.choice(["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw", "raw"]))
        return saved(Image.fromarray(bits), "TIFF", **options), None, rgb(bits * 255)
    channels = {"CMYK": 4, "P": 1, "YCbCr": 3, "LA": 2, "RGBA": 4}[mode]
    pixels = smooth(rng, height, width, channels)
    if mode == "YCbCr":
        data = saved(Image.fromarray(pixels, "RGB"), "TIFF", compression="jpeg", quality=90)
        return data, None, "pillow"
    options["compression"] = str(rng.choice(["raw", "tiff_lzw", "tiff_deflate", "packbits", "zstd"]))
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels, "L" if mode == "P" else mode)
    if mode == "P":
        image = Image.fromarray(pixels[..., 0], "L").convert("P")
        image.putpalette(palette(rng, 256).tobytes())
    return saved(image, "TIFF", **options), pixels[..., 0] if mode == "P" else None, "pillow"


# BMP, row by row.


def runs(rng, rows, narrow):
    """Rows of indices in runs and stretches, with the marks between them."""
    out = bytearray()
    for row in rows:
        at = 0
        while at < len(row):
            end = at + 1
            while end < len(row) and row[end] == row[at] and end - at < 255:
                end += 1
            rest = min(len(row) - at, 255)
            if end - at < 3 and rest > 3:
                part = [int(v) for v in row[at : at + rest]]
                out += bytes([0, rest])
                body = bytes(part) if not narrow else bytes(
                    a << 4 | b for a, b in zip(part[::2], part[1::2] + [0] * (rest % 2)))
                out += body + bytes(len(body) % 2)
                at += rest
            else:
                value = int(row[at])
                out += bytes([end - at, value << 4 | value if narrow else value])
                at = end
        out += b"\0\0"
    return bytes(out[:-2]) + b"\0\1"


def bmp(rng):
    height, width = shape(rng)
    bits = int(rng.choice([1, 4, 8, 16, 24, 32]))
    old = bits != 16 and bits != 32 and rng.integers(4) == 0
    flipped = not old and rng.integers(3) == 0
    length = 12 if old else int(rng.choice([40, 40, 108, 124]))
    compression, masks = 0, b""
    if bits <= 8:
        values = rng.integers(0, 1 << bits, (height, width))
        values[:, : width // 2] = values[:, :1]
        colors = palette(rng, 1 << bits)
        picture = colors[values]
        order = values if flipped else values[::-1]
        rows = packed(order, bits)
        if bits in (4, 8) and not old and not flipped and rng.integers(2):
            compression = 1 if bits == 8 else 2
            body = runs(rng, order, bits == 4)
    else:
        values = None
        if bits == 16:
            fields = [(11, 5), (5, 6), (0, 5)] if rng.integers(2) else [(10, 5), (5, 5), (0, 5)]
            samples = [rng.integers(0, 1 << size, (height, width)) for _, size in fields]
            pixel = sum(s << shift for s, (shift, _) in zip(samples, fields))
            if fields[0][0] == 11:
                compression = 3
                masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
            picture = np.stack([s * 255 // ((1 << size) - 1) for s, (_, size) in zip(samples, fields)], axis=2)
            picture = picture
            rows = pixel.astype("<u2").view(np.uint8).reshape(height, -1)
        else:
            picture = rng.integers(0, 256, (height, width, 3))
            if rng.integers(2):
                picture[...] = picture[..., :1]
            planes = [picture[..., 2], picture[..., 1], picture[..., 0]]
            if bits == 32:
                planes.append(rng.integers(0, 256, (height, width)))
            rows = np.stack(planes, axis=2).astype(np.uint8).reshape(height, -1)
        rows = rows if flipped else rows[::-1]
        if (picture == picture[..., :1]).all():
            values = picture[..., 0]
    if compression in (0, 3):
        pad = -rows.shape[1] % 4
        body = np.pad(rows, ((0, 0), (0, pad))).astype(np.uint8).tobytes()
    table = b""
    if bits <= 8:
        table = b"".join(bytes(c[::-1]) + (b"" if old else b"\0") for c in colors)
    if old:
        header = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        header = struct.pack("<IiiHHIIiiII", length, width, -height if flipped else height, 1, bits, compression,
                             len(body), 2835, 2835, 0, 0)
        header += masks
        header += bytes(max(0, length - len(header)))
        header = header if len(header) > length or not masks else header
    start = 14 + len(header) + len(table)
    whole = b"BM" + struct.pack("<IHHI", start + len(body), 0, 0, start) + header + table + body
    return whole, values, picture


# GIF, WebP and PNM.


def gif(rng):
    height, width = shape(rng)
    count = 1 << int(rng.integers(1, 9))
    values = rng.integers(0, count, (height, width)).astype(np.uint8)
    if rng.integers(2):
        values[:] = values[:1]
    image = Image.fromarray(values, "L").convert("P")
    colors = palette(rng, 256)
    image = Image.fromarray(values, "L")
    image = image.convert("P")
    image.putpalette(colors[:count].tobytes())
    options = {"interlace": int(rng.integers(2)), "optimize": False}
    if rng.integers(4) == 0:
        options["transparency"] = int(rng.integers(count))
    data = saved(image, "GIF", **options)
    if rng.integers(4) == 0:
        data = data[:-1]
    return data, "pillow", "pillow"


def webp(rng):
    height, width = shape(rng)
    kind = int(rng.integers(0, 5))
    if kind == 0:
        pixels = smooth(rng, height, width, 3)
        return saved(Image.fromarray(pixels), "WEBP", quality=int(rng.integers(1, 100))), None, "pillow"
    if kind == 1:
        frames = [Image.fromarray(smooth(rng, height, width, 3)) for _ in range(2)]
        return saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), None, "pillow"
    pixels = rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    equal = kind == 2
    if equal:
        pixels[...] = pixels[..., :1]
    image = Image.fromarray(pixels)
    labels = pixels[..., 0] if (pixels == pixels[..., :1]).all() else None
    if kind == 3:
        alpha = rng.integers(0, 2, (height, width)).astype(np.uint8) * 255
        image.putalpha(Image.fromarray(alpha))
        labels = labels if (alpha == 255).all() else None
    return saved(image, "WEBP", lossless=True, exact=True, method=int(rng.integers(0, 7))), labels, pixels


def pnm(rng):
    height, width = shape(rng)
    kind = int(rng.integers(1, 7))
    most = 1 if kind in (1, 4) else int(rng.choice([1, 15, 100, 255, 256, 1000, 65535]))
    channels = 3 if kind in (3, 6) else 1
    values = rng.integers(0, most + 1, (height, width, channels))
    if channels == 3 and rng.integers(2):
        values[...] = values[..., :1]
    space = str(rng.choice(["\n", " ", "\t", "\r\n" if kind < 4 else "\n"]))
    comment = "# something 12\n" if rng.integers(2) else ""
    header = f"P{kind}\n{comment}{width}{space}{height}" + ("" if kind in (1, 4) else f"{space}{most}") + "\n"
    if kind < 4:
        marks = 1 - values if kind == 1 else values
        glue = "" if kind == 1 and rng.integers(2) else " "
        body = "\n".join(glue.join(str(v) for v in row.reshape(-1)) for row in marks).encode() + b"\n"
    elif kind == 4:
        body = np.packbits(1 - values[..., 0].astype(np.uint8), axis=1).tobytes()
    else:
        body = values.astype(">u2" if most > 255 else np.uint8).tobytes()
    picture = np.round(values / most * 255).astype(int)
    picture = rgb(picture[..., 0]) if channels == 1 else picture
    labels = values[..., 0] if (values == values[..., :1]).all() else None
    return header.encode() + body, labels, picture


MAKERS = {"png": png, "jpeg": jpeg, "tiff": tiff, "bmp": bmp, "gif": gif, "webp": webp, "pnm": pnm}
