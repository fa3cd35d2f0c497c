"""Times `atrous data speed` and PyTorch's DataLoader with torchvision v2 transforms, in turn.

usage: compare.py ATROUS CAMVID [ROUNDS]

Both decode the 367 training images and labels of CamVid from the files in every epoch, resize by 0.5
to 2 without antialiasing, crop 360x360 with at most 75 % of one class (ten tries), flip, distort the
colours, normalise by ImageNet and pad: MMSegmentation's recipe as Kim et al., 2023, use it. Batches of 8.
PyTorch runs with every sensible number of workers, kept alive between epochs, and counts with its best.
"""
import glob
import json
import os
import resource
import subprocess
import sys
import time
import warnings

import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.io import ImageReadMode, decode_image
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

warnings.filterwarnings("ignore", "This DataLoader will create")
atrous, root = sys.argv[1:3]
rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 3
recipe = f"{os.path.dirname(os.path.abspath(__file__))}/../../Experiments/003-atrous-rates/camvid.yaml"
SIDE, BATCH, EPOCHS = 360, 8, 3


class CropWithManyClasses(torch.nn.Module):
    """RandomCrop that looks for a window with at most 75 % of one class, as MMSegmentation's."""

    def forward(self, image, mask):
        height, width = image.shape[-2:]
        h, w = min(SIDE, height), min(SIDE, width)
        for _ in range(11):
            y = int(torch.randint(height - h + 1, ()))
            x = int(torch.randint(width - w + 1, ()))
            counts = torch.bincount(mask[..., y:y + h, x:x + w].flatten(), minlength=12)[:11]
            if (counts > 0).sum() > 1 and counts.max() / counts.sum() < 0.75:
                break
        return F.crop(image, y, x, h, w), F.crop(mask, y, x, h, w)


class Distortion(torch.nn.Module):
    """PhotoMetricDistortion by torchvision's kernels on 8-bit images."""

    def forward(self, image, mask):
        def chance():
            return torch.rand(()) < 0.5

        def between(low, high):
            return float(torch.empty(()).uniform_(low, high))

        if chance():  # an offset of up to 32 levels; torchvision has only factors
            offset = between(-32, 32)
            image = tv_tensors.wrap((image.to(torch.int16) + int(offset)).clamp_(0, 255).to(torch.uint8), like=image)
        first, contrast = chance(), between(0.5, 1.5) if chance() else None
        scale = lambda i: tv_tensors.wrap((i * contrast).clamp_(0, 255).to(torch.uint8), like=i)
        if contrast and first:
            image = scale(image)
        if chance():
            image = F.adjust_saturation(image, between(0.5, 1.5))
        if chance():
            image = F.adjust_hue(image, between(-0.1, 0.1))
        if contrast and not first:
            image = scale(image)
        return image, mask


class Resize(torch.nn.Module):
    def forward(self, image, mask):
        factor = float(torch.empty(()).uniform_(0.5, 2.0))
        size = [int(image.shape[-2] * factor), int(image.shape[-1] * factor)]
        return (F.resize(image, size, antialias=False),
                F.resize(mask, size, interpolation=v2.InterpolationMode.NEAREST_EXACT))


class Pad(torch.nn.Module):
    def forward(self, image, mask):
        right, bottom = SIDE - image.shape[-1], SIDE - image.shape[-2]
        if right or bottom:
            image = F.pad(image, [0, 0, right, bottom], fill=0)
            mask = F.pad(mask, [0, 0, right, bottom], fill=255)
        return image, mask


class CamVid(Dataset):
    transform = v2.Compose([
        Resize(), CropWithManyClasses(), v2.RandomHorizontalFlip(0.5), Distortion(),
        v2.ToDtype({tv_tensors.Image: torch.float32, "others": None}, scale=True),
        v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]), Pad(),
    ])

    def __init__(self):
        self.images = sorted(glob.glob(f"{root}/train/*.png"))

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        path = self.images[index]
        image = tv_tensors.Image(decode_image(path, ImageReadMode.RGB))
        mask = tv_tensors.Mask(decode_image(path.replace("/train/", "/trainannot/")))
        return self.transform(image, mask)


def processor():
    """The seconds that this process and those that have ended under it have computed."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def theirs(workers):
    """Images a second of each epoch, and milliseconds of processor an image, all workers together."""
    start = processor()
    more = {"persistent_workers": True, "prefetch_factor": 4} if workers else {}
    loader = DataLoader(CamVid(), BATCH, shuffle=True, drop_last=True, num_workers=workers, **more)
    next(iter(loader))  # workers start once
    rates, total = [], 0
    for _ in range(EPOCHS):
        begin, images = time.perf_counter(), 0
        for batch, _ in loader:
            images += len(batch)
        rates.append(images / (time.perf_counter() - begin))
        total += images
    del loader  # the workers end, and their time is known
    return rates, (processor() - start) / total * 1000


def ours(*more):
    out = subprocess.run(
        [atrous, "data", "speed", recipe, "--set", f"data.root={root}", "--part", "train",
         "--batch-size", str(BATCH), "--epochs", str(EPOCHS + 1), "--json", *more],
        check=True, capture_output=True, text=True).stdout
    out = json.loads(out)
    return out["imagesPerSecond"][1:], median(out["processorMilliseconds"][1:])


def median(values):
    return sorted(values)[len(values) // 2]


cores = len(os.sched_getaffinity(0))
rates, costs = {}, {}


def note(name, result):
    rates.setdefault(name, []).extend(result[0])
    costs.setdefault(name, []).append(result[1])


for _ in range(rounds):
    for workers in sorted({1, cores - 1, cores, cores + 1, 2 * cores} - {0}):
        note(f"DataLoader, {workers} workers", theirs(workers))
    note("atrous", ours())
    note("atrous, decoded once", ours("--cache-megabytes", "1024"))
for name, found in rates.items():
    print(f"{name:24} {median(found):7.1f} images/s ({min(found):.1f} to {max(found):.1f}), "
          f"{median(costs[name]):5.2f} ms of processor an image")
others = [name for name in rates if name.startswith("DataLoader")]
print(f"ratio {median(rates['atrous']) / max(median(rates[n]) for n in others):.2f}, of processor time "
      f"{min(median(costs[n]) for n in others) / median(costs['atrous']):.2f}")
