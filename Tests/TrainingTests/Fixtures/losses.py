"""Writes losses.safetensors: random scores and labels, and what other implementations make of them.

usage: losses.py OUTPUT   (torch 2.11, torchvision 0.26, segmentation_models_pytorch 0.6)

For every case there are CASE.logits (N, C, H, W) and CASE.target (N, H, W) with 255 for ignored; for
every loss of it CASE.LOSS.value and CASE.LOSS.gradient, the derivative by the logits.
"""
import sys
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from segmentation_models_pytorch import losses as smp
from torchvision.ops import sigmoid_focal_loss

M = "multiclass"


def ohem(x, t, threshold, keep, weight=None):
    """Cross-entropy over the pixels that are hard, written out."""
    losses = F.cross_entropy(x, t, weight=weight, reduction="none", ignore_index=255).flatten()
    valid = (t != 255).flatten()
    own = x.softmax(1).gather(1, t.masked_fill(t == 255, 0)[:, None]).flatten()
    count = min(keep * t.shape[0], int(valid.sum()))
    limit = own[valid].sort().values[count - 1]
    hard = valid & ((own < threshold) | (own <= limit))
    return losses[hard].sum() / (hard.sum() if weight is None else weight[t.flatten()[hard]].sum())


def focal(x, t, gamma, alpha):
    """torchvision's loss, each class against the rest, over labelled pixels."""
    valid = t != 255
    truth = F.one_hot(t[valid], x.shape[1]).float()
    return sigmoid_focal_loss(x.permute(0, 2, 3, 1)[valid], truth, alpha=alpha, gamma=gamma, reduction="mean")


def named(classes):
    w = torch.linspace(0.5, 2, classes)
    ce = lambda **k: (lambda x, t: F.cross_entropy(x, t, ignore_index=255, **k))
    dice = smp.DiceLoss(M, smooth=1e-6, ignore_index=255)
    return {
        "crossEntropy": ce(), "weighted": ce(weight=w), "smoothed": ce(label_smoothing=0.1),
        "weightedSmoothed": ce(weight=w, label_smoothing=0.1),
        "ohem": lambda x, t: ohem(x, t, 0.3, 4), "ohemWeighted": lambda x, t: ohem(x, t, 0.2, 9, w),
        "dice": dice, "crossEntropyDice": lambda x, t: ce()(x, t) + 3 * dice(x, t),
        "focal": lambda x, t: focal(x, t, 2, -1), "focalAlpha": lambda x, t: focal(x, t, 1.5, 0.25),
        "lovasz": smp.LovaszLoss(M, ignore_index=255),
        "tversky": smp.TverskyLoss(M, alpha=0.3, beta=0.7, ignore_index=255),
        "tverskyPower": smp.TverskyLoss(M, alpha=0.3, beta=0.7, gamma=4 / 3, ignore_index=255),
    }


out = {}
torch.manual_seed(7)
for case, (n, c, h, w, scale, ignored) in {
    "plain": (2, 4, 5, 6, 3, 0.2), "few": (3, 3, 6, 4, 1, 0.8), "many": (1, 11, 6, 8, 2, 0.1),
    "steep": (2, 5, 8, 8, 30, 0.3), "whole": (2, 2, 9, 7, 2, 0),
}.items():
    x = torch.randn(n, c, h, w) * scale
    # Every class occurs: Dice differs between implementations for one that does not.
    t = (torch.randperm(n * h * w) % c).reshape(n, h, w)
    t[torch.rand(n, h, w) < ignored] = 255
    assert set(range(c)) <= set(t.unique().tolist()), case
    out[f"{case}.logits"], out[f"{case}.target"] = x, t
    for name, loss in named(c).items():
        y = x.clone().requires_grad_()
        value = loss(y, t)
        value.backward()
        out[f"{case}.{name}.value"], out[f"{case}.{name}.gradient"] = value.detach().reshape(1), y.grad
save_file(out, sys.argv[1])
print(len(out), "tensors")
