#!/usr/bin/env python3
"""Times training steps of two networks with Atrous and PyTorch on the same machine.

Takes the contenders in turn, each in a process of its own, in an order that changes from round to
round, and prints medians of images per second, memory and ratios as Markdown.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import alone, cells, compare, measure, parser  # noqa: E402

NETWORKS_FOLDER = os.path.join(HERE, "../inference/networks")
PEERS = ["channels-last+fused", "channels-last+foreach", "fused"]
PACKAGES = ["torch==2.11.0", "torchvision==0.26.0"]
NETWORKS = ["deeplabv3-resnet50", "denseaspp-densenet121"]


def arguments(words=None):
    result = parser(__doc__, "out/training", "256x256", NETWORKS)
    result.add_argument("--batch", type=int, default=4, help="images in a step")
    result.add_argument(
        "--peers", nargs="*", default=PEERS[:1], help="settings of PyTorch: " + ", ".join(PEERS)
    )
    result.add_argument("--repeats", type=int, default=3, help="steps in a round")
    result.add_argument(
        "--processor", action="store_true",
        help="compare by the processor's time, for a machine that others use, with one thread",
    )
    return result.parse_args(words)


def contender(name, network, options, python):
    """The seconds of a step and the megabytes of one contender in one round."""
    numbers = [str(options.batch), str(options.repeats), str(options.threads)]
    if name == "atrous":
        found = measure([
            options.atrous, "benchmark", os.path.join(NETWORKS_FOLDER, network + ".yaml"),
            "--form", "training", "--size", options.size, "--batch", numbers[0],
            "--repeats", numbers[1], "--threads", numbers[2], "--json",
        ])
        seconds = "processorSeconds" if options.processor else "trainingSeconds"
        return found[seconds], found["peakMegabytes"]
    found = measure(
        [python, os.path.join(HERE, "peer.py"), name, network, options.size, *numbers]
    )
    return found["processor" if options.processor else "seconds"], found["megabytes"]


def rows(options, python, failed):
    """The table, the columns' names first: a row for each network."""
    columns = ["atrous"] + options.peers
    yield ["network"] + columns + ["atrous / fastest peer", "memory, atrous / smallest peer"]
    for network in options.networks:
        seconds, memory = compare(
            columns, options.rounds, lambda name: contender(name, network, options, python),
            lambda name, why: failed(f"{network}, training, {name}", why),
        )
        shown = cells(
            columns, seconds, memory, lambda time: f"{options.batch / time:.2f} images/s"
        )
        peers = [n for n in options.peers if n in seconds]
        ratios = ["", ""]
        if peers and "atrous" in seconds:
            ratios = [f"{min(seconds[n] for n in peers) / seconds['atrous']:.2f}",
                      f"{memory['atrous'] / min(memory[n] for n in peers):.2f}"]
        yield [network] + shown + ratios


if __name__ == "__main__":
    sys.exit(alone(arguments, rows, PACKAGES))
