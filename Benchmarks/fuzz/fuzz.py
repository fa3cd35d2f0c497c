#!/usr/bin/env python3
"""Decodes odd and broken image files with Atrous and with other readers, and compares every value.

    make build PRODUCT=image-digest
    python Benchmarks/fuzz/fuzz.py .build/release/image-digest --valid 2000 --mutated 10000

Python needs Pillow, tifffile, imagecodecs, pyvips[binary], opencv-python-headless and numpy. The exit status is
1 if a file crashed or hung the decoder, or any value differs.
"""

import argparse
import collections
import io
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
import zlib

import numpy as np
import tifffile
from PIL import Image

import files

warnings.filterwarnings("ignore")


def digest(array, kind):
    array = np.ascontiguousarray(array, kind)
    return f"{array.shape[1]}x{array.shape[0]}", str(zlib.crc32(array.tobytes()))


def pillow(data):
    image = Image.open(io.BytesIO(data))
    size = image.size
    if size[0] * size[1] > 1 << 24:
        raise ValueError("large")
    if image.format == "TIFF":
        image._exif = None
    image.load()
    return image


def picture_by_pillow(data):
    """Red, green and blue as Pillow has them; None where it does not turn samples into 8 bits as they are."""
    image = pillow(data)
    if image.format == "TIFF" and image.mode not in ("RGB", "L", "P", "CMYK", "1"):
        return None
    if image.format == "TIFF" and (262 not in image.tag_v2 or image.tag_v2[262] == 0 and image.tag_v2.get(277, 1) > 1):
        # Without the tag Pillow takes 0 for white, libtiff for black.
        return None
    if image.mode.startswith("I;16"):
        array = np.asarray(image).astype(np.uint16)
        return files.rgb(array >> 8)
    if image.mode in ("I", "F", "I;16"):
        return None
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))[..., :3]
    return np.asarray(image.convert("RGB"))


def labels_by_pillow(data):
    image = pillow(data)
    if image.mode in ("P", "L"):
        return np.asarray(image)
    if image.mode == "1":
        return np.asarray(image).astype(np.uint8)
    return None


def labels_by_tifffile(data):
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages[0]
        if page.imagewidth * page.imagelength > 1 << 24:
            raise ValueError("large")
        if page.compression in (2, 3, 4) or 0 in page.databytecounts or 262 not in page.tags:
            # Broken fax is guessed at; libtiff estimates counts, and tifffile leaves out what has none.
            raise ValueError("no reference")
        array = page.asarray()
    return array if array.ndim == 2 else None


def mutated(rng, data):
    data = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        at = int(rng.integers(len(data)))
        kind = int(rng.choice([0, 0, 0, 1, 1, 2, 3, 4, 5]))
        if kind == 0:
            data[at] = int(rng.integers(256))
        elif kind == 1:
            data[int(rng.integers(min(64, len(data))))] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            at = int(rng.integers(max(1, min(100, len(data)) - 4)))
            values = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\1", b"\1\0\0\0", b"\0\0\1\0"]
            data[at : at + 4] = values[int(rng.integers(len(values)))]
        elif kind == 3 and len(data) > 8:
            del data[at : at + int(rng.integers(1, 40))]
        elif kind == 4:
            data[at:at] = data[at : at + int(rng.integers(1, 40))]
        else:
            del data[max(8, at) :]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)


def resealed(data):
    """A PNG with right check sums, without which a reader looks no further."""
    at, out = 8, bytearray(data)
    while at + 12 <= len(out):
        length = int.from_bytes(out[at : at + 4], "big")
        if at + 12 + length > len(out):
            break
        out[at + 8 + length : at + 12 + length] = zlib.crc32(out[at + 4 : at + 8 + length]).to_bytes(4, "big")
        at += 12 + length
    return bytes(out)


def decoded(command, paths):
    """What the command prints of each file; a file that ends or stops it is named."""
    lines, rest = collections.defaultdict(dict), list(paths)
    while rest:
        try:
            run = subprocess.run(
                [command], input="\n".join(map(str, rest)), capture_output=True, text=True, timeout=120,
                errors="replace")
            output, status = run.stdout, run.returncode
        except subprocess.TimeoutExpired as error:
            output, status = (error.stdout or b"").decode(errors="replace"), "hang"
        last = None
        for line in output.splitlines():
            parts = line.split("\t")
            if len(parts) >= 2 and parts[1] == "begin":
                last = parts[0]
            elif len(parts) == 4:
                lines[parts[0]][parts[1]] = parts[2:]
        if status == 0:
            return lines
        lines[last]["crash"] = [str(status), ""]
        names = [path.name for path in rest]
        rest = rest[names.index(last) + 1 :] if last in names else []
    return lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command")
    parser.add_argument("--valid", type=int, default=2000)
    parser.add_argument("--mutated", type=int, default=10000)
    parser.add_argument("--formats", nargs="*", default=list(files.MAKERS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", help="a folder for the files that differ")
    arguments = parser.parse_args()
    logging.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what libtiff says in the reference readers
    command, bad = os.path.abspath(arguments.command), 0
    print(f"{'format':6} {'kind':8} {'files':>6} {'pictures':>9} {'compared':>9} {'labels':>7} {'compared':>9} {'wrong':>6}")
    for name in arguments.formats:
        for kind, count in (("valid", arguments.valid), ("mutated", arguments.mutated)):
            rng = np.random.default_rng([arguments.seed, len(kind), *name.encode()])
            tally, wrong = collections.Counter(), []
            for start in range(0, count, 500):
                wrong += batch(command, name, kind, min(500, count - start), rng, tally, arguments.keep)
            print(f"{name:6} {kind:8} {count:6} {tally['image']:9} {tally['image compared']:9} {tally['labels']:7} "
                  f"{tally['labels compared']:9} {len(wrong):6}", flush=True)
            for text, number in collections.Counter(wrong).most_common(12):
                print(f"    {number} × {text}")
            bad += len(wrong)
    sys.exit(1 if bad else 0)


def reference(read, data):
    """What a reference reader makes of a file, which is nothing if it fails in whatever way."""
    try:
        return read(data)
    except Exception:  # noqa: BLE001
        return None


def batch(command, name, kind, count, rng, tally, keep):
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for index in range(count):
            data, labels, picture = files.MAKERS[name](rng)
            if kind == "mutated":
                data, labels, picture = mutated(rng, data), "any", "any"
                if name == "png" and rng.integers(2):
                    data = resealed(data)
            path = pathlib.Path(folder, f"{index}.{name}")
            path.write_bytes(data)
            made.append((path, data, labels, picture))
        lines = decoded(command, [path for path, *_ in made])
        for path, data, labels, picture in made:
            found = lines[path.name]
            faults = []
            if "crash" in found:
                faults.append(f"ended the decoder: {found['crash'][0]}")
            for what, truth, kind_of in (("image", picture, "<u1"), ("labels", labels, "<u2")):
                if what not in found or (what == "labels" and name == "jpeg"):
                    continue
                size, sum_ = found[what]
                tally[what] += size != "error"
                if isinstance(truth, np.ndarray):
                    expected = truth
                elif truth is None and what == "labels":
                    expected = "none"
                elif what == "image":
                    expected = reference(picture_by_pillow, data)
                elif name == "tiff":
                    expected = reference(labels_by_tifffile, data)
                else:
                    expected = reference(labels_by_pillow, data) if name in ("bmp", "gif") or (
                        name in ("png",) and truth == "any" and data[24:25] == b"\x08") else None
                if isinstance(expected, str):
                    # Labels by whatever reason refused in the maker's eyes; a value would be invented.
                    if size != "error" and kind == "valid" and name not in ("tiff",):
                        faults.append(f"{what} are read that are none")
                    continue
                if expected is None:
                    continue
                if size == "error":
                    if kind == "valid":
                        faults.append(f"{what} are refused: {sum_[:150]}")
                    continue
                if what == "labels" and (expected.min() < 0 or expected.max() > 65535 or (expected != np.floor(expected)).any()):
                    continue
                tally[what + " compared"] += 1
                if digest(expected, kind_of) != (size, sum_):
                    faults.append(f"{what} differ: {digest(expected, kind_of)[0]} {size}")
            for fault in faults:
                wrong.append(fault)
                if keep:
                    os.makedirs(keep, exist_ok=True)
                    total = len(os.listdir(keep))
                    if total < 200:
                        pathlib.Path(keep, f"{kind}-{total}-{fault[:14].replace(' ', '_').replace(':', '')}.{name}").write_bytes(data)
    return wrong


if __name__ == "__main__":
    main()
