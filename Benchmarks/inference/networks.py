"""The five networks of the benchmark in PyTorch: images to scores at the head's own resolution."""

import torch
from torch import nn
from torch.nn import functional as F

CLASSES = 19


class BackboneAndHead(nn.Module):
    """A torchvision segmentation network without the resizing at its end."""

    def __init__(self, network):
        super().__init__()
        self.backbone, self.classifier = network.backbone, network.classifier

    def forward(self, x):
        return self.classifier(self.backbone(x)["out"])


def deeplabv3_resnet50():
    from torchvision.models.segmentation import deeplabv3_resnet50 as make

    return BackboneAndHead(
        make(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False)
    )


def deeplabv3_mobilenetv3():
    from torchvision.models.segmentation import deeplabv3_mobilenet_v3_large as make

    return BackboneAndHead(
        make(weights=None, weights_backbone=None, num_classes=CLASSES, aux_loss=False)
    )


class DenseASPPLevel(nn.Sequential):
    """Normalization, ReLU, 1x1, normalization, ReLU, atrous 3x3."""

    def __init__(self, inputs, middle, growth, rate):
        super().__init__(
            nn.BatchNorm2d(inputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(inputs, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(inplace=True),
            nn.Conv2d(middle, growth, 3, padding=rate, dilation=rate, bias=False),
        )


class DenseASPP(nn.Module):
    """DenseNet-121 at an output stride of 8 under the cascade of DenseASPP."""

    def __init__(self, rates=(3, 6, 12, 18, 24), middle=256, growth=64):
        super().__init__()
        from torchvision.models import densenet121

        self.features = densenet121(weights=None).features
        for block, rate in (("denseblock3", 2), ("denseblock4", 4)):
            for layer in getattr(self.features, block).values():
                layer.conv2.dilation = layer.conv2.padding = (rate, rate)
        for transition in (self.features.transition2, self.features.transition3):
            transition.pool = nn.Identity()
        width = 1024
        self.levels = nn.ModuleList()
        for rate in rates:
            self.levels.append(DenseASPPLevel(width, middle, growth, rate))
            width += growth
        self.classifier = nn.Conv2d(width, CLASSES, 1)

    def forward(self, x):
        x = self.features(x)
        for level in self.levels:
            x = torch.cat([level(x), x], 1)
        return self.classifier(x)


def double(inputs, outputs):
    layers = []
    for before in (inputs, outputs):
        layers += [
            nn.Conv2d(before, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """The network of Ronneberger et al. with padding, normalization and transposed convolutions."""

    def __init__(self, widths=(64, 128, 256, 512, 1024)):
        super().__init__()
        self.downs = nn.ModuleList(map(double, (3,) + widths[:-1], widths))
        steps = list(zip(widths[:0:-1], widths[-2::-1]))
        self.grows = nn.ModuleList(nn.ConvTranspose2d(a, b, 2, stride=2) for a, b in steps)
        self.ups = nn.ModuleList(double(2 * b, b) for _, b in steps)
        self.classifier = nn.Conv2d(widths[0], CLASSES, 1)

    def forward(self, x):
        maps = [self.downs[0](x)]
        for down in self.downs[1:]:
            maps.append(down(F.max_pool2d(maps[-1], 2)))
        x = maps.pop()
        for grow, up in zip(self.grows, self.ups):
            x = up(torch.cat([maps.pop(), grow(x)], 1))
        return self.classifier(x)


class Scores(nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x).logits


def segformer(**settings):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    return Scores(SegformerForSemanticSegmentation(SegformerConfig(num_labels=CLASSES, **settings)))


def segformer_b2():
    return segformer(depths=[3, 4, 6, 3], hidden_sizes=[64, 128, 320, 512], decoder_hidden_size=768)


NETWORKS = {
    "deeplabv3-resnet50": deeplabv3_resnet50,
    "denseaspp-densenet121": DenseASPP,
    "deeplabv3-mobilenetv3": deeplabv3_mobilenetv3,
    "unet": UNet,
    # The configuration's defaults are those of B0.
    "segformer-b0": segformer,
    "segformer-b2": segformer_b2,
}


def make(name):
    torch.manual_seed(0)
    return NETWORKS[name]().eval()
