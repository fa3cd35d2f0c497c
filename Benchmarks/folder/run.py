#!/usr/bin/env python3
"""Times the segmentation of a folder of photographs, from JPEG files to label files and overlays.

`atrous predict` and a script with PyTorch and Pillow take turns, each from its start to its end in a
process of its own, with the same weights. Prints medians, peak memory and ratios as Markdown.
"""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Failure, alone, cells, compare, parser, run, timed  # noqa: E402

PEER = os.path.join(HERE, "peer.py")
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0", "pillow", "numpy"]
MODELS = {
    "deeplabv3-resnet50": "{name: resnet50, outputStride: 8}",
    "deeplabv3-mobilenetv3": "{name: mobilenet_v3_large, outputStride: 16}",
}


def arguments(words=None):
    result = parser(__doc__, "out/folder", "1024x512", list(MODELS))
    result.add_argument("--images", type=int, default=16)
    return result.parse_args(words)


def photographs(options, python):
    """The folder of photographs, drawn once."""
    scenes = os.path.join(options.folder, "scenes")
    result = os.path.join(options.folder, f"photographs-{options.size}-{options.images}")
    if not os.path.exists(result):
        shutil.rmtree(scenes, ignore_errors=True)
        run([options.atrous, "scenes", scenes, "--train", "1", "--val", str(options.images), "--size",
             options.size])
        run([python, PEER, "photographs", os.path.join(scenes, "leftImg8bit", "val"), result])
    return result


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
        run([python, PEER, "draw", network, stem + ".pth"])
        run([options.atrous, "import", stem + ".pth", "--model", stem + ".yaml", "--output",
             stem + ".safetensors"])
    return stem + ".pth", stem + ".safetensors"


def rows(options, python, failed):
    """The table, the columns' names first: the command's start, then a row for each network."""
    columns = ["atrous", "PyTorch and Pillow"]
    yield ["network"] + columns + ["PyTorch / atrous", "equal labels"]
    images = photographs(options, python)
    variables = {"OMP_NUM_THREADS": str(options.threads)}
    outputs = {name: os.path.join(options.folder, name.split()[0].lower()) for name in columns}
    start = min(timed([options.atrous, "--version"]) for _ in range(5))
    yield ["none: --version", f"{start[0]:.2f} s, {start[1]:.0f} MB", "", "", ""]
    for network in options.networks:
        try:
            yield row(network, columns, images, outputs, variables, options, python, failed)
        except Failure as failure:
            failed(f"{network}, folder", str(failure))
            yield [network, "failed", "failed", "", ""]


def row(network, columns, images, outputs, variables, options, python, failed):
    file, checkpoint = weights(network, options, python)
    commands = {
        columns[0]: [options.atrous, "predict", checkpoint, images, "--output", outputs[columns[0]]],
        columns[1]: [python, PEER, "predict", network, file, images, outputs[columns[1]]],
    }

    def contender(name):
        shutil.rmtree(outputs[name], ignore_errors=True)
        return timed(commands[name], variables)

    seconds, memory = compare(
        columns, options.rounds, contender, lambda name, why: failed(f"{network}, folder, {name}", why)
    )
    shown = cells(columns, seconds, memory)
    if len(seconds) < len(columns):
        return [network, *shown, "", ""]
    equal = float(run([python, PEER, "compare", *outputs.values()]))
    ratio = seconds[columns[1]] / seconds[columns[0]]
    return [network, *shown, f"{ratio:.2f}", f"{100 * equal:.3f} %"]


if __name__ == "__main__":
    sys.exit(alone(arguments, rows, PACKAGES))
