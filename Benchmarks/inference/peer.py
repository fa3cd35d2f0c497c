"""Times one network with one of the peers, in a process of its own, and prints JSON.

peer.py PEER NETWORK WIDTHxHEIGHT REPEATS THREADS FOLDER [DEVICE]; exported networks are kept in FOLDER.
"""

import json
import os
import resource
import statistics
import sys
import time

peer, name, size, repeats, threads, folder = sys.argv[1:7]
width, height = map(int, size.split("x"))
repeats, threads = int(repeats), int(threads)
device = sys.argv[7] if len(sys.argv) > 7 else "cpu"
os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.abspath(os.path.join(folder, "inductor")))
exported = os.path.join(folder, f"{name}-{size}.onnx")


def torch_runner():
    import torch
    import networks

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    network = networks.make(name).to(device)
    x = torch.randn(1, 3, height, width).to(device)
    if peer != "pytorch":
        network = network.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    if peer == "pytorch-compiled":
        import torch._inductor.config

        torch._inductor.config.freezing = True
        network = torch.compile(network)

    def run():
        with torch.inference_mode() if peer != "pytorch-compiled" else torch.no_grad():
            y = network(x)
            if device != "cpu":
                torch.cuda.synchronize()
            return y

    return run


def onnxruntime_runner():
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(exported, options, providers=["CPUExecutionProvider"])
    x = numpy.random.default_rng(0).standard_normal((1, 3, height, width), dtype=numpy.float32)
    return lambda: session.run(None, {"image": x})


def openvino_runner():
    import numpy
    import openvino

    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    network = core.compile_model(exported, "CPU", settings)
    x = numpy.random.default_rng(0).standard_normal((1, 3, height, width), dtype=numpy.float32)
    return lambda: network(x)


def export():
    import torch
    import networks

    network = networks.make(name)
    torch.onnx.export(
        network, (torch.randn(1, 3, height, width),), exported, input_names=["image"],
        opset_version=17, dynamo=False,
    )


if peer == "export":
    if not os.path.exists(exported):
        export()
    sys.exit()

run = {"onnxruntime": onnxruntime_runner, "openvino": openvino_runner}.get(peer, torch_runner)()
run()
seconds = []
for _ in range(repeats):
    start = time.perf_counter()
    run()
    seconds.append(time.perf_counter() - start)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({"seconds": statistics.median(seconds), "megabytes": peak}))
