#!/usr/bin/env python3
"""What `atrous.predict(array)` of the Python module costs beside the Swift call: milliseconds an image.

Takes turns between a process of module-benchmark (make build PRODUCT=module-benchmark) and one of the Python
that the wheel is installed in, and prints the least of each, to which other programs add. In Python's process each call takes
turns with one of the C interface alone, whose image is there already: the median difference is what the
module itself does. The exit status is 1 where Python costs more than --most in both.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = """
import json, sys, time
import numpy as np
import atrous
network, file, repeats, wanted = sys.argv[1:]
known = network in ("streets", "vessels")
network = atrous.Network(packaged=network) if known else atrous.Network(network)
width, height = map(int, open(file, "rb").readline().split()[1:3])
with open(file, "rb") as pixels:
    image = np.frombuffer(pixels.read()[-3 * width * height:], np.uint8).reshape(height, width, 3)
handle, _, _ = network._image(image)
library, pointer = atrous._library.library(), atrous._library.ctypes.c_void_p
labels, scores = pointer(), pointer()
byref = atrous._library.ctypes.byref
took, alone = [], []
for turn in range(int(repeats) + 3):
    start = time.perf_counter()
    found = network.predict(image, probabilities=wanted == "probabilities")
    took.append((time.perf_counter() - start) * 1e3)
    # Each finds the memory of the one before free.
    found = None
    start = time.perf_counter()
    library.predict(network._session, handle, byref(labels), byref(scores) if wanted == "probabilities" else None)
    alone.append((time.perf_counter() - start) * 1e3)
    library.array_close(labels)
    library.array_close(scores)
    labels, scores = pointer(), pointer()
print(json.dumps([took[3:], alone[3:]]))
"""


def arguments():
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--python", default=sys.executable, help="a Python that has the wheel")
    result.add_argument("--program", default=os.path.join(HERE, "../../.build/release/module-benchmark"))
    result.add_argument("--networks", nargs="+", default=["streets", "vessels"], help="packaged ones, or files")
    result.add_argument("--size", default="480x360")
    result.add_argument("--repeats", type=int, default=20)
    result.add_argument("--rounds", type=int, default=5)
    result.add_argument("--most", type=float, default=2, help="milliseconds that Python may cost more")
    return result.parse_args()


def main():
    options = arguments()
    width, height = map(int, options.size.split("x"))
    worst = 0
    print("| network | wanted | Swift ms | Python ms | more | the module itself |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        # A smooth picture; PPM has its pixels as they are.
        file = os.path.join(folder, "image.ppm")
        png = os.path.join(folder, "image.png")
        pixels = bytes((x * 255 // width, y * 255 // height, (x + y) % 256)[band]
                       for y in range(height) for x in range(width) for band in range(3))
        with open(file, "wb") as target:
            target.write(b"P6 %d %d 255\n" % (width, height) + pixels)
        write_png(png, width, height, pixels)
        for network in options.networks:
            for wanted in ("labels", "probabilities"):
                common = [str(options.repeats), wanted]
                ways = {"Swift": [options.program, network, png, *common],
                        "Python": [options.python, "-c", PYTHON, network, file, *common]}
                found = {"Swift": [], "Python": []}
                own = []
                for turn in range(options.rounds):
                    for way in list(ways)[::-1 if turn % 2 else 1]:
                        done = subprocess.run(ways[way], check=True, capture_output=True, text=True)
                        took = json.loads(done.stdout)
                        if way == "Python":
                            own += [whole - part for whole, part in zip(*took, strict=True)]
                            took = took[0]
                        found[way] += took
                swift, python = (min(found[way]) for way in ways)
                module = statistics.median(own)
                worst = max(worst, min(python - swift, module))
                print(f"| {os.path.basename(network)} | {wanted} | {swift:.2f} | {python:.2f} | {python - swift:+.2f} |"
                      f" {module:.2f} |", flush=True)
    sys.exit(worst > options.most)


def write_png(path, width, height, pixels):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = b"".join(b"\0" + pixels[3 * width * y:3 * width * (y + 1)] for y in range(height))
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                   + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


if __name__ == "__main__":
    main()
