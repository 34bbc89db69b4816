"""``.html`` files: the WebAssembly and the tables of an exported page, as a browser runs them, in wasmtime."""

import contextlib
import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgedigits.answers import QUANTIZED_SUM_TOLERANCE
from edgedigits.contract import CLASSES
from edgedigits.errors import ModelFileError
from edgedigits.extras import extra
from edgedigits.model_files.page_file import PageNetwork, read_page
from edgedigits.picture.levels import Pixels
from edgedigits.printable import printable
from edgedigits.runtimes.model import Model, Opening, Probabilities, dequantization_table, name_and_version

MOST_MEMORY = 1 << 30
"""Bytes that the WebAssembly of a page may take: what runs there may be of anybody."""
MOST_SECONDS = 10
"""That it may take to begin, and for each image."""
_ADVICE = "export it again with edgedigits export --format page"


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
        self._path, self._errors = path, (wasmtime.WasmtimeError, wasmtime.Trap, IndexError, KeyError)
        config = wasmtime.Config()
        config.epoch_interruption = True
        self._engine: Any = wasmtime.Engine(config)
        self._store: Any = wasmtime.Store(self._engine)
        self._store.set_limits(memory_size=MOST_MEMORY)
        with self._bounded(MOST_SECONDS):
            module = wasmtime.Module(self._engine, network.wasm)
            exports = wasmtime.Instance(self._store, module, []).exports(self._store)
            self._memory: Any = exports["memory"]
            self._calls: dict[str, Any] = {name: exports[name] for name in _CALLS}
            size = len(network.tables)
            self._tables = self._put(network.tables)
            scratch = self._call("network_scratch_bytes", self._tables, size)
            self._scratch = self._call("allocate", scratch)
        if scratch == 0:
            raise ModelFileError(path, "its tables are damaged, or of another version", _ADVICE)

    def run(self, pixels: Pixels) -> bytes:
        """Return ten bytes for each of some images."""
        size = len(pixels) * CLASSES
        with self._bounded(MOST_SECONDS * len(pixels)):
            mark = self._call("mark")
            images = self._put(np.ascontiguousarray(pixels).tobytes())
            answers = self._call("allocate", size)
            self._call("network_run", self._tables, images, len(pixels), answers, self._scratch)
            found = bytes(self._memory.read(self._store, answers, answers + size))
            self._call("release", mark)
        return found

    @contextlib.contextmanager
    def _bounded(self, seconds: float) -> Iterator[None]:
        """Stop what runs for longer inside the block; what fails there is a ``ModelFileError``."""
        self._store.set_epoch_deadline(1)
        timer = threading.Timer(seconds, self._engine.increment_epoch)
        timer.daemon = True
        timer.start()
        try:
            yield
        except self._errors as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelFileError(
                self._path, f"its WebAssembly does not run ({printable(reason)})", _ADVICE
            ) from error
        finally:
            timer.cancel()

    def _put(self, content: bytes) -> int:
        """Copy bytes into the memory and return where they begin."""
        place = self._call("allocate", len(content))
        if place == 0:
            raise ModelFileError(
                self._path, f"its WebAssembly has no memory for {len(content):,} bytes", _ADVICE
            )
        self._memory.write(self._store, content, place)
        return place

    def _call(self, name: str, *arguments: int) -> int:
        # A place in the upper half of the memory comes as a negative int32.
        return int(self._calls[name](self._store, *arguments) or 0) & 0xFFFFFFFF


_CALLS = ("allocate", "mark", "release", "network_scratch_bytes", "network_run")


def find_wasmtime() -> object | None:
    """Return something where the package is here that runs WebAssembly; None where it is not."""
    return importlib.util.find_spec("wasmtime")


def open_page(path: Path, opening: Opening) -> Model:
    """Open an exported ``.html`` file; see ``open_model``."""
    return PageModel(path, read_page(path))
