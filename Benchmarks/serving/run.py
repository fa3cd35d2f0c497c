#!/usr/bin/env python3
"""Measures `atrous serve` with the packaged network beside `atrous predict` and a FastAPI server.

`throughput`: JPEG photographs of 480×360 from eight clients, in turn with a folder of the same photographs
and with FastAPI and ONNX Runtime (the same network in float32, from `atrous export --onnx`), whose requests take
all threads or one each. `slow`: the same while a hundred others send a byte a second. `many`: two hundred
clients for some minutes, each image with a known answer, and the memory meanwhile. Everything goes to loopback
and ends by itself.
"""

import os
import shutil
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Failure, Report, common, environment, machine, run, timed, versions  # noqa: E402
from service import Service, atrous, known, load, median, photographs  # noqa: E402

PACKAGES = ["fastapi", "uvicorn", "onnxruntime", "pillow", "numpy"]
PARTS = ["throughput", "slow", "many"]
TARGET = "/v1/predict?format=labels"
SIZE = "480x360"
# What the packaged network makes of it: a shorter side of 540.
SEEN = "720x540"


def arguments(words=None):
    import argparse

    result = argparse.ArgumentParser(description=__doc__)
    common(result, "out/serving")
    result.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    result.add_argument("--images", type=int, default=48)
    result.add_argument("--clients", type=int, default=8)
    result.add_argument("--seconds", type=float, default=12, help="of each measurement of throughput")
    result.add_argument("--minutes", type=float, default=10, help="of the part many")
    return result.parse_args(words)


def read(files):
    return [open(file, "rb").read() for file in files]


def folder_rate(options, files):
    """Photographs a second of `atrous predict` on a folder, its start included."""
    output = os.path.join(options.folder, "predictions")
    shutil.rmtree(output, ignore_errors=True)
    folder = os.path.join(options.folder, "many")
    if not os.path.exists(folder):
        os.makedirs(folder)
        for turn in range(5):
            for file in files:
                shutil.copy(file, os.path.join(folder, f"{turn}-{os.path.basename(file)}"))
    count = len(os.listdir(folder))
    seconds = timed([options.atrous, "predict", folder, "--output", output])[0]
    return count / seconds


def throughput(options, python, report):
    files = photographs(options, options.images, SIZE, python)
    bodies = read(files)
    model = os.path.join(options.folder, "camvid.onnx")
    if not os.path.exists(model):
        weights = os.path.join(HERE, "../../Weights/camvid.safetensors")
        # The size at which the network sees photographs of SIZE.
        run([options.atrous, "export", weights, "--onnx", model, "--size", SEEN, "--takes", "rgb",
             "--gives", "labels"])
    # All cores for one request, as its documentation shows it, or one for each of as many at a time.
    peers = {
        f"FastAPI, ONNX Runtime, {text}": [python, os.path.join(HERE, "peer.py"), model, str(threads)]
        for threads, text in ((options.threads, "all threads a request"), (1, "one thread a request"))
    }
    served = {"atrous serve": (), "atrous serve, bfloat16": ("--precision", "bfloat16")}
    rates = {name: [] for name in ["atrous predict", *served, *peers]}
    lasts, memory = {}, {}
    for turn in range(options.rounds):
        for name in list(rates)[:: 1 if turn % 2 == 0 else -1]:
            if name == "atrous predict":
                rates[name].append(folder_rate(options, files))
                continue
            with (
                atrous(options, *served[name]) if name in served else Service(peers[name])
            ) as service:
                answers = known(service.port, TARGET, bodies)
                rate, count = load(
                    service.port, TARGET, bodies, answers, options.clients, options.seconds)
                check(report, name, count)
                rates[name].append(rate)
                lasts.setdefault(name, []).append((count.at(0.5), count.at(0.99)))
                memory[name] = service.megabytes
    yield ["", "images a second", "p50", "p99", "memory", "of atrous serve"]
    own = median(rates["atrous serve"])
    for name, values in rates.items():
        times = lasts.get(name)
        shown = [f"{median([t[i] for t in times]):.0f} ms" if times else "" for i in (0, 1)]
        held = f"{memory[name]:.0f} MB" if name in memory else ""
        yield [name, f"{median(values):.1f}", *shown, held, f"{median(values) / own:.2f}"]


def check(report, name, count, allowed=(200,)):
    """Notes what must not come."""
    others = {status: n for status, n in count.statuses.items() if status not in allowed}
    if others or count.faults or count.wrong:
        report.failed(
            name, f"statuses {others}, {count.wrong} wrong, {len(count.faults)} faults:"
            f" {count.faults[:2]}")


def slow(options, python, report):
    bodies = read(photographs(options, options.images, SIZE, python))
    yield ["", "images a second", "p99"]
    with atrous(options, "--upload", "600") as service:
        answers = known(service.port, TARGET, bodies)
        stop = threading.Event()

        def sender():
            with socket.create_connection(("127.0.0.1", service.port)) as wire:
                wire.sendall(b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
                while not stop.wait(1):
                    wire.sendall(b"x")

        def beside(senders):
            threads = [threading.Thread(target=sender, daemon=True) for _ in range(senders)]
            for thread in threads:
                thread.start()
            return load(service.port, TARGET, bodies, answers, options.clients, options.seconds)

        # The machine's own ups and downs show in the difference of the two without.
        for name, senders in [("without", 0), ("beside 100 slow senders", 100)] * options.rounds:
            stop.clear()
            rate, count = beside(senders)
            stop.set()
            time.sleep(2)
            check(report, name, count)
            yield [name, f"{rate:.1f}", f"{count.at(0.99):.0f} ms"]


def many(options, python, report):
    bodies = read(photographs(options, options.images, SIZE, python))
    with atrous(options) as service:
        answers = known(service.port, TARGET, bodies)
        memory = []
        last = [0.0]

        def watch():
            if time.monotonic() - last[0] > 5:
                last[0] = time.monotonic()
                memory.append(service.megabytes)

        rate, count = load(
            service.port, TARGET, bodies, answers, 200, 60 * options.minutes, watch)
        check(report, "200 clients", count, allowed=(200, 503))
        status = service.stop()
        if status != 0:
            report.failed("200 clients", f"the service ended with {status}")
        yield ["clients", "minutes", "answers", "503", "wrong", "faults", "a second", "p99",
               "memory after a quarter", "at the end", "most"]
        yield ["200", f"{options.minutes:g}", str(count.statuses.get(200, 0)),
               str(count.statuses.get(503, 0)), str(count.wrong), str(len(count.faults)),
               f"{rate:.1f}", f"{count.at(0.99):.0f} ms", f"{memory[len(memory) // 4]:.0f} MB",
               f"{memory[-1]:.0f} MB", f"{max(memory):.0f} MB"]


def main():
    options = arguments()
    python = environment(options.folder, PACKAGES, options.python)
    report = Report()
    report.line(f"{machine()}; {options.threads} threads, {SIZE}\n")
    try:
        report.line(versions(python, PACKAGES, options.atrous) + "\n")
    except Failure as failure:
        report.failed("versions", str(failure))
    for part in options.parts:
        try:
            report.table({"throughput": throughput, "slow": slow, "many": many}[part](
                options, python, report))
        except (Failure, OSError) as error:
            report.failed(part, str(error))
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
