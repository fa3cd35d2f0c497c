"""Makes the files of one network for other engines, or times it with one of them and prints JSON.

peer.py PEER NETWORK WIDTHxHEIGHT REPEATS THREADS FOLDER

PEER is `make`, which exports the network and has NNCF and ONNX Runtime quantize it by noise, or an engine and a
precision: openvino-default, -f32, -bf16, -int8, onnxruntime-f32, -int8, pytorch-bf16.
"""

import json
import os
import resource
import statistics
import sys
import time

import numpy

peer, name, size, repeats, threads, folder = sys.argv[1:7]
width, height = map(int, size.split("x"))
repeats, threads = int(repeats), int(threads)
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../inference"))
base = os.path.join(folder, f"{name}-{size}")
drawn = numpy.random.default_rng(0)


def noise():
    return drawn.standard_normal((1, 3, height, width), dtype=numpy.float32)


def export():
    import torch
    import networks

    torch.onnx.export(
        networks.make(name), (torch.from_numpy(noise()),), base + ".onnx", input_names=["image"],
        opset_version=17, dynamo=False,
    )


def quantize_by_nncf():
    import nncf
    import openvino

    network = openvino.Core().read_model(base + ".onnx")
    images = nncf.Dataset([noise() for _ in range(3)])
    openvino.save_model(nncf.quantize(network, images, subset_size=3), base + "-int8.xml")


def quantize_by_onnxruntime():
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Images(CalibrationDataReader):
        def __init__(self):
            self.images = iter([{"image": noise()} for _ in range(2)])

        def get_next(self):
            return next(self.images, None)

    quant_pre_process(base + ".onnx", base + "-plain.onnx")
    quantize_static(
        base + "-plain.onnx", base + "-qdq.onnx", Images(), quant_format=QuantFormat.QDQ,
        per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
    )


if peer == "make":
    for path, make in [(".onnx", export), ("-int8.xml", quantize_by_nncf),
                       ("-qdq.onnx", quantize_by_onnxruntime)]:
        if not os.path.exists(base + path):
            make()
    sys.exit()


def openvino_runner(path, hint):
    import openvino

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
    if hint:
        settings["INFERENCE_PRECISION_HINT"] = hint
    network = openvino.Core().compile_model(path, "CPU", settings)
    x = noise()
    return lambda: network(x)


def onnxruntime_runner(path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = noise()
    return lambda: session.run(None, {"image": x})


def torch_runner():
    import torch
    import networks

    torch.set_num_threads(threads)
    network = networks.make(name).to(memory_format=torch.channels_last)
    x = torch.from_numpy(noise()).contiguous(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return network(x)

    return run


run = {
    "openvino-default": lambda: openvino_runner(base + ".onnx", None),
    "openvino-f32": lambda: openvino_runner(base + ".onnx", "f32"),
    "openvino-bf16": lambda: openvino_runner(base + ".onnx", "bf16"),
    # What is not quantized runs in bfloat16, which is faster than in float32.
    "openvino-int8": lambda: openvino_runner(base + "-int8.xml", "bf16"),
    "onnxruntime-f32": lambda: onnxruntime_runner(base + ".onnx"),
    "onnxruntime-int8": lambda: onnxruntime_runner(base + "-qdq.onnx"),
    "pytorch-bf16": torch_runner,
}[peer]()
run()
seconds = []
for _ in range(repeats):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"seconds": statistics.median(seconds), "megabytes": peak}))
