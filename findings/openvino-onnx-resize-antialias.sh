#!/usr/bin/env bash
# OpenVINO reads an ONNX Resize with antialias=1 as one without and says nothing; the same module converted from PyTorch
# directly keeps it.
#
# Shrinking with antialiasing is what Pillow and torchvision do with photographs, and files that have their preprocessing
# inside have it as `antialias`, as torch's exporter writes it. ONNX Runtime computes it. In OpenVINO a bright pixel in
# the middle of nine keeps its whole light instead of a ninth, and noise differs by a third of its range: a network sees
# an aliased photograph and its scores change without a message. `openvino.convert_model` of the PyTorch module itself
# is right to the last bits, so that two ways to one engine give two results.
#
# Output (torch 2.11.0, onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, openvino 2026.4.1):
#   a pixel of 81 among zeros, 9x9 to 3x3: torch 9, ONNX Runtime 9, OpenVINO from ONNX 81, OpenVINO from PyTorch 9
#   bilinear, noise 30x20 to 13x9: largest difference to torch: ONNX Runtime 0.0000, OpenVINO from ONNX 0.3702, from PyTorch 0.0000
#   bicubic, noise 30x20 to 13x9: largest difference to torch: ONNX Runtime 0.0000, OpenVINO from ONNX 0.5086, from PyTorch 0.0000
# Exits with 1 if OpenVINO's result from the ONNX file is torch's.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 openvino==2026.4.1 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import onnx
import onnxruntime
import openvino
import torch


class Shrink(torch.nn.Module):
    def __init__(self, size, mode):
        super().__init__()
        self.size, self.mode = size, mode

    def forward(self, image):
        return torch.nn.functional.interpolate(image, size=self.size, mode=self.mode, antialias=True)


def results(module, image):
    module.eval()
    torch.onnx.export(module, (image,), dynamo=True, verbose=False).save("shrink.onnx")
    model = onnx.load("shrink.onnx")
    onnx.checker.check_model(model, full_check=True)
    resize = [node for node in model.graph.node if node.op_type == "Resize"]
    if not any(entry.name == "antialias" and entry.i == 1 for entry in resize[0].attribute):
        sys.exit("the file has no antialias")
    feeds = {model.graph.input[0].name: image.numpy()}
    session = onnxruntime.InferenceSession("shrink.onnx", providers=["CPUExecutionProvider"])
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    core = openvino.Core()
    from_file = core.compile_model("shrink.onnx", "CPU", exact)
    from_torch = core.compile_model(openvino.convert_model(module, example_input=image), "CPU", exact)
    return (
        module(image).numpy(), session.run(None, feeds)[0],
        next(iter(from_file([image.numpy()]).values())), next(iter(from_torch([image.numpy()]).values())))


light = torch.zeros(1, 1, 9, 9)
light[0, 0, 4, 4] = 81
right, runtime, from_file, from_torch = (found[0, 0, 1, 1] for found in results(Shrink((3, 3), "bilinear"), light))
print(f"a pixel of 81 among zeros, 9x9 to 3x3: torch {right:.0f}, ONNX Runtime {runtime:.0f},"
      f" OpenVINO from ONNX {from_file:.0f}, OpenVINO from PyTorch {from_torch:.0f}")
differs = round(float(runtime)) == round(float(from_torch)) == 9 and round(float(from_file)) == 81

torch.manual_seed(0)
image = torch.rand(1, 3, 20, 30)
for mode in ("bilinear", "bicubic"):
    right, *others = results(Shrink((9, 13), mode), image)
    runtime, from_file, from_torch = (abs(found - right).max() for found in others)
    print(f"{mode}, noise 30x20 to 13x9: largest difference to torch: ONNX Runtime {runtime:.4f},"
          f" OpenVINO from ONNX {from_file:.4f}, from PyTorch {from_torch:.4f}")
    differs = differs and runtime < 1e-5 and from_torch < 1e-5 and from_file > 0.1
sys.exit(0 if differs else 1)
PYTHON
