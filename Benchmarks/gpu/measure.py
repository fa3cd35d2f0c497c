#!/usr/bin/env python3
"""What Atrous computes on a GPU, how exactly and how fast, beside PyTorch on the same GPU; run.sh starts it.

Four parts, each of processes of its own, all in --minutes: `exact` compares the scores of five networks with the CPU's,
in float32 without TF32 and in bfloat16, and the labels of the packaged street network in bfloat16; `resume` trains on generated streets, stops, goes on, and compares with a run that was
not stopped; `inference` and `training` time three networks, bfloat16 and channels last on both sides. Every result is
written to results.json as it comes, and report.md at the end. With --device cpu and a small --size it is its own
stand-in: the same commands on the CPU, whose speeds mean nothing.
"""

import argparse
import json
import os
import platform
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import reason  # noqa: E402

FIVE = ["deeplabv3-resnet50", "denseaspp-densenet121", "deeplabv3-mobilenetv3", "unet", "segformer-b0"]
THREE = ["deeplabv3-resnet50", "denseaspp-densenet121", "segformer-b2"]
PARTS = ["exact", "resume", "inference", "training"]
# The most that scores may be off, in their deviations: in float32 without TF32, and in bfloat16. Drawn weights leave
# the classes of many pixels nearly equal, so that bfloat16's labels are compared for a trained network.
LIMITS = {"float32": 1e-4, "bfloat16": 0.03}
# On the CPU bfloat16 keeps 98.8 % of the labels of generated streets, which the network was not trained on.
LABELS = 0.98


def arguments():
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--atrous", default=os.path.join(HERE, "../../.build/release/atrous"))
    result.add_argument("--device", default="cuda")
    result.add_argument("--size", default="1024x512")
    result.add_argument("--exact-size", default="512x256", help="of `exact`, whose reference the CPU computes")
    result.add_argument("--batches", default="1,16")
    result.add_argument("--training-batch", type=int, default=8)
    result.add_argument("--repeats", type=int, default=20)
    result.add_argument("--minutes", type=float, default=8, help="what is not done by then is left out")
    result.add_argument("--output", default="out/gpu")
    result.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    result.add_argument("--networks", nargs="+", default=THREE, choices=THREE)
    return result.parse_args()


def network_file(name):
    for folder in ("networks", "../inference/networks"):
        path = os.path.join(HERE, folder, name + ".yaml")
        if os.path.exists(path):
            return path
    sys.exit(f"{name}.yaml was not found beside {__file__}")


class Memory:
    """The most megabytes of the GPU that were taken, above what was before; None where nothing tells."""

    def __init__(self, device):
        self.values, self.process = [], None
        if device == "cpu":
            return
        number = device.split(":")[1] if ":" in device else "0"
        try:
            self.process = subprocess.Popen(
                ["nvidia-smi", f"--id={number}", "--query-gpu=memory.used", "--format=csv,noheader,nounits",
                 "-lms", "100"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            return
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        time.sleep(0.3)

    def read(self):
        for line in self.process.stdout:
            if line.strip().isdigit():
                self.values.append(int(line))

    def stop(self):
        if self.process is None:
            return None
        self.process.terminate()
        self.process.wait()
        self.thread.join(2)
        return max(self.values) - self.values[0] if self.values else None


class Run:
    """The commands of a run, its deadline, and what they gave."""

    def __init__(self, options):
        self.options, self.start = options, time.monotonic()
        self.results = {"options": vars(options), "machine": machine(options)}
        os.makedirs(options.output, exist_ok=True)

    @property
    def left(self):
        return self.options.minutes * 60 - (time.monotonic() - self.start)

    def keep(self, part, entry):
        entry["second"] = round(time.monotonic() - self.start, 1)
        self.results.setdefault(part, []).append(entry)
        with open(os.path.join(self.options.output, "results.json"), "w") as file:
            json.dump(self.results, file, indent=1)
        print(part, json.dumps(entry), flush=True)

    def json_lines(self, command, seconds=120):
        """The JSON objects that a command prints, a line or all each, or the reason why there are none."""
        seconds = min(seconds, self.left)
        if seconds < 5:
            return None, "no time was left"
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=seconds)
        except subprocess.TimeoutExpired:
            return None, f"took more than {seconds:.0f} s"
        except OSError as error:
            return None, str(error)
        if done.returncode:
            return None, reason(done.stderr, done.returncode)
        output = done.stdout.strip()
        try:
            return [json.loads(output)], None
        except ValueError:
            return [json.loads(line) for line in output.splitlines() if line.startswith("{")], None


def benchmark(options, network, form, size, repeats, precision, *more):
    """The command that times a network of ours."""
    return [options.atrous, "benchmark", network_file(network), "--device", options.device, "--json", "--form", form,
            "--size", size, "--repeats", str(repeats), "--precision", precision, *more]


def machine(options):
    def first(command):
        try:
            return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip().splitlines()[0]
        except (OSError, IndexError, subprocess.TimeoutExpired):
            return None

    return {
        "gpu": first(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]),
        "torch": first([sys.executable, "-c", "import torch; print(torch.__version__, torch.version.cuda)"]),
        "atrous": first([options.atrous, "--version"]), "cores": os.cpu_count(), "system": platform.platform(),
        "date": time.strftime("%Y-%m-%d"),
    }


def exact(run):
    for network in FIVE:
        for precision, limit in LIMITS.items():
            tf32 = ["--no-tf32"] if run.options.device != "cpu" else []
            found, why = run.json_lines(benchmark(
                run.options, network, "plain", run.options.exact_size, 1, precision, "--against-cpu", *tf32))
            entry = {"network": network, "precision": precision}
            if why:
                entry["failed"] = why
            else:
                entry |= {"relativeError": found[0]["relativeError"], "agreement": found[0]["agreement"],
                          "holds": found[0]["relativeError"] <= limit}
            run.keep("exact", entry)
    run.keep("exact", {"network": "streets", "precision": "bfloat16"} | labels(run))


def streets(options):
    """Generated streets in the layout of Cityscapes."""
    data = os.path.join(options.output, "streets")
    if not os.path.isdir(data):
        subprocess.run([options.atrous, "scenes", data, "--train", "24", "--val", "4", "--size", "512x256"],
                       check=True, capture_output=True)
    return data


def labels(run):
    """The share of pixels at which the packaged network finds the same class in bfloat16 as the CPU in float32."""
    try:
        import numpy
        from PIL import Image
    except ImportError as error:
        return {"failed": str(error)}
    options, found = run.options, []
    photographs = os.path.join(streets(options), "leftImg8bit", "val", "scenes")
    for device, precision in [("cpu", "float32"), (options.device, "bfloat16")]:
        folder = os.path.join(options.output, f"labels-{precision}")
        done = subprocess.run([options.atrous, "predict", photographs, "--output", folder, "--device", device,
                               "--precision", precision], capture_output=True, text=True)
        if done.returncode:
            return {"failed": reason(done.stderr, done.returncode)}
        files = sorted(os.path.join(place, name) for place, _, names in os.walk(folder) for name in names
                       if name.endswith("_labels.png"))
        found.append([numpy.asarray(Image.open(name)) for name in files])
    same = [(a == b).mean() for a, b in zip(*found, strict=True)]
    agreement = float(sum(same) / len(same))
    return {"agreement": agreement, "holds": agreement >= LABELS}


def losses(folder):
    with open(os.path.join(folder, "log.jsonl")) as file:
        lines = [json.loads(line) for line in file]
    return {line["step"]: line["loss"] for line in lines if line.get("kind") == "train"}


def resume(run):
    """Forty steps at once, and the same with a stop after the first ten."""
    options = run.options
    data = streets(options)
    steps = 40
    configuration = os.path.join(options.output, "streets.yaml")
    with open(configuration, "w") as file:
        file.write(f"""
output: {options.output}/run
data: {{layout: cityscapes, root: {data}}}
model:
  backbone: {{name: resnet18, outputStride: 16}}
  head: {{name: deeplabv3, rate: 4, channels: 64}}
train:
  iterations: {steps}
  batchSize: 4
  precision: {"bfloat16" if options.device != "cpu" else "float32"}
  optimizer: {{name: sgd, learningRate: 0.02}}
  augmentation: [{{randomCrop: 192x96}}, {{horizontalFlip: 0.5}}]
  logEvery: 5
  evaluateEvery: 0
  checkpointEvery: 10
""")
    ends = {}
    for name in ("whole", "stopped"):
        folder = os.path.join(options.output, name)
        command = [options.atrous, "train", configuration, "--device", options.device, "--output", folder]
        stopped = 0
        process = subprocess.Popen([*command, "--overwrite"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   text=True)
        words = []
        for line in process.stdout:
            words.append(line.strip())
            step = re.match(r"(\d+)/", line)
            if name == "stopped" and step and int(step.group(1)) >= 10 and not stopped:
                stopped = int(step.group(1))
                process.send_signal(signal.SIGINT)
        status = process.wait()
        if stopped:
            try:
                done = subprocess.run([*command, "--resume"], capture_output=True, text=True, timeout=max(5, run.left))
            except subprocess.TimeoutExpired:
                return run.keep("resume", {"failed": "going on took more time than was left"})
            status, words = done.returncode, [done.stdout, done.stderr]
        if status:
            return run.keep("resume", {"failed": reason("\n".join(words), status)})
        found = losses(folder)
        ends[name] = found.get(steps)
        if name == "stopped":
            ends["stopped after"] = stopped
    whole, again = ends["whole"], ends["stopped"]
    # A GPU adds in another order each time.
    holds = whole is not None and again is not None and abs(whole - again) <= 0.05 * abs(whole)
    run.keep("resume", {"losses": ends, "holds": holds})


def timed(run, part, network, way, command):
    memory = Memory(run.options.device)
    found, why = run.json_lines(command)
    megabytes = memory.stop()
    if why:
        run.keep(part, {"network": network, "way": way, "failed": why})
    for line in found or []:
        batch = line.get("batch") or line.get("images") or 1
        seconds = line.get("seconds") or line.get("trainingSeconds") or line["plainSeconds"]
        entry = {"network": network, "way": way, "batch": batch, "imagesPerSecond": batch / seconds,
                 "megabytes": megabytes}
        if line.get("notRecorded"):
            entry["notRecorded"] = line["notRecorded"]
        run.keep(part, entry)


def peer(options, way, network, batches):
    return [sys.executable, os.path.join(HERE, "peer.py"), way, network, options.size, batches, str(options.repeats),
            options.device]


def inference(run):
    options = run.options
    tuned = ["--cudnn-benchmark"] if options.device != "cpu" else []
    ways = {"atrous": []} | ({"atrous, CUDA graphs": ["--cuda-graphs"]} if options.device != "cpu" else {})
    for network in options.networks:
        for way, more in ways.items():
            for batch in options.batches.split(","):
                timed(run, "inference", network, way, benchmark(
                    options, network, "plain", options.size, options.repeats, "bfloat16", "--batch", batch, *tuned,
                    *more))
        for way in ("eager", "compile") if options.device != "cpu" else ("eager",):
            timed(run, "inference", network, way, peer(options, way, network, options.batches))


def training(run):
    options = run.options
    batch = str(options.training_batch)
    for network in options.networks:
        timed(run, "training", network, "atrous",
              benchmark(options, network, "training", options.size, options.repeats, "bfloat16", "--batch", batch))
        timed(run, "training", network, "eager", peer(options, "training", network, batch))


def compile_ahead(options):
    """Compiles the peers' networks side by side, while what is not timed runs; their cache is found again."""
    if "inference" not in options.parts or options.device == "cpu":
        return []
    return [subprocess.Popen(
        [sys.executable, os.path.join(HERE, "peer.py"), "compile", network, options.size, options.batches, "1",
         options.device], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for network in options.networks]


def report(results):
    """The results as Markdown."""
    machine = results["machine"]
    yield "# Atrous on a GPU"
    yield ""
    yield ", ".join(f"{name}: {value}" for name, value in machine.items())
    if "exact" in results:
        yield ""
        yield "| network | precision | relative error | same class | |"
        yield "|---|---|---|---|---|"
        for line in results["exact"]:
            if "failed" in line:
                yield f"| {line['network']} | {line['precision']} | | | {line['failed']} |"
            else:
                error = f"{line['relativeError']:.1e}" if "relativeError" in line else ""
                yield (f"| {line['network']} | {line['precision']} | {error} |"
                       f" {100 * line['agreement']:.4f} % | {'holds' if line['holds'] else 'TOO FAR'} |")
    for line in results.get("resume", []):
        yield ""
        yield f"Training, stopped and resumed: {json.dumps(line)}"
    for part in ("inference", "training"):
        lines = results.get(part, [])
        if not lines:
            continue
        yield ""
        yield f"## {part}"
        yield ""
        yield "| network | batch | way | images a second | to eager | memory MB |"
        yield "|---|---|---|---|---|---|"
        eager = {(line["network"], line["batch"]): line["imagesPerSecond"] for line in lines
                 if line["way"] == "eager" and "batch" in line}
        for line in lines:
            if "failed" in line:
                yield f"| {line['network']} | | {line['way']} | {line['failed']} | | |"
                continue
            base = eager.get((line["network"], line["batch"]))
            ratio = f"{line['imagesPerSecond'] / base:.2f}" if base else ""
            way = line["way"] + (f" (not recorded: {line['notRecorded']})" if "notRecorded" in line else "")
            yield (f"| {line['network']} | {line['batch']} | {way} | {line['imagesPerSecond']:.1f} | {ratio} |"
                   f" {line['megabytes'] or ''} |")


def main():
    options = arguments()
    if not os.access(options.atrous, os.X_OK):
        sys.exit(f"{options.atrous} was not found; see Benchmarks/gpu/README.md")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.abspath(os.path.join(options.output, "inductor")))
    # What was started ends with this.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    run = Run(options)
    print(json.dumps(run.results["machine"]), flush=True)
    compiling = compile_ahead(options)
    try:
        for part, body in [("exact", exact), ("resume", resume)]:
            if part in options.parts:
                body(run)
        for process in compiling:
            try:
                process.wait(max(1, min(180, run.left - 60)))
            except subprocess.TimeoutExpired:
                process.kill()
        for part, body in [("inference", inference), ("training", training)]:
            if part in options.parts:
                body(run)
    finally:
        for process in compiling:
            process.kill()
        text = "\n".join(report(run.results)) + "\n"
        with open(os.path.join(options.output, "report.md"), "w") as file:
            file.write(text)
        print(text)
    entries = [line for part in PARTS for line in run.results.get(part, [])]
    sys.exit(0 if all(line.get("holds", True) and "failed" not in line for line in entries) else 1)


if __name__ == "__main__":
    main()
