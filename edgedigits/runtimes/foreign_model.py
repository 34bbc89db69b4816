"""``.onnx`` and ``.tflite`` files that edgedigits did not make, asked as they are: they promise nothing.

Their graphs are not followed as those of our files are: a runtime is given them as anybody else would give them to it.
So a child process with limits opens each first and asks it about a few pictures; what it does not survive is not opened
here. ``python -m edgedigits.runtimes.foreign_model PATH SECONDS`` is that child.
"""

import os
import re
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgedigits.answers import SUM_TOLERANCE, are_probabilities
from edgedigits.artifacts.hashes import sha256_bytes
from edgedigits.child_processes import run_module
from edgedigits.contract import IMAGE_SIDE
from edgedigits.errors import EdgeDigitsError, ForeignModelError, ModelFileError
from edgedigits.extras import extra
from edgedigits.input_scale import UNIT, InputScale
from edgedigits.metadata import ModelMetadata
from edgedigits.model_files.content import read_model_bytes
from edgedigits.native_output import hidden_native_output
from edgedigits.picture.levels import Pixels
from edgedigits.runtimes.foreign_edges import Edge, as_input, as_numbers, find_edges
from edgedigits.runtimes.model import Model, Probabilities, name_and_version, thread_count

CPU_SECONDS = 30
MEMORY_BYTES = 4 << 30
"""Of addresses, of which runtimes reserve most and use little."""
BATCH = 1_000
ANOTHER = "name another, or export the Keras network that it comes from"
QUANTIZED_SUMS = 10 / 256
"""How far ten probabilities in steps of 1/256 may be from 1."""
_ELSEWHERE = re.compile(rb"\x0a(?:\x08|\x88\x80*\x00)location")
"""How protobuf writes the key under which an ONNX tensor names another file."""
_REFUSED = 3


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]


class _Runner(ABC):
    """A model in its runtime."""

    edges: tuple[Edge, Edge]
    """Of the picture and of the ten numbers."""

    def answers(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the ten numbers for each image, float32 (n, 10), for values (n, 28, 28), n > 0."""
        entry, end = self.edges
        step = 1 if entry.batch is None else entry.batch or BATCH
        parts = []
        for start in range(0, len(values), step):
            part = values[start : start + step]
            if entry.batch:
                part = np.concatenate([part, np.zeros((step - len(part), *part.shape[1:]), np.float32)])
            given = self.run(as_input(entry, part))
            parts.append(as_numbers(end, given, min(step, len(values) - start)))
        return np.concatenate(parts)

    @abstractmethod
    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return what the model gives for an input of its own."""


class _OnnxRunner(_Runner):
    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        from edgedigits.runtimes.onnx_session import OPEN_ERRORS, session_options
        from edgedigits.runtimes.ort import onnxruntime

        if _ELSEWHERE.search(content):
            raise ModelFileError(path, "its tensors lie in other files; only whole files are opened", ANOTHER)
        try:
            self._session = onnxruntime.InferenceSession(
                content, session_options(threads), providers=["CPUExecutionProvider"], enable_fallback=0
            )
        except OPEN_ERRORS as error:
            raise ModelFileError(path, f"onnxruntime cannot read it ({_short(error)})", ANOTHER) from error
        self._path, self._errors = path, OPEN_ERRORS
        sides = self._session.get_inputs(), self._session.get_outputs()
        self.edges = find_edges(path, *(list(map(_onnx_edge, tensors)) for tensors in sides))

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        entry, end = self.edges
        try:
            return np.asarray(self._session.run([end.name], {entry.name: images})[0])
        except self._errors as error:
            raise ModelFileError(
                self._path, f"onnxruntime cannot run it ({_short(error)})", ANOTHER
            ) from error


def _onnx_edge(tensor: Any) -> Edge:
    names = {"float": "float32", "double": "float64"}
    kind = str(tensor.type).removeprefix("tensor(").removesuffix(")")
    kind = names.get(kind, kind)
    dtype = np.dtype(kind) if re.fullmatch(r"float(16|32|64)|u?int(8|16|32|64)", kind) else None
    shape = tensor.shape if isinstance(tensor.shape, list) else []
    return Edge(tensor.name, dtype, tuple(side if isinstance(side, int) else None for side in shape))


class _TfliteRunner(_Runner):
    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        with extra("tflite", "opening .tflite files"):
            from ai_edge_litert.interpreter import Interpreter
        self._path = path
        try:
            with hidden_native_output():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(path, f"LiteRT cannot open it ({_short(error)})", ANOTHER) from error
        sides = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        described = [list(map(_tflite_edge, details)) for details in sides]
        self.edges = find_edges(path, *described)
        self._input = next(int(edge["index"]) for edge in sides[0])
        self._output = int(sides[1][described[1].index(self.edges[1])]["index"])
        self._batch = -1

    def run(self, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
        try:
            if self.edges[0].batch == 0 and len(images) != self._batch:
                self._interpreter.resize_tensor_input(self._input, images.shape)
                with hidden_native_output():
                    self._interpreter.allocate_tensors()
                self._batch = len(images)
            self._interpreter.set_tensor(self._input, images)
            self._interpreter.invoke()
            return np.asarray(self._interpreter.get_tensor(self._output))
        except (ValueError, RuntimeError) as error:
            raise ModelFileError(self._path, f"LiteRT cannot run it ({_short(error)})", ANOTHER) from error


def _tflite_edge(details: dict[str, Any]) -> Edge:
    dtype = np.dtype(details["dtype"])
    shape = tuple(None if side == -1 else int(side) for side in details["shape_signature"])
    scale, zero_point = details["quantization"]
    return Edge(
        str(details["name"]), dtype if dtype.kind in "fiu" else None, shape, float(scale), int(zero_point)
    )


_RUNNERS = {".onnx": _OnnxRunner, ".tflite": _TfliteRunner}


def _runner(path: Path, content: bytes, threads: int) -> _Runner:
    if path.suffix not in _RUNNERS:
        raise ForeignModelError(
            path, f"a file that ends in {' or '.join(_RUNNERS)}", path.suffix or "another"
        )
    return _RUNNERS[path.suffix](path, content, threads)


class ForeignModel(Model):
    """A model of another tool in its runtime, fed values that it was trained on as far as these are known."""

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        input_scale: InputScale | None = None,
        *,
        is_tried: bool = False,
    ) -> None:
        """Open a file.

        Args:
            path: a ``.onnx`` or ``.tflite`` file.
            threads: of the runtime; 0 for one per core.
            input_scale: what it was trained on; None for values from 0 to 1.
            is_tried: whether a process of its own has opened it before.

        Raises:
            ModelNotFoundError, ModelFileError, ForeignModelError, MissingExtraError: it cannot be opened, or takes no
                picture, or gives no ten numbers.
        """
        content = read_model_bytes(path)
        if not is_tried:
            _try_in_a_child(path)
        threads = thread_count(threads)
        self._runner = _runner(path, content, threads)
        runtime = "onnxruntime" if path.suffix == ".onnx" else "ai-edge-litert"
        metadata = ModelMetadata("foreign", "float32", sha256_bytes(content), {})
        super().__init__(path, metadata, name_and_version(runtime), threads)
        self.input_scale = input_scale or UNIT
        """What pixels are made into before its input."""
        self.ends_in = "logits"
        """What its ten numbers are: ``logits``, of which a softmax is taken, ``probabilities``, or ten ``sigmoids``."""

    @property
    def edges(self) -> tuple[Edge, Edge]:
        """Its input and its output, as the file has them."""
        return self._runner.edges

    @property
    def is_sigmoid(self) -> bool:
        """See ``Model.is_sigmoid``; told by its answers."""
        return getattr(self, "ends_in", "") == "sigmoids"

    def look(self, images: Pixels) -> None:
        """Find out what its ten numbers are from its answers to some images, uint8 (n, 28, 28).

        A softmax gives shares of one and a sigmoid numbers from 0 to 1 whatever goes in.
        """
        given = [self._runner.answers(images * np.float32(factor)) for factor in (1, 1 / 255)]
        found = np.concatenate(given)
        steps = self._runner.edges[1].scale
        self.sum_tolerance = max(SUM_TOLERANCE, QUANTIZED_SUMS if steps else 0.0)
        if are_probabilities(found, self.sum_tolerance):
            self.ends_in = "probabilities"
        elif np.isfinite(found).all() and found.min() >= 0 and found.max() <= 1:
            self.ends_in, self.sum_tolerance = "sigmoids", np.inf

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Run the model; see ``Model.probabilities``."""
        return self.answers(self.input_scale.values(pixels))

    def answers(self, values: npt.NDArray[np.float32]) -> Probabilities:
        """Run the model on values of its own, float32 (n, 28, 28); see ``Model.probabilities``."""
        found = self._runner.answers(values)
        if self.ends_in != "logits":
            return found
        with np.errstate(all="ignore"):  # infinity and NaN are told apart by whoever takes the answers
            powers = np.exp(found - found.max(axis=1, keepdims=True))
            probabilities: Probabilities = powers / powers.sum(axis=1, keepdims=True)
        return probabilities


def _try_in_a_child(path: Path) -> None:
    """Raise ``ModelFileError`` unless a process of its own opens a file and asks it, within its limits."""
    with tempfile.TemporaryDirectory(prefix="edgedigits-") as scratch:
        try:
            child = subprocess.run(
                run_module(__name__, path.absolute(), CPU_SECONDS), cwd=scratch, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=4 * CPU_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ModelFileError(path, f"no answer after {4 * CPU_SECONDS} s", ANOTHER) from error
    if child.returncode == _REFUSED:
        # The child's own error, which is said again here with the path that the user gave.
        return
    if child.returncode != 0:
        raise ModelFileError(path, "its runtime did not survive it, or took too long", ANOTHER)


def _main() -> None:
    path = Path(sys.argv[1])
    try:
        import resource
    except ImportError:  # Windows: the child's own end is all that is contained there.
        pass
    else:
        seconds = int(sys.argv[2])
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        runner = _runner(path, read_model_bytes(path), 1)
        for count in (1, 3):
            runner.answers(np.full((count, IMAGE_SIDE, IMAGE_SIDE), 0.5, np.float32))
    except EdgeDigitsError:
        os._exit(_REFUSED)


if __name__ == "__main__":
    _main()
