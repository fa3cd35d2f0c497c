#!/usr/bin/env bash
# onnx.version_converter, which lifts a model to a newer opset, shifts what Upsample and Resize of opsets 7 to 10
# enlarge: by half a pixel of the small map less half a pixel of the large one, which is 3.5 pixels at a scale of 8.
#
# In those opsets pixel x of the result is read at x / scale. Resize of opset 11 on reads at (x + 0.5) / scale - 0.5
# unless it is told `asymmetric`, and the converter does not tell it; checker, shapes and types are content. PyTorch
# until 1.4 wrote opset 9, so that this is the way on for networks of that time; their last layer enlarges the scores
# bilinearly, and every border of the converted network lies elsewhere. Nearest Upsample passes whole scales unharmed,
# Resize of others does not. ONNX Runtime and onnx.reference agree on each file.
#
# Output (onnx 1.23.2, onnxruntime 1.32.0):
#   Upsample of opset 7, linear, scale 8: the edge is at 60, after conversion to 17 at 63; a ramp moves by 3.50 pixels
#   Upsample of opset 9, linear, scale 8: the edge is at 60, after conversion to 17 at 63; a ramp moves by 3.50 pixels
#   Resize of opset 10, linear, scale 8: the edge is at 60, after conversion to 17 at 63; a ramp moves by 3.50 pixels
#   Resize of opset 10, linear, scale 2: the edge is at 15, after conversion to 17 at 16; a ramp moves by 0.50 pixels
#   Upsample of opset 9, nearest, scale 4: 0.0 % of pixels differ
#   Resize of opset 10, nearest, scale 1.7: 22.2 % of pixels differ
# Exits with 1 if the converted models give the originals' numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import helper, version_converter


def model(operator, opset, mode, scale):
    parts = [
        helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, [1, 1, 1, 16]),
        helper.make_tensor_value_info("large", onnx.TensorProto.FLOAT, [1, 1, 1, int(16 * scale)])]
    scales = np.array([1, 1, 1, scale], np.float32)
    if opset < 9:
        node = helper.make_node(operator, ["map"], ["large"], mode=mode, scales=scales.tolist())
        held = []
    else:
        node = helper.make_node(operator, ["map", "scales"], ["large"], mode=mode)
        held = [onnx.numpy_helper.from_array(scales, "scales")]
    graph = helper.make_graph([node], "enlarging", parts[:1], parts[1:], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=4)
    onnx.checker.check_model(made, full_check=True)
    return made


def run(made, values):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"map": values})[0].ravel()


edge = np.repeat([0, 1], 8).astype(np.float32).reshape(1, 1, 1, 16)
steps = np.arange(16, dtype=np.float32).reshape(1, 1, 1, 16)
differs = True
for operator, opset, scale in (("Upsample", 7, 8), ("Upsample", 9, 8), ("Resize", 10, 8), ("Resize", 10, 2)):
    old = model(operator, opset, "linear", scale)
    new = version_converter.convert_version(old, 17)
    onnx.checker.check_model(new, full_check=True)
    border = [int(np.argmax(run(made, edge) > 0.4)) for made in (old, new)]
    middle = slice(2 * scale, -2 * scale)
    shift = (run(old, steps) - run(new, steps))[middle].mean() * scale
    print(f"{operator} of opset {opset}, linear, scale {scale}: the edge is at {border[0]}, after conversion to 17 at {border[1]};"
          f" a ramp moves by {shift:.2f} pixels")
    differs = differs and abs(shift - (scale - 1) / 2) < 0.01
for operator, opset, scale in (("Upsample", 9, 4), ("Resize", 10, 1.7)):
    old = model(operator, opset, "nearest", scale)
    first, second = run(old, steps), run(version_converter.convert_version(old, 17), steps)
    print(f"{operator} of opset {opset}, nearest, scale {scale}: {100 * (first != second).mean():.1f} % of pixels differ")
sys.exit(0 if differs else 1)
PYTHON
