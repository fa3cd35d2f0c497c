#!/usr/bin/env python3
"""Writes the reference outputs beside this file: what torchvision, timm, MMSegmentation and milesial's U-Net give
for images whose sides are no multiples of a stride.

Weights and images follow from their names by the rule of `Sources/Parity/Rule.swift`, so that a file holds
a few numbers only. Made with torch 2.11.0, torchvision 0.26.0, timm 1.0.31, mmsegmentation 1.2.2 and mmcv-lite 2.1.0;
milesial's U-Net is no package, and its layers are restated below.

    pip install torch==2.11.0 torchvision==0.26.0 timm==1.0.31 numpy
    pip install --no-deps mmsegmentation==1.2.2 mmcv-lite==2.1.0 mmengine==0.10.7 addict yapf termcolor \
        ftfy prettytable wcwidth rich platformdirs
    python make.py [NAME…]
"""
import json
import os
import sys
import types

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
PROBES = 40


# The rule.

def hash64(name):
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def units(name, count):
    with np.errstate(over="ignore"):
        z = np.uint64(hash64(name)) + np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        z = z ^ z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


def value(name, shape):
    u = units(name, int(np.prod(shape))).reshape(shape)
    s = 2 * u - 1
    last = name.split(".")[-1]
    if last in ("bias", "running_mean") and len(shape) <= 1:
        return np.float32(0.1) * s
    if last == "running_var":
        return np.float32(0.5) + u
    if len(shape) >= 2:
        return s * np.sqrt(np.float32(3) / np.float32(np.prod(shape[1:])))
    return np.float32(0.5) + u


def fill(model, named=lambda name: name):
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            state[name] = torch.from_numpy(np.asarray(value(named(name), tuple(tensor.shape)), np.float32))
    model.load_state_dict(state)
    return model.eval()


def image(height, width):
    u = units("input", 3 * height * width).reshape(1, 3, height, width)
    return torch.from_numpy(2 * (2 * u - 1))


def probe(name, tensor):
    flat = tensor.double().flatten()
    index = (units("probe " + name, PROBES).astype(np.float64) * flat.numel()).astype(np.int64)
    return {
        "shape": list(tensor.shape), "mean": round(flat.mean().item(), 7),
        "std": round(flat.std(correction=0).item(), 7), "index": index.tolist(),
        "value": [float("%.6g" % flat[i].item()) for i in index],
    }


# The networks.

def torchvision_network(name, height, width):
    import torchvision
    kinds = torchvision.models.segmentation
    options = {"weights": None, "weights_backbone": None, "num_classes": 21}
    if not name.startswith("lraspp"):
        options["aux_loss"] = True
    model = fill(getattr(kinds, name)(**options))
    return {"classes": 21, "gradients": {"aux_classifier.": 0}}, model(image(height, width))


def torchvision_classifier(name, height, width):
    import torchvision
    model = fill(getattr(torchvision.models, name)(weights=None))
    return {}, {"out": model(image(height, width))}


def timm_classifier(name, height, width):
    """The classifier, and the last map of the same network at each output stride that it has."""
    import timm
    outputs = {}
    for stride in (32,) if name == "legacy_xception" else (32, 16, 8):
        options = {} if stride == 32 else {"output_stride": stride}
        model = fill(timm.create_model(name, pretrained=False, **options))
        map = model.forward_features(image(height, width))
        outputs["features" if stride == 32 else f"features_stride{stride}"] = map
        if stride == 32:
            outputs["logits"] = model.forward_head(map)
            state = {key: list(value.shape) for key, value in model.state_dict().items()}
    return {"state": state}, outputs


def block(input, output, middle=None):
    middle = middle or output
    layers = [nn.Conv2d(input, middle, 3, padding=1, bias=False), nn.BatchNorm2d(middle), nn.ReLU(),
              nn.Conv2d(middle, output, 3, padding=1, bias=False), nn.BatchNorm2d(output), nn.ReLU()]
    module = nn.Module()
    module.double_conv = nn.Sequential(*layers)
    module.forward = module.double_conv.forward
    return module


class UNet(nn.Module):
    """milesial's U-Net: what an odd side loses on the way down is given back as zeros, half before and
    half after, the odd one after."""

    def __init__(self, classes, bilinear):
        super().__init__()
        widths, factor = [64, 128, 256, 512, 1024], 2 if bilinear else 1
        self.inc, self.bilinear = block(3, 64), bilinear
        for i in range(4):
            down = nn.Module()
            output = widths[i + 1] // (factor if i == 3 else 1)
            down.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), block(widths[i], output))
            setattr(self, f"down{i + 1}", down)
        for i, width in enumerate([1024, 512, 256, 128]):
            up = nn.Module()
            if bilinear:
                output = width // 2 if i == 3 else width // 2 // 2
                up.conv = block(width, output, width // 2)
            else:
                up.up = nn.ConvTranspose2d(width, width // 2, 2, stride=2)
                up.conv = block(width, width // 2)
            setattr(self, f"up{i + 1}", up)
        self.outc = nn.Module()
        self.outc.conv = nn.Conv2d(64, classes, 1)

    def forward(self, x):
        maps = [self.inc(x)]
        for i in range(4):
            maps.append(getattr(self, f"down{i + 1}").maxpool_conv(maps[-1]))
        x = maps.pop()
        for i in range(4):
            step, skip = getattr(self, f"up{i + 1}"), maps.pop()
            if self.bilinear:
                x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
            else:
                x = step.up(x)
            dy, dx = skip.size(2) - x.size(2), skip.size(3) - x.size(3)
            x = F.pad(x, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
            x = step.conv(torch.cat([skip, x], dim=1))
        return self.outc.conv(x)


def milesial_network(name, height, width):
    model = fill(UNet(3, "bilinear" in name))
    return {"classes": 3}, {"out": model(image(height, width))}


def mmsegmentation_network(name, height, width):
    """As `EncoderDecoder.predict` in mode `whole` does it: for networks that want multiples the data
    preprocessor has extended the image by zeros at the right and at the bottom (`size_divisor`), and what
    that added is cut off the scores."""

    class Extension(types.ModuleType):
        """In the place of mmcv's compiled operators, which none of these networks uses."""

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return lambda *a, **k: None

    sys.modules.setdefault("mmcv._ext", Extension("mmcv._ext"))
    from mmengine import ConfigDict
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules
    register_all_modules()
    settings = json.loads(json.dumps(MMSEG[name]))
    divisor = settings.pop("size_divisor", None)
    preprocessor = {"type": "SegDataPreProcessor"}
    if divisor:
        preprocessor["test_cfg"] = {"size_divisor": divisor}
    own = json.loads(json.dumps(settings))
    if own.get("neck", {}).get("type") == "JPU":
        own["neck"].update({key: tuple(own["neck"][key]) for key in ["in_channels", "dilations"]})
    model = MODELS.build(ConfigDict({
        "type": "EncoderDecoder", "data_preprocessor": preprocessor, "test_cfg": {"mode": "whole"},
        **own}))
    fill(model)
    x = image(height, width)
    sample = SegDataSample(metainfo={
        "img_shape": (height, width), "ori_shape": (height, width), "flip": False})
    data = model.data_preprocessor({"inputs": [x[0]], "data_samples": [sample]}, training=False)
    out = model(data["inputs"], data["data_samples"], mode="predict")[0].seg_logits.data[None]
    return {"settings": settings}, {"upsampled": out}


BN = {"type": "BN", "requires_grad": True}
RESNET = {
    "type": "ResNetV1c", "depth": 50, "num_stages": 4, "out_indices": [0, 1, 2, 3],
    "dilations": [1, 1, 2, 4], "strides": [1, 2, 1, 1], "norm_cfg": BN, "norm_eval": False,
    "style": "pytorch", "contract_dilation": True}


def resnet(depth=50, dilates=True, **settings):
    own = {**RESNET, "depth": depth, **settings}
    if not dilates:
        own.update(dilations=[1, 1, 1, 1], strides=[1, 2, 2, 2])
    return own


def head(kind, channels, index, width, **settings):
    return {"type": kind, "in_channels": channels, "in_index": index, "channels": width,
            "dropout_ratio": 0.1, "num_classes": 5, "norm_cfg": BN, "align_corners": False, **settings}


LN = {"type": "LN", "eps": 1e-6, "requires_grad": True}
VIT = {"type": "VisionTransformer", "patch_size": 16, "in_channels": 3, "embed_dims": 96,
       "num_layers": 4, "num_heads": 3, "img_size": [128, 128], "interpolate_mode": "bilinear",
       "norm_cfg": LN, "with_cls_token": True, "drop_rate": 0}
UNET = {"type": "UNet", "in_channels": 3, "base_channels": 16, "num_stages": 5,
        "strides": [1, 1, 1, 1, 1], "enc_num_convs": [2, 2, 2, 2, 2], "dec_num_convs": [2, 2, 2, 2],
        "downsamples": [True, True, True, True], "enc_dilations": [1, 1, 1, 1, 1],
        "dec_dilations": [1, 1, 1, 1], "norm_cfg": BN, "act_cfg": {"type": "ReLU"},
        "upsample_cfg": {"type": "InterpConv"}, "norm_eval": False}
MMSEG = {
    "deeplabv3_r18-d8": {
        "backbone": resnet(18), "decode_head": head(
            "ASPPHead", 512, 3, 64, dilations=[1, 12, 24, 36])},
    "deeplabv3plus_r50-d8": {
        "backbone": resnet(), "decode_head": head(
            "DepthwiseSeparableASPPHead", 2048, 3, 64, dilations=[1, 12, 24, 36], c1_in_channels=256,
            c1_channels=48)},
    "pspnet_r18-d8": {
        "backbone": resnet(18), "decode_head": head("PSPHead", 512, 3, 64, pool_scales=[1, 2, 3, 6])},
    "danet_r18-d8": {"backbone": resnet(18), "decode_head": head("DAHead", 512, 3, 64, pam_channels=16)},
    "encnet_r18-d8": {
        "backbone": resnet(18), "decode_head": head(
            "EncHead", [128, 256, 512], [1, 2, 3], 64, num_codes=8, use_se_loss=True,
            add_lateral=False, loss_se_decode={
                "type": "CrossEntropyLoss", "use_sigmoid": True, "loss_weight": 0.2})},
    "ann_r18-d8": {
        "backbone": resnet(18), "decode_head": head(
            "ANNHead", [256, 512], [2, 3], 64, project_channels=32, query_scales=[1],
            key_pool_scales=[1, 3, 6, 8])},
    "nonlocal_r18-d8": {
        "backbone": resnet(18), "decode_head": head(
            "NLHead", 512, 3, 64, reduction=2, use_scale=True, mode="embedded_gaussian")},
    "fastfcn_r18-d32_jpu": {
        "backbone": resnet(18, dilates=False, out_indices=[1, 2, 3]), "neck": {
            "type": "JPU", "in_channels": [128, 256, 512], "mid_channels": 32,
            "start_level": 0, "end_level": -1, "dilations": [1, 2, 4, 8], "align_corners": False,
            "norm_cfg": BN},
        "decode_head": head("PSPHead", 128, 2, 64, pool_scales=[1, 2, 3, 6])},
    "fcn_r18v1d-d16": {
        "backbone": resnet(
            18, type="ResNetV1d", dilations=[1, 1, 1, 2], strides=[1, 2, 2, 1]),
        "decode_head": head(
            "FCNHead", 512, 3, 64, num_convs=2, concat_input=True, dilation=6)},
    "segformer_mit-b0": {
        "backbone": {
            "type": "MixVisionTransformer", "in_channels": 3, "embed_dims": 32, "num_stages": 4,
            "num_layers": [2, 2, 2, 2], "num_heads": [1, 2, 5, 8], "patch_sizes": [7, 3, 3, 3],
            "sr_ratios": [8, 4, 2, 1], "out_indices": [0, 1, 2, 3], "mlp_ratio": 4, "qkv_bias": True,
            "drop_rate": 0.0, "attn_drop_rate": 0.0, "drop_path_rate": 0.1},
        "decode_head": head("SegformerHead", [32, 64, 160, 256], [0, 1, 2, 3], 64)},
    "upernet_swin-t": {
        "backbone": {
            "type": "SwinTransformer", "embed_dims": 24, "patch_size": 4, "window_size": 7,
            "mlp_ratio": 4, "depths": [2, 2, 2, 2], "num_heads": [1, 2, 4, 8], "strides": [4, 2, 2, 2],
            "out_indices": [0, 1, 2, 3], "qkv_bias": True, "patch_norm": True, "drop_rate": 0.0,
            "attn_drop_rate": 0.0, "drop_path_rate": 0.3, "use_abs_pos_embed": False,
            "act_cfg": {"type": "GELU"}, "norm_cfg": {"type": "LN", "requires_grad": True}},
        "decode_head": head(
            "UPerHead", [24, 48, 96, 192], [0, 1, 2, 3], 32, pool_scales=[1, 2, 3, 6])},
    "upernet_vit_mln": {
        "backbone": {**VIT, "out_indices": [0, 1, 2, 3], "interpolate_mode": "bicubic"},
        "neck": {"type": "MultiLevelNeck", "in_channels": [96] * 4, "out_channels": 96,
                 "scales": [4, 2, 1, 0.5]},
        "decode_head": head("UPerHead", [96] * 4, [0, 1, 2, 3], 32, pool_scales=[1, 2, 3, 6])},
    "setr_naive_vit": {
        "backbone": {**VIT, "out_indices": [3]},
        "decode_head": head(
            "SETRUPHead", 96, 0, 32, num_convs=1, up_scale=4, kernel_size=1,
            norm_cfg={**BN})},
    "segmenter_vit_mask": {
        "backbone": {**VIT, "final_norm": True, "out_indices": [3]},
        "decode_head": {
            "type": "SegmenterMaskTransformerHead", "in_channels": 96, "channels": 96,
            "num_classes": 5, "num_layers": 2, "num_heads": 3, "embed_dims": 96,
            "dropout_ratio": 0.0, "align_corners": False}},
    "dpt_vit": {
        "backbone": {**VIT, "out_indices": [0, 1, 2, 3], "output_cls_token": True},
        "decode_head": head(
            "DPTHead", [96] * 4, [0, 1, 2, 3], 32, embed_dims=96, input_transform="multiple_select",
            post_process_channels=[16, 24, 32, 48], readout_type="project")},
    "unet_fcn": {
        "size_divisor": 16, "backbone": UNET, "decode_head": head(
            "FCNHead", 16, 4, 16, num_convs=1, concat_input=False)},
}

SIZES = [(97, 131)]
LARGE = [(360, 480), (513, 513)]
FILES = (
    [("torchvision", name, size, torchvision_network) for name in [
        "fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"] for size in SIZES]
    + [("torchvision", "deeplabv3_mobilenet_v3_large", size, torchvision_network) for size in LARGE]
    + [("torchvision", "lraspp_mobilenet_v3_large", size, torchvision_network) for size in LARGE]
    + [("torchvision", "deeplabv3_resnet50", LARGE[0], torchvision_network)]
    + [("torchvision", name, size, torchvision_classifier) for name in [
        "densenet121", "convnext_tiny", "swin_t", "mobilenet_v2"] for size in SIZES]
    + [("torchvision", "regnet_y_400mf", size, torchvision_classifier) for size in SIZES]
    + [("timm", name, size, timm_classifier) for name in [
        "regnetx_002", "regnety_004", "legacy_xception"] for size in SIZES]
    + [("milesial", name, size, milesial_network) for name in ["unet", "unet-bilinear"]
       for size in SIZES]
    + [("mmseg", name, size, mmsegmentation_network) for name in MMSEG for size in SIZES]
    + [("mmseg", name, (127, 160), mmsegmentation_network) for name in [
        "unet_fcn", "upernet_swin-t", "setr_naive_vit"]])


def main():
    wanted = sys.argv[1:]
    for family, name, (height, width), make in FILES:
        file = f"{family}-{name}-{height}x{width}"
        if wanted and not any(part in file for part in wanted):
            continue
        extra, outputs = make(name, height, width)
        document = {"model": f"{family}/{name}", "input": [1, 3, height, width], **extra,
                    "outputs": {key: probe(key, tensor) for key, tensor in outputs.items()}}
        with open(os.path.join(HERE, file + ".json"), "w") as out:
            json.dump(document, out, separators=(",", ":"))
            out.write("\n")
        print(file, {key: tuple(tensor.shape) for key, tensor in outputs.items()})


main()
