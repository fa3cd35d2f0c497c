#!/usr/bin/env python3
"""Takes files that read.py wrote through the tools that people send ONNX files through, and compares what Atrous and
ONNX Runtime make of each result.

Forms: float16 (onnxconverter-common's, with and without float32 at the ends, and that of a network that was exported in
float16), simplified (onnxsim, onnxslim), optimized (ONNX Runtime's own, at each level), quantized (ONNX Runtime's, while
running, and for uint8 and int8 with QuantizeLinear nodes and with operators of whole numbers).
Prints a table as Markdown, of largest differences in multiples of the scores' deviation and shares of equal classes: between
both, of ONNX Runtime's scores with its optimization to those without, and of the file to the one that it was made of,
both in ONNX Runtime; or why Atrous refuses it. Needs torch, onnx, onnxscript,
onnxruntime, and the tools, each of which is left out where it is missing.
"""

import argparse
import contextlib
import os
import sys
import warnings

import read

FORMS = ("half", "half-inside", "half-exported", "onnxsim", "onnxslim", "basic", "extended", "all", "dynamic",
         "qdq-uint8", "qdq-int8", "qoperator-uint8", "qoperator-int8")
# One of each kind of network, small ones.
NETWORKS = ("torchvision lraspp_mobilenet_v3_large", "torchvision deeplabv3_mobilenet_v3_large", "SMP FPN", "SMP PAN",
            "SMP Unet, EfficientNet-B0", "SMP Unet, MobileNetV2", "SMP DPT", "HF SegFormer-B0", "HF UPerNet, Swin-T",
            "HF UPerNet, ConvNeXt-T", "HF DeepLabV3+, MobileNetV2")


def arguments():
    result = argparse.ArgumentParser(description=__doc__)
    result.add_argument("--atrous", default=".build/release/atrous")
    result.add_argument("--folder", default="out/interop/read", help="where files go, and stay; read.py's")
    result.add_argument("--only", default="", help="networks whose name has this")
    result.add_argument("--exporter", default="old", choices=["new", "old"])
    result.add_argument("--opset", type=int, default=17, help="0 for the exporter's own")
    result.add_argument("--forms", nargs="+", default=FORMS, choices=FORMS)
    return result.parse_args()


def noise(size):
    import numpy
    return numpy.random.default_rng(0).standard_normal((1, 3, *size)).astype(numpy.float32)


def scores(path, image, optimized=False):
    """What ONNX Runtime makes of an image, with the file's nodes as they are written unless `optimized`."""
    import numpy
    import onnxruntime
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    if not optimized:
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, settings, providers=["CPUExecutionProvider"])
    takes = session.get_inputs()[0]
    if takes.type == "tensor(float16)":
        image = image.astype(numpy.float16)
    return image, session.run([session.get_outputs()[0].name], {takes.name: image})[0]


def made(form, source, path, size, name):
    """Writes a form of the file `source`."""
    import onnx
    import onnxruntime
    if form in ("half", "half-inside"):
        from onnxconverter_common import float16
        model = float16.convert_float_to_float16(onnx.load(source), keep_io_types=form == "half-inside")
        onnx.save(model, path)
    elif form == "half-exported":
        import torch
        build = next(build for other, _, build, _ in read.networks() if other == name)
        torch.manual_seed(0)
        network = read.plain(torch, build()).half()
        torch.onnx.export(network, (torch.randn(1, 3, *size).half(),), path, dynamo=False, opset_version=17,
                          input_names=["image"], output_names=["logits"])
    elif form == "onnxsim":
        import onnxsim
        model, whole = onnxsim.simplify(onnx.load(source))
        if not whole:
            raise RuntimeError("onnxsim's own check fails")
        onnx.save(model, path)
    elif form == "onnxslim":
        import onnxslim
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            onnxslim.slim(source, path)
    elif form in ("basic", "extended", "all"):
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        settings.optimized_model_filepath = path
        levels = onnxruntime.GraphOptimizationLevel
        settings.graph_optimization_level = {"basic": levels.ORT_ENABLE_BASIC, "extended": levels.ORT_ENABLE_EXTENDED,
                                             "all": levels.ORT_ENABLE_ALL}[form]
        onnxruntime.InferenceSession(source, settings, providers=["CPUExecutionProvider"])
    else:
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Images(quantization.CalibrationDataReader):
            def __init__(self):
                self.left = [{"image": noise(size)}]

            def get_next(self):
                return self.left.pop() if self.left else None

        ready = path + ".ready.onnx"
        quant_pre_process(source, ready, skip_symbolic_shape=True)
        if form == "dynamic":
            quantization.quantize_dynamic(ready, path)
        else:
            kind = quantization.QuantType.QUInt8 if form.endswith("uint8") else quantization.QuantType.QInt8
            quantization.quantize_static(
                ready, path, Images(), activation_type=kind, weight_type=quantization.QuantType.QInt8,
                quant_format=quantization.QuantFormat.QDQ if form.startswith("qdq") else quantization.QuantFormat.QOperator)
        os.remove(ready)


def difference(first, second):
    """The largest difference, in deviations of the second, and the share of equal classes."""
    first, second = first.astype("float64"), second.astype("float64")
    error = (first - second) / second.std()
    return f"{abs(error).max():.1e} | {100 * (first.argmax(1) == second.argmax(1)).mean():.3f} %"


def main():
    options = arguments()
    os.makedirs(options.folder, exist_ok=True)
    warnings.filterwarnings("ignore")
    try:
        import torch
    except ImportError as error:
        sys.exit(f"{error}; expected torch, onnx, onnxscript and onnxruntime (pip install)")
    print("| network | form | Atrous | equal | ONNX Runtime, optimized | equal | the form itself | equal |\n"
          "|---|---|---|---|---|---|---|---|", flush=True)
    for name, _, build, size in read.networks():
        if name not in NETWORKS or options.only.lower() not in name.lower():
            continue
        stem = "".join(c if c.isalnum() else "_" for c in f"{name} {options.exporter} {options.opset or 'own'}")
        source = os.path.join(options.folder, f"{stem}.onnx")
        try:
            if not os.path.exists(source):
                torch.manual_seed(0)
                read.export(torch, read.plain(torch, build()), source, options.exporter, False, options.opset, size)
            _, plain = scores(source, noise(size))
        except Exception as error:
            print(f"| {name} | | {(str(error) or type(error).__name__).splitlines()[0][:150]} | | | | | |", flush=True)
            continue
        for form in options.forms:
            path = os.path.join(options.folder, f"{stem}_{form}.onnx")
            cells = " | | | "
            try:
                if not os.path.exists(path):
                    made(form, source, path, size, name)
                image, theirs = scores(path, noise(size))
                cells = f"{difference(scores(path, noise(size), True)[1], theirs)} | {difference(theirs, plain)}"
                largest, share = read.own_difference(options, path, image, theirs)
                cells = f"{largest:.1e} | {100 * share:.3f} % | {cells}"
            except Exception as error:  # one form's failure is a row
                cells = f"{(str(error) or type(error).__name__).strip().splitlines()[0][:300]} | | {cells}"
            print(f"| {name} | {form} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
