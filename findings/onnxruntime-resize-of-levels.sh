#!/usr/bin/env bash
# ONNX Runtime's Resize cuts the fractions of interpolated 8-bit images off; with antialias=1 it rounds, but after each
# axis, and mode cubic runs with antialias=1 only.
#
# The standard takes whole numbers for Resize in every mode; its own evaluation (onnx.reference) and OpenVINO round once
# at the end, as Pillow, OpenCV and torch do. So a network with the resizing of its photographs inside the file, on
# bytes as preprocessing usually does it, sees them half a level darker in ONNX Runtime: a shift that grows with every
# further step, and a black image stays black while no fraction ever becomes white. A cubic Resize of bytes passes
# onnx.checker and opens, and is an error only when it runs. Rounding after each axis moves about every sixth value.
#
# Output (onnx 1.23.2, onnxruntime 1.32.0, openvino 2026.4.1, numpy 2):
#   0 1 4 200 at twice its length: standard [0, 0, 1, 2, 3, 53, 151, 200], OpenVINO the same, ONNX Runtime [0, 0, 0, 1, 3, 53, 151, 200]
#   noise 30x20 to 47x33, linear: ONNX Runtime's mean less the standard's -0.498, 49.8 % of values differ; OpenVINO 0.1 %
#   noise 30x20 to 17x13, linear, antialias: ONNX Runtime's mean less the standard's -0.015, 17.2 % of values differ
#   cubic: ONNX Runtime fails when it runs: Resize
# Exits with 1 if ONNX Runtime rounds as the standard does, or runs the cubic one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1 "numpy>=2,<3"
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import numpy
import onnx
import onnxruntime
import openvino
from onnx.reference import ReferenceEvaluator


def resizing(shape, to, **attributes):
    node = onnx.helper.make_node(
        "Resize", ["image", "", "", "size"], ["resized"],
        coordinate_transformation_mode="half_pixel", **attributes)
    size = onnx.helper.make_tensor("size", onnx.TensorProto.INT64, [4], to)
    graph = onnx.helper.make_graph(
        [node], "resizing",
        [onnx.helper.make_tensor_value_info("image", onnx.TensorProto.UINT8, shape)],
        [onnx.helper.make_tensor_value_info("resized", onnx.TensorProto.UINT8, to)], [size])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def runtime(model, image):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": image})[0]


def vino(model, image):
    core = openvino.Core()
    return next(iter(core.compile_model(core.read_model(model.SerializeToString()), "CPU")([image]).values()))


def standard(model, image):
    return ReferenceEvaluator(model).run(None, {"image": image})[0]


row = numpy.array([0, 1, 4, 200], numpy.uint8).reshape(1, 1, 1, 4)
model = resizing(row.shape, [1, 1, 1, 8], mode="linear")
right, open_vino, cut = (run(model, row).ravel().tolist() for run in (standard, vino, runtime))
same = "the same" if open_vino == right else open_vino
print(f"0 1 4 200 at twice its length: standard {right}, OpenVINO {same}, ONNX Runtime {cut}")
differs = right == [0, 0, 1, 2, 3, 53, 151, 200] and cut == [0, 0, 0, 1, 3, 53, 151, 200]

image = numpy.random.default_rng(0).integers(0, 256, (1, 3, 20, 30)).astype(numpy.uint8)
for to, words, more in (([1, 3, 33, 47], "linear", {}), ([1, 3, 13, 17], "linear, antialias", {"antialias": 1})):
    model = resizing(image.shape, to, mode="linear", **more)
    right, found = (run(model, image).astype(float) for run in (standard, runtime))
    other = 100 * (found != right).mean()
    line = (f"noise 30x20 to {to[3]}x{to[2]}, {words}: ONNX Runtime's mean less the standard's"
            f" {(found - right).mean():.3f}, {other:.1f} % of values differ")
    if not more:
        # A value whose fraction is a half to the last bit may go either way. OpenVINO's antialias is another matter.
        near = 100 * (vino(model, image) != right).mean()
        line += f"; OpenVINO {near:.1f} %"
        differs = differs and near < 1
    print(line)
    differs = differs and other > 10

model = resizing(image.shape, [1, 3, 33, 47], mode="cubic")
try:
    runtime(model, image)
    print("cubic: ONNX Runtime runs it")
    differs = False
except Exception as error:
    print("cubic: ONNX Runtime fails when it runs:", "Resize" if "Resize" in str(error) else error)
sys.exit(0 if differs else 1)
PYTHON
