"""Tests of the Python module of an installed wheel, from the checkout: python -m unittest discover Packaging/python/tests."""

import gc
import json
import os
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import weakref
import zlib

import numpy as np

import atrous


def scene(height=360, width=480):
    """Sky above a road, with a box on it."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2] = (150, 190, 230)
    image[height // 2 :] = (90, 90, 95)
    image[height // 3 : height * 2 // 3, width // 3 : width // 2] = (160, 40, 30)
    return image


def png(path, image):
    """Writes pixels of 8 bits, grey or red, green and blue, as a PNG."""
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    kind = 2 if image.ndim == 3 else 0

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 8, kind, 0, 0, 0)))
        file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class PredictionTests(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.file = os.path.join(self.folder.name, "scene.png")
        png(self.file, scene())

    def test_labels_and_probabilities(self):
        labels, probabilities = atrous.predict(scene())
        self.assertEqual((labels.shape, labels.dtype), ((360, 480), np.uint8))
        self.assertEqual((probabilities.shape, probabilities.dtype), ((11, 360, 480), np.float32))
        self.assertLess(np.abs(probabilities.sum(0) - 1).max(), 1e-4)
        best = probabilities.max(0)
        chosen = np.take_along_axis(probabilities, labels[None].astype(np.int64), 0)[0]
        self.assertLess((best - chosen).max(), 1e-6)

    def test_packaged_networks_have_names(self):
        network = atrous.Network(packaged="vessels")
        self.assertEqual(network.classes, ("background", "vessel"))
        self.assertEqual(network.predict(scene(47, 61)).labels.shape, (47, 61))
        with self.assertRaisesRegex(atrous.Error, "streets or vessels"):
            atrous.Network(packaged="eyes")

    def test_looks_are_those_that_are_asked_for(self):
        plain = atrous.Network().predict(scene(), probabilities=True).probabilities
        mirrored = atrous.Network(flip=True).predict(scene(), probabilities=True).probabilities
        self.assertGreater(np.abs(plain - mirrored).max(), 1e-4)
        section = atrous.Network(overrides=["evaluate.flip=true"]).predict(scene(), probabilities=True)
        np.testing.assert_array_equal(section.probabilities, mirrored)

    def test_a_file_is_what_its_pixels_are(self):
        np.testing.assert_array_equal(atrous.predict(self.file).labels, atrous.predict(scene()).labels)

    def test_the_command_gives_the_same(self):
        def command(*words):
            return subprocess.run([sys.executable, "-m", "atrous", *words], check=True, capture_output=True).stdout
        truth = os.path.join(self.folder.name, "truth")
        os.mkdir(truth)
        png(os.path.join(truth, "scene.png"), atrous.predict(self.file).labels)
        found = os.path.join(self.folder.name, "found")
        command("predict", self.file, "--output", found)
        scores = json.loads(command("score", truth, os.path.join(found, "*_labels.png"), "--classes", "11", "--json"))
        self.assertEqual(scores["scores"]["pixelAccuracy"], 1)

    def test_views_and_odd_sizes(self):
        network = atrous.Network()
        whole = np.zeros((91, 203, 6), np.uint8)
        whole[..., ::2] = scene(91, 203)
        np.testing.assert_array_equal(
            network.predict(whole[..., ::2]).labels, network.predict(scene(91, 203)).labels)
        self.assertEqual(network.predict(scene(1, 1)).labels.shape, (1, 1))

    def test_about(self):
        network = atrous.Network()
        self.assertEqual(network.classes[:2], ("sky", "building"))
        self.assertEqual(network.colors.shape, (11, 3))
        self.assertEqual(network.bands, 3)
        self.assertRegex(atrous.__version__, r"^\d+\.\d+\.\d+$")

    def test_wrong_input(self):
        network = atrous.Network()
        with self.assertRaisesRegex(TypeError, "float64, expected uint8"):
            network.predict(scene().astype(float))
        for shape in ((10, 10), (10, 0, 3)):
            with self.assertRaisesRegex(ValueError, "expected \\(height, width, 3\\)"):
                network.predict(np.zeros(shape, np.uint8))
        with self.assertRaisesRegex(atrous.Error, "4 bands, expected 3"):
            network.predict(np.zeros((10, 10, 4), np.uint8))
        with self.assertRaisesRegex(atrous.Error, "missing.png"):
            network.predict(os.path.join(self.folder.name, "missing.png"))
        with self.assertRaisesRegex(atrous.Error, "nowhere"):
            atrous.Network("nowhere")
        with self.assertRaisesRegex(atrous.Error, "float16"):
            atrous.Network(precision="float16")
        with self.assertRaisesRegex(atrous.Error, "tpu"):
            atrous.Network(device="tpu")

    def test_mirrored(self):
        usual, flipped = atrous.Network(), atrous.Network(flip=True)
        image = scene()
        a = flipped.predict(image, probabilities=True).probabilities
        b = flipped.predict(image[:, ::-1], probabilities=True).probabilities[..., ::-1]
        self.assertLess(np.abs(a - b).max(), 1e-4)
        self.assertGreater(np.abs(a - usual.predict(image, probabilities=True).probabilities).max(), 1e-4)

    def test_threads_go_on(self):
        network, image = atrous.Network(), scene()
        network.predict(image)
        done, turns = threading.Event(), 0
        worker = threading.Thread(target=lambda: (network.predict(image), done.set()))
        worker.start()
        while not done.is_set():
            turns += 1
            time.sleep(0.001)
        worker.join()
        # With the lock held there would be one turn or two.
        self.assertGreater(turns, 5)

    def test_memory_comes_back(self):
        def resident():
            with open("/proc/self/statm", encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        network, image = atrous.Network(), scene()
        for _ in range(3):
            network.predict(image, probabilities=True)
        gc.collect()
        before = resident()
        for _ in range(60):
            network.predict(image, probabilities=True)
        gc.collect()
        # Together their probabilities are 456 MB; what a network has in use between two images goes up and down by 200.
        self.assertLess(resident() - before, 300e6)

    def test_results_are_not_copied_and_outlive_the_network(self):
        network = atrous.Network()
        labels, probabilities = network.predict(scene(), probabilities=True)
        for array in (labels, probabilities):
            self.assertTrue(array.flags.c_contiguous and array.flags.writeable and array.flags.aligned)
            self.assertFalse(array.flags.owndata)
            self.assertIsInstance(array.base, atrous._Lent)
        expected = labels.copy(), probabilities.copy()
        part = probabilities[3, 100:200]
        # Labels that are kept do not keep their probabilities.
        found = atrous.Network(packaged="vessels").predict(scene(32, 32), probabilities=True)
        kept, gone = found.labels, weakref.ref(found.probabilities.base)
        del found
        gc.collect()
        self.assertIsNone(gone())
        self.assertEqual(kept.shape, (32, 32))
        del network
        other = atrous.Network(packaged="vessels").predict(scene(), probabilities=True)
        del probabilities
        gc.collect()
        np.testing.assert_array_equal(labels, expected[0])
        np.testing.assert_array_equal(part, expected[1][3, 100:200])
        part[:] = 0
        labels[:] = 7
        self.assertEqual(other.labels.max(), 1)
        self.assertIsNone(atrous.Network().predict(scene(8, 8)).probabilities)

    def test_the_source_alone_says_so(self):
        source = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "atrous")
        if not os.path.isdir(source):
            self.skipTest("the source is not beside the tests")
        for words in (["-m", "atrous", "--version"], ["-c", "import atrous; atrous.Network()"]):
            done = subprocess.run(
                [sys.executable, *words], cwd=os.path.dirname(source), capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertIn(f"{source} is the module's source, expected an installed wheel", done.stderr)

    def test_evaluate_needs_data(self):
        with self.assertRaises(atrous.Error):
            atrous.evaluate(os.path.join(self.folder.name, "missing.safetensors"))


if __name__ == "__main__":
    unittest.main()
