"""The memory of `atrous evaluate` over 100 and over 10,000 images.

usage: memory.py ATROUS

Writes eight small pictures and links them under as many names, trains a small network for one step, and
prints the resident memory while the images are scored: after a tenth of the time, in the middle, at the
end, and at its largest.
"""
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

atrous = sys.argv[1]
CONFIGURATION = """
output: {root}/run
data:
  layout: folders
  train: {{images: {root}/few/images, labels: {root}/few/labels}}
  val: {{images: {root}/{part}/images, labels: {root}/{part}/labels}}
  classes: [ground, thing, other]
model:
  backbone: {{name: unet, widths: [4, 4, 8, 8, 16]}}
  head: {{name: linear}}
train: {{iterations: 1, batchSize: 2, evaluateEvery: 0, optimizer: {{name: sgd, learningRate: 0.01}}}}
evaluate: {{limit: 2}}
"""


def resident(process):
    with open(f"/proc/{process.pid}/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


with tempfile.TemporaryDirectory() as root:
    random = np.random.default_rng(0)
    for part, count in (("few", 100), ("many", 10_000)):
        for kind in ("images", "labels"):
            os.makedirs(f"{root}/{part}/{kind}")
        for i in range(8):
            image = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(image).save(f"{root}/{i}.png")
            label = random.integers(0, 3, (64, 64), dtype=np.uint8)
            Image.fromarray(label).save(f"{root}/{i}-label.png")
        for i in range(count):
            os.symlink(f"{root}/{i % 8}.png", f"{root}/{part}/images/{i:05}.png")
            os.symlink(f"{root}/{i % 8}-label.png", f"{root}/{part}/labels/{i:05}.png")
        with open(f"{root}/{part}.yaml", "w") as file:
            file.write(CONFIGURATION.format(root=root, part=part))
        subprocess.run([atrous, "train", f"{root}/{part}.yaml", "--output", f"{root}/run-{part}"],
                       check=True, capture_output=True)
        start, seen = time.time(), []
        process = subprocess.Popen([atrous, "evaluate", f"{root}/run-{part}", *sys.argv[2:]],
                                   stdout=subprocess.DEVNULL)
        while process.poll() is None:
            try:
                seen.append(resident(process))
            except (OSError, StopIteration):
                break
            time.sleep(0.05)
        if process.wait():
            sys.exit(f"atrous evaluate ended with {process.returncode}")
        tenth = seen[len(seen) // 10]
        print(f"{count:6} images: {tenth:.1f} MB after a tenth, {seen[len(seen) // 2]:.1f} MB in the middle, "
              f"{seen[-2]:.1f} MB at the end, {max(seen):.1f} MB at most; {time.time() - start:.0f} s")
