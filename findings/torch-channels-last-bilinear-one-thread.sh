#!/usr/bin/env bash
# torch's bilinear interpolate of one image in channels-last order runs on one thread, however many there are; of two
# images it runs on two. Channels-last is the order that torch's own guides advise for convolutions on a processor.
#
# The same call on a contiguous tensor, and nearest and bicubic in channels-last order, share one image among all threads.
# Only bilinear in channels-last order goes by images, so that a network for segmentation, which enlarges
# its scores or the maps of its decoder for one photograph, leaves all cores but one idle there. It meets whoever runs
# FPN, UPerNet, DeepLabV3+ or a U-Net with bilinear steps for one image at a time on many cores; no message tells of it, and
# benchmarks with batches do not show it.
#
# Told by processor time: that of the whole process over that of the calling thread, with two threads allowed, which does not
# depend on what else the machine does. About 1 is one thread, above 1.5 two.
#
# Output (torch 2.11.0), maps of 256 channels, 64x128 to 256x512:
#   bilinear, 1 image: threads in use: contiguous 2.0, channels last 1.0
#   nearest, 1 image: threads in use: contiguous 1.9, channels last 1.8
#   bicubic, 1 image: threads in use: contiguous 1.9, channels last 2.0
#   bilinear, 2 images: threads in use: contiguous 1.9, channels last 1.8
#   nearest, 2 images: threads in use: contiguous 1.8, channels last 1.8
#   bicubic, 2 images: threads in use: contiguous 1.9, channels last 1.9
# Exits with 1 if one image in channels-last order takes two threads, or anything else one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sys
import time

import torch

torch.manual_seed(0)
torch.set_num_threads(2)


def threads(call):
    """How many threads a call keeps busy."""
    for _ in range(2):
        call()
    process, thread = time.process_time(), time.thread_time()
    for _ in range(8):
        call()
    return (time.process_time() - process) / (time.thread_time() - thread)


def enlarged(image, mode):
    more = {} if mode == "nearest" else {"align_corners": False}
    return torch.nn.functional.interpolate(image, size=(256, 512), mode=mode, **more)


holds = True
for images in (1, 2):
    maps = torch.randn(images, 256, 64, 128)
    for mode in ("bilinear", "nearest", "bicubic"):
        line = []
        for name, order in (("contiguous", torch.contiguous_format), ("channels last", torch.channels_last)):
            given = maps.contiguous(memory_format=order)
            with torch.no_grad():
                found = threads(lambda: enlarged(given, mode))
            line.append(f"{name} {found:.1f}")
            alone = images == 1 and mode == "bilinear" and name == "channels last"
            holds = holds and (found < 1.2 if alone else found > 1.4)
        print(f"{mode}, {images} image{'s' * (images > 1)}: threads in use:", ", ".join(line))
sys.exit(0 if holds else 1)
PYTHON
