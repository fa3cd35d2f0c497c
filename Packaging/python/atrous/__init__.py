"""Semantic segmentation by Atrous: labels and probabilities as NumPy arrays, scores as dictionaries.

    import atrous
    labels, probabilities = atrous.predict("street.jpg")            # the packaged network
    network = atrous.Network("runs/eyes")                           # a run, a checkpoint, an ONNX file
    labels = network.predict(image).labels                          # image: (height, width, 3) of uint8

The work is done by the library that the command `atrous` is made of, without Python's lock, so that threads go on.
"""

from __future__ import annotations

import ctypes
import functools
import json
import os
from typing import Any, NamedTuple, Sequence, Union

import numpy as np
import numpy.typing as npt

from ._library import Error, library

__all__ = ["Error", "Network", "Prediction", "evaluate", "predict", "__version__"]

Labels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]
Image = Union[str, "os.PathLike[str]", npt.NDArray[np.uint8]]


class Prediction(NamedTuple):
    """What a network finds in an image."""

    labels: Labels
    """The class of each pixel (height, width); 255 where nothing was measured."""
    probabilities: Probabilities | None
    """The probability of each class at each pixel (classes, height, width); None if it was not asked for."""


class Network:
    """A network that is ready to predict; any thread may ask it, one image at a time goes through it.

    path: a run's folder, a checkpoint, a weight file of another program that says what it is, or an ONNX file; None for
        a network that comes with the package.
    packaged: which of them where path is None: "streets" (eleven classes) or "vessels" (of the eye's background).
    device: "cpu", "cuda" or "cuda:N".
    precision: "float32", "bfloat16" or "int8"; None for that of training.
    overrides: keys of the configuration, such as "data.orientation=stored".
    scales, flip: factors by which images are seen, and whether mirrored, too; probabilities are averaged.
    memory_budget: the bytes that an image may take; tiles: whether images that need more are cut instead of refused.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        packaged: str = "streets",
        device: str = "cpu",
        precision: str | None = None,
        overrides: Sequence[str] = (),
        scales: Sequence[float] | None = None,
        flip: bool | None = None,
        memory_budget: int | None = None,
        tiles: bool = False,
    ) -> None:
        self._session = None
        options = _options(
            packaged=packaged, device=device, precision=precision, overrides=list(overrides), flip=flip,
            memoryBudget=memory_budget, scales=None if scales is None else [float(scale) for scale in scales], tiles=tiles)
        session = ctypes.c_void_p()
        library().open(None if path is None else os.fsencode(path), options, ctypes.byref(session))
        self._session = session
        about = json.loads(library().text("describe", session))
        self.classes: tuple[str, ...] = tuple(about["classes"])
        """The names of the classes, in the order of the labels."""
        self.colors: npt.NDArray[np.uint8] = np.array(about["colors"], np.uint8).reshape(-1, 3)
        """The colours of the classes (classes, 3): red, green, blue."""
        self.bands: int = about["bands"]
        """The bands of the images that it sees."""
        self.notes: tuple[str, ...] = tuple(about["notes"])
        """What another program's file leaves to be assumed, a sentence each."""

    def __del__(self) -> None:
        if getattr(self, "_session", None) is not None:
            library().close(self._session)
            self._session = None

    def __repr__(self) -> str:
        return f"<atrous.Network: {len(self.classes)} classes>"

    def predict(self, image: Image, *, probabilities: bool = False) -> Prediction:
        """Segments an image: the path of a file, or pixels (height, width, bands) of uint8.

        A file is read as the command reads it, turned as EXIF says. Raises Error for what cannot be read or does not fit
        into memory, TypeError and ValueError for arrays of another kind.
        """
        handle, height, width = self._image(image)
        try:
            labels = ctypes.c_void_p()
            found = ctypes.c_void_p()
            library().predict(
                self._session, handle, ctypes.byref(labels), ctypes.byref(found) if probabilities else None)
            size = (height, width)
            return Prediction(
                np.asarray(_Lent(labels, np.uint8, size)),
                np.asarray(_Lent(found, np.float32, (len(self.classes), *size))) if probabilities else None)
        finally:
            library().image_close(handle)

    def _image(self, image: Image) -> tuple[ctypes.c_void_p, int, int]:
        handle = ctypes.c_void_p()
        if isinstance(image, (str, os.PathLike)):
            width, height = ctypes.c_int64(), ctypes.c_int64()
            library().image_open(
                self._session, os.fsencode(image), ctypes.byref(handle), ctypes.byref(width), ctypes.byref(height))
            return handle, height.value, width.value
        pixels = np.asarray(image)
        if pixels.dtype != np.uint8:
            raise TypeError(f"the image is of {pixels.dtype}, expected uint8, 0 to 255")
        if pixels.ndim != 3 or 0 in pixels.shape:
            raise ValueError(f"the image has shape {pixels.shape}, expected (height, width, {self.bands})")
        pixels = np.ascontiguousarray(pixels)
        height, width, bands = pixels.shape
        library().image_make(
            self._session, pixels.ctypes.data_as(ctypes.c_void_p), width, height, bands, ctypes.byref(handle))
        return handle, height, width


class _Lent:
    """An array of the library, which the NumPy array that is made of it looks into and gives back at its end."""

    def __init__(self, handle: ctypes.c_void_p, kind: type[np.generic], shape: tuple[int, ...]) -> None:
        self._handle, self._close = handle, library().array_close
        self.__array_interface__ = {
            "version": 3, "data": (library().array_numbers(handle), False), "shape": shape, "typestr": np.dtype(kind).str}

    def __del__(self) -> None:
        self._close(self._handle)


@functools.lru_cache(maxsize=4)
def _network(path: str | None) -> Network:
    return Network(path)


def predict(
    image: Image, network: Network | str | os.PathLike[str] | None = None, *, probabilities: bool = True
) -> Prediction:
    """Segments an image by a network, the packaged one unless said; networks given by their paths are kept open."""
    if not isinstance(network, Network):
        network = _network(None if network is None else os.path.abspath(os.fspath(network)))
    return network.predict(image, probabilities=probabilities)


def evaluate(
    path: str | os.PathLike[str], *, split: str | None = None, device: str = "cpu", precision: str | None = None,
    overrides: Sequence[str] = (), scales: Sequence[float] | None = None, flip: bool | None = None,
) -> dict[str, Any]:
    """Scores a run or a checkpoint on its data, as `atrous evaluate --json` does."""
    options = _options(
        split=split, device=device, precision=precision, overrides=list(overrides), flip=flip,
        scales=None if scales is None else [float(scale) for scale in scales])
    scores: dict[str, Any] = json.loads(library().evaluate(os.fsencode(path), options))
    return scores


def _options(**values: Any) -> bytes:
    return json.dumps({key: value for key, value in values.items() if value is not None}).encode()


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return library().text("version")
    raise AttributeError(f"module 'atrous' has no attribute '{name}'")
