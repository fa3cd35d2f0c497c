#!/usr/bin/env python3
"""Measures how many of the regions that `atrous data audit` doubts most are wrong on purpose, beside cleanlab.

Takes the folder that corrupt.py wrote and a network that was not trained on its images. A region counts as found rightly
if at least half of its pixels were changed. cleanlab 2.9's segmentation module gets the same network's probabilities, which
`atrous predict` writes: find_label_issues marks pixels, whose connected parts (four neighbours, one label, as large as the
audit's least) are ranked in three ways, and the best of these counts. Prints precision among the first 25, 50 and 100 and how
many changed regions these are of, as Markdown; the exit status is 1 where precision among the first hundred is below 0.8 or
below cleanlab's.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
IGNORED = 11


def atrous_regions(options):
    """The regions of the audit, the least believed first: the image's place and the pixels of each."""
    import numpy as np

    names = images(options)
    subprocess.run(
        [options.atrous, "data", "audit", options.network, "--split", "val", "--set", f"data.root={options.folder}",
         "--output", f"{options.output}/audit", "--minimum-area", str(options.least)], check=True,
        stdout=subprocess.DEVNULL)
    with open(f"{options.output}/audit/audit.json") as file:
        audit = json.load(file)
    places = {name: place for place, name in enumerate(names)}
    result = []
    for region in audit["regions"]:
        place = places[region["image"]]
        rows, columns = [], []
        for y, x, count in region["runs"]:
            rows += [y] * count
            columns += range(x, x + count)
        result.append((place, (np.array(rows), np.array(columns))))
    return result


def images(options):
    return sorted(name.rsplit(".", 1)[0] for name in os.listdir(f"{options.folder}/valannot"))


def cleanlab_regions(options, labels):
    """The connected parts of cleanlab's pixels in three orders."""
    import numpy as np
    from cleanlab.segmentation.filter import find_label_issues
    from cleanlab.segmentation.rank import get_label_quality_scores
    from scipy import ndimage

    names = images(options)
    folder = f"{options.output}/probabilities"
    subprocess.run(
        [options.atrous, "predict", options.network, f"{options.folder}/val", "--probabilities-as", "npy", "--output",
         folder], check=True, stdout=subprocess.DEVNULL)
    probabilities = np.stack([np.load(f"{folder}/{name}_probabilities.npy") for name in names]).astype(np.float32)
    probabilities /= probabilities.sum(1, keepdims=True)
    # Pixels without a label are given the one that is found, so that none of them is an issue.
    given = np.where(labels == IGNORED, probabilities.argmax(1), labels)
    issues = find_label_issues(given, probabilities, downsample=1, n_jobs=1, verbose=False)
    _, quality = get_label_quality_scores(given, probabilities, verbose=False)
    quality = np.stack(quality)
    found = []
    for place in range(len(names)):
        marked = np.where(issues[place], given[place] + 1, 0)
        for number in np.unique(marked[marked > 0]):
            parts, count = ndimage.label(marked == number)
            for index, box in enumerate(ndimage.find_objects(parts), 1):
                inside = parts[box] == index
                if inside.sum() < options.least:
                    continue
                rows, columns = np.nonzero(inside)
                at = (rows + box[0].start, columns + box[1].start)
                doubt = 1 - quality[place][at]
                found.append((place, at, len(rows), doubt.mean(), doubt.sum()))
    orders = {"by pixels": 2, "by mean quality": 3, "by quality added up": 4}
    return {name: [entry[:2] for entry in sorted(found, key=lambda entry: -entry[key])] for name, key in orders.items()}


def precision(regions, changes, count):
    """The share of the first regions that are wrong, and how many changed regions they are of."""
    import numpy as np

    right, distinct = 0, set()
    for place, at in regions[:count]:
        numbers = changes[place][at]
        if (numbers > 0).mean() >= 0.5:
            right += 1
            distinct.add((place, int(np.bincount(numbers[numbers > 0]).argmax())))
    return right / count, len(distinct)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="what corrupt.py wrote")
    parser.add_argument("--atrous", default=os.path.join(HERE, "../../.build/release/atrous"))
    parser.add_argument("--network", default=os.path.join(HERE, "../../Weights/camvid.safetensors"))
    parser.add_argument("--output", default="out/audit")
    parser.add_argument("--least", type=int, default=30, help="pixels of a region")
    options = parser.parse_args()
    # The peers are needed from here on.
    import cleanlab
    import numpy as np
    from PIL import Image

    os.makedirs(options.output, exist_ok=True)
    names = images(options)
    labels = np.stack([np.asarray(Image.open(f"{options.folder}/valannot/{name}.png")) for name in names])
    with np.load(f"{options.folder}/changes.npz") as stored:
        changes = [stored[f"{name}.png"] for name in names]
    contenders = {"atrous data audit": atrous_regions(options)}
    for name, regions in cleanlab_regions(options, labels.astype(int)).items():
        contenders[f"cleanlab {cleanlab.__version__}, {name}"] = regions
    print("| | regions | first 25 | first 50 | first 100 | changed regions among them |")
    print("|---|---:|---:|---:|---:|---:|")
    best = {}
    for name, regions in contenders.items():
        scores = [precision(regions, changes, count) for count in (25, 50, 100)]
        best[name] = scores[2][0]
        print(f"| {name} | {len(regions)} | " + " | ".join(f"{score:.2f}" for score, _ in scores)
              + f" | {scores[2][1]} |")
    own = best.pop("atrous data audit")
    return 0 if own >= 0.8 and own >= max(best.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
