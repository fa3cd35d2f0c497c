#!/usr/bin/env python3
"""Scores one trained network in float32, bfloat16 and int8 with Atrous, and its int8 by NNCF and ONNX Runtime.

    score.py --data data/camvid [--network Weights/camvid.safetensors]

The network is exported by `atrous export --onnx`, NNCF and ONNX Runtime quantize it with the images that Atrous
calibrates on, and each engine's labels of the validation images are scored by `atrous score`. `qdq` is the file that
`atrous export --int8` writes. Prints Markdown: mean IoU, pixel accuracy, and the median time of an image.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--atrous", default=os.path.join(HERE, "../../.build/release/atrous"))
    parser.add_argument("--network", default=os.path.join(HERE, "../../Weights/camvid.safetensors"))
    parser.add_argument("--data", default="data/camvid", help="a folder with train, val and valannot")
    parser.add_argument("--classes", default="camvid")
    parser.add_argument("--size", default="480x360", help="the images' size")
    parser.add_argument("--calibration", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", default="out/precision-scores")
    parser.add_argument("--only", nargs="*", help="the rows to make")
    return parser.parse_args()


def atrous(options, *words):
    done = subprocess.run([options.atrous, *words], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"atrous {' '.join(words)}: {done.stderr}")
    return done.stdout


def images(folder):
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".png"))


class Encoding:
    """Photographs as the exported network takes them."""

    def __init__(self, file):
        import numpy
        import onnx

        said = {entry.key: json.loads(entry.value) for entry in onnx.load(file).metadata_props
                if entry.key in ("mean", "deviation")}
        shape = (3, 1, 1)
        self.mean = numpy.array(said["mean"], numpy.float32).reshape(shape)
        self.deviation = numpy.array(said["deviation"], numpy.float32).reshape(shape)

    def __call__(self, path):
        import numpy
        from PIL import Image

        levels = numpy.asarray(Image.open(path).convert("RGB"), numpy.float32).transpose(2, 0, 1)
        return ((levels / 255 - self.mean) / self.deviation)[None]


def by_openvino(file, threads):
    import openvino

    network = openvino.Core().compile_model(
        file, "CPU", {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32",
                      "PERFORMANCE_HINT": "LATENCY"})
    return lambda image: network([image])[0]


def by_onnxruntime(file, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda image: session.run(None, {name: image})[0]


def quantize_by_nncf(plain, target, photographs):
    import nncf
    import openvino

    openvino.save_model(
        nncf.quantize(openvino.Core().read_model(plain), nncf.Dataset(photographs),
                      subset_size=len(photographs)), target)


def quantize_by_onnxruntime(plain, target, photographs):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Photographs(CalibrationDataReader):
        def __init__(self):
            self.images = iter([{"image": image} for image in photographs])

        def get_next(self):
            return next(self.images, None)

    prepared = target + "-plain.onnx"
    quant_pre_process(plain, prepared)
    quantize_static(
        prepared, target, Photographs(), quant_format=QuantFormat.QDQ, per_channel=True,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8)


def scored(options, run, encoding, name):
    """The scores of an engine's labels, and the median seconds of an image."""
    from PIL import Image

    folder = os.path.join(options.folder, name)
    os.makedirs(folder, exist_ok=True)
    seconds = []
    for path in images(os.path.join(options.data, "val")):
        image = encoding(path)
        start = time.perf_counter()
        scores = run(image)
        seconds.append(time.perf_counter() - start)
        stem = os.path.splitext(os.path.basename(path))[0]
        Image.fromarray(scores[0].argmax(0).astype("uint8")).save(f"{folder}/{stem}_labels.png")
    found = json.loads(atrous(
        options, "score", os.path.join(options.data, "valannot"), folder, "--classes", options.classes,
        "--prediction-values", "classes", "--json"))
    return found, statistics.median(seconds)


def main():
    options = arguments()
    os.makedirs(options.folder, exist_ok=True)
    # The files take images of their own size, and so does Atrous here.
    data = ["--set", f"data.root={options.data}", "--set", "evaluate.shortSide=null"]
    plain, qdq = (os.path.join(options.folder, name) for name in ("plain.onnx", "qdq.onnx"))
    atrous(options, "export", options.network, "--onnx", plain, "--size", options.size)
    print(atrous(options, "export", options.network, "--onnx", qdq, "--size", options.size, "--int8",
                 "--calibration", str(options.calibration), *data), file=sys.stderr)
    encoding = Encoding(plain)
    train = images(os.path.join(options.data, "train"))
    count = min(options.calibration, len(train))
    photographs = [encoding(train[index * len(train) // count]) for index in range(count)]
    nncf, own = os.path.join(options.folder, "nncf.xml"), os.path.join(options.folder, "onnxruntime.onnx")

    rows = []

    def wanted(name):
        return not options.only or name in options.only

    def add(name, found, seconds):
        rows.append((name, found, seconds))
        print(name, found["scores"]["meanIoU"], seconds, file=sys.stderr)

    for precision in ["float32", "bfloat16", "int8"]:
        if wanted(f"atrous-{precision}"):
            found = json.loads(atrous(
                options, "evaluate", options.network, "--precision", precision, "--json",
                "--calibration", str(options.calibration), *data))
            add(f"atrous-{precision}", found, None)
    for name, file, engine, make in [
        ("onnxruntime-float32", plain, by_onnxruntime, None),
        ("onnxruntime-qdq", qdq, by_onnxruntime, None),
        ("openvino-qdq", qdq, by_openvino, None),
        ("onnxruntime-own", own, by_onnxruntime, quantize_by_onnxruntime),
        ("openvino-nncf", nncf, by_openvino, quantize_by_nncf),
    ]:
        if wanted(name):
            if make:
                make(plain, file, photographs)
            add(name, *scored(options, engine(file, options.threads), encoding, name))
    print("| | mean IoU % | pixel accuracy % | median time of an image |\n|---|---:|---:|---:|")
    for name, found, seconds in rows:
        time_text = "" if seconds is None else f"{seconds:.3f} s"
        print(f"| {name} | {100 * found['scores']['meanIoU']:.2f} | {100 * found['scores']['pixelAccuracy']:.2f} | {time_text} |")


if __name__ == "__main__":
    main()
