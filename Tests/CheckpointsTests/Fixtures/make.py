"""Writes the files beside it with PyTorch and safetensors (made with 2.11 and 0.8).

The tests know the values: every tensor counts 0, 1, 2, … (see `counting`).
"""

import collections
import os
import pickle
import sys

import safetensors.torch
import torch

HERE = os.path.dirname(os.path.abspath(__file__))
OLD = {"_use_new_zipfile_serialization": False}


def counting(*shape, dtype=torch.float32):
    count = 1
    for length in shape:
        count *= length
    return torch.tensor(range(count), dtype=torch.float64).reshape(shape).to(dtype)


def types(*names):
    return collections.OrderedDict(
        (name, counting(2, 3, dtype=getattr(torch, name))) for name in names
    )


def save(name, value, **options):
    torch.save(value, os.path.join(HERE, name), **options)


def both(name, value):
    save(f"{name}.pth", value)
    save(f"{name}-old.pth", value, **OLD)


signed = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8"]
plain = types(*signed, "uint8")
plain["bool"] = torch.tensor([[True, False, True], [False, True, False]])
plain["scalar"] = torch.tensor(7.0)
plain["empty"] = torch.zeros(0, 4)
unsigned = types("uint16", "uint32", "uint64")

both("types", plain)
both("unsigned", unsigned)
safetensors.torch.save_file(
    dict(plain, **unsigned), os.path.join(HERE, "types.safetensors"), metadata={"by": "hand \"é\""}
)

whole = counting(4, 6)
both(
    "strides",
    {
        "whole": whole,
        "transposed": whole.t(),
        "column": whole[:, 2],
        "corner": whole[1:3, 4:],
        "step": whole[::2, ::3],
        "same": whole,
        "expanded": counting(3, 1).expand(3, 4),
        "last": counting(1, 2, 2, 3).contiguous(memory_format=torch.channels_last),
    },
)

network = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 3), torch.nn.BatchNorm2d(3))
for tensor in network.state_dict().values():
    tensor.copy_(counting(*tensor.shape))
names = {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
average = {name: tensor + 1 for name, tensor in names.items()}
optimizer = torch.optim.SGD(network.parameters(), 0.1, momentum=0.9)
network(counting(2, 2, 5, 5)).sum().backward()
optimizer.step()
for tensor in network.state_dict().values():
    tensor.copy_(counting(*tensor.shape))
both("network", network.state_dict())
both(
    "training",
    {
        "epoch": 3,
        "best": torch.tensor(0.5),
        "state_dict": collections.OrderedDict(names),
        "ema": average,
        "optimizer": optimizer.state_dict(),
        "settings": {"lr": 0.1, "name": "unet", "sizes": (1, 2), "none": None, "big": 1 << 80},
    },
)
parameter = torch.nn.Parameter(counting(2, 2))
tagged = torch.nn.Parameter(counting(3))
tagged.tag = "weights"
attributed = counting(2)
attributed.tag = 1
both(
    "parameters",
    {
        "parameter": parameter, "tagged": tagged, "attributed": attributed,
        "buffer": torch.nn.Buffer(counting(2)),
        "values": [0, 255], "size": torch.Size([1, 2]), "device": torch.device("cpu"),
        "bytes": b"\x00\xff", "set": {1, 2},
    },
)
for protocol in (3, 4, 5):
    save(f"protocol{protocol}.pth", {"a": counting(2)}, pickle_protocol=protocol)
    save(f"protocol{protocol}-old.pth", {"a": counting(2)}, pickle_protocol=protocol, **OLD)

both("complex", {"a": torch.zeros(2, dtype=torch.complex64)})
both("list", [counting(2)])
both("tensor", counting(2))
both("numbers", {"a": 1, "b": "text"})

# What MMEngine 0.10 saves in training, of one short run.
try:
    import mmengine.logging
    import numpy

    hub = mmengine.logging.MessageHub.get_instance("run")
    hub.update_scalar("train/loss", 0.5)
    both(
        "mmengine",
        {
            "meta": {
                "cfg": "model = dict()", "hook_msgs": {"best_score": numpy.float64(0.25)},
                "dataset_meta": {"classes": ("road", "car"), "palette": [[128, 64, 128]]},
            },
            "state_dict": collections.OrderedDict(
                {"backbone.weight": counting(2, 3), "decode_head.conv_seg.bias": counting(2)}
            ),
            "message_hub": hub.state_dict(),
            "optimizer": optimizer.state_dict(),
            "param_schedulers": [{"by_epoch": False}],
        },
    )
except ImportError:
    print("mmengine.pth needs mmengine", file=sys.stderr)


class Hostile:
    def __reduce__(self):
        return os.system, ("echo ran > /tmp/atrous-hostile",)


both("hostile", {"a": counting(2), "b": Hostile()})
save("model.pth", network)
with open(os.path.join(HERE, "plain-pickle.pth"), "wb") as file:
    pickle.dump({"a": [1, 2]}, file, protocol=2)
print(sum(os.path.getsize(os.path.join(HERE, name)) for name in os.listdir(HERE)), file=sys.stderr)
