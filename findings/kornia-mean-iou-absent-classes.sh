#!/usr/bin/env bash
# kornia's mean_iou gives a class that is in neither image the score 1, and has no way to leave pixels out: a label of
# 255 is an error.
#
# On street scenes with 19 classes of which an image shows 8, the mean of its result over classes is above 0.57 even where
# every pixel is wrong. torchmetrics leaves such classes out of the mean or counts them as 0, as its argument says,
# and MMSegmentation gives not a number. Whoever compares numbers across libraries has to know.
#
# Output (kornia 0.9.0, torch 2.11.0), predicted 0 0 1 1, true 0 1 1 1, five classes:
#   each class: 0.500 0.667 1.000 1.000 1.000, mean 0.833
#   every pixel wrong: 0.000 0.000 1.000 1.000 1.000, mean 0.600
#   a label of 255: BaseError
# Exits with 1 if absent classes no longer score 1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 kornia==0.9.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON'
import sys

import kornia
import torch
from kornia.metrics import mean_iou

print(f"kornia {kornia.__version__}, torch {torch.__version__}")
truth = torch.tensor([[0, 1, 1, 1]])
for title, predicted in [("each class", [[0, 0, 1, 1]]), ("every pixel wrong", [[1, 0, 0, 0]])]:
    scores = mean_iou(torch.tensor(predicted), truth, num_classes=5)[0]
    print(f"{title}: {' '.join(f'{score:.3f}' for score in scores)}, mean {scores.mean():.3f}")
try:
    print("a label of 255:", mean_iou(truth, torch.tensor([[0, 1, 1, 255]]), num_classes=5))
except Exception as error:
    print(f"a label of 255: {type(error).__name__}")
sys.exit(0 if (scores[2:] == 1).all() else 1)
PYTHON
