"""A folder of photographs segmented with PyTorch and Pillow, as a straightforward script does it.

peer.py draw NETWORK FILE writes random weights of torchvision's network; peer.py photographs FROM TO
makes JPEG files of the pictures in a folder; peer.py compare A B prints the share of equal labels;
peer.py predict NETWORK FILE IMAGES OUTPUT segments.
"""

import os
import sys

CLASSES = 19
# Those of Cityscapes.
COLORS = [
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153),
    (250, 170, 30), (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60),
    (255, 0, 0), (0, 0, 142), (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
]


def make(name):
    import torchvision

    make = {
        "deeplabv3-resnet50": torchvision.models.segmentation.deeplabv3_resnet50,
        "deeplabv3-mobilenetv3": torchvision.models.segmentation.deeplabv3_mobilenet_v3_large,
    }[name]
    return make(weights=None, weights_backbone=None, num_classes=CLASSES).eval()


def draw(name, file):
    import torch

    torch.manual_seed(1)
    torch.save(make(name).state_dict(), file)


def photographs(source, target):
    from PIL import Image

    os.makedirs(target, exist_ok=True)
    for folder, _, names in sorted(os.walk(source)):
        for name in sorted(names):
            stem = os.path.splitext(name)[0]
            Image.open(os.path.join(folder, name)).convert("RGB").save(
                os.path.join(target, stem + ".jpg"), quality=92
            )


def compare(a, b):
    import numpy
    from PIL import Image

    same = count = 0
    for name in sorted(os.listdir(b)):
        if not name.endswith("_labels.png"):
            continue
        pair = [numpy.asarray(Image.open(os.path.join(folder, name))) for folder in (a, b)]
        same += int((pair[0] == pair[1]).sum())
        count += pair[0].size
    print(same / count)


def predict(name, file, images, output):
    import numpy
    import torch
    from PIL import Image

    network = make(name)
    network.load_state_dict(torch.load(file, weights_only=True))
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = torch.tensor([0.229, 0.224, 0.225])[:, None, None]
    palette = numpy.array(COLORS, dtype=numpy.uint8)
    os.makedirs(output, exist_ok=True)
    for photograph in sorted(os.listdir(images)):
        stem = os.path.join(output, os.path.splitext(photograph)[0])
        pixels = numpy.array(Image.open(os.path.join(images, photograph)).convert("RGB"))
        x = torch.from_numpy(pixels).permute(2, 0, 1).float() / 255
        with torch.inference_mode():
            # torchvision's networks enlarge the scores to the image's size.
            scores = network(((x - mean) / deviation)[None])["out"]
            labels = scores.argmax(1)[0].to(torch.uint8).numpy()
        picture = Image.fromarray(labels, mode="P")
        picture.putpalette(palette.tobytes())
        picture.save(stem + "_labels.png")
        overlay = (pixels.astype(numpy.uint16) + palette[labels]) // 2
        Image.fromarray(overlay.astype(numpy.uint8)).save(stem + "_overlay.png")


if __name__ == "__main__":
    {"draw": draw, "photographs": photographs, "compare": compare, "predict": predict}[sys.argv[1]](
        *sys.argv[2:]
    )
