#!/usr/bin/env python3
"""Writes a copy of CamVid's validation labels of which some regions are wrong on purpose.

A region is a connected part (four neighbours) of a class, of at least --least pixels. Of all regions --share are drawn by
the seed, and each is, with equal probability:

- wrong: given another class, drawn evenly;
- shifted: moved by 8 to 24 pixels in a drawn direction; what it leaves takes the class of the nearest pixel outside of it;
- erased: given the class of the nearest labelled pixel outside of it, pixel by pixel.

Unlabelled pixels (11) stay unlabelled. Writes OUTPUT/val (links to the images), OUTPUT/valannot, and OUTPUT/changes.npz with
a mask for each image, 0 where the label is as it was and the number of the changed region where it is another.
"""

import argparse
import os

import numpy as np
from PIL import Image
from scipy import ndimage

IGNORED = 11
CLASSES = 11


def regions(label, least):
    """The regions of a label as masks, in the order of classes."""
    found = []
    for number in range(CLASSES):
        parts, count = ndimage.label(label == number)
        sizes = np.bincount(parts.ravel(), minlength=count + 1)
        found += [parts == i for i in range(1, count + 1) if sizes[i] >= least]
    return found


def filled(label, region):
    """The label with the pixels of a region given the class of the nearest labelled pixel outside of it."""
    outside = ~region & (label != IGNORED)
    if not outside.any():
        return label.copy()
    rows, columns = ndimage.distance_transform_edt(~outside, return_distances=False, return_indices=True)
    result = label.copy()
    result[region] = label[rows, columns][region]
    return result


def changed(label, region, random):
    """The label with a region made wrong, and how."""
    number = label[region][0]
    kind = ("wrong", "shifted", "erased")[random.integers(3)]
    if kind == "wrong":
        result = label.copy()
        result[region] = random.choice([k for k in range(CLASSES) if k != number])
    elif kind == "erased":
        result = filled(label, region)
    else:
        angle, length = random.uniform(0, 2 * np.pi), random.uniform(8, 24)
        moved = ndimage.shift(region, (length * np.sin(angle), length * np.cos(angle)), order=0)
        result = filled(label, region)
        result[moved & (label != IGNORED)] = number
    return result, kind


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("camvid", help="the folder with val and valannot")
    parser.add_argument("output")
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--least", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    names = sorted(os.listdir(f"{options.camvid}/valannot"))
    labels = {name: np.asarray(Image.open(f"{options.camvid}/valannot/{name}")) for name in names}
    every = [(name, region) for name in names for region in regions(labels[name], options.least)]
    drawn = sorted(random.choice(len(every), round(options.share * len(every)), replace=False))
    os.makedirs(f"{options.output}/valannot", exist_ok=True)
    changes = {name: np.zeros(labels[name].shape, np.uint16) for name in names}
    counts = {}
    result = {name: label.copy() for name, label in labels.items()}
    for number, place in enumerate(drawn, 1):
        name, region = every[place]
        # Regions of an image do not undo each other: each begins with the label as it was.
        other, kind = changed(labels[name], region, random)
        where = other != labels[name]
        result[name][where] = other[where]
        changes[name][where] = number
        counts[kind] = counts.get(kind, 0) + 1
    for name in names:
        Image.fromarray(result[name]).save(f"{options.output}/valannot/{name}")
    np.savez_compressed(f"{options.output}/changes.npz", **changes)
    images = f"{options.output}/val"
    if not os.path.exists(images):
        os.symlink(os.path.abspath(f"{options.camvid}/val"), images)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    print(f"{len(drawn)} of {len(every)} regions of {len(names)} images are wrong: {listed}")


if __name__ == "__main__":
    main()
