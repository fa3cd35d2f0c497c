#!/usr/bin/env python3
"""Runs every network once at each size, one process each, and notes the time and the peak memory.

The networks are those of Configurations/networks and the pairs that `atrous models` lists. What the
results' file has already is not run again, so that a run that was stopped goes on.
"""

import argparse
import csv
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def networks(atrous, only):
    """Names of networks with their configuration files' text and, for pairs, their operations."""
    if only != "catalogue":
        for path in sorted((ROOT / "Configurations/networks").glob("*.yaml")):
            yield path.stem, path.read_text(), {}
    if only == "configurations":
        return
    counts = {}
    for size in ("131x97", "1024x512"):
        listing = subprocess.run(
            [atrous, "models", "--csv", "--size", size], capture_output=True, text=True, check=True)
        for row in csv.DictReader(listing.stdout.splitlines()):
            key = (row["backbone"], row["output_stride"], row["head"])
            counts.setdefault(key, {})[size] = int(row["flops"])
    for (backbone, stride, head), flops in sorted(
            counts.items(), key=lambda item: max(item[1].values())):
        yield (
            f"{backbone} / {stride} / {head}",
            "model:\n"
            f"  backbone: {{name: {backbone}, outputStride: {stride}}}\n"
            f"  head: {{name: {head}}}\n"
            "  classes: 19\n",
            flops,
        )


def measure(atrous, text, size, seconds):
    """What one process found, or why it found nothing."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(text)
        file.flush()
        try:
            done = subprocess.run(
                [atrous, "summary", file.name, "--size", size, "--run", "--json"],
                capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return {"error": f"stopped after {seconds} s"}
    if done.returncode != 0:
        return {"error": (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]}
    report = json.loads(done.stdout)
    run = report["run"]
    return {
        "scores": "x".join(map(str, run["scores"])),
        "parameters": report["parameters"],
        "gflop": f"{report['flops'] / 1e9:.1f}",
        "cpu_seconds": f"{run['processorSeconds']:.2f}",
        "peak_mib": round(run["peakBytes"] / 2**20),
        "error": "",
    }


def table(results):
    """The results as Markdown: one row for each network, with both sizes side by side."""
    rows = {}
    with results.open(newline="") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["network"], {})[row["size"]] = row
    sizes = sorted({size for row in rows.values() for size in row}, key=len)
    print("| network | parameters |" + "".join(
        f" {size}: GFLOP | CPU s | peak MiB |" for size in sizes))
    print("|---|---:|" + "---:|---:|---:|" * len(sizes))
    for name, row in rows.items():
        parameters = next((r["parameters"] for r in row.values() if r["parameters"]), "")
        cells = "".join(
            f" {row[s]['gflop']} | {row[s]['cpu_seconds']} | {row[s]['peak_mib']} |"
            if s in row and not row[s]["error"] else " | | |" for s in sizes)
        print(f"| {name} | {int(parameters or 0):,} |{cells}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("results", help="the results, comma-separated; lines are added to it")
    options.add_argument("--atrous", default=str(ROOT / ".build/release/atrous"))
    options.add_argument("--sizes", nargs="+", default=["131x97", "1024x512"], metavar="WxH")
    options.add_argument("--only", choices=["configurations", "catalogue"], default="")
    options.add_argument("--match", default="", help="a pattern for the networks' names")
    options.add_argument("--timeout", type=int, default=600, help="seconds for one process")
    options.add_argument(
        "--limit", type=float, default=float("inf"), help="leave out pairs of more GFLOP")
    options.add_argument("--table", action="store_true", help="only print the results as Markdown")
    options = options.parse_args()

    columns = ["network", "size", "scores", "parameters", "gflop", "cpu_seconds", "peak_mib", "error"]
    results = pathlib.Path(options.results)
    if options.table:
        return table(results)
    known = set()
    if results.exists():
        with results.open(newline="") as file:
            known = {(row["network"], row["size"]) for row in csv.DictReader(file)}
    with results.open("a", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        if not known:
            writer.writeheader()
        for name, text, flops in networks(options.atrous, options.only):
            if not re.search(options.match, name):
                continue
            for size in options.sizes:
                if (name, size) in known or flops.get(size, 0) > options.limit * 1e9:
                    continue
                found = measure(options.atrous, text, size, options.timeout)
                writer.writerow({"network": name, "size": size, **found})
                file.flush()
                if found["error"]:
                    print(f"{name} at {size}: {found['error']}", file=sys.stderr)


if __name__ == "__main__":
    main()
