"""Times one network with PyTorch for several batches, in a process of its own, and prints a line of JSON for each.

peer.py WAY NETWORK WIDTHxHEIGHT BATCHES REPEATS DEVICE; WAY is `eager`, `compile` or `training`, BATCHES are numbers
joined by commas. Maps are channels last and products bfloat16 in all of them.
"""

import json
import os
import statistics
import sys
import time

import torch
from torch.nn import functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../inference"))
import networks  # noqa: E402

way, name, size, batches, repeats, device = sys.argv[1:7]
width, height = map(int, size.split("x"))
repeats = int(repeats)
IGNORED = 255


def synchronize():
    if device != "cpu":
        torch.cuda.synchronize()


def median(step):
    for _ in range(3):
        step()
    synchronize()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        synchronize()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


torch.backends.cudnn.benchmark = True
torch.set_float32_matmul_precision("high")
network = networks.make(name).to(device).to(memory_format=torch.channels_last)
for batch in map(int, batches.split(",")):
    images = torch.randn(batch, 3, height, width).to(device).contiguous(memory_format=torch.channels_last)
    if way == "training":
        network.train()
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused=True)
        places = torch.arange(batch * height * width).view(batch, height, width)
        target = (places // 50 % networks.CLASSES).masked_fill(places % 20 == 0, IGNORED).to(device)

        def step():
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.split(":")[0], torch.bfloat16):
                scores = network(images)
            scores = F.interpolate(scores.float(), size=(height, width), mode="bilinear")
            F.cross_entropy(scores, target, ignore_index=IGNORED).backward()
            optimizer.step()
    else:
        # A graph for each shape: torch.compile would else make the second one for any batch.
        run = torch.compile(network, dynamic=False) if way == "compile" else network

        def step():
            with torch.inference_mode() if way == "eager" else torch.no_grad():
                with torch.autocast(device.split(":")[0], torch.bfloat16):
                    run(images)

    print(json.dumps({"batch": batch, "seconds": median(step)}), flush=True)
