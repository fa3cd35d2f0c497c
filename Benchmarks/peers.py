"""What the benchmarks share: options, an environment for peers, measured commands, tables and the machine."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# A peer that hangs is a failure, not the end of all measurements.
LIMIT = 3600


class Failure(Exception):
    """A command that failed, with what it said last."""


def parser(description, folder, size, networks):
    """The options that all have, with these defaults; `networks` are all that there are."""
    result = argparse.ArgumentParser(description=description)
    common(result, folder)
    result.add_argument("--size", default=size, help="of the images, WIDTHxHEIGHT")
    if networks:
        result.add_argument("--networks", nargs="*", default=networks, choices=networks)
    return result


def common(result, folder):
    """Adds the options that do not depend on what is measured."""
    result.add_argument("--folder", default=folder, help="for the peers and for files")
    result.add_argument("--python", help="a Python that has the peers already")
    result.add_argument("--atrous", default=os.path.join(HERE, "../.build/release/atrous"))
    result.add_argument("--rounds", type=int, default=3)
    result.add_argument("--threads", type=int, default=os.cpu_count())


def environment(folder, packages, python=None):
    """The Python that has `packages`: the one that is given, or one that is set up in `folder` once."""
    os.makedirs(folder, exist_ok=True)
    if python:
        return python
    home = os.path.join(folder, "venv")
    python = os.path.join(home, "bin", "python")
    done = os.path.join(home, "packages")
    wanted = "\n".join(sorted(packages))
    if not os.path.exists(done) or open(done).read() != wanted:
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
        with open(done, "w") as file:
            file.write(wanted)
    return python


def reason(words, status):
    """Of what a command wrote the line that names an error, or the last."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or [f"ended with {status}"])[-1]


def run(command, variables=None):
    """What a command prints; a Failure names it and its last words."""
    try:
        result = subprocess.run(
            command, capture_output=True, text=True, timeout=LIMIT,
            env=dict(os.environ, **(variables or {})),
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failure(str(error)) from error
    if result.returncode != 0:
        print(" ".join(command), result.stderr[-2000:], sep="\n", file=sys.stderr)
        raise Failure(reason(result.stderr or result.stdout, result.returncode))
    return result.stdout


def measure(command, variables=None):
    """The JSON object that a command prints last."""
    output = run(command, variables)
    # Libraries print what they like before.
    return json.loads(output[output.rindex("\n{") if "\n{" in output else 0 :])


def timed(command, variables=None):
    """The seconds of a process from its start to its end, and the most megabytes that it held."""
    start = time.monotonic()
    process = subprocess.Popen(
        command, env=dict(os.environ, **(variables or {})), stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    timer = threading.Timer(LIMIT, process.kill)
    timer.start()
    words = process.stderr.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - start
    if status != 0:
        raise Failure(reason(words, process.returncode))
    return seconds, megabytes(usage)


def megabytes(usage):
    """The most memory that the process of `usage` held, as `atrous benchmark` counts it.

    It is the peak of one process: children, such as compilers, are not added. Linux counts what a parent
    held before it became this process too, so that who starts contenders has to be small.
    """
    return usage.ru_maxrss / (1024e3 if sys.platform == "darwin" else 1e3)


def compare(columns, rounds, contender, failed):
    """The median seconds and the most megabytes of each of `columns` that `contender` measures, which gives
    both; every other round in the opposite order. `failed` is called with the name and the reason of one
    that fails, which is left out from there on."""
    found, lost = {}, set()
    for turn in range(rounds):
        for name in columns if turn % 2 == 0 else columns[::-1]:
            if name in lost:
                continue
            try:
                found.setdefault(name, []).append(contender(name))
            except (Failure, KeyError, ValueError) as error:
                lost.add(name)
                failed(name, str(error) or type(error).__name__)
    whole = {name: runs for name, runs in found.items() if name not in lost}
    seconds = {name: statistics.median(run[0] for run in runs) for name, runs in whole.items()}
    memory = {name: max(run[1] for run in runs) for name, runs in whole.items()}
    return seconds, memory


def cells(columns, seconds, memory, show="{:.2f} s".format):
    """What a table says of each of `columns`: the time as `show` writes it, and the memory."""
    return [f"{show(seconds[n])}, {memory[n]:.0f} MB" if n in seconds else "failed" for n in columns]


class Report:
    """Markdown that is printed as it comes, and written to a file besides; remembers what failed."""

    def __init__(self, path=None):
        self.file = open(path, "w") if path else None
        self.failures = []

    def line(self, text=""):
        print(text, flush=True)
        if self.file:
            print(text, file=self.file, flush=True)

    def table(self, rows):
        """Rows of cells, the columns' names first."""
        for index, row in enumerate(rows):
            self.line("| " + " | ".join(row) + " |")
            if index == 0:
                self.line("|---" * len(row) + "|")
        self.line()

    def failed(self, what, why):
        self.failures.append((what, " ".join(why.split())[:200]))

    def end(self):
        """Names what failed; the exit status."""
        if self.failures:
            self.line("Failed:\n")
            for what, why in self.failures:
                self.line(f"- {what}: {why}")
        return 1 if self.failures else 0


def processor():
    """The processor's name."""
    if os.path.exists("/proc/cpuinfo"):
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor() or platform.machine()


def machine():
    """The processor, its cores, the memory and the system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}"


def versions(python, packages, atrous):
    """Those of the command, of Python and of the packages that are there."""
    found = [run([atrous, "--version"]).strip()]
    home = os.path.dirname(HERE)
    try:
        found[0] += " at " + run(["git", "-C", home, "describe", "--always", "--dirty"]).strip()
    except Failure:
        pass
    found.append(run([python, "--version"]).strip())
    names = {package.split("==")[0].lower() for package in packages}
    for entry in run([python, "-m", "pip", "list", "--format=freeze"]).split():
        if entry.split("==")[0].lower() in names:
            found.append(entry.replace("==", " "))
    return ", ".join(found)


def has_compiler():
    """Whether torch.compile would find one for C++."""
    return any(shutil.which(name) for name in [os.environ.get("CXX", ""), "g++", "c++", "clang++"] if name)


def alone(arguments, rows, packages):
    """Runs one part as a command of its own; the exit status."""
    options = arguments()
    python = environment(options.folder, packages, options.python)
    report = Report()
    report.line(f"{machine()}; {options.threads} threads, {options.size}\n")
    try:
        report.line(versions(python, packages, options.atrous) + "\n")
        report.table(rows(options, python, report.failed))
    except Failure as failure:
        report.failed("benchmark", str(failure))
    return report.end()
