"""What the benchmarks share: options, an environment for peers, measured commands, the processor's name."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys


HERE = os.path.dirname(os.path.abspath(__file__))


def parser(description, folder, size, networks):
    """The options that all have, with these defaults; `networks` are all that there are."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--folder", default=folder, help="for the peers and for files")
    result.add_argument("--python", help="a Python that has the peers already")
    result.add_argument("--atrous", default=os.path.join(HERE, "../.build/release/atrous"))
    result.add_argument("--size", default=size, help="of the images, WIDTHxHEIGHT")
    result.add_argument("--networks", nargs="*", default=networks, choices=networks)
    result.add_argument("--rounds", type=int, default=3)
    result.add_argument("--threads", type=int, default=os.cpu_count())
    return result


def environment(folder, packages, python=None):
    """The Python that has `packages`: the one that is given, or one that is set up in `folder` once."""
    os.makedirs(folder, exist_ok=True)
    if python:
        return python
    home = os.path.join(folder, "venv")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(python):
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
    return python


def measure(command):
    """The JSON object that a command prints last; None, with its errors shown, if it fails."""
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        print(" ".join(command), result.stderr[-2000:], sep="\n", file=sys.stderr)
        return None
    # Libraries print what they like before.
    return json.loads(result.stdout[result.stdout.rindex("\n{") if "\n{" in result.stdout else 0 :])


def compare(orders, contender):
    """The median seconds and the most megabytes of each name that `contender` measures, round by round in
    these orders; it gives both, or None for a failure."""
    found = {}
    for order in orders:
        for name in order:
            result = contender(name)
            if result:
                found.setdefault(name, []).append(result)
    seconds = {name: statistics.median(run[0] for run in runs) for name, runs in found.items()}
    memory = {name: max(run[1] for run in runs) for name, runs in found.items()}
    return seconds, memory


def processor():
    """The processor's name."""
    if os.path.exists("/proc/cpuinfo"):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()
