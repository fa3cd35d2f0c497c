#!/usr/bin/env bash
# torch.onnx.export with dynamo=True, its default, writes adaptive_avg_pool2d to k x k regions as an AveragePool whose
# window and stride are those of the example image, although the sides are declared free: the file is written and
# loaded without a word, and for another size it gives a map of another shape.
#
# An AveragePool of a fixed window is what adaptive pooling is at one size only. The exported program says
# that its sides are free (`dynamic_shapes`), onnx.checker is content, and the exporter's own model of the operator
# refuses nothing. Pyramid poolings (PSPNet, UPerNet) thus work at the example's size alone: at others their maps do
# not fit, or are enlarged from other regions. Pooling to one pixel becomes ReduceMean and is right at every size.
#
# Output (torch 2.11.0, onnxscript 0.7.2, onnx 1.23.2, onnxruntime 1.32.0):
#   to 1: ReduceMean; at 24x36 torch [1, 1], file [1, 1]; at 25x31 torch [1, 1], file [1, 1]
#   to 3: AveragePool kernel [8, 12] stride [8, 12]; at 24x36 torch [3, 3], file [3, 3]; at 25x31 torch [3, 3], file [3, 2]
#   to 6: AveragePool kernel [4, 6] stride [4, 6]; at 24x36 torch [6, 6], file [6, 6]; at 25x31 torch [6, 6], file [6, 5]
# Exits with 1 if the shapes for another size agree, or if the export is refused.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install -q torch==2.11.0 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0 numpy
cd "$folder"
"$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import onnx
import onnxruntime
import torch


class Pool(torch.nn.Module):
    def __init__(self, side):
        super().__init__()
        self.side = side

    def forward(self, image):
        return torch.nn.functional.adaptive_avg_pool2d(image, self.side)


def listed(node):
    found = {attribute.name: list(attribute.ints) for attribute in node.attribute}
    if node.op_type != "AveragePool":
        return node.op_type
    return f"AveragePool kernel {found['kernel_shape']} stride {found['strides']}"


differs = True
for side in (1, 3, 6):
    rows, columns = (torch.export.Dim(name, min=12, max=512) for name in ("rows", "columns"))
    program = torch.onnx.export(
        Pool(side).eval(), (torch.zeros(1, 4, 24, 36),), dynamo=True, verbose=False,
        dynamic_shapes=({2: rows, 3: columns},))
    program.save("pool.onnx")
    model = onnx.load("pool.onnx")
    onnx.checker.check_model(model, full_check=True)
    declared = [dimension.dim_param for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    if not (declared[2] and declared[3]):
        sys.exit("the sides are not declared free")
    session = onnxruntime.InferenceSession("pool.onnx", providers=["CPUExecutionProvider"])
    line = f"to {side}: {', '.join(map(listed, model.graph.node))}"
    for shape in ((1, 4, 24, 36), (1, 4, 25, 31)):
        image = torch.rand(*shape)
        expected = list(Pool(side)(image).shape[2:])
        found = list(session.run(None, {session.get_inputs()[0].name: image.numpy()})[0].shape[2:])
        line += f"; at {shape[2]}x{shape[3]} torch {expected}, file {found}"
        if shape[2] == 25:
            differs = differs and (found != expected) == (side > 1)
    print(line, flush=True)
sys.exit(0 if differs else 1)
PYTHON
