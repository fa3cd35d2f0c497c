#!/usr/bin/env python3
"""What `atrous predict --smooth` gains and costs: flicker and mean IoU over frames that follow each other.

Takes photographs of a video and the label file of each, by name, and sends the frames raw through `atrous predict -`,
once for each share. Prints a Markdown table. Needs NumPy and Pillow.
"""

import argparse
import os
import re
import subprocess
import sys

import numpy
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("images")
    result.add_argument("labels")
    result.add_argument("--atrous", default=os.path.join(HERE, "../../.build/release/atrous"))
    result.add_argument("--checkpoint", help="the packaged network without")
    result.add_argument("--classes", type=int, default=11, help="labels from this number on are ignored")
    result.add_argument("--shares", nargs="*", default=["0", "0.3", "0.5", "0.7", "0.8", "0.9"])
    return result.parse_args()


def main():
    options = arguments()
    names = sorted(os.listdir(options.images))
    frames = [numpy.asarray(Image.open(os.path.join(options.images, name)).convert("RGB")) for name in names]
    truth = numpy.stack([numpy.asarray(Image.open(os.path.join(options.labels, name))) for name in names])
    height, width, _ = frames[0].shape
    raw = b"".join(frame.tobytes() for frame in frames)
    print(f"{len(frames)} frames of {width}×{height}\n")
    print("| --smooth | flicker | mean IoU | pixel accuracy |\n|---|---|---|---|")
    network = [options.checkpoint] if options.checkpoint else []
    for share in options.shares:
        words = [options.atrous, "predict", *network, "-", "--raw", f"{width}x{height}", "--smooth", share]
        done = subprocess.run(words, input=raw, capture_output=True)
        if done.returncode != 0:
            sys.exit(done.stderr.decode())
        found = numpy.frombuffer(done.stdout, dtype=numpy.uint8).reshape(truth.shape)
        flicker = re.search(r"flicker: ([\d.]+) %", done.stderr.decode()).group(1)
        counts = truth < options.classes
        pairs = truth[counts].astype(int) * options.classes + found[counts]
        matrix = numpy.bincount(pairs, minlength=options.classes ** 2).reshape(options.classes, -1)
        hits = numpy.diag(matrix)
        union = matrix.sum(0) + matrix.sum(1) - hits
        iou = (hits[union > 0] / union[union > 0]).mean()
        print(f"| {share} | {flicker} % | {100 * iou:.2f} % | {100 * hits.sum() / matrix.sum():.2f} % |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
