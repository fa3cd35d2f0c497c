#!/usr/bin/env python3
"""Says how far Atrous and ONNX Runtime are from a network's exact scores, computed in double precision.

usage: exact.py "backbone: {name: mit_b0}, head: {name: linknet}" … [--atrous PATH] [--size WIDTHxHEIGHT]

The network is exported as run.py does, and its graph computed in float64 by onnx's own reference evaluator, which is
slow: small sizes only. Where both programs differ from that by as much as from each other, the difference between
them is the rounding of float32, which a network with drawn weights may enlarge. Needs numpy, onnx and onnxruntime.
"""

import argparse
import os
import sys
import tempfile
import types

try:
    import numpy
    import onnx
    from onnx import TensorProto, numpy_helper
    from onnx.reference import ReferenceEvaluator
except ImportError as error:  # --help needs none of them
    missing = error
else:
    missing = None

import run


def double(model):
    """The same graph in float64."""
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float64"), name))
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_type == TensorProto.FLOAT:
                values = numpy_helper.to_array(attribute.t).astype("float64")
                attribute.t.CopyFrom(numpy_helper.from_array(values, attribute.t.name))
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    for value in [*model.graph.input, *model.graph.output, *model.graph.value_info]:
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="+", metavar="NETWORK")
    parser.add_argument("--atrous", default=".build/release/atrous")
    parser.add_argument("--size", default="97x65")
    given = parser.parse_args()
    if missing:
        sys.exit(f"{missing}; expected numpy, onnx and onnxruntime (pip install)")
    options = types.SimpleNamespace(atrous=given.atrous, opset="20", takes="normalized", gives="logits")
    print("| network | Atrous to exact | ONNX Runtime to exact | Atrous to ONNX Runtime |\n|---|---|---|---|")
    for text in given.networks:
        with tempfile.TemporaryDirectory() as scratch:
            folder = os.path.join(scratch, "network")
            os.mkdir(folder)
            network = os.path.join(folder, "network.yaml")
            with open(network, "w") as file:
                file.write(f"model: {{classes: 19, {text}}}\n")
            image, own = run.export(options, folder, network, "--size", given.size)
            if run.answers(own) < 0.01:
                network = run.trained(options, folder, text)
                image, own = run.export(options, folder, network, "--size", given.size)
            path = os.path.join(folder, "network.onnx")
            theirs = run.ONNXRuntime(path)(image)
            evaluator = ReferenceEvaluator(double(onnx.load(path)))
            exact = evaluator.run(None, {"image": image.astype("float64")})[0]
            cells = [run.compared(a, b, "logits")[0]
                     for a, b in ((exact, own.astype("float64")), (exact, theirs.astype("float64")), (own, theirs))]
            print(f"| `{text}` | " + " | ".join(f"{cell:.1e}" for cell in cells) + " |", flush=True)


if __name__ == "__main__":
    main()
