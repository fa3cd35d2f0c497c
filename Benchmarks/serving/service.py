"""What the measurements of `atrous serve` share: the service as a process, photographs, and clients."""

import hashlib
import http.client
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from peers import Failure, run  # noqa: E402


class Service:
    """A server as a process of its own, on a port of loopback, that ends with the block."""

    def __init__(self, command, pattern=r"http://[^:]+:(\d+)/", limit=120, variables=None):
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1,
            env=dict(os.environ, **(variables or {})),
        )
        self.words = []
        found = threading.Event()

        def read():
            for line in self.process.stdout:
                match = re.search(pattern, line)
                if match and not found.is_set():
                    self.port = int(match[1])
                    found.set()
                self.words.append(line)
            found.set()

        threading.Thread(target=read, daemon=True).start()
        if not found.wait(limit) or not hasattr(self, "port"):
            self.process.kill()
            raise Failure("the server does not start: " + "".join(self.words[-3:]).strip())
        end = time.monotonic() + limit
        while True:
            # A server may tell its port before it listens.
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                break
            except OSError:
                if time.monotonic() > end:
                    self.process.kill()
                    raise
                time.sleep(0.05)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Asks the server to end; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    @property
    def megabytes(self):
        """The memory that the process has now."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        return 0.0


def atrous(options, *arguments):
    """Our service."""
    return Service([options.atrous, "serve", "--port", "0", *arguments])


def photographs(options, count, size, python):
    """JPEG files of generated streets, painted once."""
    folder = os.path.join(options.folder, f"photographs-{size}-{count}")
    if not os.path.exists(folder):
        scenes = os.path.join(options.folder, f"scenes-{size}-{count}")
        run([options.atrous, "scenes", scenes, "--train", "0", "--val", str(count), "--size", size])
        run([python, os.path.join(HERE, "peer.py"), "photographs", scenes, folder])
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))]


class Count:
    """What clients saw."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seconds, self.statuses, self.faults = [], {}, []
        self.wrong = 0

    def add(self, status, seconds, is_right):
        with self.lock:
            self.statuses[status] = self.statuses.get(status, 0) + 1
            if status == 200:
                self.seconds.append(seconds)
                self.wrong += not is_right

    def fail(self, error):
        with self.lock:
            self.faults.append(f"{type(error).__name__}: {error}")

    def at(self, share):
        """The time within which this share of the answers came, in milliseconds."""
        times = sorted(self.seconds)
        return 1000 * times[min(len(times) - 1, int(share * len(times)))] if times else float("nan")


def digest(body):
    return hashlib.sha256(body).digest()


def post(connection, target, body, headers=None):
    connection.request("POST", target, body, {"Content-Type": "image/jpeg", **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers


def known(port, target, bodies):
    """The answer to each image, asked for one at a time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    found = []
    for body in bodies:
        status, answer, _ = post(connection, target, body)
        if status != 200:
            raise Failure(f"{target} answers {status}: {answer[:200]}")
        found.append(digest(answer))
    return found


def load(port, target, bodies, answers, clients, seconds, watch=lambda: None):
    """Lets clients ask for a while, each one request after the other; answers per second, and the counts."""
    count = Count()
    begin = threading.Barrier(clients + 1)
    end = [0.0]

    def client(number):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        begin.wait()
        index = number
        while time.monotonic() < end[0]:
            index += 1
            place = index * 7 % len(bodies)
            start = time.monotonic()
            try:
                status, answer, headers = post(connection, target, bodies[place])
            except (OSError, http.client.HTTPException) as error:
                count.fail(error)
                connection.close()
                continue
            count.add(status, time.monotonic() - start, digest(answer) == answers[place])
            if status == 503:
                time.sleep(min(1.0, float(headers.get("Retry-After", 1))))

    end[0] = time.monotonic() + seconds + 1
    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    begin.wait()
    start = time.monotonic()
    end[0] = start + seconds
    while any(thread.is_alive() for thread in threads):
        time.sleep(0.2)
        watch()
        if time.monotonic() > end[0] + 90:
            count.fail(TimeoutError("a client waits for its answer still"))
            break
    return len(count.seconds) / (time.monotonic() - start), count


def median(values):
    return statistics.median(values)
