"""What the benchmarks share: an environment for peers, measured commands, the processor's name."""

import json
import os
import platform
import subprocess
import sys


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


def processor():
    """The processor's name."""
    if os.path.exists("/proc/cpuinfo"):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()
