#!/usr/bin/env bash
# transformers' DPT takes square images alone, and says so only where it must: an image that is not square raises an error
# about shapes, unless the number of its patches is a square number. Then rows of patches are read as if they were of
# another length, and scores come out for a square.
#
# Position embeddings are resized for any size before, and the image processor has keep_aspect_ratio to make such images.
# 128x288 pixels are 8 by 18 patches, which the neck takes for 12 by 12: labels have the right size after
# post_process_semantic_segmentation, and are those of a scrambled photograph. Told the numbers of rows and columns, the
# same modules give a map of the image's shape.
#
# Output (transformers 5.24.0, torch 2.13.0):
#   96x96: scores of 96x96
#   128x256: RuntimeError
#   128x288: scores of 192x192, labels of 128x288
#   128x288: the neck told of 8 by 18 patches: scores of 128x288, the same label at 60 % of the pixels
# Exits with 1 if scores of an image of 128x288 pixels have its shape.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q transformers==5.24.0 torch==2.13.0 pillow==13.0.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import torch
from transformers import DPTConfig, DPTForSemanticSegmentation, DPTImageProcessorPil

torch.manual_seed(0)
network = DPTForSemanticSegmentation(DPTConfig(
    hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64, image_size=96,
    backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16, num_labels=3)).eval()
for parameter in network.parameters():
    if parameter.dim() > 1:
        torch.nn.init.normal_(parameter, 0, (2 / parameter[0].numel()) ** 0.5)


def text(tensor):
    return "x".join(str(side) for side in tensor.shape[-2:])


def told(image):
    """The scores where the neck is told how many patches there are."""
    states = network.dpt(image, output_hidden_states=True).hidden_states[1:]
    states = [states[index] for index in network.config.backbone_out_indices]
    return network.head(network.neck(states, image.shape[2] // 16, image.shape[3] // 16))


with torch.no_grad():
    # Squares of random colours, and classes of about the same share.
    image = torch.randn(1, 3, 8, 18).repeat_interleave(16, 2).repeat_interleave(16, 3)
    network.head.head[4].bias -= told(image).mean((0, 2, 3))
    print(f"96x96: scores of {text(network(image[..., :96, :96]).logits)}")
    try:
        network(image[..., :256])
        print("128x256: no error")
    except RuntimeError:
        print("128x256: RuntimeError")
    found, right = network(image), told(image)
    labels = DPTImageProcessorPil().post_process_semantic_segmentation(found, target_sizes=[(128, 288)])[0]
    print(f"128x288: scores of {text(found.logits)}, labels of {text(labels)}")
    same = 100 * (right.argmax(1)[0] == labels).float().mean()
    print(f"128x288: the neck told of 8 by 18 patches: scores of {text(right)}, the same label at {same:.0f} % of the pixels")
sys.exit(1 if found.logits.shape[-2:] == (128, 288) else 0)
PYTHON
