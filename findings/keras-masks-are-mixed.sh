#!/usr/bin/env bash
# Keras' AugMix, RandomCrop and CenterCrop take label maps beside images and calculate with class numbers: between class
# 0 and class 9 appear classes such as 3.3, and CutMix gives a map of one channel three.
#
# Layers for augmentation take {"images", "segmentation_masks"}, and RandomRotation, RandomZoom, RandomPerspective and
# Resizing move labels by the nearest pixel. AugMix instead adds the maps of its chains with weights as it does with
# images. RandomCrop and CenterCrop enlarge an image that is smaller than the crop, and its labels bilinearly with it.
# Numbers come out as float32; what a loss or metric makes of them by its cast to whole numbers is another class, along
# every border.
#
# Output (keras 3.15.1, jax 0.10.2), classes 0, 4, 9 on 30x30 pixels:
#   keras 3.15.1
#   AugMix: float32 of 1 channel, 11 % of pixels of another class: 0.2, 3.8, 4.2, 8.8
#   RandomCrop to 45x45: float32 of 1 channel, 9 % of pixels of another class: 0.7, 3.3, 4.8, 8.2
#   CenterCrop to 45x45: float32 of 1 channel, 9 % of pixels of another class: 0.7, 3.3, 4.8, 8.2
#   CutMix: float32 of 3 channels, 0 % of pixels of another class
#   Resizing to 45x45: int32 of 1 channel, 0 % of pixels of another class
#   RandomRotation: int32 of 1 channel, 0 % of pixels of another class
# Exits with 1 if all of these give no other class than 0, 4 and 9.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q keras==3.15.1 jax==0.10.2 numpy==2.4.6
cd "$folder"
KERAS_BACKEND=jax "$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
labels = np.zeros((2, 30, 30, 1), "int32")
labels[:, :, 10:20], labels[:, :, 20:] = 4, 9
images = np.full((2, 30, 30, 3), 128, "float32")


def other(title, layer):
    found = np.asarray(layer({"images": images, "segmentation_masks": labels}, training=True)["segmentation_masks"])
    wrong = ~np.isin(found, [0, 4, 9])
    some = ", ".join(f"{value:.1f}" for value in np.unique(found[wrong].round(1))[:6])
    print(f"{title}: {found.dtype} of {found.shape[-1]} channel{'s' * (found.shape[-1] > 1)}, {100 * wrong.mean():.0f} % of pixels"
          f" of another class{': ' * bool(some)}{some}")
    return wrong.any()


print(f"keras {keras.__version__}")
others = [
    other("AugMix", layers.AugMix((0, 255), seed=3)), other("RandomCrop to 45x45", layers.RandomCrop(45, 45, seed=3)),
    other("CenterCrop to 45x45", layers.CenterCrop(45, 45))]
other("CutMix", layers.CutMix(seed=3))
for title, layer in (("Resizing to 45x45", layers.Resizing(45, 45)), ("RandomRotation", layers.RandomRotation(0.1, seed=3))):
    assert not other(title, layer)
sys.exit(0 if all(others) else 1)
PYTHON
