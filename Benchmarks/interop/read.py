#!/usr/bin/env python3
"""Writes networks of other toolkits as ONNX files and compares what Atrous and ONNX Runtime make of them.

Networks of torchvision, segmentation_models.pytorch, Hugging Face and MMSegmentation with drawn weights, by both of torch's
exporters, for fixed and for free sizes. `atrous benchmark FILE --example FOLDER` runs each on an image of noise.
Prints a table as Markdown: the largest difference in multiples of the scores' deviation, and the share of pixels
with the same class. Needs torch, onnx, onnxscript and onnxruntime; networks whose toolkit is missing are left out.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import warnings

import weights

FAMILIES = ("torchvision", "smp", "huggingface", "mmsegmentation")


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--folder", default="out/interop/read", help="where files go, and stay")
    result.add_argument("--only", default="", help="networks whose name has this")
    result.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    result.add_argument("--exporters", nargs="+", default=["new", "old"], choices=["new", "old"])
    result.add_argument("--sizes", nargs="+", default=["fixed", "free"], choices=["fixed", "free"])
    result.add_argument("--opsets", nargs="+", type=int, default=[0], help="0 for the exporter's own")
    result.add_argument("--write", action="store_true", help="write the files and run nothing")
    return result.parse_args()


def networks():
    """Each network's name, family, what builds it, and the image's height and width."""
    usual = (128, 192)
    # The old exporter takes poolings to a grid only where it fits the map, of 1, 2, 3 and 6 cells a side.
    gridded = (192, 384)

    def torchvision(name):
        def build():
            models = importlib.import_module("torchvision.models.segmentation")
            extra = {} if name.startswith("lraspp") else {"aux_loss": False}
            return getattr(models, name)(weights=None, weights_backbone=None, num_classes=21, **extra)
        return build

    def smp(decoder, encoder="resnet34", **settings):
        def build():
            toolkit = importlib.import_module("segmentation_models_pytorch")
            return getattr(toolkit, decoder)(encoder, encoder_weights=None, classes=19, **settings)
        return build

    def huggingface(build_model):
        def build():
            return build_model(importlib.import_module("transformers"))
        return build

    for name in ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101",
                 "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"):
        yield f"torchvision {name}", "torchvision", torchvision(name), usual
    for decoder in ("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3",
                    "DeepLabV3Plus", "UPerNet", "Segformer"):
        yield f"SMP {decoder}", "smp", smp(decoder), gridded if decoder in ("PSPNet", "UPerNet") else usual
    yield "SMP Unet, EfficientNet-B0", "smp", smp("Unet", "efficientnet-b0"), usual
    yield "SMP Unet, MobileNetV2", "smp", smp("Unet", "mobilenet_v2"), usual
    yield "SMP DPT", "smp", smp("DPT", "tu-vit_tiny_patch16_224", dynamic_img_size=True), usual
    labels = {str(i): f"class {i}" for i in range(19)}
    names = {name: int(i) for i, name in labels.items()}
    common = dict(id2label={int(i): name for i, name in labels.items()}, label2id=names)
    yield "HF SegFormer-B0", "huggingface", huggingface(
        lambda t: t.SegformerForSemanticSegmentation(t.SegformerConfig(**common))), usual
    yield "HF UPerNet, ConvNeXt-T", "huggingface", huggingface(
        lambda t: t.UperNetForSemanticSegmentation(t.UperNetConfig(
            backbone_config=t.ConvNextConfig(
                hidden_sizes=[96, 192, 384, 768], depths=[3, 3, 9, 3], out_features=["stage1", "stage2", "stage3", "stage4"]),
            hidden_size=128, use_auxiliary_head=False, **common))), gridded
    yield "HF UPerNet, Swin-T", "huggingface", huggingface(
        lambda t: t.UperNetForSemanticSegmentation(t.UperNetConfig(
            backbone_config=t.SwinConfig(out_features=["stage1", "stage2", "stage3", "stage4"]),
            hidden_size=128, use_auxiliary_head=False, **common))), gridded
    yield "HF DPT", "huggingface", huggingface(
        lambda t: t.DPTForSemanticSegmentation(t.DPTConfig(
            hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, image_size=128,
            backbone_out_indices=[2, 5, 8, 11], neck_hidden_sizes=[48, 96, 192, 192], fusion_hidden_size=64,
            is_hybrid=False, use_auxiliary_head=False, **common))), (128, 128)
    yield "HF DeepLabV3+, MobileNetV2", "huggingface", huggingface(
        lambda t: t.MobileNetV2ForSemanticSegmentation(t.MobileNetV2Config(**common))), usual
    for name, family, build, _ in weights.networks():
        if family == "mmsegmentation":
            isGridded = any(word in name for word in ("PSPNet", "UPerNet"))
            yield name, family, build, gridded if isGridded else usual


def plain(torch, network):
    """The network with one tensor as its result, and norms that do something."""
    class Plain(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network

        def forward(self, image):
            if hasattr(self.network, "encode_decode"):
                return self.network.encode_decode(image, [{"img_shape": tuple(image.shape[2:])}])
            result = self.network(image)
            if torch.is_tensor(result):
                return result
            return result["out"] if isinstance(result, dict) and "out" in result else result.logits

    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
    return Plain().eval()


def export(torch, network, path, exporter, free, opset, size):
    image = torch.randn(1, 3, *size)
    settings = dict(input_names=["image"], output_names=["logits"], verbose=False)
    if opset:
        settings["opset_version"] = opset
    if exporter == "new":
        if free:
            dim = torch.export.Dim
            settings["dynamic_shapes"] = ({0: dim.STATIC, 1: dim.STATIC, 2: dim.DYNAMIC, 3: dim.DYNAMIC},)
        torch.onnx.export(network, (image,), path, dynamo=True, **settings)
    else:
        if free:
            settings["dynamic_axes"] = {"image": {2: "height", 3: "width"}, "logits": {2: "height", 3: "width"}}
        torch.onnx.export(network, (image,), path, dynamo=False, **settings)


def compared(options, path, size):
    """What `atrous benchmark --example` says of ONNX Runtime's result."""
    import numpy
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    takes = session.get_inputs()[0]
    fixed = [length if isinstance(length, int) else None for length in takes.shape]
    planar = fixed[1] == 3 or fixed[-1] != 3
    shape = [1, 3, *size] if planar else [1, *size, 3]
    shape = [known or length for known, length in zip(fixed, shape)]
    image = numpy.random.default_rng(0).standard_normal(shape).astype(numpy.float32)
    theirs = session.run([session.get_outputs()[0].name], {takes.name: image})[0]
    return own_difference(options, path, image, theirs)


def own_difference(options, path, image, theirs):
    """Atrous's difference to scores: the largest, in their deviations, and the share of equal classes."""
    from onnx import numpy_helper
    folder = path + ".example"
    os.makedirs(folder, exist_ok=True)
    for name, value in (("input_0.pb", image), ("output_0.pb", theirs)):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(numpy_helper.from_array(value).SerializeToString())
    done = subprocess.run([options.atrous, "benchmark", path, "--example", folder, "--json"],
                          capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
    report = json.loads(done.stdout)
    # What is no number is a text in JSON.
    return float(report["difference"]), report["agreement"]


def main():
    options = arguments()
    os.makedirs(options.folder, exist_ok=True)
    warnings.filterwarnings("ignore")
    try:
        import torch
    except ImportError as error:
        sys.exit(f"{error}; expected torch, onnx, onnxscript and onnxruntime (pip install)")
    failed = False
    print("| network | exporter, sizes, opset | difference | equal classes |\n|---|---|---|---|", flush=True)
    for name, family, build, size in networks():
        if family not in options.families or options.only.lower() not in name.lower():
            continue
        network = None
        for exporter in options.exporters:
            for sizes in options.sizes:
                for opset in options.opsets:
                    words = f"{exporter}, {sizes}, {opset or 'own'}"
                    file = "".join(c if c.isalnum() else "_" for c in f"{name} {words}") + ".onnx"
                    path = os.path.join(options.folder, file)
                    try:
                        if not os.path.exists(path):
                            if network is None:
                                torch.manual_seed(0)
                                network = plain(torch, build())
                            with open(os.devnull, "w") as nothing:
                                keep, sys.stdout = sys.stdout, nothing
                                try:
                                    export(torch, network, path, exporter, sizes == "free", opset, size)
                                finally:
                                    sys.stdout = keep
                        if options.write:
                            continue
                        # Free sizes are tried at another than the one that was exported.
                        own = size if sizes == "fixed" else (2 * size[0], size[1])
                        difference, equal = compared(options, path, own)
                        cells = f"{difference:.1e} | {100 * equal:.3f} %"
                        failed |= not difference <= 1e-4 or equal < 0.9999
                    except ImportError as error:
                        cells = f"left out: {error} | "
                    except Exception as error:  # one network's failure is a row
                        if os.path.exists(path) and os.path.getsize(path) == 0:
                            os.remove(path)
                        text = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
                        cells = f"{text} | "
                        failed = True
                    print(f"| {name} | {words} | {cells} |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
