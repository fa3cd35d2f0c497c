#!/usr/bin/env python3
"""Times how COCO's polygons become masks: Atrous, and pycocotools with numpy, each in processes of its own, by turns.

    make build PRODUCT=annotations-benchmark
    python Benchmarks/annotations/run.py .build/release/annotations-benchmark

Python needs pycocotools and numpy. The masks' pixels of each class are compared; the exit status is 1 if they differ.
"""

import argparse
import json
import math
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile

PEER = r'''
import json, sys, time
import numpy as np
from pycocotools import mask as runs
start = time.perf_counter()
data = json.load(open(sys.argv[1]))
numbers = {c["id"]: i for i, c in enumerate(data["categories"])}
images = {i["id"]: (i["height"], i["width"], []) for i in data["images"]}
for annotation in data["annotations"]:
    images[annotation["image_id"]][2].append(annotation)
read = time.perf_counter()
counts = np.zeros(len(numbers) + 1, np.int64)
for height, width, annotations in images.values():
    mask = np.full((height, width), len(numbers), np.uint8)
    for annotation in annotations:
        rle = runs.merge(runs.frPyObjects(annotation["segmentation"], height, width))
        mask[runs.decode(rle) > 0] = numbers[annotation["category_id"]]
    counts += np.bincount(mask.ravel(), minlength=len(numbers) + 1)
end = time.perf_counter()
print(json.dumps({"read": read - start, "draw": end - read, "counts": counts.tolist()}))
'''


def write(path, images, polygons, classes, side):
    """Stars of 6 to 40 corners, as annotators leave them: with two digits after the point."""
    draws = random.Random(1)
    width, height = side
    data = {"images": [], "categories": [], "annotations": []}
    data["categories"] = [{"id": i + 1, "name": f"class {i}"} for i in range(classes)]
    for i in range(images):
        data["images"].append({"id": i + 1, "file_name": f"{i}.jpg", "width": width, "height": height})
    for i in range(polygons):
        x, y, radius = draws.uniform(0, width), draws.uniform(0, height), draws.choice([10, 20, 40, 80])
        count = draws.randint(6, 40)
        ring = []
        for k in range(count):
            angle, reach = 2 * math.pi * k / count, radius * draws.uniform(0.6, 1.2)
            ring += [round(min(max(x + reach * math.cos(angle), 0), width), 2),
                     round(min(max(y + reach * math.sin(angle), 0), height), 2)]
        data["annotations"].append({
            "id": i + 1, "image_id": i % images + 1, "category_id": draws.randint(1, classes), "segmentation": [ring],
            "area": 0, "bbox": [0, 0, 0, 0], "iscrowd": 0})
    json.dump(data, open(path, "w"))


def run(command):
    """What a process printed, with the most memory that it had."""
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{command[0]} ended with {status}")
        output.seek(0)
        return json.loads(output.read()) | {"memory": usage.ru_maxrss * 1024}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--polygons", type=int, default=100_000)
    parser.add_argument("--classes", type=int, default=80)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    side = tuple(int(v) for v in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "instances.json")
        # In a process of its own: on Linux a child's peak of memory begins with what its parent has.
        writer = multiprocessing.Process(
            target=write, args=(path, options.images, options.polygons, options.classes, side))
        writer.start()
        writer.join()
        if writer.exitcode:
            sys.exit("the annotations could not be written")
        print(f"{options.polygons} polygons on {options.images} images of {options.size}, {os.path.getsize(path) / 1e6:.0f} MB of JSON")
        ways = {
            "Atrous, one thread": [options.program, path, "1"],
            "Atrous, two threads": [options.program, path, "2"],
            "pycocotools and numpy": [sys.executable, "-c", PEER, path],
        }
        best = {}
        for _ in range(options.rounds):
            for name, command in ways.items():
                result = run(command)
                if name not in best or result["read"] + result["draw"] < best[name]["read"] + best[name]["draw"]:
                    best[name] = result
        peer = best["pycocotools and numpy"]
        print("| | read | draw | sum | memory | times as fast | share of memory |\n|---|---|---|---|---|---|---|")
        for name, result in best.items():
            total, other = result["read"] + result["draw"], peer["read"] + peer["draw"]
            print(f"| {name} | {result['read']:.2f} s | {result['draw']:.2f} s | {total:.2f} s"
                  f" | {result['memory'] / 2**20:.0f} MiB | {other / total:.1f} | {result['memory'] / peer['memory']:.2f} |")
        if any(result["counts"] != peer["counts"] for result in best.values()):
            sys.exit("the masks differ")


if __name__ == "__main__":
    main()
