"""``.html`` files: the WebAssembly and the tables of an exported page, as a browser runs them, in wasmtime."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.answers import QUANTIZED_SUM_TOLERANCE
from edgedigits.contract import CLASSES
from edgedigits.errors import ModelFileError
from edgedigits.extras import extra
from edgedigits.model_files.page_file import PageNetwork, read_page
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.model import Model, Opening, Probabilities, dequantization_table, name_and_version

MOST_MEMORY = 1 << 30
"""Bytes that the WebAssembly of a page may take: what runs there may be of anybody."""


class PageModel(Model):
    """A page. Not to be shared between threads: pictures and answers pass through one memory."""

    def __init__(self, path: Path, network: PageNetwork) -> None:
        self._program = _Program(path, network)
        self._dequantized = dequantization_table(signed=False)
        super().__init__(path, network.metadata, name_and_version("wasmtime"))
        if not self.is_sigmoid:
            self.sum_tolerance = QUANTIZED_SUM_TOLERANCE

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        answers = np.frombuffer(self._program.run(pixels), np.uint8).reshape(len(pixels), CLASSES)
        dequantized: Probabilities = self._dequantized[answers]
        return dequantized


class _Program:
    """The WebAssembly with tables in its memory; the export wing's ``page/c/module.c`` says what its calls take."""

    def __init__(self, path: Path, network: PageNetwork) -> None:
        with extra("page", "opening pages"):
            import wasmtime
        self._store = wasmtime.Store()
        self._store.set_limits(memory_size=MOST_MEMORY)
        self._path, self._errors = path, (wasmtime.WasmtimeError, wasmtime.Trap, IndexError)
        try:
            module = wasmtime.Module(self._store.engine, network.wasm)
            exports = wasmtime.Instance(self._store, module, []).exports(self._store)
            self._memory: Any = exports["memory"]
            self._calls: dict[str, Any] = {name: exports[name] for name in _CALLS}
        except (*self._errors, KeyError) as error:
            raise self._refusal(error) from error
        size = len(network.tables)
        self._tables = self._put(network.tables)
        scratch = self._call("network_scratch_bytes", self._tables, size)
        if scratch == 0:
            raise ModelFileError(path, "its tables are damaged, or of another version", "export it again")
        self._scratch = self._call("allocate", scratch)

    def run(self, pixels: Pixels) -> bytes:
        """Return ten bytes for each of some images."""
        mark = self._call("mark")
        images = self._put(np.ascontiguousarray(pixels).tobytes())
        size = len(pixels) * CLASSES
        answers = self._call("allocate", size)
        self._call("network_run", self._tables, images, len(pixels), answers, self._scratch)
        found = bytes(self._memory.read(self._store, answers, answers + size))
        self._call("release", mark)
        return found

    def _put(self, content: bytes) -> int:
        """Copy bytes into the memory and return where they begin."""
        place = self._call("allocate", len(content))
        if place == 0:
            raise ModelFileError(self._path, f"its memory has no room for {len(content):,} bytes")
        self._memory.write(self._store, content, place)
        return place

    def _call(self, name: str, *arguments: int) -> int:
        try:
            found = self._calls[name](self._store, *arguments)
        except self._errors as error:
            raise self._refusal(error) from error
        return found or 0

    def _refusal(self, error: Exception) -> ModelFileError:
        reason = " ".join(str(error).split())[:200]
        return ModelFileError(
            self._path, f"its WebAssembly does not run ({reason})", "export it again with --format page"
        )


_CALLS = ("allocate", "mark", "release", "network_scratch_bytes", "network_run")


def find_wasmtime() -> object | None:
    """Return something where the package is here that runs WebAssembly; None where it is not."""
    return importlib.util.find_spec("wasmtime")


def open_page(path: Path, opening: Opening) -> Model:
    """Open an exported ``.html`` file; see ``open_model``."""
    return PageModel(path, read_page(path))
