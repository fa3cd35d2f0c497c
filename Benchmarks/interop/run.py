#!/usr/bin/env python3
"""Runs networks that `atrous export --onnx` wrote with ONNX Runtime, and compares with what Atrous gives.

Weights are drawn; the image is noise, which `--example` writes beside Atrous's own scores. Prints a table
as Markdown: the largest difference in multiples of the scores' deviation, and the share of pixels with the
same class. Needs onnx, onnxruntime and numpy.
"""

import argparse
import os
import subprocess
import sys
import tempfile

try:
    import numpy
    import onnx
    import onnxruntime
    from onnx import numpy_helper
except ImportError as error:  # --help needs none of them
    missing = error
else:
    missing = None

# What the file says besides `classes: 19`. SETR's heads are not among them yet.
NETWORKS = {
    "DeepLabV3, ResNet-50, stride 8": "backbone: {name: resnet50, outputStride: 8}, head: {name: deeplabv3}",
    "DeepLabV3, MobileNetV3-Large": "backbone: {name: mobilenet_v3_large, outputStride: 16}, head: {name: deeplabv3}",
    "DenseASPP, DenseNet-121, stride 8": "backbone: {name: densenet121, outputStride: 8}, head: {name: denseaspp}",
    "U-Net": "backbone: {name: unet}, head: {name: linear}",
    "U-Net, bilinear": "backbone: {name: unet, bilinear: true}, head: {name: linear}",
    "LR-ASPP, MobileNetV3-Large": "backbone: {name: mobilenet_v3_large, outputStride: 16}, head: {name: lraspp}",
    "FCN, ResNet-50, stride 8": "backbone: {name: resnet50, outputStride: 8}, head: {name: fcn}",
    "DeepLabV3+, ResNet-18": "backbone: {name: resnet18, outputStride: 16}, head: {name: deeplabv3plus}",
    "DeepLabV3+, EfficientNet-Lite0": "backbone: {name: efficientnet_lite0, outputStride: 16}, head: {name: deeplabv3plus}",
    "DeepLabV3, MobileNetV2": "backbone: {name: mobilenet_v2, outputStride: 16}, head: {name: deeplabv3}",
    "PSPNet, ResNet-18, corners kept": "alignCorners: true, backbone: {name: resnet18, outputStride: 8}, head: {name: pspnet}",
    "UPerNet, ConvNeXt-T": "backbone: {name: convnext_tiny}, head: {name: upernet}",
    "UPerNet, Swin-T": "backbone: {name: swin_t}, head: {name: upernet}",
    "SegFormer, MiT-B0": "backbone: {name: mit_b0}, head: {name: segformer}",
    "EncNet, ResNet-18": "backbone: {name: resnet18, outputStride: 8}, head: {name: encnet}",
    "FastFCN, ResNet-18": "backbone: {name: resnet18, outputStride: 32}, head: {name: fastfcn}",
    "NonLocalNet, ResNet-18": "backbone: {name: resnet18, outputStride: 8}, head: {name: nonlocal}",
    "ANN, ResNet-18": "backbone: {name: resnet18, outputStride: 8}, head: {name: ann}",
    "DANet, ResNet-18": "backbone: {name: resnet18, outputStride: 8}, head: {name: danet}",
    "FCN, ViT": "backbone: {name: vit, outputStride: 16, depth: 4, width: 192, heads: 3}, head: {name: fcn}",
    "Segmenter, ViT": "backbone: {name: vit, outputStride: 16, depth: 4, width: 192, heads: 3}, head: {name: segmenter}",
    "DPT, ViT": "backbone: {name: vit, outputStride: 16, depth: 4, width: 192, heads: 3}, head: {name: dpt}",
}


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--sizes", nargs="+", default=["192x128", "161x97"], metavar="WIDTHxHEIGHT")
    result.add_argument("--only", default="", help="networks whose name has this")
    result.add_argument("--backbones", nargs="+", default=[], help="others of the catalogue, under FCN")
    result.add_argument("--opset", default="20")
    result.add_argument("--takes", default="normalized")
    result.add_argument("--gives", default="logits")
    return result.parse_args()


def tensor(path):
    with open(path, "rb") as file:
        return numpy_helper.to_array(onnx.TensorProto.FromString(file.read()))


def compared(options, text, size, folder):
    """The largest difference in deviations, and the share of equal classes."""
    configuration, model = os.path.join(folder, "network.yaml"), os.path.join(folder, "network.onnx")
    with open(configuration, "w") as file:
        file.write(f"model: {{classes: 19, {text}}}\n")
    command = [options.atrous, "export", configuration, "--onnx", model, "--size", size, "--opset",
               options.opset, "--takes", options.takes, "--gives", options.gives, "--example", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    # All shapes are worked out and compared with those that the file names.
    onnx.checker.check_model(model, full_check=True)
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    session = onnxruntime.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    image, own = tensor(os.path.join(folder, "input_0.pb")), tensor(os.path.join(folder, "output_0.pb"))
    theirs, = session.run(None, {"image": image})
    if theirs.shape != own.shape or theirs.dtype != own.dtype:
        raise RuntimeError(f"{theirs.dtype}{theirs.shape}, expected {own.dtype}{own.shape}")
    if options.gives == "labels":
        return 0.0, float((theirs == own).mean())
    difference = numpy.abs(theirs.astype(numpy.float64) - own).max() / own.std(dtype=numpy.float64)
    return float(difference), float((theirs.argmax(1) == own.argmax(1)).mean())


def main():
    options = arguments()
    if missing:
        sys.exit(f"{missing}; expected onnx, onnxruntime and numpy (pip install)")
    networks = NETWORKS if not options.backbones else {
        name: f"backbone: {{name: {name}}}, head: {{name: fcn}}" for name in options.backbones}
    print(f"onnx {onnx.__version__}, ONNX Runtime {onnxruntime.__version__}, opset {options.opset}\n")
    print("| network | " + " | ".join(f"{size}: difference | equal classes" for size in options.sizes) + " |")
    print("|---|" + "---|" * (2 * len(options.sizes)), flush=True)
    failed = False
    for name, text in networks.items():
        if options.only.lower() not in name.lower():
            continue
        cells = []
        for size in options.sizes:
            with tempfile.TemporaryDirectory() as folder:
                try:
                    difference, equal = compared(options, text, size, folder)
                    cells += [f"{difference:.1e}", f"{100 * equal:.3f} %"]
                    failed |= difference > 1e-4 or equal < 0.9999
                except Exception as error:  # one network's failure is a row
                    cells += [str(error).strip().splitlines()[0][:150], ""]
                    failed = True
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
