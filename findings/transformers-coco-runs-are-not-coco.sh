#!/usr/bin/env bash
# transformers' return_coco_annotation=True gives no COCO runs, though documentation calls them so: they are pairs of
# start and length along rows, starts from 1. pycocotools compresses them without a word and gives another box, and an
# error or another mask.
#
# COCO's runs go down the columns, by turns not in the mask and in it, from 0 on. What
# post_process_instance_segmentation of Mask2Former, MaskFormer, OneFormer, DETR and others returns is a list of as many
# whole numbers, and whoever writes it to a results file as `counts` finds out when others read it, if at all. Where
# pixels belong to no segment the first list is theirs, so that lists and `segments_info` are of different lengths, too.
# The SAM processors of the same package give true COCO runs.
#
# Output (transformers 5.24.0, torch 2.13.0, pycocotools 2.0.11):
#   segments: 1, lists of runs: 2, the first of them for 215 pixels
#   return_coco_annotation: [92, 7, 111, 9, 131, 9]
#   COCO's runs: [125, 2, 9, 3, 9, 3, 9, 3, 9, 3, 9, 3, 9, 3, 9, 3, 10, 2, 17]
#   pycocotools: area 25 in place of 25, box [7, 0, 23, 12] in place of [10, 4, 9, 3]
#   decoded: ValueError, Invalid RLE mask representation
#   read as starts from 1 and lengths along rows: the segment
# Exits with 1 if the runs are COCO's, or pycocotools decodes the segment from them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q transformers==5.24.0 torch==2.13.0 pycocotools==2.0.11 pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import itertools
import sys

import numpy as np
import torch
from pycocotools import mask
from transformers import Mask2FormerImageProcessorPil
from transformers.models.mask2former.modeling_mask2former import Mask2FormerForUniversalSegmentationOutput

# One query is sure of class 0 and of a block of rows 4 to 6 and columns 10 to 17.
height, width = 12, 20
truth = torch.zeros(height, width, dtype=torch.bool)
truth[4:7, 10:18] = True
scores = torch.where(truth, 9.0, -9.0)[None, None]
found = Mask2FormerForUniversalSegmentationOutput(
    class_queries_logits=torch.tensor([[[9.0, -9.0]]]), masks_queries_logits=scores)

processor = Mask2FormerImageProcessorPil()
options = dict(threshold=0.5, target_sizes=[(height, width)])
plain = processor.post_process_instance_segmentation(found, **options)[0]["segmentation"]
result = processor.post_process_instance_segmentation(found, return_coco_annotation=True, **options)[0]
segment = (plain == 0).numpy()
runs = [[int(number) for number in run] for run in result["segmentation"]]
print(f"segments: {len(result['segments_info'])}, lists of runs: {len(runs)}, the first of them for {sum(runs[0][1::2])} pixels")
right = mask.encode(np.asfortranarray(segment.astype(np.uint8)))
counts = [len(list(same)) for _, same in itertools.groupby(segment.T.ravel())]
other = mask.frPyObjects({"size": [height, width], "counts": runs[-1]}, height, width)
print("return_coco_annotation:", runs[-1])
print("COCO's runs:", counts)
print(f"pycocotools: area {mask.area(other)} in place of {mask.area(right)}, box {mask.toBbox(other).astype(int).tolist()} in"
      f" place of {mask.toBbox(right).astype(int).tolist()}")
try:
    decoded = mask.decode(other).astype(bool)
    print(f"decoded: {(decoded & segment).sum()} of the segment's pixels and {(decoded & ~segment).sum()} others")
except ValueError as error:
    decoded = None
    print("decoded: ValueError,", error)
rows = np.zeros(height * width, bool)
for start, length in zip(runs[-1][::2], runs[-1][1::2]):
    rows[start - 1:start - 1 + length] = True
print("read as starts from 1 and lengths along rows:", "the segment" if (rows.reshape(height, width) == segment).all() else "another")
sys.exit(1 if runs[-1] == counts or decoded is not None and (decoded == segment).all() else 0)
PYTHON
