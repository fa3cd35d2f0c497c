#!/usr/bin/env python3
"""Runs networks that `atrous export --onnx` wrote in ONNX Runtime and OpenVINO, and compares with Atrous.

Weights are drawn; the image is noise, which `--example` writes beside Atrous's own scores. A class's mean over
all pixels is taken off its scores first, so that drawn biases, which may outweigh the image, count for nothing; a
network that hardly answers to the image at all is trained for three steps, which set its running statistics (marked *).
Prints a table as Markdown: the largest difference in multiples of the scores' deviation, and the share of pixels
with the same class. Needs numpy, onnx, safetensors, and onnxruntime, openvino or both.
"""

import argparse
import collections
import json
import os
import re
import subprocess
import sys
import tempfile
import time

try:
    import numpy
    import onnx
    import safetensors
    import safetensors.numpy
    from onnx import numpy_helper
except ImportError as error:  # --help needs none of them
    missing = error
else:
    missing = None

from networks import DYNAMIC, NETWORKS


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--sizes", nargs="+", metavar="WIDTHxHEIGHT",
                        help="default: 192x128 161x97; with --dynamic 192x128 161x97 130x201")
    result.add_argument("--only", default="", help="networks whose name has this")
    result.add_argument("--all", action="store_true", help="every pair of backbone and head of the catalogue")
    result.add_argument("--backbones", nargs="+", help="with --all: pairs of these backbones only")
    result.add_argument("--except", nargs="+", default=[], dest="others", metavar="BACKBONE",
                        help="with --all: not of these")
    result.add_argument("--heads", nargs="+", help="with --all: pairs with these heads only")
    result.add_argument("--log", help="a file of one JSON object a network, added to: what stands in it is not run again")
    result.add_argument("--folder", help="where files are written, such as one in memory")
    result.add_argument("--dynamic", action="store_true", help="one file for all sizes, batches of two, too")
    result.add_argument("--engines", nargs="+", default=["onnxruntime", "openvino"])
    result.add_argument("--opset", nargs="+", default=["20"], dest="opsets", help="versions of the operators; 20")
    result.add_argument("--takes", default="normalized")
    result.add_argument("--gives", default="logits")
    return result.parse_args()


def catalogue(options):
    """The pairs of the catalogue, each at its largest output stride, those of small backbones first."""
    done = subprocess.run([options.atrous, "models", "--json"], capture_output=True, text=True, check=True)
    models = json.loads(done.stdout)
    parameters = {one["name"]: one["parameters"] for one in models["backbones"]}
    largest = collections.OrderedDict()
    for pair in sorted(models["pairs"], key=lambda pair: parameters[pair["backbone"]]):
        key = pair["backbone"], pair["head"]
        if options.backbones and key[0] not in options.backbones or key[0] in options.others:
            continue
        if options.heads and key[1] not in options.heads:
            continue
        largest[key] = max(pair["outputStride"], largest.get(key, 0))
    return {f"{backbone}, {head}":
            f"backbone: {{name: {backbone}, outputStride: {stride}}}, head: {{name: {head}}}"
            for (backbone, head), stride in largest.items()}


def tensor(path):
    with open(path, "rb") as file:
        return numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


class ONNXRuntime:
    def __init__(self, path):
        import onnxruntime
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])

    def __call__(self, image):
        return self.session.run(None, {"image": image})[0]

    @staticmethod
    def version():
        import onnxruntime
        return f"ONNX Runtime {onnxruntime.__version__}"


class OpenVINO:
    def __init__(self, path):
        import openvino
        # It computes in bfloat16 by itself where the processor does that fast.
        self.model = openvino.Core().compile_model(
            path, "CPU", {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1})

    def __call__(self, image):
        return self.model([image])[0]

    @staticmethod
    def version():
        import openvino
        return f"OpenVINO {openvino.__version__.split('-')[0]}"


# The largest difference, in deviations of the scores.
LIMIT = 1e-4
ENGINES = {"onnxruntime": ONNXRuntime, "openvino": OpenVINO}


def atrous(options, *arguments):
    done = subprocess.run([options.atrous, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1])


def damped(checkpoint):
    """Multiplies what ends the branch of each residual block by a twentieth, and says whether there are any.

    Drawn branches are as strong as what they are added to, which makes chaos of a deep network: rounding becomes another
    network's scores. Trained ones are not.
    """
    with safetensors.safe_open(checkpoint, "numpy") as file:
        about = file.metadata()
        weights = {name: file.get_tensor(name) for name in file.keys()}
    blocks = {}
    for name in sorted(weights):
        # Convolutions and normalizations of RegNet's, EfficientNet's and MobileNet's blocks.
        found = re.fullmatch(r"(backbone\..*\.(?:block|f)\.)[^.]+\.([01])\.weight", name)
        if found:
            blocks.setdefault(found[1], ([], []))[int(found[2])].append(name)
    # A block with a shortcut takes as many channels as it gives.
    ends = [norms[-1] for convolutions, norms in blocks.values()
            if weights[convolutions[0]].shape[1] == len(weights[norms[-1]])]
    for name in ends:
        weights[name] *= 0.05
    if ends:
        safetensors.numpy.save_file(weights, checkpoint, about)
    return bool(ends)


def trained(options, folder, text):
    """A run of three steps on generated scenes, almost without learning."""
    # All networks of a run see the same scenes.
    scenes = os.path.join(os.path.dirname(folder), "scenes")
    if not os.path.exists(scenes):
        atrous(options, "scenes", scenes, "--train", "6", "--val", "1", "--size", "192x128")
    text = text.replace("backbone: {", "backbone: {momentum: 0.9, ")
    configuration = os.path.join(folder, "training.yaml")

    def steps(run, more=""):
        with open(configuration, "w") as file:
            file.write(f"output: {run}\ndata: {{layout: cityscapes, root: {scenes}}}\nmodel: {{{text}}}\n"
                       f"train: {{iterations: 3, batchSize: 2, optimizer: {{name: adamW, learningRate: 0.000001}}{more}}}\n")
        atrous(options, "train", configuration)
        return run

    first = steps(os.path.join(folder, "run"))
    checkpoint = os.path.join(first, "last.safetensors")
    if not damped(checkpoint):
        return first
    # The statistics of what the weaker branches give.
    return steps(os.path.join(folder, "damped"), f", startFrom: {checkpoint}")


def answers(own):
    """How much scores follow from the image, as a share of their deviation."""
    own = own.astype(numpy.float64)
    return (own - own.mean((0, 2, 3), keepdims=True)).std() / own.std()


def export(options, folder, network, *more):
    """Writes the network, and gives the image and the scores that Atrous wrote beside it."""
    atrous(options, "export", network, "--onnx", os.path.join(folder, "network.onnx"), "--opset", options.opset,
           "--takes", options.takes, "--gives", options.gives, "--example", folder, *more)
    return tensor(os.path.join(folder, "input_0.pb")), tensor(os.path.join(folder, "output_0.pb"))


def compared(own, theirs, gives):
    """The largest difference in deviations, and the share of equal classes."""
    if theirs.shape != own.shape or theirs.dtype != own.dtype:
        raise RuntimeError(f"{theirs.dtype}{theirs.shape}, expected {own.dtype}{own.shape}")
    if gives == "labels":
        return 0.0, float((theirs == own).mean())
    own, theirs = own.astype(numpy.float64), theirs.astype(numpy.float64)
    mean = own.mean((0, 2, 3), keepdims=True)
    own, theirs = own - mean, theirs - mean
    return float(numpy.abs(theirs - own).max() / own.std()), float((theirs.argmax(1) == own.argmax(1)).mean())


def moved(engine, image, gives):
    """How far a program's own scores move where the image changes by its last two bits."""
    return compared(engine(image), engine(image * numpy.float32(1 + 2 ** -22)), gives)[0]


def results(options, text, size):
    """For each of the programs the difference and the share of equal classes, and whether it was trained.

    A difference above the limit comes with how far the program's own scores move by rounding.
    """
    with tempfile.TemporaryDirectory(dir=options.scratch) as folder:
        network = os.path.join(folder, "network.yaml")
        with open(network, "w") as file:
            file.write(f"model: {{classes: 19, {text}}}\n")
        sizes = size if options.dynamic else [size]
        # Those of one size tell what Atrous gives: the same weights are drawn for each.
        first = export(options, folder, network, "--size", sizes[0])
        isTrained = options.gives != "labels" and answers(first[1]) < 0.01
        if isTrained:
            network = trained(options, folder, text)
            first = export(options, folder, network, "--size", sizes[0])
        pairs = [first] + [export(options, folder, network, "--size", one) for one in sizes[1:]]
        if options.dynamic:
            # The example of the file for any size is two different images of another.
            pairs.append(export(options, folder, network, "--dynamic"))
        path = os.path.join(folder, "network.onnx")
        # All shapes are worked out and compared with those that the file names.
        onnx.checker.check_model(path, full_check=True)
        found = []
        for name in options.engines:
            try:
                engine = ENGINES[name](path)
                each = [compared(own, engine(image), options.gives) for image, own in pairs]
                answer = max(one[0] for one in each), min(one[1] for one in each)
                found.append(answer if answer[0] <= LIMIT else answer + (moved(engine, pairs[0][0], options.gives),))
            except Exception as error:  # one program's failure is a cell
                found.append(str(error).strip().splitlines()[0][:150])
        return found, isTrained


def logged(path):
    """The names of the networks of a log, with the versions of their operators."""
    if not path or not os.path.exists(path):
        return set()
    with open(path) as file:
        lines = [json.loads(line) for line in file]
    return {(line["network"], line.get("opset", "20")) for line in lines}


def row(options, name, text, sizes):
    """Runs a network, prints its row, adds it to the log, and says whether something is wrong with it."""
    # A single pixel is more than a ten-thousandth of a small image.
    pixels = min(int(width) * int(height) for width, height in (size.split("x") for size in sizes))
    share = max(1e-4, 1.5 / pixels)
    cells, isWrong, mark, start = [], False, "", time.time()
    answers = {}
    for size in ([sizes] if options.dynamic else sizes):
        try:
            found, isTrained = results(options, text, size)
            mark = " *" if isTrained else mark
        except Exception as error:  # one network's failure is a row
            found = [str(error).strip().splitlines()[0][:150]] * len(options.engines)
        answers["any" if options.dynamic else size] = dict(zip(options.engines, found))
        for answer in found:
            if isinstance(answer, str):
                cells += [answer, ""]
                isWrong = True
            else:
                itself = f" (itself {answer[2]:.1e})" if len(answer) > 2 else ""
                cells += [f"{answer[0]:.1e}{itself}", f"{100 * answer[1]:.3f} %"]
                isWrong |= not (answer[0] <= LIMIT and answer[1] >= 1 - share)
    version = f", opset {options.opset}" if len(options.opsets) > 1 else ""
    print(f"| {name}{mark}{version} | " + " | ".join(cells) + " |", flush=True)
    if options.log:
        with open(options.log, "a") as file:
            file.write(json.dumps({"network": name, "opset": options.opset, "trained": mark != "", "results": answers,
                                   "wrong": bool(isWrong), "seconds": round(time.time() - start, 1)}) + "\n")
    return isWrong


def main():
    options = arguments()
    if missing:
        sys.exit(f"{missing}; expected numpy, onnx, safetensors, onnxruntime and openvino (pip install)")
    sizes = options.sizes or ["192x128", "161x97"] + (["130x201"] if options.dynamic else [])
    networks = catalogue(options) if options.all else DYNAMIC if options.dynamic else NETWORKS
    engines = [ENGINES[name] for name in options.engines]
    print(f"onnx {onnx.__version__}, {', '.join(one.version() for one in engines)}, opset {' '.join(options.opsets)}, "
          f"{' '.join(sizes)}\n")
    columns = [f"{name} {size}" for size in ([""] if options.dynamic else sizes) for name in options.engines]
    print("| network | " + " | ".join(f"{name.strip()} | equal" for name in columns) + " |")
    print("|---|" + "---|" * (2 * len(columns)), flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as options.scratch:
        failed, start = 0, time.time()
        known = logged(options.log)
        for name, text in networks.items():
            for options.opset in options.opsets:
                if options.only.lower() in name.lower() and (name, options.opset) not in known:
                    failed += row(options, name, text, sizes)
    print(f"\n{failed} beyond 1e-4 or below 99.99 %, a single pixel not counted; {time.time() - start:.0f} s")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
