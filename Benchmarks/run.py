#!/usr/bin/env python3
"""Runs all benchmarks beside their peers and writes one report.

Sets up all peers in one environment, then measures inference at two sizes, training steps, folders of
photographs and the evaluation of label files, contenders in turn and each in a process of its own, and
prints medians, ratios and peak memory as Markdown, with the machine and the versions. What fails is named
at the end and does not stop the rest; the exit status is 1 then.
"""

import argparse
import importlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from peers import Failure, Report, common, environment, machine, versions  # noqa: E402

# A part's folder, its heading, and its options in a whole and in a quick run.
PARTS = [
    ("inference", "Inference of an image of 1024×512, float32", ["--size", "1024x512"],
     ["--size", "256x128", "--repeats", "1"]),
    ("inference", "Inference of an image of 2048×1024, float32",
     ["--size", "2048x1024", "--repeats", "2"],
     ["--size", "320x160", "--repeats", "1", "--networks", "deeplabv3-mobilenetv3"]),
    ("training", "Training steps of 4 images of 256×256, float32", [],
     ["--size", "64x64", "--batch", "2", "--repeats", "1"]),
    ("folder", "A folder of 16 photographs of 1024×512, from JPEG to labels and overlays", [],
     ["--size", "256x128", "--images", "2"]),
    ("scoring", "Evaluation of label files of 2048×1024", [],
     ["--size", "256x128", "--scenes", "2", "--count", "4"]),
]
NAMES = list(dict.fromkeys(name for name, *_ in PARTS))


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    common(result, "out/benchmarks")
    result.add_argument("--parts", nargs="*", default=NAMES, choices=NAMES)
    result.add_argument("--report", help="the file that the report is written to besides")
    result.add_argument(
        "--quick", action="store_true", help="one round of small sizes: does everything run?"
    )
    return result.parse_args()


def main():
    options = arguments()
    parts = [part for part in PARTS if part[0] in options.parts]
    modules = {name: importlib.import_module(name + ".run") for name in options.parts}
    packages = sorted({package for module in modules.values() for package in module.PACKAGES})
    python = environment(options.folder, packages, options.python)
    report = Report(options.report)
    rounds = 1 if options.quick else options.rounds
    report.line("# Benchmarks\n")
    report.line(f"{machine()}; {options.threads} threads, medians of rounds: {rounds}.")
    try:
        report.line(versions(python, packages, options.atrous) + ".\n")
    except Failure as failure:
        report.failed("versions", str(failure))
    for name, heading, whole, quick in parts:
        module = modules[name]
        own = module.arguments([
            "--folder", os.path.join(options.folder, name), "--python", python,
            "--atrous", options.atrous, "--rounds", str(rounds), "--threads", str(options.threads),
            *(quick if options.quick else whole),
        ])
        os.makedirs(own.folder, exist_ok=True)
        report.line(f"## {heading if not options.quick else f'{name}, {own.size}'}\n")
        try:
            report.table(module.rows(own, python, report.failed))
        except Exception as error:  # One part does not stop the rest.
            report.failed(name, f"{type(error).__name__}: {error}")
            report.line()
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
