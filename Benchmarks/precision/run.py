#!/usr/bin/env python3
"""Times five networks in float32, bfloat16 and int8 with Atrous and others on the same machine.

Sets up the peers in a folder of its own, exports and quantizes the networks, takes the contenders in turn, each in a
process of its own, in an order that changes from round to round, and prints medians, memory and ratios as Markdown.
Weights are drawn and images are noise: this is about time and memory. Scores stand in docs/evaluation.md.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Failure, alone, cells, compare, measure, parser, run  # noqa: E402

OWN = ["atrous-float32", "atrous-bfloat16", "atrous-int8"]
PEERS = [
    "openvino-default", "openvino-f32", "openvino-bf16", "openvino-int8", "onnxruntime-f32",
    "onnxruntime-int8", "pytorch-bf16",
]
PACKAGES = [
    "torch==2.11.0", "torchvision==0.26.0", "onnx", "onnxruntime", "openvino", "nncf", "transformers",
]
NETWORKS = [
    "deeplabv3-resnet50", "denseaspp-densenet121", "deeplabv3-mobilenetv3", "unet", "segformer-b0",
]
# The peers whose time counts for each precision.
AGAINST = {
    "atrous-float32": ["openvino-f32", "onnxruntime-f32"],
    "atrous-bfloat16": ["openvino-bf16", "pytorch-bf16"],
    "atrous-int8": ["openvino-int8", "onnxruntime-int8"],
}


def arguments(words=None):
    result = parser(__doc__, "out/precision", "1024x512", NETWORKS)
    result.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    result.add_argument("--repeats", type=int, default=3, help="images in a round")
    return result.parse_args(words)


def contender(name, network, options, python):
    """The seconds and megabytes of one contender in one round."""
    if name in OWN:
        precision = name.removeprefix("atrous-")
        command = [
            options.atrous, "benchmark", os.path.join(HERE, "../inference/networks", network + ".yaml"),
            "--size", options.size, "--repeats", str(options.repeats), "--form", "prepared",
            "--threads", str(options.threads), "--precision", precision, "--json",
        ]
        if precision == "int8":
            # The ranges are found in a process of its own, as the peers' files are made.
            ranges = os.path.join(options.folder, f"{network}-{options.size}-ranges.json")
            if not os.path.exists(ranges):
                measure(command + ["--ranges", ranges])
            command += ["--ranges", ranges]
        found = measure(command)
        return found["preparedSeconds"], found["peakMegabytes"]
    found = measure([
        python, os.path.join(HERE, "peer.py"), name, network, options.size, str(options.repeats),
        str(options.threads), options.folder,
    ])
    return found["seconds"], found["megabytes"]


def rows(options, python, failed):
    """The table, the columns' names first: a row for each network."""
    columns = OWN + options.peers
    ratios = [f"{name.removeprefix('atrous-')}: fastest peer / atrous" for name in OWN]
    yield ["network"] + columns + ratios + ["int8: smallest peer / atrous, memory"]
    for network in options.networks:
        try:
            run([python, os.path.join(HERE, "peer.py"), "make", network, options.size, "1",
                 str(options.threads), options.folder])
        except Failure as failure:
            failed(f"{network} {options.size}, files for others", str(failure))
        seconds, memory = compare(
            columns, options.rounds, lambda name: contender(name, network, options, python),
            lambda name, why: failed(f"{network} {options.size}, {name}", why),
        )
        shown = []
        for own in OWN:
            peers = [name for name in AGAINST[own] if name in seconds]
            shown.append(f"{min(seconds[n] for n in peers) / seconds[own]:.2f}"
                         if peers and own in seconds else "")
        peers = [name for name in AGAINST[OWN[2]] if name in memory]
        shown.append(f"{min(memory[n] for n in peers) / memory[OWN[2]]:.2f}"
                     if peers and OWN[2] in memory else "")
        yield [network] + cells(columns, seconds, memory, "{:.3f} s".format) + shown


if __name__ == "__main__":
    sys.exit(alone(arguments, rows, PACKAGES))
