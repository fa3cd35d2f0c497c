#!/usr/bin/env python3
"""Times the segmentation of a folder of photographs, from JPEG files to label files and overlays.

`atrous predict` and a script with PyTorch and Pillow take turns, each from its start to its end in a
process of its own, with the same weights. Prints medians, peak memory and ratios as Markdown.
"""

import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import environment, parser  # noqa: E402

PEER = os.path.join(HERE, "peer.py")
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "pillow", "numpy"]
MODELS = {
    "deeplabv3-resnet50": "{name: resnet50, outputStride: 8}",
    "deeplabv3-mobilenetv3": "{name: mobilenet_v3_large, outputStride: 16}",
}


def arguments():
    result = parser(__doc__, "out/folder", "1024x512", list(MODELS))
    result.add_argument("--images", type=int, default=16)
    return result.parse_args()


def set_up(options):
    python = environment(options.folder, PACKAGES, options.python)
    scenes = os.path.join(options.folder, "scenes")
    photographs = os.path.join(options.folder, "photographs")
    if not os.path.exists(photographs):
        quiet(
            options.atrous, "scenes", scenes, "--train", "1", "--val", str(options.images), "--size",
            options.size,
        )
        quiet(python, PEER, "photographs", os.path.join(scenes, "leftImg8bit", "val"), photographs)
    return python, photographs


def quiet(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        sys.exit(" ".join(command) + "\n" + result.stdout + result.stderr)
    return result.stdout


def weights(network, options, python):
    """The network's weights for PyTorch and as a checkpoint."""
    stem = os.path.join(options.folder, network)
    if not os.path.exists(stem + ".safetensors"):
        with open(stem + ".yaml", "w") as file:
            file.write(
                f"output: {stem}\n"
                f"data: {{layout: cityscapes, root: {os.path.join(options.folder, 'scenes')}}}\n"
                "model:\n"
                f"  backbone: {MODELS[network]}\n"
                "  head: {name: deeplabv3, rates: [1, 12, 24, 36]}\n"
                "train: {iterations: 1, batchSize: 1, optimizer: {name: sgd, learningRate: 0.1}}\n"
            )
        quiet(python, PEER, "draw", network, stem + ".pth")
        quiet(
            options.atrous, "import", stem + ".pth", "--model", stem + ".yaml", "--output",
            stem + ".safetensors",
        )
    return stem + ".pth", stem + ".safetensors"


def measure(command, variables):
    """The seconds of a process and the most megabytes that it held."""
    start = time.monotonic()
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status != 0:
        sys.exit(" ".join(command) + " failed")
    return seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


def main():
    options = arguments()
    python, photographs = set_up(options)
    variables = dict(os.environ, OMP_NUM_THREADS=str(options.threads))
    start = min(measure([options.atrous, "--version"], variables)[0] for _ in range(5))
    print(f"{options.images} photographs of {options.size}, {options.threads} threads, "
          f"{options.rounds} rounds; the command starts in {start:.2f} s\n")
    print("| network | atrous | PyTorch and Pillow | PyTorch / atrous | equal labels |")
    print("|---|---|---|---|---|")
    for network in options.networks:
        file, checkpoint = weights(network, options, python)
        outputs = [os.path.join(options.folder, name) for name in ("atrous", "pytorch")]
        commands = [
            [options.atrous, "predict", checkpoint, photographs, "--output", outputs[0]],
            [python, PEER, "predict", network, file, photographs, outputs[1]],
        ]
        found = [[], []]
        for turn in range(options.rounds):
            for which in [0, 1] if turn % 2 == 0 else [1, 0]:
                shutil.rmtree(outputs[which], ignore_errors=True)
                found[which].append(measure(commands[which], variables))
        seconds = [statistics.median(run[0] for run in runs) for runs in found]
        cells = [
            f"{seconds[i]:.2f} s, {max(run[1] for run in found[i]):.0f} MB" for i in range(2)
        ]
        equal = float(quiet(python, PEER, "compare", *outputs))
        print(f"| {network} | {cells[0]} | {cells[1]} | {seconds[1] / seconds[0]:.2f} | "
              f"{100 * equal:.3f} % |", flush=True)


if __name__ == "__main__":
    main()
