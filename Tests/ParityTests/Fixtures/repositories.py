#!/usr/bin/env python3
"""Writes jfzhang95-*.json, bubbliiiing-*.json, csail-*.json, vainf-*.json and detectron2-*.json beside this file: what
networks of repositories that are no packages give, most at an output stride of 8. Their layers are restated below from
the code of jfzhang95/pytorch-deeplab-xception 9135e10, bubbliiiing/deeplabv3-plus-pytorch 90dee27,
CSAILVision/semantic-segmentation-pytorch, VainF/DeepLabV3Plus-Pytorch 4e1087d and facebookresearch/detectron2
(projects/DeepLab), with ReLUs that write over their input; the dilated residual network from Yu et al., 2017, §4. Weights
and images follow from their names by the rule of `Sources/Parity/Rule.swift`. Made with torch 2.11.0 and torchvision
0.26.0.

    python repositories.py
"""

import json
import math
import os

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torchvision

torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
BN = nn.BatchNorm2d


# The kit's rule.


def fnv(n):
    h = 0xCBF29CE484222325
    for b in n.encode():
        h = ((h ^ b) * 0x100000001B3) & (2**64 - 1)
    return h


def units(name, count):
    with np.errstate(over="ignore"):
        z = np.uint64(fnv(name)) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = z + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def value(name, shape):
    u = units(name, int(np.prod(shape)) if shape else 1).reshape(shape)
    s = 2 * u - 1
    last = name.split(".")[-1]
    if last in ("bias", "running_mean") and len(shape) <= 1:
        return np.float32(0.1) * s
    if last == "running_var":
        return np.float32(0.5) + u
    if len(shape) >= 2:
        return s * np.float32(math.sqrt(3 / np.prod(shape[1:])))
    return np.float32(0.5) + u


# jfzhang95.


class JSep(nn.Module):
    def __init__(self, i, o, k=3, stride=1, dilation=1):
        super().__init__()
        self.conv1 = nn.Conv2d(i, i, k, stride, 0, dilation, groups=i, bias=False)
        self.bn = BN(i)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x):
        e = 3 + 2 * (self.conv1.dilation[0] - 1) - 1
        b = e // 2
        x = F.pad(x, (b, e - b, b, e - b))
        return self.pointwise(self.bn(self.conv1(x)))


class JBlock(nn.Module):
    def __init__(self, i, o, reps, stride=1, dilation=1, start=True, grow=True, last=False):
        super().__init__()
        self.skip = None
        if o != i or stride != 1:
            self.skip = nn.Conv2d(i, o, 1, stride=stride, bias=False)
            self.skipbn = BN(o)
        self.relu = nn.ReLU(inplace=True)
        rep = []
        f = i
        if grow:
            rep += [self.relu, JSep(i, o, 3, 1, dilation), BN(o)]
            f = o
        for _ in range(reps - 1):
            rep += [self.relu, JSep(f, f, 3, 1, dilation), BN(f)]
        if not grow:
            rep += [self.relu, JSep(i, o, 3, 1, dilation), BN(o)]
        if stride != 1:
            rep += [self.relu, JSep(o, o, 3, 2), BN(o)]
        if stride == 1 and last:
            rep += [self.relu, JSep(o, o, 3, 1), BN(o)]
        if not start:
            rep = rep[1:]
        self.rep = nn.Sequential(*rep)

    def forward(self, inp):
        x = self.rep(inp)
        s = self.skipbn(self.skip(inp)) if self.skip is not None else inp
        return x + s


class JX(nn.Module):
    def __init__(self, os):
        super().__init__()
        s3, md, ed = {16: (2, 1, (1, 2)), 8: (1, 2, (2, 4))}[os]
        self.conv1 = nn.Conv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self.bn1 = BN(32)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.bn2 = BN(64)
        self.block1 = JBlock(64, 128, 2, 2, start=False)
        self.block2 = JBlock(128, 256, 2, 2, start=False)
        self.block3 = JBlock(256, 728, 2, s3, last=True)
        for n in range(4, 20):
            setattr(self, f"block{n}", JBlock(728, 728, 3, 1, md))
        self.block20 = JBlock(728, 1024, 2, 1, ed[0], grow=False, last=True)
        self.conv3 = JSep(1024, 1536, 3, 1, ed[1])
        self.bn3 = BN(1536)
        self.conv4 = JSep(1536, 1536, 3, 1, ed[1])
        self.bn4 = BN(1536)
        self.conv5 = JSep(1536, 2048, 3, 1, ed[1])
        self.bn5 = BN(2048)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.relu(self.block1(x))
        low = x
        for n in range(2, 21):
            x = getattr(self, f"block{n}")(x)
        x = self.relu(x)
        for n in (3, 4, 5):
            x = self.relu(getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(x)))
        return x, low


class JA(nn.Module):
    def __init__(self, i, k, p, d):
        super().__init__()
        self.atrous_conv = nn.Conv2d(i, 256, k, padding=p, dilation=d, bias=False)
        self.bn = BN(256)

    def forward(self, x):
        return self.bn(self.atrous_conv(x)).relu()


class JASPP(nn.Module):
    def __init__(self, os, i=2048):
        super().__init__()
        d = {16: [1, 6, 12, 18], 8: [1, 12, 24, 36]}[os]
        self.aspp1 = JA(i, 1, 0, 1)
        for n in (2, 3, 4):
            setattr(self, f"aspp{n}", JA(i, 3, d[n - 1], d[n - 1]))
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(i, 256, 1, bias=False), BN(256), nn.ReLU()
        )
        self.conv1 = nn.Conv2d(1280, 256, 1, bias=False)
        self.bn1 = BN(256)

    def forward(self, x):
        xs = [getattr(self, f"aspp{n}")(x) for n in (1, 2, 3, 4)]
        p = F.interpolate(self.global_avg_pool(x), size=xs[3].shape[2:], mode="bilinear", align_corners=True)
        return self.bn1(self.conv1(torch.cat(xs + [p], 1))).relu()


class JD(nn.Module):
    def __init__(self, low, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(low, 48, 1, bias=False)
        self.bn1 = BN(48)
        self.last_conv = nn.Sequential(
            nn.Conv2d(304, 256, 3, padding=1, bias=False),
            BN(256),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(256, 256, 3, padding=1, bias=False),
            BN(256),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Conv2d(256, classes, 1),
        )

    def forward(self, x, low):
        low = self.bn1(self.conv1(low)).relu()
        x = F.interpolate(x, size=low.shape[2:], mode="bilinear", align_corners=True)
        return self.last_conv(torch.cat((x, low), 1))


class JNet(nn.Module):
    def __init__(self, os, classes=21):
        super().__init__()
        self.backbone = JX(os)
        self.aspp = JASPP(os)
        self.decoder = JD(128, classes)

    def forward(self, x):
        y, low = self.backbone(x)
        l = self.decoder(self.aspp(y), low)
        return l, F.interpolate(l, size=x.shape[2:], mode="bilinear", align_corners=True)


def resnet50(dilations, stem=64):
    """torchvision's, with the rate of each block's 3x3 convolution where its stage is dilated."""
    network = torchvision.models.resnet50(weights=None)
    if stem != 64:
        network.layer1[0].conv1 = nn.Conv2d(stem, 64, 1, bias=False)
        network.layer1[0].downsample[0] = nn.Conv2d(stem, 256, 1, bias=False)
    for name, rates in dilations.items():
        for block, rate in zip(getattr(network, name), rates):
            block.conv2.stride = (1, 1)
            block.conv2.padding = block.conv2.dilation = (rate, rate)
            if block.downsample is not None:
                block.downsample[0].stride = (1, 1)
    return network


class JDRN(nn.Module):
    """DRN-D-54: ResNet-50's stages between convolutions, the last two of them dilated."""

    def __init__(self):
        super().__init__()

        def c(i, o, k=3, s=1, d=1):
            return nn.Sequential(nn.Conv2d(i, o, k, s, d * (k // 2), d, bias=False), BN(o), nn.ReLU())

        network = resnet50({"layer3": [2] * 6, "layer4": [4] * 3})
        # Their first block strides here.
        first = network.layer1[0]
        first.conv1 = nn.Conv2d(32, 64, 1, bias=False)
        first.conv2.stride = (2, 2)
        first.downsample[0] = nn.Conv2d(32, 256, 1, stride=2, bias=False)
        self.layer0, self.layer1, self.layer2 = c(3, 16, 7), c(16, 16), c(16, 32, s=2)
        self.layer3, self.layer4 = network.layer1, network.layer2
        self.layer5, self.layer6 = network.layer3, network.layer4
        self.layer7, self.layer8 = c(2048, 512, d=2), c(512, 512)

    def forward(self, x):
        for n in range(9):
            x = getattr(self, f"layer{n}")(x)
            if n == 3:
                low = x
        return x, low


class JDRNNet(nn.Module):
    def __init__(self, classes=21):
        super().__init__()
        self.backbone = JDRN()
        self.aspp = JASPP(8, 512)
        self.decoder = JD(256, classes)

    def forward(self, x):
        y, low = self.backbone(x)
        l = self.decoder(self.aspp(y), low)
        return l, F.interpolate(l, size=x.shape[2:], mode="bilinear", align_corners=True)


# VainF.
class VSep(nn.Module):
    def __init__(self, i, o, dilation, padding):
        super().__init__()
        self.conv1 = nn.Conv2d(i, i, 3, 1, padding, dilation, groups=i, bias=False)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)

    def forward(self, x):
        return self.pointwise(self.conv1(x))


class VBlock(nn.Module):
    def __init__(self, i, widths, pools, changes, dilation, first=False):
        super().__init__()
        rep, f = [], i
        for index, o in enumerate(widths):
            rep += [] if first and index == 0 else [nn.ReLU()]
            rep += [VSep(f, o, dilation, dilation), BN(o)]
            f = o
        rep += [nn.MaxPool2d(3, 2, 1)] if pools else []
        self.rep = nn.Sequential(*rep)
        self.skip = nn.Conv2d(i, f, 1, 2 if pools else 1, bias=False) if changes else None
        self.skipbn = BN(f) if changes else None

    def forward(self, x):
        return self.rep(x) + (x if self.skip is None else self.skipbn(self.skip(x)))


class VX(nn.Module):
    def __init__(self, os):
        super().__init__()
        middle, last = {16: (1, 2), 8: (2, 4)}[os]
        self.conv1, self.bn1 = nn.Conv2d(3, 32, 3, 2, 0, bias=False), BN(32)
        self.conv2, self.bn2 = nn.Conv2d(32, 64, 3, 1, 0, bias=False), BN(64)
        self.block1 = VBlock(64, [128, 128], True, True, 1, True)
        self.block2 = VBlock(128, [256, 256], True, True, 1)
        self.block3 = VBlock(256, [728, 728], os == 16, True, middle)
        for n in range(4, 12):
            setattr(self, f"block{n}", VBlock(728, [728] * 3, False, False, middle))
        self.block12 = VBlock(728, [728, 1024], False, True, last)
        # One zero on each side, whatever the dilation.
        self.conv3, self.bn3 = VSep(1024, 1536, last, 1), BN(1536)
        self.conv4 = VSep(1536, 2048, last, 1)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        for n in range(1, 13):
            x = getattr(self, f"block{n}")(x)
            if n == 1:
                low = x
        return low, self.conv4(self.bn3(self.conv3(x)).relu())


def unit(i, o, k, d=1):
    return nn.Sequential(nn.Conv2d(i, o, k, padding=d * (k // 2), dilation=d, bias=False), BN(o), nn.ReLU())


class VASPP(nn.Module):
    def __init__(self, i, rates):
        super().__init__()
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(i, 256, 1, bias=False), BN(256), nn.ReLU())
        self.convs = nn.ModuleList([unit(i, 256, 1)] + [unit(i, 256, 3, d) for d in rates] + [pool])
        self.project = nn.Sequential(nn.Conv2d(5 * 256, 256, 1, bias=False), BN(256), nn.ReLU())

    def forward(self, x):
        maps = [F.interpolate(c(x), x.shape[2:], mode="bilinear", align_corners=False) for c in self.convs]
        return self.project(torch.cat(maps, 1))


class VHead(nn.Module):
    def __init__(self, i, low, classes, rates):
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(low, 48, 1, bias=False), BN(48), nn.ReLU())
        self.aspp = VASPP(i, rates)
        self.classifier = nn.Sequential(
            nn.Conv2d(304, 256, 3, padding=1, bias=False), BN(256), nn.ReLU(), nn.Conv2d(256, classes, 1)
        )

    def forward(self, low, x):
        low = self.project(low)
        x = F.interpolate(self.aspp(x), size=low.shape[2:], mode="bilinear", align_corners=False)
        return self.classifier(torch.cat([low, x], 1))


class VNet(nn.Module):
    def __init__(self, os, classes=21):
        super().__init__()
        self.backbone = VX(os)
        self.classifier = VHead(2048, 128, classes, {16: [6, 12, 18], 8: [12, 24, 36]}[os])

    def forward(self, x):
        l = self.classifier(*self.backbone(x))
        return l, F.interpolate(l, size=x.shape[2:], mode="bilinear", align_corners=False)


# detectron2, whose convolutions have their normalization inside.
class DConv(nn.Conv2d):
    def __init__(self, i, o, k=1, stride=1, d=1, activated=True):
        super().__init__(i, o, k, stride, d * (k // 2), d, bias=False)
        self.norm = BN(o)
        self.activated = activated

    def forward(self, x):
        x = self.norm(super().forward(x))
        return x.relu() if self.activated else x


class DBlock(nn.Module):
    def __init__(self, i, width, stride=1, d=1):
        super().__init__()
        o = 4 * width
        self.shortcut = DConv(i, o, 1, stride, activated=False) if i != o else None
        self.conv1, self.conv2 = DConv(i, width), DConv(width, width, 3, stride, d)
        self.conv3 = DConv(width, o, activated=False)

    def forward(self, x):
        return (self.conv3(self.conv2(self.conv1(x))) + (x if self.shortcut is None else self.shortcut(x))).relu()


class DBackbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Module()
        self.stem.conv1, self.stem.conv2, self.stem.conv3 = DConv(3, 64, 3, 2), DConv(64, 64, 3), DConv(64, 128, 3)
        i = 128
        rows = [("res2", 3, 1, [1] * 3), ("res3", 4, 2, [1] * 4), ("res4", 6, 2, [1] * 6), ("res5", 3, 1, [2, 4, 8])]
        for index, (name, depth, stride, rates) in enumerate(rows):
            blocks = []
            for n in range(depth):
                blocks.append(DBlock(i, 64 << index, stride if n == 0 else 1, rates[n]))
                i = 256 << index
            setattr(self, name, nn.Sequential(*blocks))

    def forward(self, x):
        x = self.stem.conv3(self.stem.conv2(self.stem.conv1(x)))
        low = self.res2(F.max_pool2d(x, 3, 2, 1))
        return low, self.res5(self.res4(self.res3(low)))


class DASPP(nn.Module):
    def __init__(self, i, window):
        super().__init__()
        pool = nn.Sequential(nn.AvgPool2d(window, stride=1), nn.Conv2d(i, 256, 1), nn.ReLU())
        self.convs = nn.ModuleList([DConv(i, 256)] + [DConv(i, 256, 3, d=d) for d in (6, 12, 18)] + [pool])
        self.project = DConv(1280, 256)

    def forward(self, x):
        maps = [F.interpolate(c(x), x.shape[2:], mode="bilinear", align_corners=False) for c in self.convs]
        return self.project(torch.cat(maps, 1))


class DNet(nn.Module):
    def __init__(self, window, classes=21):
        super().__init__()
        self.backbone = DBackbone()
        self.sem_seg_head = nn.Module()
        decoder = nn.ModuleDict({"res2": nn.ModuleDict(), "res5": nn.ModuleDict()})
        decoder["res2"]["project_conv"] = DConv(256, 48)
        decoder["res2"]["fuse_conv"] = nn.Sequential(DConv(304, 256, 3), DConv(256, 256, 3))
        decoder["res5"]["project_conv"] = DASPP(2048, window)
        self.sem_seg_head.decoder = decoder
        self.sem_seg_head.predictor = nn.Conv2d(256, classes, 1)

    def forward(self, x):
        low, y = self.backbone(x)
        decoder = self.sem_seg_head.decoder
        low, y = decoder["res2"]["project_conv"](low), decoder["res5"]["project_conv"](y)
        y = F.interpolate(y, size=low.shape[2:], mode="bilinear", align_corners=False)
        l = self.sem_seg_head.predictor(decoder["res2"]["fuse_conv"](torch.cat([low, y], 1)))
        return l, F.interpolate(l, size=x.shape[2:], mode="bilinear", align_corners=False)


# --- bubbliiiing (90dee27)
class BSep(nn.Module):
    def __init__(self, i, o, stride=1, d=1, first=True, inplace=True):
        super().__init__()
        self.relu0 = nn.ReLU(inplace=inplace)
        self.depthwise = nn.Conv2d(i, i, 3, stride, d, d, groups=i, bias=False)
        self.bn1 = BN(i)
        self.relu1 = nn.ReLU(inplace=True)
        self.pointwise = nn.Conv2d(i, o, 1, bias=False)
        self.bn2 = BN(o)
        self.relu2 = nn.ReLU(inplace=True)
        self.first = first

    def forward(self, x):
        if self.first:
            x = self.relu0(x)
        x = self.bn1(self.depthwise(x))
        if not self.first:
            x = self.relu1(x)
        x = self.bn2(self.pointwise(x))
        return x if self.first else self.relu2(x)


class BBlock(nn.Module):
    def __init__(self, i, o, stride=1, d=1, grow=True, inplace=True):
        super().__init__()
        head = True
        self.skip = None
        if o != i or stride != 1:
            self.skip = nn.Conv2d(i, o, 1, stride=stride, bias=False)
            self.skipbn = BN(o)
            head = False
        f = o if grow else i
        self.sepconv1 = BSep(i, f, 1, d, True, head)
        self.sepconv2 = BSep(f, o, 1, d)
        self.sepconv3 = BSep(o, o, stride, d, True, inplace)

    def forward(self, inp):
        s = self.skipbn(self.skip(inp)) if self.skip is not None else inp
        x = self.sepconv2(self.sepconv1(inp))
        self.hook_layer = x
        x = self.sepconv3(x)
        x += s
        return x


class BX(nn.Module):
    def __init__(self, os):
        super().__init__()
        st = {8: [2, 1, 1], 16: [2, 2, 1]}[os]
        r = 16 // os
        self.conv1 = nn.Conv2d(3, 32, 3, 2, 1, bias=False)
        self.bn1 = BN(32)
        self.conv2 = nn.Conv2d(32, 64, 3, 1, 1, bias=False)
        self.bn2 = BN(64)
        self.block1 = BBlock(64, 128, 2)
        self.block2 = BBlock(128, 256, st[0], inplace=False)
        self.block3 = BBlock(256, 728, st[1])
        for n in range(4, 20):
            setattr(self, f"block{n}", BBlock(728, 728, 1, r))
        self.block20 = BBlock(728, 1024, st[2], r, grow=False)
        self.conv3 = BSep(1024, 1536, 1, r, False)
        self.conv4 = BSep(1536, 1536, 1, r, False)
        self.conv5 = BSep(1536, 2048, 1, r, False)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        x = self.bn2(self.conv2(x)).relu()
        for n in range(1, 21):
            x = getattr(self, f"block{n}")(x)
            if n == 2:
                low = self.block2.hook_layer
        return low, self.conv5(self.conv4(self.conv3(x)))


class BA(nn.Module):
    def __init__(self, r):
        super().__init__()

        def c(i, k, p, d):
            return nn.Sequential(nn.Conv2d(i, 256, k, 1, p, d, bias=True), BN(256), nn.ReLU())

        self.branch1 = c(2048, 1, 0, r)
        self.branch2 = c(2048, 3, 6 * r, 6 * r)
        self.branch3 = c(2048, 3, 12 * r, 12 * r)
        self.branch4 = c(2048, 3, 18 * r, 18 * r)
        self.branch5_conv = nn.Conv2d(2048, 256, 1)
        self.branch5_bn = BN(256)
        self.conv_cat = c(1280, 1, 0, 1)

    def forward(self, x):
        g = self.branch5_bn(self.branch5_conv(x.mean((2, 3), keepdim=True))).relu()
        g = F.interpolate(g, x.shape[2:], None, "bilinear", True)
        return self.conv_cat(torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x), g], 1))


class BNet(nn.Module):
    def __init__(self, os, classes=21):
        super().__init__()
        self.backbone = BX(os)
        self.aspp = BA(16 // os)
        self.shortcut_conv = nn.Sequential(nn.Conv2d(256, 48, 1), BN(48), nn.ReLU())
        self.cat_conv = nn.Sequential(
            nn.Conv2d(304, 256, 3, padding=1),
            BN(256),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Conv2d(256, 256, 3, padding=1),
            BN(256),
            nn.ReLU(),
            nn.Dropout(0.1),
        )
        self.cls_conv = nn.Conv2d(256, classes, 1)

    def forward(self, x):
        low, y = self.backbone(x)
        y = self.aspp(y)
        low = self.shortcut_conv(low)
        y = F.interpolate(y, size=low.shape[2:], mode="bilinear", align_corners=True)
        l = self.cls_conv(self.cat_conv(torch.cat((y, low), 1)))
        return l, F.interpolate(l, size=x.shape[2:], mode="bilinear", align_corners=True)


# CSAILVision.
class PSPNet(nn.Module):
    def __init__(self, classes=21):
        super().__init__()
        r = torchvision.models.resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        c = lambda i, o, s: nn.Conv2d(i, o, 3, s, 1, bias=False)
        self.conv1, self.bn1, self.conv2, self.bn2, self.conv3, self.bn3 = (
            c(3, 64, 2),
            BN(64),
            c(64, 64, 1),
            BN(64),
            c(64, 128, 1),
            BN(128),
        )
        r.layer1[0].conv1 = nn.Conv2d(128, 64, 1, bias=False)
        r.layer1[0].downsample[0] = nn.Conv2d(128, 256, 1, bias=False)
        self.layer1, self.layer2, self.layer3, self.layer4 = r.layer1, r.layer2, r.layer3, r.layer4
        self.ppm = nn.ModuleList(
            [
                nn.Sequential(nn.AdaptiveAvgPool2d(s), nn.Conv2d(2048, 512, 1, bias=False), BN(512), nn.ReLU())
                for s in (1, 2, 3, 6)
            ]
        )
        self.cbr_deepsup = nn.Sequential(nn.Conv2d(1024, 512, 3, 1, 1, bias=False), BN(512), nn.ReLU())
        self.conv_last = nn.Sequential(
            nn.Conv2d(2048 + 2048, 512, 3, padding=1, bias=False),
            BN(512),
            nn.ReLU(),
            nn.Dropout2d(0.1),
            nn.Conv2d(512, classes, 1),
        )
        self.conv_last_deepsup = nn.Conv2d(512, classes, 1)

    def forward(self, x):
        size = x.shape[2:]
        for n in (1, 2, 3):
            x = getattr(self, f"bn{n}")(getattr(self, f"conv{n}")(x)).relu()
        x = F.max_pool2d(x, 3, 2, 1)
        x = self.layer3(self.layer2(self.layer1(x)))
        c4 = x
        x = self.layer4(x)
        l = self.conv_last(
            torch.cat(
                [x] + [F.interpolate(p(x), x.shape[2:], mode="bilinear", align_corners=False) for p in self.ppm], 1
            )
        )
        return (
            l,
            F.interpolate(l, size, mode="bilinear", align_corners=False),
            self.conv_last_deepsup(self.cbr_deepsup(c4)),
        )


def probe(t):
    a = t.numpy().ravel()
    g = np.random.default_rng(0).integers(0, a.size, 48)
    return {
        "shape": list(t.shape),
        "mean": float(a.mean(dtype=np.float64)),
        "std": float(a.std(dtype=np.float64)),
        "index": [int(i) for i in g],
        "value": [float(a[i]) for i in g],
    }


def write(model, network, names, size):
    network.eval()
    state = network.state_dict()
    network.load_state_dict(
        {k: torch.tensor(value(k, tuple(v.shape))) if v.is_floating_point() else v for k, v in state.items()}
    )
    count = 3 * size[0] * size[1]
    image = torch.tensor(2 * (2 * units("input", count) - 1)).reshape(1, 3, *size)
    outputs = dict(zip(names, (probe(map) for map in network(image))))
    content = {
        "model": model,
        "input": [1, 3, *size],
        "classes": 21,
        "file": {"prefix": ""},
        "state": {k: list(v.shape) for k, v in state.items()},
        "outputs": outputs,
    }
    with open(os.path.join(HERE, model.replace("/", "-") + ".json"), "w", encoding="utf-8") as file:
        json.dump(content, file, separators=(",", ":"))


if __name__ == "__main__":
    write("jfzhang95/deeplab_xception_os8", JNet(8), ("logits", "upsampled"), (97, 129))
    write("bubbliiiing/deeplabv3plus_xception_os8", BNet(8), ("logits", "upsampled"), (97, 129))
    write("csail/pspnet50", PSPNet(), ("logits", "upsampled", "auxiliary0"), (96, 128))
    write("jfzhang95/deeplab_drn", JDRNNet(), ("logits", "upsampled"), (65, 97))
    write("vainf/deeplabv3plus_xception", VNet(16), ("logits", "upsampled"), (161, 193))
    write("vainf/deeplabv3plus_xception_os8", VNet(8), ("logits", "upsampled"), (161, 193))
    write("detectron2/deeplabv3plus_resnet50", DNet((4, 5)), ("logits", "upsampled"), (96, 128))
