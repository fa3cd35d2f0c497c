"""Times training steps of one network in PyTorch, in a process of its own, and prints JSON.

peer.py SETTINGS NETWORK WIDTHxHEIGHT BATCH REPEATS THREADS; SETTINGS are the words `channels-last` and
`fused` or `foreach`, joined by `+`.
"""

import json
import os
import resource
import statistics
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../inference"))
import networks  # noqa: E402

settings, name, size, batch, repeats, threads = sys.argv[1:7]
settings = settings.split("+")
width, height = map(int, size.split("x"))
batch, repeats = int(batch), int(repeats)
IGNORED = 255

torch.set_num_threads(int(threads))
torch.set_flush_denormal(True)
network = networks.make(name).train()
images = torch.randn(batch, 3, height, width)
if "channels-last" in settings:
    network = network.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
places = torch.arange(batch * height * width).view(batch, height, width)
target = (places // 50 % networks.CLASSES).masked_fill(places % 20 == 0, IGNORED)
optimizer = torch.optim.SGD(
    network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4,
    fused="fused" in settings, foreach="foreach" in settings,
)


def step():
    optimizer.zero_grad(set_to_none=True)
    scores = F.interpolate(network(images), size=(height, width), mode="bilinear")
    loss = F.cross_entropy(scores, target, ignore_index=IGNORED)
    loss.backward()
    optimizer.step()
    return loss.item()


for _ in range(2):
    step()
seconds, processor = [], []
for _ in range(repeats):
    start, busy = time.perf_counter(), time.process_time()
    loss = step()
    seconds.append(time.perf_counter() - start)
    processor.append(time.process_time() - busy)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
print(json.dumps({
    "seconds": statistics.median(seconds), "processor": statistics.median(processor),
    "megabytes": peak, "loss": loss,
}))
