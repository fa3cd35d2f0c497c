#!/usr/bin/env python3
"""Times five networks with Atrous, PyTorch, ONNX Runtime and OpenVINO on the same machine.

Sets up the peers in a folder of its own, takes the contenders in turn, each in a process of its own,
in an order that changes from round to round, and prints medians, ratios and memory as Markdown.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Failure, alone, cells, compare, has_compiler, measure, parser, run  # noqa: E402

COMPILED = "pytorch-compiled"
PEERS = ["pytorch", "pytorch-channels-last", COMPILED, "onnxruntime", "openvino"]
PACKAGES = [
    "torch==2.11.0", "torchvision==0.26.0", "onnx", "onnxruntime", "openvino", "transformers",
]
# Those that compute on a GPU.
ON_GPU = PEERS[:3]
NETWORKS = [
    "deeplabv3-resnet50", "denseaspp-densenet121", "deeplabv3-mobilenetv3", "unet", "segformer-b0",
]


def arguments(words=None):
    result = parser(__doc__, "out/inference", "1024x512", NETWORKS)
    result.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    result.add_argument("--repeats", type=int, default=3, help="images in a round")
    result.add_argument(
        "--device", default="cpu",
        help="cuda for a GPU, with Atrous as it is and PyTorch's peers; memory is the processor's then",
    )
    options = result.parse_args(words)
    options.columns = ["atrous", "atrous-plain"]
    if options.device != "cpu":
        options.peers = [name for name in options.peers if name in ON_GPU]
        options.columns = ["atrous-plain"]
    return options


def contender(name, network, options, python):
    """The seconds and megabytes of one contender in one round."""
    if name.startswith("atrous"):
        form = "prepared" if name == "atrous" else "plain"
        found = measure([
            options.atrous, "benchmark", os.path.join(HERE, "networks", network + ".yaml"),
            "--size", options.size, "--repeats", str(options.repeats), "--form", form,
            "--threads", str(options.threads), "--device", options.device, "--json",
        ])
        return found[form + "Seconds"], found["peakMegabytes"]
    if name == COMPILED and not has_compiler():
        raise Failure("there is no C++ compiler")
    found = measure([
        python, os.path.join(HERE, "peer.py"), name, network, options.size, str(options.repeats),
        str(options.threads), options.folder, options.device,
    ])
    return found["seconds"], found["megabytes"]


def rows(options, python, failed):
    """The table, the columns' names first: a row for each network."""
    columns, own = options.columns + options.peers, options.columns[0]
    yield ["network"] + columns + [f"fastest peer / {own}", f"smallest peer / {own}"]
    for network in options.networks:
        exported = set()
        if {"onnxruntime", "openvino"} & set(options.peers):
            try:
                run([python, os.path.join(HERE, "peer.py"), "export", network, options.size, "1",
                     str(options.threads), options.folder])
            except Failure as failure:
                failed(f"{network} {options.size}, export", str(failure))
                exported = {"onnxruntime", "openvino"}
        seconds, memory = compare(
            [name for name in columns if name not in exported], options.rounds,
            lambda name: contender(name, network, options, python),
            lambda name, why: failed(f"{network} {options.size}, {name}", why),
        )
        shown = cells(columns, seconds, memory, "{:.3f} s".format)
        peers = [n for n in options.peers if n in seconds]
        ratios = ["", ""]
        if peers and own in seconds:
            ratios = [f"{min(found[n] for n in peers) / found[own]:.2f}"
                      for found in (seconds, memory)]
        yield [network] + shown + ratios


if __name__ == "__main__":
    sys.exit(alone(arguments, rows, PACKAGES))
