#!/usr/bin/env python3
"""Times networks that torch's default exporter wrote as ONNX: Atrous, ONNX Runtime and OpenVINO, in float32.

Each contender runs in a process of its own, in alternating order, at its best settings; medians, and the share of the
faster peer's time that Atrous takes. `first` is the time from opening the file to the first result, `process` that from
the start of the process to its end without the images after the first. Needs torch, torchvision, transformers, segmentation-models-pytorch, onnx, onnxscript, onnxruntime, openvino and numpy.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = ["deeplabv3_resnet50", "denseaspp_densenet121", "unet", "deeplabv3_mobilenetv3", "segformer_b0"]
OTHERS = ["smp_fpn_resnet34", "smp_manet_resnet34", "hf_upernet_convnext"]
# torch's default exporter fails at its shifted windows. The older one takes its poolings where their grids fit the map:
# sides that are multiples of 192, such as --size 768x384.
OLD = ["hf_upernet_swin"]


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--folder", default="out/interop", help="where the files are kept")
    result.add_argument("--size", default="1024x512", metavar="WIDTHxHEIGHT")
    result.add_argument("--networks", nargs="+", default=OWN + OTHERS, help=f"also {', '.join(OLD)}")
    result.add_argument("--rounds", type=int, default=2)
    result.add_argument("--repeats", type=int, default=3)
    result.add_argument("--threads", type=int, default=2)
    result.add_argument("--peer", nargs=2, metavar=("PEER", "FILE"), help=argparse.SUPPRESS)
    return result.parse_args()


def make(name):
    sys.path.insert(0, os.path.join(HERE, "..", "inference"))
    if name.startswith("smp_"):
        import segmentation_models_pytorch as smp

        kind = {"smp_fpn_resnet34": smp.FPN, "smp_manet_resnet34": smp.MAnet}[name]
        return kind("resnet34", encoder_weights=None, classes=19)
    if name.startswith("hf_"):
        import transformers

        stages = ["stage1", "stage2", "stage3", "stage4"]
        backbone = (transformers.SwinConfig(out_features=stages) if name == "hf_upernet_swin" else
                    transformers.ConvNextConfig(hidden_sizes=[96, 192, 384, 768], depths=[3, 3, 9, 3],
                                                out_features=stages))
        config = transformers.UperNetConfig(backbone_config=backbone, num_labels=19, use_auxiliary_head=False)
        return transformers.UperNetForSemanticSegmentation(config)
    import networks

    return networks.make(name.replace("_", "-"))


def export(name, path, width, height):
    import torch

    torch.manual_seed(0)
    network = make(name).eval()

    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            result = self.network(image)
            return getattr(result, "logits", result)

    torch.onnx.export(Plain().eval(), (torch.randn(1, 3, height, width),), path, dynamo=name not in OLD,
                      **({"opset_version": 17} if name in OLD else {}))


def peer(options, kind, path):
    import numpy

    width, height = map(int, options.size.split("x"))
    x = numpy.random.default_rng(0).standard_normal((1, 3, height, width), dtype=numpy.float32)
    if kind == "onnxruntime":
        import onnxruntime

        start = time.perf_counter()
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name

        def run():
            session.run(None, {name: x})
    else:
        import openvino

        start = time.perf_counter()
        compiled = openvino.Core().compile_model(path, "CPU", {
            "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32"})

        def run():
            compiled(x)
    run()
    first = time.perf_counter() - start
    seconds = []
    for _ in range(options.repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"seconds": statistics.median(seconds), "first": first}))


def timed(options, kind, path):
    start = time.perf_counter()
    if kind == "atrous":
        command = [options.atrous, "benchmark", path, "--form", "prepared", "--repeats", str(options.repeats),
                   "--threads", str(options.threads), "--size", options.size, "--json"]
    else:
        command = [sys.executable, __file__, "--size", options.size, "--threads", str(options.threads),
                   "--repeats", str(options.repeats), "--peer", kind, path]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{kind}: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
    process = time.perf_counter() - start
    report = json.loads(done.stdout)
    names = ("preparedSeconds", "firstSeconds") if kind == "atrous" else ("seconds", "first")
    seconds, first = (report[name] for name in names)
    return seconds, first, process - options.repeats * seconds


def main():
    options = arguments()
    if options.peer:
        return peer(options, *options.peer)
    os.makedirs(options.folder, exist_ok=True)
    width, height = map(int, options.size.split("x"))
    kinds = ["atrous", "onnxruntime", "openvino"]
    print("| network | atrous | ONNX Runtime | OpenVINO | faster peer / atrous | first: atrous | ONNX Runtime "
          "| process: atrous | ONNX Runtime |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in options.networks:
        path = os.path.join(options.folder, f"{name}-{options.size}.onnx")
        try:
            if not os.path.exists(path):
                export(name, path, width, height)
            found = {kind: [] for kind in kinds}
            for turn in range(options.rounds):
                for kind in kinds if turn % 2 == 0 else kinds[::-1]:
                    found[kind].append(timed(options, kind, path))
        except Exception as error:  # the table goes on
            print(f"| {name} | failed: {error} |", flush=True)
            continue
        seconds, first, process = (
            {kind: statistics.median(times[index] for times in found[kind]) for kind in kinds}
            for index in range(3))
        ratio = min(seconds["onnxruntime"], seconds["openvino"]) / seconds["atrous"]
        print(f"| {name} | {seconds['atrous']:.3f} s | {seconds['onnxruntime']:.3f} s | {seconds['openvino']:.3f} s"
              f" | {ratio:.2f} | {first['atrous']:.2f} s | {first['onnxruntime']:.2f} s"
              f" | {process['atrous']:.2f} s | {process['onnxruntime']:.2f} s |", flush=True)


if __name__ == "__main__":
    main()
