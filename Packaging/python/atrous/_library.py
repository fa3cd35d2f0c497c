"""Finds libtorch and the library of Atrous, and calls it."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import re
import sys
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
OWN = os.path.join(HERE, "lib", "libatrous.so")
TORCH = "2.11.0"


class Error(RuntimeError):
    """What Atrous refuses, in words: the file, the value, and what was expected."""


def installed() -> None:
    """Error where this is the module's source alone."""
    if not os.path.exists(OWN):
        raise Error(f"{HERE} is the module's source, expected an installed wheel, which make wheel builds")


def torch_folder() -> str:
    """The folder of the torch package in this environment, which is not imported; Error if it is another version."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        raise Error(f"torch {TORCH} is not in this environment ({sys.prefix}); pip install torch=={TORCH}")
    folder = list(found.submodule_search_locations)[0]
    try:
        with open(os.path.join(folder, "version.py"), encoding="utf-8") as file:
            version = re.search(r"__version__ = '([^']*)'", file.read())
    except OSError:
        version = None
    if version is None or version.group(1).split("+")[0] != TORCH:
        has = "a torch without a version" if version is None else f"torch {version.group(1)}"
        raise Error(f"this environment has {has}, expected torch {TORCH}; pip install torch=={TORCH}")
    return folder


class Library:
    """The functions of atrous.h, which raise Error where they fail."""

    def __init__(self) -> None:
        installed()
        folder = torch_folder()
        # With the whole path, wherever torch lies; what is loaded already serves.
        for name in ("libc10.so", "libtorch_cpu.so"):
            ctypes.CDLL(os.path.join(folder, "lib", name), mode=ctypes.RTLD_GLOBAL)
        self._library = ctypes.CDLL(OWN)
        pointer, text = ctypes.c_void_p, ctypes.c_char_p
        self._library.atrous_free.argtypes = [pointer]
        self._library.atrous_free.restype = None
        for name in ("version", "describe"):
            function = getattr(self._library, f"atrous_{name}")
            function.restype = pointer
            function.argtypes = [] if name == "version" else [pointer]
        self._library.atrous_close.argtypes = [pointer]
        self._library.atrous_close.restype = None
        for name in ("image_close", "array_close"):
            function = getattr(self._library, f"atrous_{name}")
            function.argtypes = [pointer]
            function.restype = None
        self._library.atrous_array_numbers.argtypes = [pointer]
        self._library.atrous_array_numbers.restype = pointer
        int64 = ctypes.c_int64
        for name, types in (
            ("open", [text, text, pointer]),
            ("image_open", [pointer, text, pointer, pointer, pointer]),
            ("image_make", [pointer, pointer, int64, int64, int64, pointer]),
            ("predict", [pointer, pointer, pointer, pointer]),
            ("evaluate", [text, text, pointer]),
        ):
            function = getattr(self._library, f"atrous_{name}")
            function.argtypes = [*types, ctypes.POINTER(pointer)]
            function.restype = ctypes.c_int
        self.open = functools.partial(self._call, "open")
        self.image_open = functools.partial(self._call, "image_open")
        self.image_make = functools.partial(self._call, "image_make")
        self.predict = functools.partial(self._call, "predict")
        self.close = self._library.atrous_close
        self.image_close = self._library.atrous_image_close
        self.array_close = self._library.atrous_array_close
        self.array_numbers = self._library.atrous_array_numbers

    def _call(self, name: str, *arguments: Any) -> None:
        error = ctypes.c_void_p()
        if getattr(self._library, f"atrous_{name}")(*arguments, ctypes.byref(error)):
            raise Error(self._taken(error.value) or f"{name} failed")

    def _taken(self, address: int | None) -> str:
        """The text at an address, which is freed."""
        if not address:
            return ""
        try:
            return ctypes.string_at(address).decode("utf-8", "replace")
        finally:
            self._library.atrous_free(address)

    def text(self, name: str, *arguments: Any) -> str:
        return self._taken(getattr(self._library, f"atrous_{name}")(*arguments))

    def evaluate(self, path: bytes, options: bytes) -> str:
        result = ctypes.c_void_p()
        self._call("evaluate", path, options, ctypes.byref(result))
        return self._taken(result.value)


@functools.lru_cache(maxsize=1)
def library() -> Library:
    return Library()
