#!/usr/bin/env python3
"""Predicts a GeoTIFF that is larger than memory: memory, seams, kills, what GDAL says, and what pixels cost.

Generates an image of --side pixels a side, 4 bands of 16 bits, in tiles, and trains a tiny network on small images of
the same kind. Then, as --parts say: `memory` predicts it once and takes the most memory held and the share of the
time that is not the network's; `kills` stops a second run twice with SIGKILL, resumes it, and compares bytes;
`seams` compares labels with those of another tiling, all of them and those within 8 pixels of where blocks meet; `gdal`
asks rasterio and rio-cogeo whether the result lies on the image and is a cloud-optimized GeoTIFF. Needs numpy,
rasterio and rio-cogeo; 20 GB of disk for 40,000 pixels a side.
"""

import argparse
import hashlib
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys
import time

try:
    import numpy as np
    import rasterio
    from rasterio.windows import Window
except ImportError as error:  # --help needs none of them
    missing = error
else:
    missing = None

CLASSES = ["water", "field", "town"]
MEANS = [[1000, 2000, 500, 4000], [3000, 800, 900, 1500], [500, 500, 3000, 800]]


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--folder", default="/tmp/atrous-large")
    result.add_argument("--side", type=int, default=40_000)
    result.add_argument("--height", type=int, help="where it is another; memory follows from the width alone")
    result.add_argument("--compress", default="deflate", choices=["deflate", "lzw", "none"])
    result.add_argument("--noise", type=float, default=300, help="the deviation of samples within a class")
    result.add_argument("--budget", default="1500M", help="the command's --memory-budget")
    result.add_argument("--block", type=int, default=1024)
    result.add_argument("--other-block", type=int, default=1536, help="of the other tiling")
    result.add_argument("--iterations", type=int, default=60)
    result.add_argument("--parts", nargs="+", default=["memory", "kills", "seams", "gdal"],
                        choices=["memory", "kills", "seams", "gdal"])
    return result.parse_args()


def pixels(x, y, width, height, noise):
    """Classes of a window, and its samples (4, height, width)."""
    columns, rows = np.meshgrid(np.arange(x, x + width), np.arange(y, y + height))
    classes = ((columns // 230 + rows // 170 + (columns + rows) // 900) % 3).astype(np.uint8)
    samples = np.asarray(MEANS, np.int32)[classes].transpose(2, 0, 1) + noise[:, :height, :width]
    return classes, np.clip(samples, 1, 65_535).astype(np.uint16)


def profile(width, height, count, dtype, **more):
    transform = rasterio.transform.from_origin(500_000, 5_000_000, 10, 10)
    return dict(driver="GTiff", width=width, height=height, count=count, dtype=dtype, crs="EPSG:32633",
                transform=transform, tiled=True, blockxsize=512, blockysize=512, compress="deflate", zlevel=1,
                num_threads="ALL_CPUS", BIGTIFF="IF_SAFER", **more)


def generate(folder, width, height, compress, noise):
    noise = np.random.default_rng(1).normal(0, noise, (4, 2048, 2048)).astype(np.int32)
    for part, count in [("train", 6), ("val", 2)]:
        for index in range(count):
            classes, samples = pixels(3000 * index, 700 * len(part), 384, 384, noise)
            for kind, values in [("images", samples), ("labels", classes[None])]:
                path = folder / part / kind
                path.mkdir(parents=True, exist_ok=True)
                with rasterio.open(path / f"{index}.tif", "w",
                                   **profile(384, 384, values.shape[0], values.dtype)) as file:
                    file.write(values)
    image = folder / "large.tif"
    if image.exists():
        with rasterio.open(image) as file:
            if (file.width, file.height) == (width, height):
                return image
    # Two squares in turn, as drawing takes longer than writing.
    squares = [pixels(2048 * index, 2048 * index, 2048, 2048, noise)[1] for index in range(2)]
    form = profile(width, height, 4, "uint16", nodata=0)
    if compress == "none":
        del form["zlevel"]
    with rasterio.open(folder / "writing.tif", "w", **{**form, "compress": compress}) as file:
        for y in range(0, height, 2048):
            for x in range(0, width, 2048):
                samples = squares[(x + y) // 2048 % 2][:, :min(2048, height - y), :min(2048, width - x)]
                if x == 0 and y == 0:
                    samples = samples.copy()
                    samples[:, :700, :900] = 0  # nothing was measured in a corner
                file.write(samples, window=Window(x, y, samples.shape[2], samples.shape[1]))
    (folder / "writing.tif").rename(image)
    return image


def train(atrous, folder, iterations):
    configuration = folder / "network.yaml"
    configuration.write_text(f"""
output: {folder}/network
data:
  layout: folders
  train: {{images: {folder}/train/images, labels: {folder}/train/labels}}
  val: {{images: {folder}/val/images, labels: {folder}/val/labels}}
  classes: [{", ".join(CLASSES)}]
  bands: [4, 3, 2, 1]
  range: [0, 6000]
  normalization: measured
  windows: 128
model:
  backbone: {{name: densenet, blocks: [2, 2], growth: 8, stem: 16, outputStride: 8}}
  head: {{name: denseaspp, dilations: [1, 2], growth: 8, bottleneck: 16}}
train:
  iterations: {iterations}
  batchSize: 8
  optimizer: {{name: adamW, learningRate: 0.01}}
  augmentation: [{{randomCrop: 128x128}}, {{horizontalFlip: 0.5}}, {{verticalFlip: 0.5}}]
""")
    if not (folder / "network" / "best.safetensors").exists():
        subprocess.run([atrous, "train", configuration], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
    return folder / "network"


def command(options, network, image, output, block, *more):
    return [options.atrous, "predict", network, image, "--output", output, "--memory-budget", options.budget,
            "--block", str(block), *more]


def digests(folder):
    return {path.name: hashlib.file_digest(path.open("rb"), "sha256").hexdigest() for path in sorted(folder.iterdir())}


def memory(options, network, image, output):
    start = time.monotonic()
    done = subprocess.run(command(options, network, image, output, options.block), check=True,
                          capture_output=True, text=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"predicted in {time.monotonic() - start:.1f} s, at most {peak:.0f} MB of all commands so far")
    print(done.stdout.strip())
    line = re.search(r"network ([\d.]+) s, waiting for pixels ([\d.]+) s, writing ([\d.]+) s, finishing files ([\d.]+)",
                     done.stderr)
    if line:
        own, *rest = map(float, line.groups())
        print(f"{line.group(0)} s: pixels cost {100 * sum(rest) / own:.1f} % of the network's time")


def kills(options, network, image, whole, output):
    size = (whole / f"{image.stem}_labels.tif").stat().st_size
    part = output / f"{image.stem}_labels.tif.part"
    for share in (0.25, 0.55):
        more = ["--resume"] if part.exists() else []
        process = subprocess.Popen(command(options, network, image, output, options.block, *more),
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (part.exists() and part.stat().st_size > share * size * 0.7):
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        print(f"killed: status {process.wait()}, {part.stat().st_size if part.exists() else 0} bytes of tiles there")
    subprocess.run(command(options, network, image, output, options.block, "--resume"), check=True,
                   stdout=subprocess.DEVNULL)
    same = digests(whole) == digests(output)
    print(f"resumed: {'the same bytes' if same else 'OTHER BYTES'}")
    return same


def seams(options, network, image, whole, output):
    subprocess.run(command(options, network, image, output, options.other_block), check=True,
                   stdout=subprocess.DEVNULL)
    step = (options.block + 255) // 256 * 256
    equal = [0, 0]
    count = [0, 0]
    name = f"{image.stem}_labels.tif"
    with rasterio.open(whole / name) as a, rasterio.open(output / name) as b:
        for y in range(0, a.height, 1024):
            window = Window(0, y, a.width, min(1024, a.height - y))
            same = a.read(1, window=window) == b.read(1, window=window)
            rows, columns = np.arange(y, y + same.shape[0]), np.arange(a.width)
            near = lambda place: (np.minimum(place % step, -place % step) < 8) & (place > 8)
            border = near(rows)[:, None] | near(columns)[None]
            for index, chosen in enumerate([same, same[border]]):
                equal[index] += int(chosen.sum())
                count[index] += chosen.size
    shares = [100 * e / max(c, 1) for e, c in zip(equal, count)]
    print(f"labels of blocks of {options.block} and {options.other_block} agree at {shares[0]:.4f} %,"
          f" within 8 pixels of where blocks meet at {shares[1]:.4f} %")
    return min(shares) >= 99.9


def gdal(image, whole):
    from rio_cogeo.cogeo import cog_validate

    path = whole / f"{image.stem}_labels.tif"
    with rasterio.open(image) as a, rasterio.open(path) as b:
        lies = a.transform == b.transform and a.crs == b.crs and a.shape == b.shape
        print(f"lies on the image: {lies}; nodata {b.nodata}, copies {b.overviews(1)}")
        corner = b.read(1, window=Window(0, 0, 900, 700))
        print(f"the corner that was not measured is marked: {bool((corner == 255).all())}")
    valid, errors, warnings = cog_validate(str(path))
    print(f"cloud-optimized by rio-cogeo: {valid} {errors} {warnings}")
    return lies and valid


def main():
    options = arguments()
    if missing:
        sys.exit(f"run.py: {missing.name} is missing: pip install numpy rasterio rio-cogeo")
    folder = pathlib.Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    height = options.height or options.side
    image = generate(folder, options.side, height, options.compress, options.noise)
    print(f"{image}: {options.side} x {height} x 4, {image.stat().st_size / 1e9:.2f} GB on the disk")
    network = train(options.atrous, folder, options.iterations)
    whole, passed = folder / "whole", True
    if "memory" in options.parts:
        memory(options, network, image, whole)
    if "kills" in options.parts:
        passed &= kills(options, network, image, whole, folder / "killed")
    if "seams" in options.parts:
        passed &= seams(options, network, image, whole, folder / "other")
    if "gdal" in options.parts:
        passed &= gdal(image, whole)
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
