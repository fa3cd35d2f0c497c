#!/usr/bin/env python3
"""Times five networks with Atrous, PyTorch, ONNX Runtime and OpenVINO on the same machine.

Sets up the peers in a folder of its own, takes the contenders in turn, each in a process of its own,
in an order that changes from round to round, and prints medians, ratios and memory as Markdown.
"""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import compare, environment, measure, parser, processor  # noqa: E402

PEERS = ["pytorch", "pytorch-channels-last", "onnxruntime", "openvino"]
PACKAGES = [
    "torch==2.11.0", "torchvision==0.26.0", "onnx", "onnxruntime", "openvino", "transformers",
]
NETWORKS = [
    "deeplabv3-resnet50", "denseaspp-densenet121", "deeplabv3-mobilenetv3", "unet", "segformer-b0",
]


def arguments():
    result = parser(__doc__, "out/inference", "1024x512", NETWORKS)
    result.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS + ["pytorch-compiled"])
    result.add_argument("--repeats", type=int, default=3, help="images in a round")
    return result.parse_args()


def contender(name, network, options, python):
    """The seconds and megabytes of one contender in one round."""
    if name.startswith("atrous"):
        form = "prepared" if name == "atrous" else "plain"
        found = measure([
            options.atrous, "benchmark", os.path.join(HERE, "networks", network + ".yaml"),
            "--size", options.size, "--repeats", str(options.repeats), "--form", form,
            "--threads", str(options.threads), "--json",
        ])
        return found and (found[form + "Seconds"], found["peakMegabytes"])
    found = measure([
        python, os.path.join(HERE, "peer.py"), name, network, options.size, str(options.repeats),
        str(options.threads), options.folder,
    ])
    return found and (found["seconds"], found["megabytes"])


def main():
    options = arguments()
    python = environment(options.folder, PACKAGES, options.python)
    versions = subprocess.run(
        [python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True
    ).stdout.split()
    names = [package.split("==")[0] for package in PACKAGES]
    print(f"{processor()}, {options.threads} threads, {options.size}, float32, one image\n")
    print(", ".join(v for v in versions if v.split("==")[0] in names) + "\n")
    columns = ["atrous", "atrous-plain"] + options.peers
    print("| network | " + " | ".join(columns) + " | fastest peer / atrous |")
    print("|---" * (len(columns) + 2) + "|")
    for network in options.networks:
        if {"onnxruntime", "openvino"} & set(options.peers):
            subprocess.run(
                [python, os.path.join(HERE, "peer.py"), "export", network, options.size, "1",
                 str(options.threads), options.folder],
                check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )
        orders = [
            columns[turn % 2 :: 2] + columns[1 - turn % 2 :: 2]
            for turn in range(options.rounds)
        ]
        seconds, memory = compare(
            orders, lambda name: contender(name, network, options, python)
        )
        cells = [
            f"{seconds[n]:.3f} s, {memory[n]:.0f} MB" if n in seconds else "failed" for n in columns
        ]
        peers = [seconds[n] for n in options.peers if n in seconds]
        ratio = f"{min(peers) / seconds['atrous']:.2f}" if peers and "atrous" in seconds else ""
        print(f"| {network} | " + " | ".join(cells) + f" | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
