#!/usr/bin/env python3
"""Sends random requests to `atrous serve` and lets schemathesis compare it with its /openapi.json.

Requests are good ones that are changed at random: methods, targets, parameters, headers, lengths, forms,
images that are cut or have bytes changed, and bytes that are nothing. None may be answered by a status of
500 or above but 503, none may go without an answer that has a whole head, and the service must be well in the
end. Everything goes to loopback; the number of requests is an option.
"""

import argparse
import os
import random
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Report, common, environment  # noqa: E402
from service import atrous, photographs  # noqa: E402

PACKAGES = ["schemathesis", "pillow"]
PATHS = ["/v1/predict", "/v1/explain", "/v1/similarity", "/v1/models", "/healthz", "/metrics",
         "/openapi.json", "/", "/page.js", "/examples/1.jpg"]


def arguments(words=None):
    result = argparse.ArgumentParser(description=__doc__)
    common(result, "out/serving")
    result.add_argument("--count", type=int, default=10_000, help="of random requests")
    result.add_argument("--clients", type=int, default=8)
    result.add_argument("--seed", type=int, default=1)
    result.add_argument("--examples", type=int, default=100, help="of each operation, by schemathesis")
    return result.parse_args(words)


def changed(random, body):
    """A body that is cut, or some of whose bytes are others."""
    body = bytearray(body)
    kind = random.randrange(5)
    if kind == 0:
        return bytes(body[: random.randrange(len(body) + 1)])
    if kind == 1:
        for _ in range(random.randrange(1, 20)):
            body[random.randrange(len(body))] = random.randrange(256)
    if kind == 2:
        # Headers of images stand at the beginning.
        for _ in range(random.randrange(1, 6)):
            body[random.randrange(min(64, len(body)))] = random.randrange(256)
    if kind == 3:
        return random.randbytes(random.randrange(2000))
    return bytes(body)


def word(random):
    return random.choice([
        "", "0", "-1", "1e9", "nan", "99999999999999999999", "x", "%", "%00", "%FF", "é", "../..", "a" * 300,
        "json", "labels", "overlay", "polygons", "probabilities", "picture", "field", "cosines", "road",
        "labels,probabilities", "features", "5", "0.5",
    ])


def request(random, images):
    """The bytes of a request that may be good."""
    if random.random() < 0.02:
        return random.randbytes(random.randrange(1, 300)) + b"\r\n\r\n"
    path = random.choice(PATHS[:3] if random.random() < 0.7 else PATHS)
    if random.random() < 0.03:
        path = random.choice(["*", "//", "/v1/predict/", "http://x/v1/models", "/%2e%2e/etc/passwd", "/" + "a" * 9000])
    post = path in PATHS[:3]
    method = "POST" if post else "GET"
    if random.random() < 0.04:
        method = random.choice(["GET", "PUT", "HEAD", "TRACE", "OPTIONS", "CONNECT", "PATCH", "G T"])
    fields = []
    if post:
        if "predict" not in path or random.random() < 0.1:
            fields += [("x", str(random.randrange(-5, 70))), ("y", str(random.randrange(-5, 50)))]
        while random.random() < 0.4:
            fields.append((random.choice(
                ["model", "format", "opacity", "include", "step", "x", "class", "layer", "z"]), word(random)))
    query = "&".join(f"{name}={value}" for name, value in fields)
    body = random.choice(images) if post else b""
    if post and random.random() < 0.6:
        body = changed(random, body)
    headers = [("Host", "localhost")] if random.random() < 0.98 else []
    if post:
        kind = random.choice(["image/jpeg", "application/octet-stream", "image/png", None, "text/html"])
        if random.random() < 0.2:
            kind = "multipart/form-data; boundary=" + random.choice(["cut", "", "x" * 80, "cut"])
            head = b'--cut\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            body = head + body + b"\r\n--cut--\r\n"
            if random.random() < 0.4:
                body = changed(random, body)
        if kind:
            headers.append(("Content-Type", kind))
    while random.random() < 0.15:
        headers.append((random.choice(
            ["Accept", "Authorization", "Expect", "Range", "Upgrade", "Connection", "X" * 40]),
            random.choice(["image/png", "*/*;q=a", "100-continue", "close", "h2c", "é", "a" * 5000])))
    if not post and not body:
        tail = b""
    elif random.random() < 0.15:
        headers.append(("Transfer-Encoding", random.choice(["chunked", "chunked", "gzip, chunked", "gzip"])))
        tail, rest = b"", body
        while rest:
            size = random.randrange(1, 20_000)
            tail += b"%x\r\n%b\r\n" % (len(rest[:size]), rest[:size])
            rest = rest[size:]
        tail += random.choice([b"0\r\n\r\n", b"0\r\n\r\n", b"zz\r\n\r\n"])
    else:
        length = len(body) if random.random() < 0.97 else random.choice([-1, 10**12, len(body) + 7, "x"])
        headers.append(("Content-Length", str(length)))
        tail = body
    text = f"{method} {path}{'?' + query if query else ''} HTTP/1.{random.choice([1, 1, 1, 1, 0])}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    return text.encode() + tail


def status(port, data):
    """The status of the answer to some bytes; 0 if there is none."""
    with socket.create_connection(("127.0.0.1", port), 60) as wire:
        wire.settimeout(60)
        try:
            wire.sendall(data)
        except OSError:
            pass  # Refused before all of it was there.
        # Whatever is missing of the request does not come any more.
        try:
            answer = b""
            while b"\r\n\r\n" not in answer or answer.startswith(b"HTTP/1.1 100"):
                if answer.startswith(b"HTTP/1.1 100") and b"\r\n\r\n" in answer:
                    answer = answer.split(b"\r\n\r\n", 1)[1]
                    continue
                part = wire.recv(65536)
                if not part:
                    break
                answer += part
        except OSError:
            return 0
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.") else 0


def rows(options, python, failed):
    """Random requests: the answers by status."""
    files = photographs(options, 2, "64x48", python)
    images = [open(file, "rb").read() for file in files]
    with atrous(options, "--upload", "2") as service:
        counts, lock, begin = {}, threading.Lock(), time.monotonic()

        def client(number):
            own = random.Random(options.seed * 1000 + number)
            for _ in range(options.count // options.clients):
                data = request(own, images)
                found = status(service.port, data)
                with lock:
                    counts[found] = counts.get(found, 0) + 1
                    if found == 0 or found >= 500 and found not in (503, 505):
                        failed(f"status {found}", repr(data[:200]))

        threads = [threading.Thread(target=client, args=(i,)) for i in range(options.clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        well = status(service.port, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        yield ["requests", "seconds", "answers by status", "well afterwards", "memory", "end"]
        memory = service.megabytes
        end = service.stop()
        if well != 200 or end != 0:
            failed("service", f"health {well}, exit status {end}")
        yield [str(sum(counts.values())), f"{time.monotonic() - begin:.0f}",
               ", ".join(f"{code}: {n}" for code, n in sorted(counts.items())), str(well == 200),
               f"{memory:.0f} MB", str(end)]


def schemathesis(options, python, report):
    """Lets schemathesis make requests from the description, and compare the answers with it."""
    command = os.path.abspath(os.path.join(os.path.dirname(python), "schemathesis"))
    with atrous(options) as service:
        result = subprocess.run(
            [command, "run", f"http://127.0.0.1:{service.port}/openapi.json", "--max-examples",
             str(options.examples), "--exclude-checks", "positive_data_acceptance", "--seed",
             str(options.seed), "--workers", "2"],
            capture_output=True, text=True, timeout=1500, cwd=options.folder,
        )
        report.line("```\n" + "\n".join(result.stdout.splitlines()[-25:]) + "\n```\n")
        if result.returncode != 0:
            report.failed("schemathesis", f"exit status {result.returncode}")
        if service.stop() != 0:
            report.failed("schemathesis", "the service did not end well")


def main():
    options = arguments()
    python = environment(options.folder, PACKAGES, options.python)
    report = Report()
    report.table(rows(options, python, report.failed))
    schemathesis(options, python, report)
    return report.end()


if __name__ == "__main__":
    sys.exit(main())
