"""Writes files of other containers than make.py's, and what training scripts put beside weights.

Made with torch 2.11, safetensors 0.8, numpy 2.4, omegaconf 2.3, easydict 1.13, flatbuffers 25.12 and
tflite 2.18. The tests know the values: every tensor counts 0, 1, 2, … (see `counting`).
"""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import functools
import io
import json
import os
import pathlib
import pickle
import random
import sys
import uuid
import zipfile

import easydict
import flatbuffers
import numpy
import omegaconf
import safetensors.torch
import tflite
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
OLD = {"_use_new_zipfile_serialization": False}


def without_source(*_):
    raise OSError("the old format would write the classes' source code beside them")


torch.serialization.get_source_lines_and_file = without_source


def counting(*shape, dtype=torch.float32):
    count = 1
    for length in shape:
        count *= length
    return torch.tensor(range(count), dtype=torch.float64).reshape(shape).to(dtype)


def path(name):
    return os.path.join(HERE, name)


def both(name, value):
    torch.save(value, path(f"{name}.pth"))
    torch.save(value, path(f"{name}-old.pth"), **OLD)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2))
        self.register_buffer("passing", counting(3), persistent=False)
        self.register_buffer("scale", counting(2))

    def forward(self, x):
        return self.body(x) * self.scale.sum() + self.passing.sum()


def net():
    network = Net().eval()
    for tensor in list(network.state_dict().values()):
        tensor.copy_(counting(*tensor.shape))
    return network


# Programs and whole modules.
network = net()
torch.jit.script(network).save(path("script.pt"))
torch.jit.trace(network, torch.ones(1, 1, 2, 2)).save(path("trace.pt"))
torch.jit.freeze(torch.jit.script(network)).save(path("frozen.pt"))
both("module", torch.nn.Sequential(network.body, torch.nn.ReLU()))
optimizer = torch.optim.SGD(network.parameters(), 0.1)
both("modules", {"epoch": 3, "model": net(), "ema": net(), "optimizer": optimizer})


class Tied(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.last = torch.nn.Conv2d(2, 3, 2, bias=False)
        self.last.weight = torch.nn.Parameter(
            counting(3, 2, 2, 2).contiguous(memory_format=torch.channels_last)
        )
        self.a = torch.nn.Linear(2, 2, bias=False)
        self.a.weight = torch.nn.Parameter(counting(2, 2))
        self.b = torch.nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight
        whole = counting(20)
        self.register_buffer("early", whole[2:5])
        self.register_buffer("late", whole[10:14])
        self.register_buffer("passing", counting(3), persistent=False)

    def forward(self, x):
        y = self.last(x).sum() + self.early.sum() + self.late.sum() + self.passing.sum()
        return self.b(self.a(y.reshape(1, 1).expand(1, 2)))


torch.export.save(torch.export.export(Tied().eval(), (torch.ones(1, 2, 3, 3),)), path("exported.pt2"))

# The layout before PyTorch 2.8: files of torch.save in an archive.
with zipfile.ZipFile(path("exported-old.pt2"), "w") as target:
    target.writestr("serialized_exported_program.json", "{}")
    for name, tensors in (("state_dict", {"a.weight": counting(2, 2)}), ("constants", {"b": counting(3)})):
        buffer = io.BytesIO()
        torch.save(tensors, buffer)
        target.writestr(f"serialized_{name}.pt", buffer.getvalue())
    target.writestr("version", "5.1")

# Archives packed again, under another folder.
with zipfile.ZipFile(path("network.pth")) as source:
    with zipfile.ZipFile(path("deflated.pth"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
        target.writestr("my run/", "")
        for name in source.namelist():
            target.writestr("my run/best/" + name.split("/", 1)[1], source.read(name))

# What training scripts keep beside weights.


class Stage(enum.Enum):
    WARMUP = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    stage: Stage = Stage.WARMUP


@dataclasses.dataclass
class Snapshot:
    step: int
    weights: dict


class Outer:
    class Inner:
        def method(self):
            return 1


Point = collections.namedtuple("Point", "x y")
parameters = [torch.nn.Parameter(counting(2))]
optimizer = torch.optim.Adam(parameters)
parameters[0].sum().backward()
optimizer.step()
schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
queue = collections.deque([1.5, 2.5], maxlen=10)
table = collections.defaultdict(list)
table["a"].append(1)
recursive = []
recursive.append(recursive)
numpy.random.seed(1)
objects = {
    "args": argparse.Namespace(lr=0.1, data=pathlib.Path("/data"), device=torch.device("cpu")),
    "path": pathlib.PurePosixPath("/x"),
    "counter": collections.Counter("abca"), "queue": queue, "table": table,
    "version": torch.__version__, "date": datetime.datetime(2024, 5, 1, tzinfo=datetime.timezone.utc),
    "delta": datetime.timedelta(1), "type": torch.nn.ReLU, "builtin": len,
    "function": torch.nn.functional.relu, "partial": functools.partial(torch.nn.ReLU, inplace=True),
    "stage": Stage.WARMUP, "settings": Settings(), "point": Point(1, 2), "inner": Outer.Inner(),
    "method": Outer.Inner().method, "config": omegaconf.OmegaConf.create({"a": {"b": [1, "x"]}}),
    "easy": easydict.EasyDict(a=1, b={"c": 2}), "number": numpy.float64(0.5),
    "array": numpy.arange(4), "words": numpy.array(["a", "b"]), "random": random.getstate(),
    "numpy_random": numpy.random.get_state(), "generator": numpy.random.default_rng(1),
    "torch_random": torch.get_rng_state(), "optimizer": optimizer, "scheduler": schedule,
    "complex": 1 + 2j, "decimal": decimal.Decimal("1.5"), "id": uuid.UUID(int=1),
    "range": range(3), "slice": slice(1), "ellipsis": ..., "frozen": frozenset([1]),
    "bytes": bytearray(b"ab"), "recursive": recursive, "dtype": torch.float16,
    "losses": [0.5] * 200, "uname": os.uname(), "error": ValueError("no"),
}
weights = collections.OrderedDict(weight=counting(2, 2), bias=counting(2))
for protocol in (2, 4):
    torch.save(
        {"state_dict": weights, **objects}, path(f"objects{protocol}.pth"), pickle_protocol=protocol
    )
torch.save({"state_dict": weights, **objects}, path("objects-old.pth"), **OLD)
# Weights inside of objects.
torch.save(easydict.EasyDict(epoch=1, net=weights), path("easydict.pth"))
torch.save(Snapshot(3, weights), path("dataclass.pth"))
torch.save((3, weights, optimizer.state_dict()), path("tuple.pth"))
both("lightning", {
    "state_dict": {
        "mean": counting(1, 3, 1, 1), "criterion.weight": counting(4), "iou.confmat": counting(2, 2),
        "ema_net.0.weight": counting(3, 2, 3, 3), "ema_net.0.bias": counting(3),
        "net.0.weight": counting(3, 2, 3, 3), "net.0.bias": counting(3),
    },
    "hyper_parameters": {"lr": 0.1},
})
small = {"x": counting(2)}
torch.save({"model": small, "net": {"state": weights, "more": small}, "loss": counting()}, path("several.pth"))

# Numbers and tensors of other kinds.
kinds = {}
for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"):
    narrow = torch.arange(256).to(torch.uint8).view(getattr(torch, name))
    kinds[name] = narrow
    kinds[f"wide.{name}"] = narrow.to(torch.float32)
both("float8", kinds)
safetensors.torch.save_file(kinds, path("float8.safetensors"))
safetensors.torch.save_file({"a": torch.zeros(2, dtype=torch.complex64)}, path("complex.safetensors"))
torch.save({"a": torch.quantize_per_tensor(torch.ones(2), 1, 0, torch.qint8)}, path("quantized.pth"))
torch.save({"a": torch.ones(2, device="meta")}, path("meta.pth"))
torch.save({"a": torch.eye(2).to_sparse()}, path("sparse.pth"))
torch.save({"a": torch.ones(2, dtype=torch.complex64).conj(), "b": counting(2)}, path("conjugated.pth"))

# NumPy.
arrays = {
    "float32": numpy.arange(6, dtype="f4").reshape(2, 3), "float64": numpy.arange(3.0),
    "int64": numpy.arange(200, 203), "bool": numpy.array([True, False]),
    "columns": numpy.asfortranarray(numpy.arange(6, dtype="f4").reshape(2, 3)),
    "swapped": numpy.arange(3, dtype=">f4"), "scalar": numpy.array(7, dtype="f2"),
    "empty": numpy.zeros((0, 2), "f4"), "signs": numpy.arange(-3, 3, dtype="i1"),
}
for protocol in (0, 1, 2, 3, 4, 5):
    with open(path(f"arrays{protocol}.pkl"), "wb") as file:
        pickle.dump({"model": arrays, "__author__": "someone"}, file, protocol=protocol)
numpy.savez(path("arrays.npz"), **arrays)
numpy.savez_compressed(path("packed.npz"), **arrays)
numpy.save(path("columns.npy"), arrays["columns"])
numpy.save(path("words.npy"), numpy.array(["a"]))
torch.save({"weight": numpy.arange(4, dtype="f4"), "bias": counting(2)}, path("mixed.pth"))
with open(path("pickled-tensors.pkl"), "wb") as file:
    pickle.dump({"a": counting(2)}, file)

# Files with an index.
parts = {"a": {"x": counting(2), "y": counting(3)}, "b": {"z": counting(4)}}
for kind, suffix in (("model", "safetensors"), ("pytorch_model", "bin")):
    folder = path(f"sharded-{suffix}")
    os.makedirs(folder, exist_ok=True)
    places = {}
    for number, (_, tensors) in enumerate(parts.items(), 1):
        name = f"{kind}-{number:05}-of-00002.{suffix}"
        places.update({tensor: name for tensor in tensors})
        if suffix == "bin":
            torch.save(tensors, os.path.join(folder, name))
        else:
            safetensors.torch.save_file(tensors, os.path.join(folder, name))
    with open(os.path.join(folder, f"{kind}.{suffix}.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": 36}, "weight_map": places}, file)

# TensorFlow Lite.


def network_lite(tensors, scales):
    builder = flatbuffers.Builder(0)

    def vector(start, offsets):
        start(builder, len(offsets))
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    buffers, places = [], []
    empty = numpy.zeros(0, numpy.uint8)
    for data in [empty] + [numpy.frombuffer(array.tobytes(), numpy.uint8) for _, array, _ in tensors]:
        content = builder.CreateNumpyVector(data) if data.size else None
        tflite.BufferStart(builder)
        if content is not None:
            tflite.BufferAddData(builder, content)
        buffers.append(tflite.BufferEnd(builder))
    for index, (name, array, kind) in enumerate(tensors):
        text = builder.CreateString(name)
        shape = builder.CreateNumpyVector(numpy.array(array.shape, numpy.int32))
        quantization = None
        if scales and kind == tflite.TensorType.INT8:
            scale = builder.CreateNumpyVector(numpy.array([0.5], numpy.float32))
            tflite.QuantizationParametersStart(builder)
            tflite.QuantizationParametersAddScale(builder, scale)
            quantization = tflite.QuantizationParametersEnd(builder)
        tflite.TensorStart(builder)
        tflite.TensorAddShape(builder, shape)
        tflite.TensorAddType(builder, kind)
        tflite.TensorAddBuffer(builder, index + 1)
        tflite.TensorAddName(builder, text)
        if quantization is not None:
            tflite.TensorAddQuantization(builder, quantization)
        places.append(tflite.TensorEnd(builder))
    listed = vector(tflite.SubGraphStartTensorsVector, places)
    tflite.SubGraphStart(builder)
    tflite.SubGraphAddTensors(builder, listed)
    graphs = vector(tflite.ModelStartSubgraphsVector, [tflite.SubGraphEnd(builder)])
    contents = vector(tflite.ModelStartBuffersVector, buffers)
    tflite.ModelStart(builder)
    tflite.ModelAddVersion(builder, 3)
    tflite.ModelAddSubgraphs(builder, graphs)
    tflite.ModelAddBuffers(builder, contents)
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


lite = [
    ("Conv/weights", numpy.arange(6, dtype="f4").reshape(1, 2, 3), tflite.TensorType.FLOAT32),
    ("half", numpy.arange(2, dtype="f2"), tflite.TensorType.FLOAT16),
    ("whole", numpy.arange(3, dtype="i4"), tflite.TensorType.INT32),
    ("small", numpy.arange(3, dtype="i1"), tflite.TensorType.INT8),
    ("input", numpy.zeros((0, 4), "f4"), tflite.TensorType.FLOAT32),
]
for name, scales in (("tensors", False), ("scales", True)):
    with open(path(f"{name}.tflite"), "wb") as file:
        file.write(network_lite(lite, scales))
