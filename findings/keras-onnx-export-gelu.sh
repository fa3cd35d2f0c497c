#!/usr/bin/env bash
# Keras' model.export(format="onnx") of a network with GELU (backend TensorFlow) ends without an error and leaves a file with an
# operator that ONNX does not have: Erfc. No program opens it.
#
# TensorFlow 2.21 computes GELU by Erfc. tf2onnx, which Keras calls, has no rule for Erfc: it logs that, and
# writes the file all the same. Blocks of transformers and of ConvNeXt have the layer, so that each such network of Keras is
# exported in vain. approximate=True, which is made of Tanh, comes through.
#
# Output (keras 3.15.1, tensorflow-cpu 2.21.0, tf2onnx 1.17.0, onnx 1.23.2, onnxruntime 1.32.0):
#   gelu(approximate=False): exported, Conv, Erfc, Mul, Neg, Transpose
#     onnx.checker: No Op registered for Erfc with domain_version of 15
#     ONNX Runtime: INVALID_GRAPH Erfc
#   gelu(approximate=True): exported, Add, Conv, Mul, Pow, Tanh, Transpose
#     onnx.checker: passes
#     ONNX Runtime: 6e-07 from Keras
# Exits with 1 if ONNX Runtime opens the file of exact GELU.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install -q keras==3.15.1 tensorflow-cpu==2.21.0 tf2onnx==1.17.0 onnx==1.23.2 onnxruntime==1.32.0
cd "$folder"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 "$folder/env/bin/python" - <<'PYTHON' 2>/dev/null
import sys

import keras
import numpy as np
import onnx
import onnxruntime
from keras import layers

keras.utils.set_random_seed(0)
refused = False
for approximate in (False, True):
    image = layers.Input((32, 32, 3))
    map = layers.Conv2D(8, 3, padding="same")(image)
    map = keras.activations.gelu(map, approximate=approximate)
    network = keras.Model(image, layers.Conv2D(2, 1)(map))
    x = np.random.default_rng(0).standard_normal((1, 32, 32, 3)).astype("float32")
    scores = network(x).numpy()
    network.export("model.onnx", format="onnx", verbose=False)
    model = onnx.load("model.onnx")
    print(f"gelu(approximate={approximate}): exported,", ", ".join(sorted({node.op_type for node in model.graph.node})))
    try:
        onnx.checker.check_model(model)
        print("  onnx.checker: passes")
    except onnx.checker.ValidationError as error:
        print("  onnx.checker:", str(error).splitlines()[0])
    try:
        session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        found = session.run(None, {session.get_inputs()[0].name: x})[0]
        print(f"  ONNX Runtime: {np.abs(found - scores).max():.0e} from Keras")
    except Exception as error:
        refused |= not approximate
        print("  ONNX Runtime:", str(error).split(":")[2].strip(), "Erfc" if "Erfc" in str(error) else "")
sys.exit(0 if refused else 1)
PYTHON
