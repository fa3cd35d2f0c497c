#!/usr/bin/env bash
# segmentation_models_pytorch counts the pixels of an image by torch.histc on float32, and on a processor each of
# torch's threads stops counting a class at 16,777,216 = 2^24 pixels: one more added to that is lost to rounding.
# get_stats turns three such histograms into hits, false alarms and misses, so that a class of more pixels than
# 2^24 times the number of threads gets fewer hits and, what is worse, fewer mistakes: below, a third of a class is
# missed in an image of 6000 by 6000 pixels (the tiles of ISPRS Potsdam), and its IoU is 1.
#
# A histogram is expected to be exact below 2^31 at least, as torch.bincount and NumPy's are; nothing warns, and the
# same labels get another score on a machine with more cores. mmsegmentation 1.2.2's IoUMetric counts by the same call.
#
# Output (torch 2.11.0, segmentation_models_pytorch 0.6.0):
#   1 thread: histc of 36000000 zeros counts 16777216; IoU of class 0 is 1.0000, correct is 0.6667
#   2 threads: histc of 36000000 zeros counts 33554432; IoU of class 0 is 0.6788, correct is 0.6667
# Exits with 1 if one of these is another.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 torchvision==0.26.0 segmentation-models-pytorch==0.6.0
"$folder/env/bin/python" - <<'PYTHON'
import sys

import torch
from segmentation_models_pytorch.metrics import get_stats, iou_score

side = 6000
truth = torch.zeros(1, side, side, dtype=torch.long)
prediction = truth.clone()
prediction[:, : side // 3] = 1
correct = 2 / 3

found = []
for threads in (1, 2):
    torch.set_num_threads(threads)
    zeros = int(torch.histc(truth.float(), bins=2, min=0, max=1)[0])
    stats = get_stats(prediction, truth, mode="multiclass", num_classes=2)
    iou = float(iou_score(*stats, reduction="none")[0, 0])
    found.append((zeros, round(iou, 4)))
    print(f"{threads} thread{'s' * (threads > 1)}: histc of {side * side} zeros counts {zeros}; "
          f"IoU of class 0 is {iou:.4f}, correct is {correct:.4f}")
sys.exit(0 if found == [(1 << 24, 1.0), (1 << 25, 0.6788)] else 1)
PYTHON
